package cmd

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"kdrill/cluster"
)

// BenchmarkUp measures how long a cluster of three coordinators and three brokers takes until it serves, and the
// memory of its six processes.
//
//	go test ./cmd -run '^$' -bench Up -benchtime 5x
func BenchmarkUp(b *testing.B) {
	var rss int64
	for b.Loop() {
		c := startLocal(b)
		b.StopTimer()
		rss = 0
		for _, n := range c.status().Nodes {
			rss += n.RSS
		}
		c.run("down", "--purge", "--yes")
		b.StartTimer()
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/ready")
	b.ReportMetric(float64(rss)/1e6, "MB-rss")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkFailover kills the leader of a partition again and again and reads in the timeline how long it took: from
// the kill to the end of the session, from there until every partition is led again, and from the change of a znode
// until the event reached a client.
//
//	go test ./cmd -run '^$' -bench Failover -benchtime 5x
func BenchmarkFailover(b *testing.B) {
	c := startLocal(b)
	c.run("topic", "create", "orders", "--partitions", "30", "--replication-factor", "3")
	client, err := kgo.NewClient(kgo.SeedBrokers(c.status().Bootstrap...))
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	events := c.follow(b)

	var session, led, seen []time.Duration
	for b.Loop() {
		detail, err := admin.ListTopics(b.Context(), "orders")
		if err != nil {
			b.Fatal(err)
		}
		victim := detail["orders"].Partitions[0].Leader
		moves := 0
		for _, p := range detail["orders"].Partitions {
			if p.Leader == victim {
				moves++
			}
		}
		name := fmt.Sprintf("broker-%d", victim)
		killed := time.Now()
		c.run("kill", name, "--yes")
		var ended, last time.Time
		for moves > 0 || ended.IsZero() {
			e := <-events
			switch {
			case e.Kind == "session" && e.Subject == name:
				ended = e.At
			case e.Kind == "leader" && strings.HasPrefix(e.Subject, "orders/") && e.Old == name:
				moves--
				last = e.At
				seen = append(seen, e.seen.Sub(e.At))
			}
		}
		session, led = append(session, ended.Sub(killed)), append(led, last.Sub(ended))
		c.run("restart", name, "--yes")
		eventually(b, "all replicas are in sync", func() bool { return inSync(b.Context(), admin, "orders", 30, 3) })
		c.run("elect")
		eventually(b, "the preferred leaders lead", func() bool { return preferred(b, admin, "orders") })
	}
	b.ReportMetric(slices.Max(session).Seconds()*1e3, "max-ms-to-session-end")
	b.ReportMetric(slices.Max(led).Seconds()*1e3, "max-ms-session-end-to-all-led")
	b.ReportMetric(slices.Max(seen).Seconds()*1e3, "max-ms-znode-to-event")
	b.ReportMetric(0, "ns/op")
}

func preferred(b *testing.B, admin *kadm.Client, topic string) bool {
	topics, err := admin.ListTopics(b.Context(), topic)
	if err != nil {
		return false
	}
	for _, p := range topics[topic].Partitions {
		if p.Leader != p.Replicas[0] {
			return false
		}
	}
	return true
}

type seenEvent struct {
	cluster.Event
	seen time.Time
}

// follow runs "kdrill events -f" and hands on each event with the time it arrived.
func (c *local) follow(b *testing.B) <-chan seenEvent {
	b.Helper()
	command := exec.CommandContext(b.Context(), "kdrill", "events", "-f", "--output", "json")
	command.Env = c.env
	out, err := command.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	events := make(chan seenEvent, 1<<16)
	go func() {
		defer close(events)
		for scan := bufio.NewScanner(out); scan.Scan(); {
			e := seenEvent{seen: time.Now()}
			if json.Unmarshal(scan.Bytes(), &e.Event) == nil {
				events <- e
			}
		}
		_ = command.Wait()
	}()
	return events
}
