package replica

import (
	"context"
	"slices"
	"time"
)

// quiet is a partition of which a follower has all that its leader here has, and knows what it was told last. While all
// partitions of a session are such and the follower asks for nothing else, its fetches need not read, nor be answered with
// anything: with thousands of partitions that is most of what brokers do while nobody produces.
type quiet struct {
	p                *partition
	topicID          [16]byte
	byID             bool
	epoch            int32
	offset, logStart int64 // as the follower asks
	hw, start        int64 // as it was told
}

// allQuiet is nil unless every partition of a follower's fetch is quiet, once it is told what the fetch found.
func allQuiet(f *fetch) []quiet {
	for i, p := range f.parts {
		got := &f.readings[i]
		if p == nil || got.err != nil || len(got.records) > 0 || got.diverging.epoch >= 0 || got.limit != f.wants[i].offset {
			return nil
		}
	}
	all := make([]quiet, len(f.parts))
	for i, p := range f.parts {
		w, got := &f.wants[i], &f.readings[i]
		all[i] = quiet{p, w.topicID, w.byID, w.epoch, w.offset, w.logStart, got.hw, got.start}
	}
	return all
}

// holds tells whether this broker leads as before and the log did not grow. Needs mu.
func (q *quiet) holds() bool {
	p := q.p
	return p.lead != nil && p.failed == nil && p.leaderEpoch == q.epoch && p.end == q.offset && (!q.byID || p.topicID == q.topicID)
}

// enter notes a fetch of the follower and leaves its poll, unless there is more to do.
func (q *quiet) enter(w poll, by reader, now time.Time) bool {
	p := q.p
	p.mu.Lock()
	defer p.mu.Unlock()
	if !q.holds() || !slices.Contains(p.lead.isr, by.id) {
		return false
	}
	known, ok := p.lead.remotes[by.id]
	if !ok || known.end != q.offset || known.start != q.logStart || known.brokerEpoch != by.brokerEpoch {
		return false
	}
	p.lead.remotes[by.id] = known.fetches(q.offset, q.logStart, by.brokerEpoch, p.end, now)
	p.tail = append(p.tail, w)
	return true
}

// leave takes the poll away and tells whether there is still nothing to tell.
func (q *quiet) leave(w poll) bool {
	p := q.p
	p.mu.Lock()
	p.tail = without(p.tail, w)
	same := q.holds() && p.hw == q.hw
	p.mu.Unlock()
	return same && p.log.Start() == q.start
}

// listen waits as a fetch of quiet partitions does. still tells whether nothing happened until the time was over, so that
// there is nothing to answer; otherwise the fetch is to be served, in what is left of its time.
func (r *Replicas) listen(ctx context.Context, all []quiet, by reader, wait time.Duration) (waited time.Duration, still bool) {
	w, now := newPoll(), time.Now()
	entered := 0
	for entered < len(all) && all[entered].enter(w, by, now) {
		entered++
	}
	still = entered == len(all)
	if still {
		waited, still = r.await(ctx, w, wait)
	}
	for i := range all[:entered] {
		same := all[i].leave(w)
		still = still && same
	}
	return waited, still
}

// await waits for a poll. late tells that nobody woke it in time.
func (r *Replicas) await(ctx context.Context, w poll, wait time.Duration) (waited time.Duration, late bool) {
	r.waiting.Add(1)
	defer r.waiting.Add(-1)
	over, stop := timer(wait)
	defer stop()
	idle := time.Now()
	select {
	case <-w:
	case <-over:
		late = true
	case <-ctx.Done():
	}
	return time.Since(idle), late
}
