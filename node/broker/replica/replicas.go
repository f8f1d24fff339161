package replica

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"kdrill/node/broker/quota"
	"kdrill/node/log"
)

// Replicas are the partitions that a broker hosts. Create with [New], then [Replicas.Load] before the broker
// registers, then [Replicas.Run] for as long as it serves.
type Replicas struct {
	cfg Config
	log *slog.Logger

	roles sync.Mutex // held while LeaderAndIsr or StopReplica is carried out

	mu              sync.RWMutex
	hosted          map[key]*partition
	names           map[[16]byte]string // of topics, by id
	controllerEpoch int32
	restored        map[key]int64 // high watermarks as found on disk, of partitions that were not opened yet
	closed          bool
	traffic         map[string]*traffic // by topic
	moves           map[key]*move

	defaults       atomic.Pointer[Defaults]
	backoff        atomic.Int64 // of the cleaner, a time.Duration
	backoffChanged poll
	moveRate       atomic.Int64 // bytes a second; 0: no limit
	throttles      throttles

	sessions *sessions
	waiting  atomic.Int64 // fetches that wait for records
	lender   lender
	fetchers *fetchers
	isr      *alterations
}

// New makes the data plane of one broker. Nothing is opened and nothing runs yet.
func New(cfg Config) *Replicas {
	r := &Replicas{
		cfg: cfg, log: cfg.Log,
		hosted: map[key]*partition{}, names: map[[16]byte]string{}, traffic: map[string]*traffic{}, moves: map[key]*move{}, controllerEpoch: -1,
		restored:  cfg.Dirs.HighWatermarks(),
		sessions:  newSessions(cfg.Settings.FetchSessions),
		throttles: throttles{quota.NewThrottle(cfg.Settings.ThrottleWindows), quota.NewThrottle(cfg.Settings.ThrottleWindows)},
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	r.defaults.Store(&Defaults{Topic: cfg.Settings.Topic, MinInSyncReplicas: cfg.Settings.MinInSyncReplicas})
	r.backoff.Store(int64(cfg.Settings.CleanerBackoff))
	r.backoffChanged = newPoll()
	r.fetchers = newFetchers(r)
	r.isr = newAlterations(r)
	return r
}

// Load opens the partitions that are on disk, which recovers those that were not closed properly. A partition that
// cannot be opened is offline, which the controller is told when it says what to do with it; the others work.
func (r *Replicas) Load() {
	inParallel(r.cfg.Dirs.Existing(), func(k key) {
		if _, err := r.open(k, false); err != nil {
			r.log.Error("partition not opened", "partition", k.String(), "err", err)
		}
	})
	r.resumeMoves()
}

// inParallel calls do for each of all, as many at a time as disks take well.
func inParallel[T any](all []T, do func(T)) {
	const atOnce = 8
	var next atomic.Int64
	var work sync.WaitGroup
	for range min(atOnce, len(all)) {
		work.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(all); i = int(next.Add(1)) - 1 {
				do(all[i])
			}
		})
	}
	work.Wait()
}

// open returns a partition with its log, which it creates when there is none and none can be in a directory that failed.
func (r *Replicas) open(k key, isNew bool) (*partition, error) {
	if p := r.lookup(k); p != nil {
		return p, nil
	}
	config, _ := r.topicConfig(k.Topic)
	l, err := r.cfg.Dirs.Open(k.Topic, k.Partition, isNew, config)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", k, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	p := &partition{
		key: k, r: r, log: l, traffic: r.trafficOf(k.Topic), leader: -1, leaderEpoch: -1, partitionEpoch: -1, end: l.End(),
		hw: min(max(r.restored[k], l.Start()), l.End()),
	}
	p.throttled.set(r.overrides(k.Topic), k, r.cfg.BrokerID)
	r.hosted[k] = p
	delete(r.restored, k)
	return p, nil
}

func (r *Replicas) overrides(topic string) map[string]string {
	if r.cfg.TopicConfig == nil {
		return nil
	}
	return r.cfg.TopicConfig(topic)
}

func (r *Replicas) lookup(k key) *partition {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.hosted[k]
}

// partitions is a snapshot of what is hosted.
func (r *Replicas) partitions() []*partition {
	r.mu.RLock()
	defer r.mu.RUnlock()
	all := make([]*partition, 0, len(r.hosted))
	for _, p := range r.hosted {
		all = append(all, p)
	}
	return all
}

// topicName is the name of a topic with hosted partitions, by its id.
func (r *Replicas) topicName(id [16]byte) (string, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	name, ok := r.names[id]
	return name, ok
}

// Run fetches from leaders, watches the isr, writes checkpoints and enforces retention until ctx ends.
func (r *Replicas) Run(ctx context.Context) error {
	var work sync.WaitGroup
	work.Go(func() { r.isr.run(ctx) })
	work.Go(func() { r.every(ctx, r.cfg.Settings.ReplicaLagTimeMax/2, r.shrinkISRs) })
	work.Go(func() { r.every(ctx, r.cfg.Settings.HighWatermarkCheckpoint, r.checkpoint) })
	work.Go(func() { r.every(ctx, r.cfg.Settings.RetentionCheck, r.retain) })
	work.Go(func() { r.clean(ctx) })
	work.Go(func() { r.every(ctx, pruneInterval, func(time.Time) { r.fetchers.prune() }) })
	work.Go(func() { r.every(ctx, sweepInterval, r.sweep) })
	work.Go(func() { r.every(ctx, flushInterval, r.flush) })
	<-ctx.Done()
	r.fetchers.stop()
	work.Wait()
	return nil
}

