package replica

import (
	"cmp"
	"errors"
	"slices"
	"sync/atomic"

	"kdrill/node/log"
)

// traffic counts what went through the partitions of one topic. It only grows, also while partitions come and go.
type traffic struct {
	messagesIn, bytesIn, bytesOut, bytesRejected atomic.Int64
	replicatedIn, replicatedOut                  atomic.Int64
	produces, failedProduces                     atomic.Int64
	fetches, failedFetches                       atomic.Int64
	corrupt, keyless, misnumbered                atomic.Int64
}

// Traffic is what one topic's partitions here have seen since the broker started: bytes are those of record batches,
// requests count once for each partition in them.
type Traffic struct {
	Topic                                        string
	MessagesIn, BytesIn, BytesOut, BytesRejected int64 // of producers and consumers
	ReplicatedIn, ReplicatedOut                  int64 // bytes, from leaders and to followers
	Produces, FailedProduces                     int64
	Fetches, FailedFetches                       int64 // followers' included

	// Batches of producers that were refused: with a wrong CRC, without a key in a compacted topic, or with offsets,
	// counts or sequence numbers that make no sense.
	Corrupt, Keyless, Misnumbered int64
}

// Status is the state of one partition here.
type Status struct {
	Topic          string
	Partition      int32
	Leads, Offline bool
	Replicas, ISR  int   // of a leader
	MinISR         int   // of a leader: min.insync.replicas, but never more than replicas
	Start, End, HW int64 // log start, log end and high watermark
	Stable         int64 // last stable offset
	Behind         int64 // of a follower: records that its leader had committed and it had not, at the last fetch
	Size           int64 // bytes
	Segments       int
	LeaderEpoch    int32
	Acks           int // requests of producers that wait for followers
}

// Changes counts the changes of in-sync replicas that leaders here proposed.
type Changes struct{ Shrinks, Expands, Refused int64 }

// changes is [Changes] while it is counted.
type changes struct{ shrinks, expands, refused atomic.Int64 }

// count notes that the in-sync replicas are other than before.
func (c *changes) count(before, after int) {
	switch {
	case after < before:
		c.shrinks.Add(1)
	case after > before:
		c.expands.Add(1)
	}
}

// trafficOf is a topic's counters. Needs mu.
func (r *Replicas) trafficOf(topic string) *traffic {
	t := r.traffic[topic]
	if t == nil {
		t = &traffic{}
		r.traffic[topic] = t
	}
	return t
}

// Traffic returns the counters of every topic that had partitions here, in the order of their names.
func (r *Replicas) Traffic() []Traffic {
	r.mu.RLock()
	defer r.mu.RUnlock()
	all := make([]Traffic, 0, len(r.traffic))
	for topic, t := range r.traffic {
		all = append(all, Traffic{
			Topic:      topic,
			MessagesIn: t.messagesIn.Load(), BytesIn: t.bytesIn.Load(), BytesOut: t.bytesOut.Load(), BytesRejected: t.bytesRejected.Load(),
			ReplicatedIn: t.replicatedIn.Load(), ReplicatedOut: t.replicatedOut.Load(),
			Produces: t.produces.Load(), FailedProduces: t.failedProduces.Load(),
			Fetches: t.fetches.Load(), FailedFetches: t.failedFetches.Load(),
			Corrupt: t.corrupt.Load(), Keyless: t.keyless.Load(), Misnumbered: t.misnumbered.Load(),
		})
	}
	slices.SortFunc(all, func(a, b Traffic) int { return cmp.Compare(a.Topic, b.Topic) })
	return all
}

// Changes returns how often the in-sync replicas changed.
func (r *Replicas) Changes() Changes {
	return Changes{r.isr.agreed.shrinks.Load(), r.isr.agreed.expands.Load(), r.isr.agreed.refused.Load()}
}

// Statuses returns the state of every partition here, in order.
func (r *Replicas) Statuses() []Status {
	all := r.partitions()
	slices.SortFunc(all, func(a, b *partition) int { return compareKeys(a.key, b.key) })
	out := make([]Status, len(all))
	for i, p := range all {
		out[i] = p.status()
	}
	return out
}

func (p *partition) status() Status {
	s := Status{Topic: p.Topic, Partition: p.Partition, Start: p.log.Start(), Size: p.log.Size(), Segments: p.log.Segments()}
	p.mu.Lock()
	defer p.mu.Unlock()
	s.End, s.HW, s.Stable, s.LeaderEpoch, s.Offline = p.end, p.hw, p.log.Stable(p.hw), p.leaderEpoch, p.failed != nil
	s.Acks = len(p.acks)
	if p.lead != nil {
		s.Leads, s.Replicas, s.ISR, s.MinISR = true, len(p.lead.replicas), len(p.lead.isr), p.lead.effectiveMinISR()
	}
	if p.following {
		s.Behind = p.behind
	}
	return s
}

// produced counts one partition of a produce request.
func (t *traffic) produced(bytes int, a *appended) {
	t.produces.Add(1)
	switch {
	case a.err != nil:
		t.failedProduces.Add(1)
		t.bytesRejected.Add(int64(bytes))
		t.refused(a.err)
	case !a.Duplicate:
		t.bytesIn.Add(int64(bytes))
		t.messagesIn.Add(a.Last - a.First + 1)
	}
}

// refused counts why.
func (t *traffic) refused(err error) {
	_, named := errors.AsType[*log.RecordErrors](err)
	switch {
	case errors.Is(err, log.ErrCorrupt):
		t.corrupt.Add(1)
	case named && errors.Is(err, log.ErrInvalidRecord): // nothing else is said of single records
		t.keyless.Add(1)
	case errors.Is(err, log.ErrInvalidRecord):
		t.misnumbered.Add(1)
	}
}

// fetched counts one partition of an answer to a fetch.
func (t *traffic) fetched(by reader, got *reading) {
	t.fetches.Add(1)
	switch {
	case got.err != nil:
		t.failedFetches.Add(1)
	case by.follows():
		t.replicatedOut.Add(int64(len(got.records)))
	default:
		t.bytesOut.Add(int64(len(got.records)))
	}
}

// WaitingFetches counts the fetches that wait for records.
func (r *Replicas) WaitingFetches() int64 { return r.waiting.Load() }
