package ui

import (
	"testing"

	"kdrill/admin"
	"kdrill/cluster"
)

func TestDeedsAreCommandLinesForAShell(t *testing.T) {
	for _, c := range []struct {
		deed Deed
		want string
	}{
		{Fault{Verb: cluster.Kill, Node: "broker-2"}, "kdrill kill broker-2"},
		{Fault{Verb: cluster.Kill, Node: "broker-2", Role: "leader:orders/3"}, "kdrill kill leader:orders/3"},
		{Fault{Verb: cluster.Stop, Node: "broker-1", Also: []string{"broker-2"}}, "kdrill stop broker-1 broker-2"},
		{DeleteTopics{[]string{"orders", "a b"}}, "kdrill topic delete orders 'a b' --yes"},
		{AlterConfig{Topic: "orders", Name: "retention.ms", Unset: true}, "kdrill topic alter orders --delete-config retention.ms"},
		{Elect{[]admin.TopicPartition{{Topic: "orders", Partition: 1}}}, "kdrill elect orders/1"},
		{Produce{Topic: "orders", NoKey: true, Value: `it's \n`}, `printf '%s\n' 'it'\''s \n' | kdrill produce orders`},
		{Produce{Topic: "orders", Key: "k", Value: "v"}, `printf '%s\n' k:v | kdrill produce orders --key :`},
		{Produce{Topic: "orders", Key: "a:b", Value: "v"}, `printf '%s\n' a:b=v | kdrill produce orders --key =`},
	} {
		if got := (Data{}).Line(c.deed); got != c.want {
			t.Errorf("%+v: %s, want %s", c.deed, got, c.want)
		}
		if got := (Data{Flags: "--cluster other"}).Line(c.deed); got != c.want+" --cluster other" {
			t.Errorf("%+v: %s does not name its cluster", c.deed, got)
		}
	}
}
