package replica

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/log"
)

// Produce appends what a producer sent and waits for its acks. Versions 0 to 11; the answer to acks=0 is nil, unless
// something was not appended.
func (r *Replicas) Produce(ctx context.Context, req *kmsg.ProduceRequest) *kmsg.ProduceResponse {
	return r.Append(ctx, req)()
}

// Append is the first half of [Replicas.Produce]: it appends, and returns what waits for the acks and makes the answer.
// A connection may append its next request before the previous one is acknowledged; the order of the records is that
// of the calls to Append.
func (r *Replicas) Append(ctx context.Context, req *kmsg.ProduceRequest) (answer func() *kmsg.ProduceResponse) {
	resp := req.ResponseKind().(*kmsg.ProduceResponse)
	deadline := time.Now().Add(time.Duration(req.TimeoutMillis) * time.Millisecond)
	wrong, guards := r.verify(ctx, req)
	parts := r.appendAll(req, wrong, guards)
	now := time.Now()
	for i := range parts {
		if a := &parts[i]; a.p != nil && a.err == nil {
			a.p.announce(now)
		}
	}
	if req.Acks == 0 && !slices.ContainsFunc(parts, func(a produced) bool { return a.err != nil }) {
		return func() *kmsg.ProduceResponse { return nil }
	}
	var acks *acksWait
	if req.Acks == -1 {
		acks = awaitAll(parts)
	}
	return func() *kmsg.ProduceResponse {
		if acks != nil {
			acks.wait(ctx, parts, deadline)
		}
		fillProduce(resp, req, parts)
		return resp
	}
}

// produced is one partition of a produce request, in the request's order.
type produced struct {
	p *partition // nil if it is not here
	appended
	ack ack
}

func (r *Replicas) appendAll(req *kmsg.ProduceRequest, wrong map[key]error, guards map[key]*Guard) []produced {
	count := 0
	for i := range req.Topics {
		count += len(req.Topics[i].Partitions)
	}
	parts := make([]produced, 0, count)
	for i := range req.Topics {
		t := &req.Topics[i]
		for j := range t.Partitions {
			k := key{Topic: t.Topic, Partition: t.Partitions[j].Partition}
			if err := wrong[k]; err != nil {
				parts = append(parts, produced{appended: appended{err: err}})
				continue
			}
			parts = append(parts, r.appendOne(req, k, t.Partitions[j].Records, guards[k]))
		}
	}
	return parts
}

func (r *Replicas) appendOne(req *kmsg.ProduceRequest, k key, records []byte, verified *Guard) (out produced) {
	switch {
	case req.Acks < -1 || req.Acks > 1:
		out.err = kerr.InvalidRequiredAcks
		return out
	case req.Version >= 3:
		if out.err = oneBatch(records); out.err != nil {
			return out
		}
	}
	if req.Version < 7 && usesZstd(records) {
		out.err = kerr.UnsupportedCompressionType
		return out
	}
	if out.p = r.lookup(k); out.p == nil {
		out.err = r.missing(k)
		return out
	}
	out.appended = out.p.appendGuarded(records, log.FromClient, req.Acks, noEpoch, verified)
	out.p.traffic.produced(len(records), &out.appended)
	return out
}

// awaitAll leaves an ack on each partition that took its records.
func awaitAll(parts []produced) *acksWait {
	w := &acksWait{done: make(chan struct{})}
	w.left.Store(1) // keeps it open until all acks are left
	for i := range parts {
		a := &parts[i]
		if a.p == nil || a.err != nil {
			continue
		}
		w.left.Add(1)
		a.ack = ack{p: a.p, need: a.Last + 1, all: w}
		a.p.await(&a.ack, a.term)
	}
	if w.left.Add(-1) == 0 {
		close(w.done)
	}
	return w
}

// wait blocks until every ack is settled, and settles those that are not at the deadline.
func (w *acksWait) wait(ctx context.Context, parts []produced, deadline time.Time) {
	select { // mostly it is done already, or needs no timer
	case <-w.done:
	default:
		late, stop := timer(time.Until(deadline))
		defer stop()
		err := kerr.RequestTimedOut
		select {
		case <-w.done:
		case <-late:
		case <-ctx.Done():
		}
		for i := range parts {
			if a := &parts[i].ack; a.p != nil {
				a.giveUp(err)
			}
		}
	}
	for i := range parts {
		if a := &parts[i]; a.ack.p != nil && a.ack.err != nil {
			a.err = a.ack.err
		}
	}
}

