package replica

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/log"
)

// readCommitted is the isolation level of consumers that see only what was committed in a transaction, or outside of any.
const readCommitted = 1

// Fetch reads for a consumer or a follower, and waits up to the request's time for as many bytes as it wants. A
// consumer reads below the high watermark, or the last stable offset if it reads what is committed only; a follower up to the log's end. Versions 0 to 17;
// below 4 records are converted to the message format of that time, 0 or 1.
func (r *Replicas) Fetch(ctx context.Context, req *kmsg.FetchRequest) *kmsg.FetchResponse {
	resp, _, _ := r.FetchLent(ctx, req, nil)
	return resp
}

// FetchLent is [Replicas.Fetch] of those topics that may be read, nil is all, with records in memory that is lent: whoever
// calls done must not use them any more. waited is the time in which there was nothing to do.
func (r *Replicas) FetchLent(ctx context.Context, req *kmsg.FetchRequest, may func(topic string) bool) (resp *kmsg.FetchResponse, waited time.Duration, done func()) {
	lent := &loan{from: &r.lender}
	resp, waited = r.fetch(ctx, req, may, lent)
	return resp, waited, lent.end
}

func (r *Replicas) fetch(ctx context.Context, req *kmsg.FetchRequest, may func(topic string) bool, lent *loan) (resp *kmsg.FetchResponse, waited time.Duration) {
	resp = req.ResponseKind().(*kmsg.FetchResponse)
	by := reader{id: req.ReplicaID, brokerEpoch: -1}
	if req.Version >= 15 {
		by = reader{id: req.ReplicaState.ID, brokerEpoch: req.ReplicaState.Epoch}
	}
	if !by.follows() && req.Version >= 11 {
		by.anywhere, by.rack = true, req.Rack
	}
	by.isolated = req.IsolationLevel == readCommitted && !by.follows()
	turn, err := r.sessions.begin(req, by.follows(), time.Now())
	if err != nil {
		resp.ErrorCode = err.Code
		return resp, 0
	}
	wait := time.Duration(req.MaxWaitMillis) * time.Millisecond
	if turn.quiet != nil {
		still := false
		if may == nil {
			waited, still = r.listen(ctx, turn.quiet, by, wait)
		}
		if still {
			resp.SessionID = req.SessionID
			return resp, waited
		}
		turn.disturbed()
	}
	f := &fetch{
		by: by, may: may, wants: turn.wants, version: req.Version, lent: lent, waiting: &r.waiting,
		minBytes: int(req.MinBytes), maxBytes: int(req.MaxBytes),
	}
	if req.Version < 3 {
		f.maxBytes = 1<<31 - 1
	}
	if !by.follows() {
		f.maxBytes = min(f.maxBytes, int(r.cfg.Settings.MaxFetchBytes))
	}
	f.resolve(r)
	f.run(ctx, wait-waited)
	f.freshen()
	turn.answer(resp, f)
	return resp, waited + f.waited
}

// fetch is one request as it is served. parts and readings go with wants, index by index.
type fetch struct {
	by                 reader
	may                func(topic string) bool // nil: all may be read
	version            int16
	minBytes, maxBytes int
	wants              []want
	parts              []*partition // nil if it is not here
	readings           []reading
	size               int
	urgent             bool // something has to be told at once
	waited             time.Duration
	lent               *loan
	waiting            *atomic.Int64 // fetches that wait
}

// resolve finds the partitions, and what is wrong with those that cannot be served.
func (f *fetch) resolve(r *Replicas) {
	f.parts = make([]*partition, len(f.wants))
	f.readings = make([]reading, len(f.wants))
	for i := range f.wants {
		w := &f.wants[i]
		if w.byID {
			name, ok := r.topicName(w.topicID)
			if !ok {
				f.readings[i] = failedReading(kerr.UnknownTopicID)
				f.urgent = true
				continue
			}
			w.Topic = name
		}
		if f.may != nil && !f.may(w.Topic) {
			f.readings[i] = failedReading(kerr.TopicAuthorizationFailed)
			f.urgent = true
			continue
		}
		switch p := r.lookup(w.key); {
		case p == nil:
			f.readings[i] = failedReading(r.missing(w.key))
			f.urgent = true
		default:
			f.parts[i] = p
			f.readings[i].stale = true
		}
	}
}

