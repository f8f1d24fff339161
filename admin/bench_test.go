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

// BenchmarkRefresh is what one refresh costs an observer of 5,000 topics of 6 partitions while nothing happens, without the
// network: the offsets of those whose turn it is are taken in, and a snapshot is made and compared with the one before.
func BenchmarkRefresh(b *testing.B) {
	w := large()
	interest := Interest{AllOffsets: true}
	var at turn
	last := w.snapshot(time.Now())
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Second)
		for _, wanted := range w.offsetsWanted(interest, &at) {
			for _, one := range wanted.all() {
				for _, id := range one.partitions {
					w.applyOffset(one.topic, id, latest, 100, now)
				}
			}
		}
		s := w.snapshot(now)
		if events := Diff(last, s); len(events) != 0 {
			b.Fatal(events)
		}
		Check(s)
		last = s
	}
}
