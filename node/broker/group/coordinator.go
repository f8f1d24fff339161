package group

import (
	"context"
	"iter"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"kdrill/node/broker/led"
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
	Known      func(topic string, partition int32) bool // whether a partition exists, as far as is known here
	Settings   Settings
	Log        *slog.Logger
}

// A Coordinator coordinates the groups of those partitions of __consumer_offsets that this broker leads.
type Coordinator struct {
	cfg Config
	led *led.Partitions[*group]
}

// A partition is one that this broker leads.
type partition = led.Partition[*group]

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
	c := &Coordinator{cfg: cfg}
	c.led = led.New(led.Config[*group]{What: "groups", Load: c.load, Drop: (*group).end, Log: cfg.Log})
	return c
}

// Run expires offsets until the context ends; then all partitions are resigned.
func (c *Coordinator) Run(ctx context.Context) error {
	defer c.led.Close()
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

// PartitionFor is the partition of __consumer_offsets whose leader coordinates a group, -1 while the topic does not exist.
func (c *Coordinator) PartitionFor(groupID string) int32 {
	n := c.cfg.Partitions()
	if n <= 0 {
		return -1
	}
	return PartitionOf(groupID, n)
}

// Lead begins to coordinate the groups of a partition: they are loaded in the background, and requests for them get
// COORDINATOR_LOAD_IN_PROGRESS meanwhile.
func (c *Coordinator) Lead(number, epoch int32) { c.led.Lead(number, epoch) }

// Resign stops coordinating the groups of a partition; who waits is told to look for the new coordinator.
func (c *Coordinator) Resign(number int32) { c.led.Resign(number) }

// end tells who waits that the group is coordinated elsewhere.
func (g *group) end() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fsm.end(kerr.NotCoordinator, time.Now())
	g.halt()
}

// add finds or makes a group; it needs the partition's lock.
func (c *Coordinator) add(p *partition, id string) *group {
	g := p.Items[id]
	if g == nil {
		g = &group{partition: p, fsm: newFSM(id, c.cfg.Settings.InitialRebalanceDelay, time.Now()), offsets: map[place]commit{}, undecided: undecided{}}
		p.Items[id] = g
	}
	return g
}

// find returns a group, nil if there is none and it may not be made.
func (c *Coordinator) find(id string, create bool) (*group, error) {
	p, err := c.led.Loaded(c.PartitionFor(id))
	if err != nil {
		return nil, err
	}
	p.Mu.Lock()
	defer p.Mu.Unlock()
	if p.Ctx.Err() != nil {
		return nil, kerr.NotCoordinator
	}
	if !create {
		return p.Items[id], nil
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
		c.led.Spawn(func() { c.save(g) })
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
