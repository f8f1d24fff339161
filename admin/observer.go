package admin

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"kdrill/admin/ensemble"
	"kdrill/admin/watch"
)

// Observer watches a cluster and tells what it sees. One goroutine, that of Run, owns what is known; everything
// that waits for a broker or a coordinator runs beside it and posts its answer.
type Observer struct {
	cfg       Config
	snapshots chan *Snapshot
	events    chan Event
	nudge     chan struct{}

	mu       sync.Mutex
	interest Interest
	interval time.Duration

	companion *atomic.Int64
}

// NewObserver makes an observer; Run makes it observe.
func NewObserver(cfg Config) *Observer {
	cfg = cfg.withDefaults()
	o := &Observer{
		cfg:       cfg,
		interval:  cfg.Interval,
		companion: &atomic.Int64{},
		snapshots: make(chan *Snapshot, 1),
		events:    make(chan Event),
		nudge:     make(chan struct{}, 1),
	}
	o.companion.Store(cfg.Companion)
	return o
}

// Beside tells which session the supervisor has that observes the same cluster, 0 for none.
func (o *Observer) Beside(session int64) { o.companion.Store(session) }

// Snapshots returns the channel of snapshots: capacity 1, the newest wins. One reader.
func (o *Observer) Snapshots() <-chan *Snapshot { return o.snapshots }

// Events returns the channel of what changed, in order. One reader; for one that does not read, the last 10,000
// are kept.
func (o *Observer) Events() <-chan Event { return o.events }

// SetInterest says what to ask for from now on; it refreshes at once.
func (o *Observer) SetInterest(i Interest) {
	o.mu.Lock()
	o.interest = i
	o.mu.Unlock()
	o.Refresh()
}

// SetInterval says how long to wait between two polls from now on; it refreshes at once.
func (o *Observer) SetInterval(d time.Duration) {
	if d <= 0 {
		return
	}
	o.mu.Lock()
	o.interval = d
	o.mu.Unlock()
	o.Refresh()
}

// Refresh asks for a poll now; the next one follows an interval later.
func (o *Observer) Refresh() {
	select {
	case o.nudge <- struct{}{}:
	default:
	}
}

func (o *Observer) wanted() Interest {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.interest
}

func (o *Observer) every() time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.interval
}

// Run observes until ctx ends. It fails only for what the user has to mend, such as a wrong client.properties.
func (o *Observer) Run(ctx context.Context) error {
	p, err := newPeers(o.cfg)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	run := &observation{
		Observer: o, peers: p, prober: o.cfg.prober(), world: newWorld(o.cfg),
		answers: make(chan func(*world), 64), busy: map[string]bool{}, due: map[string]time.Time{},
	}
	run.world.zookeeper.companion = o.companion
	defer p.close()
	defer run.tasks.Wait()
	defer stop()
	var znodes <-chan watch.Update
	if o.cfg.ZooKeeper != "" {
		run.watcher = watch.New(watch.Config{Connect: o.cfg.ZooKeeper, Access: o.cfg.ZooKeeperAccess, Log: o.cfg.Log})
		znodes = run.watcher.Updates()
		run.tasks.Go(func() { _ = run.watcher.Run(ctx) })
	}
	return run.loop(ctx, znodes)
}

// observation is the state of a running observer.
type observation struct {
	*Observer
	peers   *peers
	prober  *ensemble.Prober
	watcher *watch.Watcher // nil without ZooKeeper
	world   *world
	tasks   sync.WaitGroup
	answers chan func(*world)

	busy map[string]bool      // what is being asked now: nothing is asked twice at once
	due  map[string]time.Time // when what is asked less often is due
	turn turn                 // whose offsets are asked next

	topics rare // when all topics are asked for

	last      *Snapshot
	pending   []Event
	changed   time.Time // the first change since the last snapshot, zero for none
	urgent    bool      // one of them is news, not just another answer
	published time.Time
	cost      time.Duration // of the last snapshot and its events
}

// settle is the least time between two snapshots: answers that come together are shown together, and a cluster with many
// partitions takes a bounded share of the processor.
func (o *observation) settle() time.Duration {
	const least, most, share = 15 * time.Millisecond, 100 * time.Millisecond, 10
	return min(max(least, share*o.cost), most)
}

// gather is how long answers wait for others that were asked for together with them.
const gather = 100 * time.Millisecond

// wait is how long the next snapshot waits.
func (o *observation) wait(now time.Time) time.Duration {
	wait := o.settle() - now.Sub(o.published)
	if !o.urgent && len(o.busy) > 0 {
		wait = max(wait, gather-now.Sub(o.changed))
	}
	return wait
}

// note notes that something changed.
func (o *observation) note(urgent bool) {
	if o.changed.IsZero() {
		o.changed = time.Now()
	}
	o.urgent = o.urgent || urgent
}

func (o *observation) loop(ctx context.Context, znodes <-chan watch.Update) error {
	tick := time.NewTicker(o.every())
	defer tick.Stop()
	publish := time.NewTimer(0)
	defer publish.Stop()
	o.poll(ctx)
	for {
		var out chan<- Event
		var next Event
		if len(o.pending) > 0 {
			out, next = o.events, o.pending[0]
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case out <- next:
			o.pending = o.pending[1:]
		case apply := <-o.answers:
			apply(o.world)
			o.note(o.last == nil)
		case u, ok := <-znodes:
			if !ok {
				znodes = nil
				continue
			}
			o.znode(ctx, u)
		case <-tick.C:
			o.poll(ctx)
		case <-o.nudge:
			tick.Reset(o.every())
			o.poll(ctx)
		case <-publish.C:
		}
		if !o.changed.IsZero() {
			if wait := o.wait(time.Now()); wait > 0 {
				publish.Reset(wait)
			} else {
				o.publish()
			}
		}
	}
}

func (o *observation) publish() {
	now := time.Now()
	s := o.world.snapshot(now)
	if !o.world.known() {
		return
	}
	o.pending = append(o.pending, Diff(o.last, s)...)
	const kept = 10_000
	if extra := len(o.pending) - kept; extra > 0 {
		o.pending = slices.Clone(o.pending[extra:])
	}
	o.last, o.changed, o.urgent, o.published = s, time.Time{}, false, now
	o.cost = time.Since(now)
	for {
		select {
		case o.snapshots <- s:
			return
		default:
		}
		select {
		case <-o.snapshots:
		default:
		}
	}
}

// known says whether there is anything to show: the first answer, or why there is none.
func (w *world) known() bool {
	silent := func(c Coordinator) bool { return c.Error != "" }
	return !w.topicsAt.IsZero() || w.problem != "" || w.bare && slices.ContainsFunc(w.coordinators, silent)
}

func (o *observation) znode(ctx context.Context, u watch.Update) {
	o.world.applyWatch(u, time.Now())
	o.note(true)
	o.topics.soon()
	switch u.(type) {
	case watch.Configs:
		o.due[askMinISR] = time.Time{}
		o.poll(ctx)
	case watch.Online, watch.Offline, watch.Synced:
		o.poll(ctx)
	}
}
