package group

import (
	"context"
	"iter"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// A Store holds __consumer_offsets. Append returns once the batch is committed (acks=all), with the offset of its first
// record and errors of package kerr;
// epoch is the leader epoch that Lead named. Read iterates over the committed batches of a partition, as raw bytes.
type Store interface {
	Append(ctx context.Context, partition, epoch int32, batch []byte) (at int64, err error)
	// Verify asks the coordinator of a producer's transaction whether a partition is part of it (KIP-890), and returns what
	// appends its offsets there, unless the transaction ends before.
	Verify(ctx context.Context, partition int32, by Producer) (Append, error)
	Read(partition int32) iter.Seq2[[]byte, error]
}

// Append is [Store]'s.
type Append func(ctx context.Context, partition, epoch int32, batch []byte) (at int64, err error)

// A Producer commits offsets in a transaction.
type Producer struct {
	TransactionalID string
	ID              int64
	Epoch           int16
}

// Config is what a Coordinator needs.
type Config struct {
	Partitions func() int32 // of __consumer_offsets; 0 while the topic does not exist
	Store      Store
	Settings   Settings
	Log        *slog.Logger
}

// A Coordinator coordinates the groups of those partitions of __consumer_offsets that this broker leads.
type Coordinator struct {
	cfg  Config
	ctx  context.Context // of work that outlives a request; ends with Run
	stop context.CancelFunc

	starting   sync.Mutex // orders the start of background work with the end of Run
	background sync.WaitGroup

	mu         sync.RWMutex
	partitions map[int32]*partition
}

// A partition is one that this broker leads.
type partition struct {
	number int32
	epoch  atomic.Int32    // of the leader
	ctx    context.Context // ends when it is resigned
	resign context.CancelFunc
	loaded chan struct{} // closed once groups are there

	mu     sync.Mutex
	groups map[string]*group
}

// A group is a state machine with its committed offsets, lock and timer.
type group struct {
	partition *partition
	// turn is held while appending, so that appends are applied to memory in the order of the log; taken before mu. Commits
	// of offsets share it: they do not wait for each other, and those that are overtaken find a later one in memory.
	turn sync.RWMutex

	mu        sync.Mutex
	fsm       fsm
	offsets   map[place]commit
	undecided undecided
	timer     *time.Timer
}

// New makes a coordinator that leads nothing yet.
func New(cfg Config) *Coordinator {
	c := &Coordinator{cfg: cfg, partitions: map[int32]*partition{}}
	c.ctx, c.stop = context.WithCancel(context.Background())
	return c
}

// Run expires offsets until the context ends; then all partitions are resigned.
func (c *Coordinator) Run(ctx context.Context) error {
	defer c.end()
	ticker := time.NewTicker(c.cfg.Settings.RetentionCheck)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			c.expire(time.Now())
		}
	}
}

// spawn starts work that outlives a request, unless Run is over.
func (c *Coordinator) spawn(work func()) {
	c.starting.Lock()
	defer c.starting.Unlock()
	if c.ctx.Err() == nil {
		c.background.Go(work)
	}
}

func (c *Coordinator) end() {
	c.starting.Lock()
	c.stop()
	c.starting.Unlock()
	c.resignAll()
	c.background.Wait()
}

func (c *Coordinator) resignAll() {
	c.mu.RLock()
	numbers := make([]int32, 0, len(c.partitions))
	for n := range c.partitions {
		numbers = append(numbers, n)
	}
	c.mu.RUnlock()
	for _, n := range numbers {
		c.Resign(n)
	}
}

// PartitionFor is the partition of __consumer_offsets whose leader coordinates a group, -1 while the topic does not exist.
func (c *Coordinator) PartitionFor(groupID string) int32 {
	n := c.cfg.Partitions()
	if n <= 0 {
		return -1
	}
	return PartitionOf(groupID, n)
}

// Lead begins to coordinate the groups of a partition: they are loaded in the background, and requests for them get
// COORDINATOR_LOAD_IN_PROGRESS meanwhile. A leader that begins its next epoch, as when a follower died, goes on with what
// it has; if it missed one, another may have led.
func (c *Coordinator) Lead(number, epoch int32) {
	c.mu.Lock()
	old := c.partitions[number]
	if old != nil && old.epoch.Load() >= epoch-1 {
		old.epoch.Store(max(old.epoch.Load(), epoch))
		c.mu.Unlock()
		return
	}
	p := &partition{number: number, loaded: make(chan struct{}), groups: map[string]*group{}}
	p.epoch.Store(epoch)
	p.ctx, p.resign = context.WithCancel(c.ctx)
	c.partitions[number] = p
	c.mu.Unlock()
	if old != nil {
		old.unload()
	}
	c.spawn(func() { c.load(p) })
}

// Resign stops coordinating the groups of a partition; who waits is told to look for the new coordinator.
func (c *Coordinator) Resign(number int32) {
	c.mu.Lock()
	p := c.partitions[number]
	delete(c.partitions, number)
	c.mu.Unlock()
	if p != nil {
		p.unload()
	}
}

func (p *partition) unload() {
	p.resign()
	p.mu.Lock()
	groups := p.groups
	p.groups = map[string]*group{}
	p.mu.Unlock()
	for _, g := range groups {
		g.mu.Lock()
		g.fsm.end(kerr.NotCoordinator, time.Now())
		g.halt()
		g.mu.Unlock()
	}
}

// add finds or makes a group; it needs the partition's lock.
func (c *Coordinator) add(p *partition, id string) *group {
	g := p.groups[id]
	if g == nil {
		g = &group{partition: p, fsm: newFSM(id, c.cfg.Settings.InitialRebalanceDelay, time.Now()), offsets: map[place]commit{}, undecided: undecided{}}
		p.groups[id] = g
	}
	return g
}

// lead finds the partition of a group; the error says what a client has to do.
func (c *Coordinator) lead(id string) (*partition, error) {
	number := c.PartitionFor(id)
	if number < 0 {
		return nil, kerr.CoordinatorNotAvailable
	}
	c.mu.RLock()
	p := c.partitions[number]
	c.mu.RUnlock()
	if p == nil {
		return nil, kerr.NotCoordinator
	}
	select {
	case <-p.loaded:
		return p, nil
	default:
		return nil, kerr.CoordinatorLoadInProgress
	}
}

// find returns a group, nil if there is none and it may not be made.
func (c *Coordinator) find(id string, create bool) (*group, error) {
	p, err := c.lead(id)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx.Err() != nil {
		return nil, kerr.NotCoordinator
	}
	if !create {
		return p.groups[id], nil
	}
	return c.add(p, id), nil
}

// change runs f under the group's lock and sees to what follows from it.
func (c *Coordinator) change(g *group, f func(now time.Time)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f(time.Now())
	c.follow(g)
}

// follow needs the group's lock.
func (c *Coordinator) follow(g *group) {
	if g.fsm.state == dead {
		g.halt()
		return
	}
	c.arm(g)
	if g.fsm.unsaved {
		g.fsm.unsaved = false
		c.spawn(func() { c.save(g) })
	}
}

// arm sets the timer to the next deadline; it needs the group's lock.
func (c *Coordinator) arm(g *group) {
	next := g.fsm.deadline()
	switch {
	case next.IsZero():
		g.halt()
	case g.timer == nil:
		g.timer = time.AfterFunc(time.Until(next), func() { c.change(g, g.fsm.tick) })
	default:
		g.timer.Reset(time.Until(next))
	}
}

func (g *group) halt() {
	if g.timer != nil {
		g.timer.Stop()
	}
}
