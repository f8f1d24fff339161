package cmd

import (
	"context"
	"iter"
	"log/slog"
	"slices"
	"time"

	"kdrill/admin"
	"kdrill/cluster"
)

// chronicle keeps the timeline of a cluster while nobody looks: it records what an observer sees, and for every fault the
// moment at which everything is as it was. One goroutine, that of run, owns it.
type chronicle struct {
	supervisor recorder
	log        *slog.Logger
	last       *admin.Snapshot
	faults     []*openFault     // the newest last; a node has one at most
	over       <-chan time.Time // fires when everything that belongs to a fault that is over has been recorded, nil before
}

// openFault is a fault that the cluster has not recovered from.
type openFault struct {
	admin.Event
	recovery *admin.Recovery // its stopwatch, nil until there is a snapshot to start it with
}

func (f *openFault) isOver() bool { return f.recovery != nil && f.recovery.Over() }

// recorder is what a chronicle needs of a supervisor.
type recorder interface {
	Status() cluster.Status
	Record(cluster.Event)
	Observes(session int64)
	Events(ctx context.Context, from int) iter.Seq2[cluster.Event, error]
}

// settleTime is how long after a snapshot the events that it brings may be recorded.
const settleTime = 100 * time.Millisecond

// run ends with ctx. A cluster without a timeline is better than none: nothing here ends the supervisor.
func (c *chronicle) run(ctx context.Context) {
	status := c.supervisor.Status()
	cfg := localConfig(status)
	cfg.Log = c.log
	observer := admin.NewObserver(cfg)
	observer.SetInterest(admin.Interest{Groups: true})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := observer.Run(ctx); err != nil && ctx.Err() == nil {
			c.log.Error("nothing observes the cluster", "err", err)
		}
	}()
	recorded := make(chan cluster.Event)
	go c.read(ctx, recorded)
	for {
		select {
		case e := <-observer.Events():
			c.supervisor.Record(cluster.Event(e))
		case s := <-observer.Snapshots():
			c.see(s)
		case <-c.over:
			c.recovered()
		case e := <-recorded:
			c.note(admin.Event(e))
		case <-ended:
			return
		}
	}
}

// read hands on what is recorded from now on.
func (c *chronicle) read(ctx context.Context, recorded chan<- cluster.Event) {
	began := time.Now()
	for e, err := range c.supervisor.Events(ctx, 0) {
		if err != nil {
			c.log.Error("timeline", "err", err)
			return
		}
		if e.At.Before(began) {
			continue
		}
		select {
		case recorded <- e:
		case <-ctx.Done():
			return
		}
	}
}

// note starts a stopwatch with a fault and lets other events move those that run.
func (c *chronicle) note(e admin.Event) {
	if e.Kind != admin.KindFault {
		c.fold([]admin.Event{e}, nil)
		return
	}
	f := &openFault{Event: e}
	c.faults = slices.DeleteFunc(c.faults, func(f *openFault) bool { return f.Subject == e.Subject })
	c.faults = append(c.faults, f)
	if c.last != nil {
		c.begin(f, c.last)
	}
}

// see takes a snapshot. The first one also starts the stopwatch of a fault that was faster.
func (c *chronicle) see(s *admin.Snapshot) {
	for _, f := range c.faults {
		if f.recovery == nil {
			c.begin(f, s)
		}
	}
	if s.Controller >= 0 && (c.last == nil || c.last.Controller < 0) {
		c.log.Info("controller seen", "controller", s.ControllerName(), "epoch", s.ControllerEpoch)
	}
	if c.last == nil && s.OwnSession != 0 || c.last != nil && c.last.OwnSession != s.OwnSession {
		c.supervisor.Observes(s.OwnSession)
	}
	c.last = s
	c.fold(nil, s)
}

func (c *chronicle) begin(f *openFault, before *admin.Snapshot) {
	status := c.supervisor.Status()
	n, _ := status.Node(f.Subject)
	recovery := admin.Begin(f.Event, before, n.Session)
	f.recovery = &recovery
}

func (c *chronicle) fold(events []admin.Event, now *admin.Snapshot) {
	for _, f := range c.faults {
		if f.recovery == nil {
			continue
		}
		next := f.recovery.Observe(events, now)
		f.recovery = &next
		if f.isOver() && c.over == nil {
			c.over = time.After(settleTime)
		}
	}
}

// recovered closes the faults that are over.
func (c *chronicle) recovered() {
	c.over = nil
	for _, f := range c.faults {
		if !f.isOver() {
			continue
		}
		took := f.recovery.Took()
		c.supervisor.Record(cluster.Event{
			At: f.At.Add(took), Kind: cluster.KindRecovered, Subject: f.Subject,
			New: admin.Seconds(took), Note: f.recovery.Verdict(),
		})
	}
	c.faults = slices.DeleteFunc(c.faults, (*openFault).isOver)
}
