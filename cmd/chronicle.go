package cmd

import (
	"context"
	"iter"
	"log/slog"
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
	fault      *admin.Event     // the open fault, nil if there is none
	recovery   *admin.Recovery  // its stopwatch, nil until there is a snapshot to start it with
	over       <-chan time.Time // fires when everything that belongs to the fault has been recorded, nil before
}

// recorder is what a chronicle needs of a supervisor.
type recorder interface {
	Status() cluster.Status
	Record(cluster.Event)
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

// note starts the stopwatch with a fault and lets other events move it.
func (c *chronicle) note(e admin.Event) {
	if e.Kind != admin.KindFault {
		c.fold([]admin.Event{e}, nil)
		return
	}
	c.fault, c.recovery, c.over = &e, nil, nil
	if c.last != nil {
		c.begin(c.last)
	}
}

// see takes a snapshot. The first one also starts the stopwatch of a fault that was faster.
func (c *chronicle) see(s *admin.Snapshot) {
	if c.fault != nil && c.recovery == nil {
		c.begin(s)
	}
	if s.Controller >= 0 && (c.last == nil || c.last.Controller < 0) {
		c.log.Info("controller seen", "controller", s.ControllerName(), "epoch", s.ControllerEpoch)
	}
	c.last = s
	c.fold(nil, s)
}

func (c *chronicle) begin(before *admin.Snapshot) {
	status := c.supervisor.Status()
	n, _ := status.Node(c.fault.Subject)
	recovery := admin.Begin(*c.fault, before, n.Session)
	c.recovery = &recovery
}

func (c *chronicle) fold(events []admin.Event, now *admin.Snapshot) {
	if c.recovery == nil {
		return
	}
	next := c.recovery.Observe(events, now)
	c.recovery = &next
	if next.Over() && c.over == nil {
		c.over = time.After(settleTime)
	}
}

// recovered closes the fault.
func (c *chronicle) recovered() {
	took := max(c.recovery.Full, c.recovery.Quorum)
	c.supervisor.Record(cluster.Event{
		At: c.fault.At.Add(took), Kind: cluster.KindRecovered, Subject: c.fault.Subject,
		New: took.Round(time.Millisecond).String(), Note: c.recovery.Verdict(),
	})
	c.fault, c.recovery, c.over = nil, nil, nil
}
