package controller

import (
	"context"
	"sync/atomic"
	"time"
)

// Status is what the active controller knows of the cluster, in numbers.
type Status struct {
	Topics, Partitions int // those of topics that are being deleted included
	Deleting           int // topics
	Brokers            int
	Offline            int // partitions without a leader that is alive
	Away               int // partitions that their preferred leader does not lead
	Reassigning        int // partitions
}

// Status asks the active controller; false if this broker is not, or it does not answer while ctx lasts.
func (c *Controller) Status(ctx context.Context) (Status, bool) {
	return ask(ctx, c, "status", func(t *term) (Status, error) { return t.view.status(), nil })
}

func (v *view) status() Status {
	s := Status{Topics: len(v.topics), Brokers: len(v.brokers)}
	for _, topic := range v.topics {
		s.Partitions += len(topic.partitions)
		if topic.deletion != nil {
			s.Deleting++
			continue
		}
		for _, p := range topic.partitions {
			if len(p.adding)+len(p.removing) > 0 {
				s.Reassigning++
			}
			switch {
			case p.state == nil || v.leaderless(p):
				s.Offline++
			case len(p.replicas) > 0 && p.state.Leader != p.replicas[0]:
				s.Away++
			}
		}
	}
	return s
}

// Elections counts what happened in all terms of this broker as controller.
type Elections struct {
	Unclean int64         // leaders elected outside of the isr
	Handled int64         // times that partitions without a leader were looked after
	Took    time.Duration // altogether
}

// elections is [Elections] while it is counted.
type elections struct{ unclean, count, nanos atomic.Int64 }

func (e *elections) handled(took time.Duration) {
	e.count.Add(1)
	e.nanos.Add(int64(took))
}

// Elections returns the counts so far; they only grow.
func (c *Controller) Elections() Elections {
	return Elections{c.elections.unclean.Load(), c.elections.count.Load(), time.Duration(c.elections.nanos.Load())}
}
