// Package led keeps what a coordinator knows of the partitions of its internal topic that its broker leads.
//
// [Partitions.Lead] takes a partition over: what its log says is loaded in the background, and until that is done
// [Partitions.Loaded] refuses requests with what tells a client to try again. [Partitions.Resign] gives it up: what was
// known is dropped, and the partition's context ends, with the work that goes on under it. What a coordinator knows is a
// value for each id, such as a group.
//
// Partitions is safe for use by many goroutines. The values of a partition are guarded by its lock.
package led

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Config is what a coordinator does with its partitions.
type Config[T any] struct {
	What string // it knows, such as "groups"
	// Load reads a partition. install puts what was found into Items; it is called with the partition's lock, unless the
	// partition was resigned meanwhile.
	Load func(p *Partition[T]) (install func(), err error)
	Drop func(T) // what was known when a partition is resigned; optional
	Log  *slog.Logger
}

// Partition is one partition that the broker leads.
type Partition[T any] struct {
	Number int32
	Ctx    context.Context // ends when it is resigned

	epoch  atomic.Int32
	resign context.CancelFunc
	loaded chan struct{} // closed once Items are there

	Mu    sync.Mutex
	Items map[string]T // by id; none any more once it is resigned
}

// Epoch is the leader epoch.
func (p *Partition[T]) Epoch() int32 { return p.epoch.Load() }

// Rest waits, and says whether the partition is still led then.
func (p *Partition[T]) Rest(d time.Duration) bool {
	select {
	case <-p.Ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// Await waits until the partition is loaded, or resigned.
func (p *Partition[T]) Await(ctx context.Context) error {
	select {
	case <-p.loaded:
	case <-p.Ctx.Done():
	case <-ctx.Done():
		return kerr.CoordinatorLoadInProgress
	}
	return nil
}

// Partitions are those that the broker leads.
type Partitions[T any] struct {
	cfg  Config[T]
	ctx  context.Context // of work that outlives a request; ends with Close
	stop context.CancelFunc

	starting   sync.Mutex // orders the start of background work with Close
	background sync.WaitGroup

	mu  sync.RWMutex
	all map[int32]*Partition[T]
}

// New returns none yet.
func New[T any](cfg Config[T]) *Partitions[T] {
	ps := &Partitions[T]{cfg: cfg, all: map[int32]*Partition[T]{}}
	ps.ctx, ps.stop = context.WithCancel(context.Background())
	return ps
}

// Ctx ends with Close.
func (ps *Partitions[T]) Ctx() context.Context { return ps.ctx }

// Spawn starts work that outlives a request, unless Close was called.
func (ps *Partitions[T]) Spawn(work func()) {
	ps.starting.Lock()
	defer ps.starting.Unlock()
	if ps.ctx.Err() == nil {
		ps.background.Go(work)
	}
}

// Close resigns all partitions and waits until the work is over that Spawn started.
func (ps *Partitions[T]) Close() {
	ps.starting.Lock()
	ps.stop()
	ps.starting.Unlock()
	ps.mu.RLock()
	numbers := slices.Collect(maps.Keys(ps.all))
	ps.mu.RUnlock()
	for _, n := range numbers {
		ps.Resign(n)
	}
	ps.background.Wait()
}

// Lead takes a partition over. A leader that begins its next epoch, as when a follower died, goes on with what it has; if
// it missed one, another may have led.
func (ps *Partitions[T]) Lead(number, epoch int32) {
	ps.mu.Lock()
	old := ps.all[number]
	if old != nil && old.Epoch() >= epoch-1 {
		old.epoch.Store(max(old.Epoch(), epoch))
		ps.mu.Unlock()
		return
	}
	p := &Partition[T]{Number: number, loaded: make(chan struct{}), Items: map[string]T{}}
	p.epoch.Store(epoch)
	p.Ctx, p.resign = context.WithCancel(ps.ctx)
	ps.all[number] = p
	ps.mu.Unlock()
	if old != nil {
		ps.drop(old)
	}
	ps.Spawn(func() { ps.load(p) })
}

// Resign gives a partition up.
func (ps *Partitions[T]) Resign(number int32) {
	ps.mu.Lock()
	p := ps.all[number]
	delete(ps.all, number)
	ps.mu.Unlock()
	if p != nil {
		ps.drop(p)
	}
}

func (ps *Partitions[T]) drop(p *Partition[T]) {
	p.resign()
	p.Mu.Lock()
	items := p.Items
	p.Items = map[string]T{}
	p.Mu.Unlock()
	if ps.cfg.Drop != nil {
		for _, item := range items {
			ps.cfg.Drop(item)
		}
	}
}

// retryLoad is how long loading rests after a failure.
const retryLoad = time.Second

func (ps *Partitions[T]) load(p *Partition[T]) {
	began := time.Now()
	install, err := ps.cfg.Load(p)
	for ; err != nil; install, err = ps.cfg.Load(p) {
		if p.Ctx.Err() != nil {
			return
		}
		ps.cfg.Log.Warn(ps.cfg.What+" not loaded, trying again", "partition", p.Number, "err", err)
		if !p.Rest(retryLoad) {
			return
		}
	}
	p.Mu.Lock()
	defer p.Mu.Unlock()
	if p.Ctx.Err() != nil {
		return
	}
	install()
	close(p.loaded)
	if n := len(p.Items); n > 0 {
		ps.cfg.Log.Info(ps.cfg.What+" loaded", "partition", p.Number, "epoch", p.Epoch(), "count", n, "after", time.Since(began))
	}
}

// Find returns a partition that is led, loaded or not, nil if it is not led.
func (ps *Partitions[T]) Find(number int32) *Partition[T] {
	ps.mu.RLock()
	defer ps.mu.RUnlock()
	return ps.all[number]
}

// Loaded returns a partition for a request; the error says what its client has to do. A negative number stands for a
// topic that does not exist yet.
func (ps *Partitions[T]) Loaded(number int32) (*Partition[T], error) {
	if number < 0 {
		return nil, kerr.CoordinatorNotAvailable
	}
	p := ps.Find(number)
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

// All returns what is known in all partitions that are loaded, and whether others are loading.
func (ps *Partitions[T]) All() (items []T, loading bool) {
	ps.mu.RLock()
	partitions := slices.Collect(maps.Values(ps.all))
	ps.mu.RUnlock()
	for _, p := range partitions {
		select {
		case <-p.loaded:
			p.Mu.Lock()
			items = slices.AppendSeq(items, maps.Values(p.Items))
			p.Mu.Unlock()
		default:
			loading = true
		}
	}
	return items, loading
}
