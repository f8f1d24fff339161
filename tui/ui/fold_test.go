package ui

import (
	"fmt"
	"testing"
	"time"

	"kdrill/admin"
)

func TestFoldJoinsWhatHappensToManyPartitionsAtOnce(t *testing.T) {
	at := time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	event := func(kind admin.Kind, subject, old, note string, after time.Duration) admin.Event {
		return admin.Event{At: at.Add(after), Kind: kind, Subject: subject, Old: old, New: "broker-1", Note: note}
	}
	many := func(n int, kind admin.Kind, topic, old, note string, after time.Duration) (events []admin.Event) {
		for i := range n {
			events = append(events, event(kind, fmt.Sprintf("%s/%d", topic, i), old, note, after))
		}
		return events
	}
	join := func(parts ...[]admin.Event) (events []admin.Event) {
		for _, p := range parts {
			events = append(events, p...)
		}
		return events
	}
	all := func(admin.Event) bool { return true }
	for name, c := range map[string]struct {
		events []admin.Event
		shown  func(admin.Event) bool
		want   string // lengths of the runs
	}{
		"nothing":                    {nil, all, "[]"},
		"few stay lines":             {many(3, admin.KindLeader, "a", "broker-2", "", 0), all, "[1 1 1]"},
		"many are one":               {many(4, admin.KindLeader, "a", "broker-2", "", 0), all, "[4]"},
		"two leaders":                {join(many(5, admin.KindLeader, "a", "broker-2", "", 0), many(6, admin.KindLeader, "b", "broker-3", "", 0)), all, "[5 6]"},
		"two kinds":                  {join(many(5, admin.KindLeader, "a", "broker-2", "", 0), many(5, admin.KindISR, "a", "", "out", 0)), all, "[5 5]"},
		"one in between":             {join(many(2, admin.KindLeader, "a", "broker-2", "", 0), many(1, admin.KindController, "c", "", "", 0), many(2, admin.KindLeader, "b", "broker-2", "", 0)), all, "[1 1 1 1 1]"},
		"not at once":                {join(many(4, admin.KindISR, "a", "", "out", 0), many(4, admin.KindISR, "b", "", "out", time.Second)), all, "[4 4]"},
		"out of sync and back":       {join(many(4, admin.KindISR, "a", "", "out", 0), many(4, admin.KindISR, "a", "", "back", 0)), all, "[4 4]"},
		"groups are no partitions":   {many(5, admin.KindGroup, "g", "", "", 0), all, "[1 1 1 1 1]"},
		"internal ones stay apart":   {join(many(4, admin.KindLeader, "a", "broker-2", "", 0), many(4, admin.KindLeader, "__b", "broker-2", "", 0)), all, "[4 4]"},
		"what is hidden is left out": {many(6, admin.KindLeader, "a", "broker-2", "", 0), func(e admin.Event) bool { return e.Subject > "a/1" }, "[4]"},
	} {
		t.Run(name, func(t *testing.T) {
			lengths := []int{}
			for _, run := range Fold(c.events, c.shown) {
				lengths = append(lengths, len(run))
			}
			if got := fmt.Sprint(lengths); got != c.want {
				t.Errorf("runs of %s, want %s", got, c.want)
			}
		})
	}
}