func fillProduce(resp *kmsg.ProduceResponse, req *kmsg.ProduceRequest, parts []produced) {
	next := 0
	resp.Topics = make([]kmsg.ProduceResponseTopic, len(req.Topics))
	for i := range req.Topics {
		t := &resp.Topics[i]
		t.Default()
		t.Topic = req.Topics[i].Topic
		t.Partitions = make([]kmsg.ProduceResponseTopicPartition, len(req.Topics[i].Partitions))
		for j := range t.Partitions {
			part, a := &t.Partitions[j], &parts[next]
			next++
			part.Default()
			part.Partition = req.Topics[i].Partitions[j].Partition
			part.BaseOffset, part.LogAppendTime, part.LogStartOffset = -1, -1, -1
			if a.err != nil {
				part.ErrorCode = code(a.err)
				part.ErrorMessage, part.ErrorRecords = explained(a.err)
				part.CurrentLeader.LeaderID, part.CurrentLeader.LeaderEpoch = currentLeader(a.p, part.ErrorCode)
				continue
			}
			part.BaseOffset, part.LogAppendTime, part.LogStartOffset = a.First, a.AppendTime, a.LogStart
		}
	}
}

// explained is what a producer is told of records that were refused (KIP-467), since version 8.
func explained(err error) (message *string, wrong []kmsg.ProduceResponseTopicPartitionErrorRecord) {
	switch code(err) {
	case kerr.InvalidRecord.Code, kerr.InvalidTimestamp.Code, kerr.MessageTooLarge.Code, kerr.RecordListTooLarge.Code, kerr.UnsupportedCompressionType.Code:
		text := err.Error()
		message = &text
	}
	if refused, ok := errors.AsType[*log.RecordErrors](err); ok {
		for _, r := range refused.Records {
			wrong = append(wrong, kmsg.ProduceResponseTopicPartitionErrorRecord{RelativeOffset: r.Index, ErrorMessage: &r.Why})
		}
	}
	return message, wrong
}

// currentLeader is what a client that asked the wrong broker is told (KIP-951), -1 if nothing.
func currentLeader(p *partition, code int16) (id, epoch int32) {
	if p == nil || code != notLeader.Code && code != kerr.FencedLeaderEpoch.Code {
		return -1, -1
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.leader, p.leaderEpoch
}

// oneBatch checks what each partition of a produce request has to hold since version 3.
func oneBatch(records []byte) error {
	n := 0
	for _, err := range log.Batches(records) {
		if errors.Is(err, log.ErrUnsupportedMagic) {
			return fmt.Errorf("%w: since version 3 of produce requests records have message format 2", log.ErrInvalidRecord)
		}
		if n++; n > 1 || err != nil {
			break // what is no batch is reported by whoever reads it whole
		}
	}
	if n != 1 {
		return fmt.Errorf("%w: a produce request has exactly one batch for each partition", log.ErrInvalidRecord)
	}
	return nil
}

// usesZstd tells whether a batch is compressed with zstd, which older versions of Produce and Fetch do not know.
func usesZstd(batches []byte) bool {
	const zstd, codec = 4, 0x07
	for b, err := range log.Batches(batches) {
		if err != nil {
			return false // reported by whoever reads it whole
		}
		if b.Attributes()&codec == zstd {
			return true
		}
	}
	return false
}

// AppendInternal appends a coordinator's batch to a partition that this broker leads in leaderEpoch, and waits until
// it is committed. A batch that is part of a transaction comes with the guard under which that was verified. at is the
// offset of its first record.
func (r *Replicas) AppendInternal(ctx context.Context, topic string, partition, leaderEpoch int32, batch []byte, verified *Guard) (at int64, err error) {
	k := key{Topic: topic, Partition: partition}
	p := r.lookup(k)
	if p == nil {
		return -1, r.missing(k)
	}
	parts := []produced{{p: p, appended: p.appendGuarded(batch, log.FromCoordinator, -1, leaderEpoch, verified)}}
	if parts[0].err != nil {
		return -1, protocolError(parts[0].err)
	}
	p.announce(time.Now())
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(internalTimeout)
	}
	awaitAll(parts).wait(ctx, parts, deadline)
	return parts[0].First, protocolError(parts[0].err)
}

// internalTimeout is offsets.commit.timeout.ms, for callers whose context has no deadline.
const internalTimeout = 5 * time.Second
