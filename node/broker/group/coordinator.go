package group

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"kdrill/node/log"
)

// A Store holds __consumer_offsets. Append returns once the batch is committed (acks=all), with errors of package kerr;
// epoch is the leader epoch that Lead named. Read iterates over the committed batches of a partition, as raw bytes.
type Store interface {
	Append(ctx context.Context, partition, epoch int32, batch []byte) error
	Read(partition int32) iter.Seq2[[]byte, error]
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
	cfg        Config
	ctx        context.Context // of work that outlives a request; ends with Run
	stop       context.CancelFunc
	background sync.WaitGroup

	mu         sync.RWMutex
	partitions map[int32]*partition
}

// A partition is one that this broker leads.
type partition struct {
	number, epoch int32
	ctx           context.Context // ends when it is resigned
	resign        context.CancelFunc
	loaded        chan struct{} // closed once groups are there

	mu     sync.Mutex
	groups map[string]*group
}

// A group is a state machine with its committed offsets, lock and timer.
type group struct {
	partition *partition
	turn      sync.Mutex // held while appending, so that appends are applied to memory in the order of the log; taken before mu

	mu      sync.Mutex
	fsm     fsm
	offsets map[place]commit
	timer   *time.Timer
}

// New makes a coordinator that leads nothing yet.
func New(cfg Config) *Coordinator {
	c := &Coordinator{cfg: cfg, partitions: map[int32]*partition{}}
	c.ctx, c.stop = context.WithCancel(context.Background())
	return c
}

// Run expires offsets until the context ends; then all partitions are resigned.
func (c *Coordinator) Run(ctx context.Context) error {
	defer c.background.Wait()
	defer c.stop()
	defer c.resignAll()
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
	return partitionOf(groupID, n)
}

// Lead begins to coordinate the groups of a partition: they are loaded in the background, and requests for them get
// COORDINATOR_LOAD_IN_PROGRESS meanwhile.
func (c *Coordinator) Lead(number, epoch int32) {
	p := &partition{number: number, epoch: epoch, loaded: make(chan struct{}), groups: map[string]*group{}}
	p.ctx, p.resign = context.WithCancel(c.ctx)
	c.mu.Lock()
	old := c.partitions[number]
	if old != nil && old.epoch >= epoch {
		c.mu.Unlock()
		p.resign()
		return
	}
	c.partitions[number] = p
	c.mu.Unlock()
	if old != nil {
		old.unload()
	}
	c.background.Go(func() { c.load(p) })
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

// retryLoad is how long loading waits after a failure.
const retryLoad = time.Second

func (c *Coordinator) load(p *partition) {
	began := time.Now()
	for {
		m, err := c.remember(p)
		if err == nil {
			c.install(p, m)
			c.cfg.Log.Info("groups loaded", "partition", p.number, "epoch", p.epoch, "groups", len(p.groups), "after", time.Since(began))
			return
		}
		if p.ctx.Err() != nil {
			return
		}
		c.cfg.Log.Warn("groups not loaded, trying again", "partition", p.number, "err", err)
		select {
		case <-p.ctx.Done():
			return
		case <-time.After(retryLoad):
		}
	}
}

func (c *Coordinator) remember(p *partition) (*memory, error) {
	m := newMemory()
	for raw, err := range c.cfg.Store.Read(p.number) {
		if err == nil {
			err = p.ctx.Err()
		}
		if err == nil {
			err = m.read(raw)
		}
		if err != nil {
			return nil, fmt.Errorf("load groups of __consumer_offsets/%d: %w", p.number, err)
		}
	}
	return m, nil
}

func (c *Coordinator) install(p *partition, m *memory) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx.Err() != nil {
		return
	}
	for id, value := range m.groups {
		g := c.add(p, id)
		g.mu.Lock()
		if err := g.fsm.restore(value, now); err != nil {
			c.cfg.Log.Error("group metadata cannot be read, the group begins anew", "group", id, "err", err)
		}
		c.arm(g)
		g.mu.Unlock()
	}
	for id, offsets := range m.commits {
		if len(offsets) > 0 {
			c.add(p, id).offsets = offsets
		}
	}
	close(p.loaded)
}

// add finds or makes a group; it needs the partition's lock.
func (c *Coordinator) add(p *partition, id string) *group {
	g := p.groups[id]
	if g == nil {
		g = &group{partition: p, fsm: newFSM(id, c.cfg.Settings.InitialRebalanceDelay, time.Now()), offsets: map[place]commit{}}
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
		c.background.Go(func() { c.save(g) })
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

// save stores a group that nobody waits for.
func (c *Coordinator) save(g *group) {
	g.turn.Lock()
	defer g.turn.Unlock()
	g.mu.Lock()
	if g.fsm.state != empty && g.fsm.state != stable {
		g.mu.Unlock()
		return // a rebalance has begun, it stores what comes of it
	}
	r := g.fsm.record(time.Now())
	g.mu.Unlock()
	if err := c.append(g, r); err != nil && !errors.Is(err, kerr.NotCoordinator) {
		c.cfg.Log.Warn("group not stored", "group", g.fsm.id, "err", err)
	}
}

// append writes records for a group, whose turn it is, and waits until they are committed.
func (c *Coordinator) append(g *group, records ...log.Record) error {
	ctx, cancel := context.WithTimeout(g.partition.ctx, c.cfg.Settings.CommitTimeout)
	defer cancel()
	err := c.cfg.Store.Append(ctx, g.partition.number, g.partition.epoch, log.EncodeBatch(records...))
	switch {
	case err == nil:
		return nil
	case g.partition.ctx.Err() != nil:
		return kerr.NotCoordinator
	case errors.Is(err, context.DeadlineExceeded):
		return kerr.RequestTimedOut
	}
	return err
}

// commitError is what a client is told when the store refused.
func commitError(err error) error {
	for _, m := range []struct {
		from []error
		to   error
	}{
		{[]error{kerr.UnknownTopicOrPartition, kerr.NotEnoughReplicas, kerr.NotEnoughReplicasAfterAppend, kerr.RequestTimedOut}, kerr.CoordinatorNotAvailable},
		{[]error{kerr.NotLeaderForPartition, kerr.FencedLeaderEpoch, kerr.KafkaStorageError, kerr.NotCoordinator}, kerr.NotCoordinator},
		{[]error{kerr.MessageTooLarge, kerr.RecordListTooLarge}, kerr.InvalidCommitOffsetSize},
	} {
		for _, from := range m.from {
			if errors.Is(err, from) {
				return m.to
			}
		}
	}
	return err
}

// syncError is the same for SyncGroup: what may pass makes the members join again.
func syncError(err error) error {
	switch {
	case errors.Is(err, kerr.RequestTimedOut):
		return kerr.RebalanceInProgress
	case errors.Is(err, kerr.MessageTooLarge), errors.Is(err, kerr.RecordListTooLarge):
		return kerr.UnknownServerError
	}
	return commitError(err)
}

// code is an error as the protocol numbers it.
func code(err error) int16 {
	if err == nil {
		return 0
	}
	var k *kerr.Error
	if errors.As(err, &k) {
		return k.Code
	}
	return kerr.UnknownServerError.Code
}