func (r *Replicas) every(ctx context.Context, d time.Duration, do func(now time.Time)) {
	tick := time.NewTicker(d)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			do(now)
		case <-ctx.Done():
			return
		}
	}
}

// shrinkISRs takes followers that lag out of the isr of every partition that is led here.
func (r *Replicas) shrinkISRs(now time.Time) {
	for _, p := range r.partitions() {
		p.shrink(now)
	}
}

// checkpoint brings sealed segments to the disk, which may take long, and writes the high watermarks down, also those of
// partitions that the controller did not mention yet.
func (r *Replicas) checkpoint(time.Time) {
	for _, p := range r.partitions() {
		p.failOn(p.log.FlushSealed())
	}
	r.roles.Lock() // not while the directory is being closed
	defer r.roles.Unlock()
	if r.closed {
		return
	}
	for dir, err := range r.cfg.Dirs.Checkpoint(r.highWatermarks()) {
		r.log.Error("checkpoints not written", "dir", dir.Path(), "err", err)
		if errors.Is(err, log.ErrStorage) {
			r.dirFailed(dir, err)
		}
	}
}

func (r *Replicas) highWatermarks() map[key]int64 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	marks := make(map[key]int64, len(r.hosted))
	for k, hw := range r.restored {
		marks[k] = hw
	}
	for k, p := range r.hosted {
		marks[k] = p.highWatermark()
	}
	return marks
}

// retain deletes what is older or more than a topic keeps.
func (r *Replicas) retain(now time.Time) {
	for _, p := range r.partitions() {
		if n, err := p.log.Retain(now, p.highWatermark()); err != nil {
			p.failOn(err)
		} else if n > 0 {
			r.log.Info("segments deleted by retention", "partition", p.String(), "segments", n, "start", p.log.Start())
		}
		p.expireProducers(now)
	}
}

// clean compacts again and again, as often as the settings of the moment say.
func (r *Replicas) clean(ctx context.Context) {
	for {
		after, stop := timer(cmp.Or(time.Duration(r.backoff.Load()), time.Hour))
		select {
		case now := <-after:
			if r.backoff.Load() > 0 {
				r.compact(now)
			}
		case <-r.backoffChanged:
		case <-ctx.Done():
			stop()
			return
		}
		stop()
	}
}

// SetCleanerBackoff changes how often logs are compacted; 0 is never.
func (r *Replicas) SetCleanerBackoff(d time.Duration) {
	if r.backoff.Swap(int64(d)) != int64(d) {
		wake([]poll{r.backoffChanged})
	}
}

// SetFetchers changes how many goroutines follow one leader.
func (r *Replicas) SetFetchers(n int) { r.fetchers.spread(n) }

// compact leaves only the newest record of each key in compacted topics, on followers too.
func (r *Replicas) compact(now time.Time) {
	for _, p := range r.partitions() {
		c, err := p.log.Compact(now, p.highWatermark())
		switch {
		case errors.Is(err, log.ErrStorage):
			p.failOn(err)
		case err != nil:
			r.log.Error("log not compacted", "partition", p.String(), "err", err)
		case c.Segments > 0:
			r.log.Info("log compacted", "partition", p.String(), "segments", c.Segments, "before", c.Before, "after", c.After)
		}
	}
}

// flushInterval is how often logs are looked through for records that flush.ms says to flush.
const flushInterval = time.Second

func (r *Replicas) flush(now time.Time) {
	for _, p := range r.partitions() {
		p.failOn(p.log.FlushOld(now))
	}
}

// sweepInterval is how often folders of deleted partitions are looked through.
const sweepInterval = 15 * time.Second

func (r *Replicas) sweep(now time.Time) {
	if err := r.cfg.Dirs.Sweep(now, r.defaults.Load().Topic.FileDeleteDelay); err != nil {
		r.log.Error("deleted partitions not removed from the disk", "err", err)
	}
}

// ConfigChanged applies a topic's configuration again.
func (r *Replicas) ConfigChanged(topic string) {
	config, minISR := r.topicConfig(topic)
	for _, p := range r.partitions() {
		if p.Topic != topic {
			continue
		}
		p.log.SetConfig(config)
		p.throttled.set(r.overrides(topic), p.key, r.cfg.BrokerID)
		p.mu.Lock()
		if p.lead != nil {
			p.lead.minISR = minISR
			p.advance(time.Now())
			p.settleAcks()
		}
		p.mu.Unlock()
	}
}

// SetDefaults changes what topics have that set nothing themselves.
func (r *Replicas) SetDefaults(d Defaults) {
	r.defaults.Store(&d)
	topics := map[string]bool{}
	for _, p := range r.partitions() {
		topics[p.Topic] = true
	}
	for topic := range topics {
		r.ConfigChanged(topic)
	}
}

func (r *Replicas) topicConfig(topic string) (log.Config, int) {
	return r.defaults.Load().with(r.overrides(topic))
}

// Shutdown stops fetching, answers whoever waits, and closes the logs cleanly.
func (r *Replicas) Shutdown(ctx context.Context) error {
	r.fetchers.stop()
	r.roles.Lock()
	defer r.roles.Unlock()
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	for _, p := range r.partitions() {
		p.writer.Lock()
		p.mu.Lock()
		p.resign(notLeader)
		p.mu.Unlock()
		p.writer.Unlock()
	}
	return r.cfg.Dirs.Close(true, r.highWatermarks())
}
