package replica

import (
	"context"
	"hash/fnv"
	"sync"
	"time"
)

// fetchers follow leaders: for each leader num.replica.fetchers goroutines at most, each with a connection and its
// share of the partitions. A fetcher lives while it has partitions.
type fetchers struct {
	r  *Replicas
	mu sync.Mutex
	on map[slot]*fetcher
	of map[*partition]*fetcher

	share int // num.replica.fetchers

	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup
}

// slot is one connection to one leader.
type slot struct {
	leader int32
	n      int
}

func newFetchers(r *Replicas) *fetchers {
	fs := &fetchers{r: r, on: map[slot]*fetcher{}, of: map[*partition]*fetcher{}, share: r.cfg.Settings.Fetchers}
	fs.ctx, fs.cancel = context.WithCancel(context.Background())
	return fs
}

// add begins to follow the leaders of these partitions.
func (fs *fetchers) add(all []*partition) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.ctx.Err() != nil {
		return
	}
	shares := map[*fetcher][]*partition{}
	for _, p := range all {
		p.mu.Lock()
		leader, following := p.leader, p.following
		p.mu.Unlock()
		if !following {
			continue
		}
		f := fs.fetcher(slot{leader, share(p.key, fs.share)})
		fs.of[p] = f
		shares[f] = append(shares[f], p)
	}
	for f, share := range shares {
		f.add(share)
	}
}

// spread changes how many goroutines follow one leader.
func (fs *fetchers) spread(n int) {
	fs.mu.Lock()
	if fs.share == n {
		fs.mu.Unlock()
		return
	}
	fs.share = n
	var all []*partition
	for p, f := range fs.of {
		f.remove(p)
		all = append(all, p)
	}
	clear(fs.of)
	fs.mu.Unlock()
	fs.add(all)
}

// fetcher is the one of a slot, started if there is none. Needs mu.
func (fs *fetchers) fetcher(at slot) *fetcher {
	if f := fs.on[at]; f != nil {
		return f
	}
	f := newFetcher(fs.r, at.leader)
	fs.on[at] = f
	ctx, cancel := context.WithCancel(fs.ctx)
	f.end = cancel
	fs.work.Go(func() { f.run(ctx) })
	return f
}

// remove stops following. An answer that is under way is dropped when it comes.
func (fs *fetchers) remove(p *partition) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f := fs.of[p]
	if f == nil {
		return
	}
	delete(fs.of, p)
	f.remove(p)
}

// prune ends fetchers that were left without partitions. Ending them at once would cost a connection whenever a
// partition moves.
func (fs *fetchers) prune() {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for at, f := range fs.on {
		if f.idle() {
			delete(fs.on, at)
			f.end()
		}
	}
}

// stop ends all fetchers and waits for them; a leader that hangs does not hold it up.
func (fs *fetchers) stop() {
	fs.mu.Lock()
	fs.cancel() // under the lock: whoever adds comes before, or sees it
	fs.mu.Unlock()
	fs.work.Wait()
}

func share(k key, n int) int {
	if n <= 1 {
		return 0
	}
	h := fnv.New32a()
	h.Write([]byte(k.Topic))
	return int((h.Sum32() + uint32(k.Partition)) % uint32(n))
}

// pruneInterval is how often fetchers without partitions are looked for.
const pruneInterval = 5 * time.Second
