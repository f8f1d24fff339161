package replica

import (
	"context"
	"maps"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/log"
)

// markerTimeout is how long WriteTxnMarkers waits until its markers are committed and taken note of; the coordinator then
// asks again.
const markerTimeout = 5 * time.Second

// WriteTxnMarkers ends transactions in the partitions that are led here, and answers when the markers are committed.
// A marker that is there already is written again, which changes nothing. Versions 0 and 1.
func (r *Replicas) WriteTxnMarkers(ctx context.Context, req *kmsg.WriteTxnMarkersRequest) *kmsg.WriteTxnMarkersResponse {
	var parts []produced
	var markers []log.Marker // of parts, index by index
	now := time.Now()
	for _, m := range req.Markers {
		marker := log.Marker{ProducerID: m.ProducerID, ProducerEpoch: m.ProducerEpoch, Committed: m.Committed, CoordinatorEpoch: m.CoordinatorEpoch}
		for _, t := range m.Topics {
			for _, id := range t.Partitions {
				parts = append(parts, r.appendMarker(key{Topic: t.Topic, Partition: id}, marker, now))
				markers = append(markers, marker)
			}
		}
	}
	for i := range parts {
		if a := &parts[i]; a.p != nil && a.err == nil {
			a.p.announce(now)
		}
	}
	awaitAll(parts).wait(ctx, parts, now.Add(markerTimeout))
	ctx, cancel := context.WithDeadline(ctx, now.Add(markerTimeout)) // others wait on the same connection
	defer cancel()
	for i := range parts {
		if a := &parts[i]; a.err == nil && r.cfg.OnMarker != nil {
			a.err = r.cfg.OnMarker(ctx, a.p.Topic, a.p.Partition, markers[i].ProducerID, markers[i].Committed)
		}
	}
	return answerMarkers(req, parts)
}

func (r *Replicas) appendMarker(k key, m log.Marker, now time.Time) (out produced) {
	if out.p = r.lookup(k); out.p == nil {
		out.err = r.missing(k)
		return out
	}
	out.appended = out.p.append(log.EncodeMarker(m, now), log.FromCoordinator, -1, noEpoch)
	return out
}

func answerMarkers(req *kmsg.WriteTxnMarkersRequest, parts []produced) *kmsg.WriteTxnMarkersResponse {
	resp := req.ResponseKind().(*kmsg.WriteTxnMarkersResponse)
	next := 0
	for _, m := range req.Markers {
		out := kmsg.NewWriteTxnMarkersResponseMarker()
		out.ProducerID = m.ProducerID
		for _, t := range m.Topics {
			topic := kmsg.NewWriteTxnMarkersResponseMarkerTopic()
			topic.Topic = t.Topic
			for _, id := range t.Partitions {
				part := kmsg.NewWriteTxnMarkersResponseMarkerTopicPartition()
				part.Partition, part.ErrorCode = id, code(parts[next].err)
				next++
				topic.Partitions = append(topic.Partitions, part)
			}
			out.Topics = append(out.Topics, topic)
		}
		resp.Markers = append(resp.Markers, out)
	}
	return resp
}

// DescribeProducers lists the producers that a replica knows, with their open transactions; followers know them, too. Version 0.
func (r *Replicas) DescribeProducers(_ context.Context, req *kmsg.DescribeProducersRequest) *kmsg.DescribeProducersResponse {
	resp := req.ResponseKind().(*kmsg.DescribeProducersResponse)
	for _, t := range req.Topics {
		topic := kmsg.NewDescribeProducersResponseTopic()
		topic.Topic = t.Topic
		for _, id := range t.Partitions {
			topic.Partitions = append(topic.Partitions, r.describeProducers(key{Topic: t.Topic, Partition: id}))
		}
		resp.Topics = append(resp.Topics, topic)
	}
	return resp
}

func (r *Replicas) describeProducers(k key) kmsg.DescribeProducersResponseTopicPartition {
	out := kmsg.NewDescribeProducersResponseTopicPartition()
	out.Partition = k.Partition
	p := r.lookup(k)
	if p == nil {
		out.ErrorCode = r.missing(k).Code
		return out
	}
	p.mu.Lock()
	failed := p.failed
	p.mu.Unlock()
	if failed != nil {
		out.ErrorCode = kerr.KafkaStorageError.Code
		return out
	}
	for _, s := range p.log.ActiveProducers() {
		a := kmsg.NewDescribeProducersResponseTopicPartitionActiveProducer()
		a.ProducerID, a.ProducerEpoch, a.LastSequence, a.LastTimestamp = s.ID, int32(s.Epoch), s.LastSequence, s.LastTimestamp
		a.CoordinatorEpoch, a.CurrentTxnStartOffset = s.CoordinatorEpoch, s.TxnFirstOffset
		out.ActiveProducers = append(out.ActiveProducers, a)
	}
	return out
}