func (f *fetch) run(ctx context.Context, wait time.Duration) {
	f.readAll()
	if f.enough() || wait <= 0 {
		return
	}
	w := newPoll()
	for _, p := range f.parts {
		if p != nil {
			p.enter(w, f.by.follows())
		}
	}
	defer func() {
		for _, p := range f.parts {
			if p != nil {
				p.leave(w, f.by.follows())
			}
		}
	}()
	f.waiting.Add(1)
	defer f.waiting.Add(-1)
	late, stop := timer(wait)
	defer stop()
	for {
		f.refresh()
		if f.enough() {
			return
		}
		idle, over := time.Now(), false
		select {
		case <-w:
		case <-late:
			over = true
		case <-ctx.Done():
			over = true
		}
		if f.waited += time.Since(idle); over {
			return
		}
	}
}

func (f *fetch) enough() bool { return f.urgent || f.size >= f.minBytes || len(f.wants) == 0 }

// refresh reads again where more has become readable.
func (f *fetch) refresh() {
	changed := false
	for i, p := range f.parts {
		if p != nil && p.limitFor(f.by) != f.readings[i].limit {
			f.readings[i].stale = true
			changed = true
		}
	}
	if changed {
		f.readAll()
	}
}

// readAll reads what is stale. The first batch of the first partition that has any comes even if it is larger than
// maxBytes, so that a reader never gets stuck.
func (f *fetch) readAll() {
	f.size = 0
	for i := range f.readings {
		if !f.readings[i].stale {
			f.size += len(f.readings[i].records)
		}
	}
	for i, p := range f.parts {
		if !f.readings[i].stale {
			continue
		}
		room := min(int(f.wants[i].maxBytes), max(f.maxBytes-f.size, 0))
		got := p.read(&f.wants[i], f.by, room, f.size == 0, f.lent)
		if f.version < 10 && usesZstd(got.records) {
			got = failedReading(kerr.UnsupportedCompressionType)
		}
		if f.version < 4 {
			got = p.downgrade(got, &f.wants[i], f, room)
		}
		f.readings[i] = got
		f.size += len(got.records)
		f.urgent = f.urgent || got.err != nil || got.diverging.epoch >= 0 || got.nearer >= 0
	}
}

// downgrade converts what was read for a consumer of older versions. Where nothing is left of it, since there were only
// control batches, it reads on.
func (p *partition) downgrade(got reading, w *want, f *fetch, room int) reading {
	magic := int8(0)
	if f.version >= 2 {
		magic = 1
	}
	next := *w
	for len(got.records) > 0 {
		if p.log.Config().NoDownConversion {
			return failedReading(kerr.UnsupportedVersion)
		}
		converted, err := log.Downgrade(got.records, magic, next.offset)
		if err != nil {
			return failedReading(err)
		}
		if next.offset = nextOffset(got.records, next.offset); len(converted) > 0 {
			got.records = converted
			return got
		}
		got = p.read(&next, f.by, room, true, f.lent)
		if f.version < 10 && usesZstd(got.records) {
			return failedReading(kerr.UnsupportedCompressionType)
		}
	}
	return got
}

// freshen tells a follower the high watermark of this moment: its own fetch may have moved it since it was read.
func (f *fetch) freshen() {
	for i, p := range f.parts {
		if got := &f.readings[i]; p != nil && got.err == nil && got.diverging.epoch < 0 && f.by.follows() {
			got.hw = max(got.hw, p.highWatermark())
		}
	}
}

// fill writes one partition's answer.
func (f *fetch) fill(i int, part *kmsg.FetchResponseTopicPartition) {
	got := &f.readings[i]
	if p := f.parts[i]; p != nil {
		p.traffic.fetched(f.by, got)
		if f.by.follows() {
			p.sent(len(got.records))
		}
	}
	part.Default()
	part.Partition = f.wants[i].Partition
	part.ErrorCode = code(got.err)
	part.HighWatermark, part.LastStableOffset, part.LogStartOffset = got.hw, got.stable, got.start
	if f.by.isolated {
		part.AbortedTransactions = make([]kmsg.FetchResponseTopicPartitionAbortedTransaction, len(got.aborted))
		for i, a := range got.aborted {
			part.AbortedTransactions[i].ProducerID, part.AbortedTransactions[i].FirstOffset = a.ProducerID, a.First
		}
	}
	part.DivergingEpoch.Epoch, part.DivergingEpoch.EndOffset = got.diverging.epoch, got.diverging.end
	part.PreferredReadReplica = got.nearer
	part.RecordBatches = got.records
	if part.RecordBatches == nil {
		part.RecordBatches = []byte{}
	}
	if got.err != nil {
		part.CurrentLeader.LeaderID, part.CurrentLeader.LeaderEpoch = currentLeader(f.parts[i], part.ErrorCode)
	}
}
