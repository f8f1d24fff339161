package admin

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// BenchmarkFirstRow prints how long it takes from the start of an observer to its first snapshot, with 1,000 topics
// of 3 partitions on 3 brokers, of which one hangs: it is asked first.
func BenchmarkFirstRow(b *testing.B) {
	f := newFake(b, 3, kfake.SeedTopics(3, topicNames(1000)...))
	f.hung[0].Store(true)
	var worst time.Duration
	for b.Loop() {
		begun := time.Now()
		o := NewObserver(Config{Bootstrap: f.addrs})
		o.SetInterest(Everything())
		ctx, stop := context.WithCancel(b.Context())
		done := make(chan error, 1)
		go func() { done <- o.Run(ctx) }()
		if s := <-o.Snapshots(); len(s.Topics) != 1000 {
			b.Fatalf("%d topics: %s", len(s.Topics), s.Problem)
		}
		worst = max(worst, time.Since(begun))
		stop()
		<-done
	}
	b.ReportMetric(float64(worst.Milliseconds()), "worst-ms")
}

// BenchmarkDiff compares two snapshots of 1,000 topics of 3 partitions.
func BenchmarkDiff(b *testing.B) {
	s := three()
	for _, name := range topicNames(1000) {
		s.Topics = append(s.Topics, &Topic{Name: name, MinISR: 2, Partitions: s.Topics[0].Partitions})
	}
	for b.Loop() {
		if events := Diff(s, s); len(events) != 0 {
			b.Fatal(events)
		}
	}
}