// A Verification asks whether partitions are part of a producer's transaction (KIP-890).
type Verification struct {
	TransactionalID string
	ProducerID      int64
	ProducerEpoch   int16
	Partitions      []log.TopicPartition
}

// A Guard is what a leader knew of a producer when a transaction's coordinator was asked. Should a marker get here before
// the batch, or to another leader meanwhile, then the transaction is over that was asked about.
type Guard struct {
	term    int // of the leader
	markers int // of the producer, in this term
}

// unverified are what a producer's transaction would begin in with a request, of the partitions led here, with a guard
// for each.
func (r *Replicas) unverified(req *kmsg.ProduceRequest) (v Verification, guards map[key]*Guard) {
	for i := range req.Topics {
		t := &req.Topics[i]
		for j := range t.Partitions {
			k := key{Topic: t.Topic, Partition: t.Partitions[j].Partition}
			b, ok := firstBatch(t.Partitions[j].Records)
			p := r.lookup(k)
			if p == nil || !ok || !b.Transactional() {
				continue
			}
			guard := p.guard(b.ProducerID())
			if guard == nil {
				continue
			}
			if guards == nil {
				guards = map[key]*Guard{}
			}
			guards[k] = guard
			v.ProducerID, v.ProducerEpoch = b.ProducerID(), b.ProducerEpoch()
			v.Partitions = append(v.Partitions, k)
		}
	}
	return v, guards
}

func firstBatch(records []byte) (log.Batch, bool) {
	for b, err := range log.Batches(records) {
		return b, err == nil
	}
	return nil, false
}

// guard is nil if a producer has an open transaction here.
func (p *partition) guard(producerID int64) *Guard {
	p.writer.Lock()
	defer p.writer.Unlock()
	if p.log.InTransaction(producerID) {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return &Guard{p.term, p.markers[producerID]}
}

// stands is nil while what was verified under a guard still holds. Needs writer.
func (p *partition) stands(g Guard, term int, producerID int64) error {
	switch {
	case p.log.InTransaction(producerID):
		return nil
	case g.term != term:
		return notLeader // in the term in which it was asked
	case g.markers != p.markers[producerID]:
		return kerr.InvalidTxnState
	}
	return nil
}

// expireProducers forgets producers that were silent for long. No verification takes as long as that.
func (p *partition) expireProducers(now time.Time) {
	p.writer.Lock()
	defer p.writer.Unlock()
	p.log.ExpireProducers(now)
	if len(p.markers) == 0 {
		return
	}
	known := map[int64]bool{}
	for _, s := range p.log.ActiveProducers() {
		known[s.ID] = true
	}
	maps.DeleteFunc(p.markers, func(id int64, _ int) bool { return !known[id] })
}

// verify asks the coordinator about the transactions that a request would begin, and returns what is wrong with whose
// partitions.
func (r *Replicas) verify(ctx context.Context, req *kmsg.ProduceRequest) (wrong map[key]error, guards map[key]*Guard) {
	if r.cfg.Verify == nil || req.TransactionID == nil {
		return nil, nil
	}
	v, guards := r.unverified(req)
	if len(v.Partitions) == 0 {
		return nil, nil
	}
	v.TransactionalID = *req.TransactionID
	wrong = r.cfg.Verify(ctx, v)
	for k, err := range wrong {
		wrong[k] = explain(err, req.Version)
	}
	return wrong, guards
}

// Verify asks the coordinator about a transaction in one partition led here. The guard goes with the append; it is nil
// if there is no need for one.
func (r *Replicas) Verify(ctx context.Context, v Verification) (*Guard, error) {
	k := v.Partitions[0]
	p := r.lookup(k)
	if p == nil {
		return nil, r.missing(k)
	}
	verified := p.guard(v.ProducerID)
	if verified == nil || r.cfg.Verify == nil {
		return nil, nil
	}
	return verified, r.cfg.Verify(ctx, v)[k]
}

// explain is what a producer is told of what the coordinator answered: what may pass makes it try again.
func explain(err error, version int16) error {
	switch code(err) {
	case kerr.TransactionAbortable.Code:
		if version < 11 {
			return kerr.InvalidTxnState
		}
		return kerr.TransactionAbortable
	case kerr.InvalidProducerIDMapping.Code:
		return kerr.InvalidTxnState
	case kerr.InvalidTxnState.Code, kerr.InvalidProducerEpoch.Code:
		return err
	case kerr.ProducerFenced.Code:
		return kerr.InvalidProducerEpoch
	}
	return kerr.NotEnoughReplicas
}
