package log

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"time"
)

// remembered is how many batches of a producer are kept to recognize duplicates; clients have no more in flight.
const remembered = 5

// ProducerState is what the log knows of one idempotent producer.
type ProducerState struct {
	ID            int64
	Epoch         int16
	LastSequence  int32 // -1: none
	LastTimestamp int64
	LastOffset    int64

	CoordinatorEpoch int32 // of its last transaction's marker, -1: none
	TxnFirstOffset   int64 // of its open transaction, -1: none
}

// A sent batch is the trace of one that was appended. Sequence numbers of a batch are last-delta .. last.
type sent struct {
	lastSequence int32
	lastOffset   int64
	delta        int32 // records - 1
	timestamp    int64
}

func (s sent) firstSequence() int32 {
	if s.lastSequence >= s.delta {
		return s.lastSequence - s.delta
	}
	return math.MaxInt32 - (s.delta - s.lastSequence) + 1 // it wrapped inside the batch
}

// A producer is the state of one producer id: its epoch and its last batches, oldest first.
type producer struct {
	epoch            int16
	batches          []sent // at most remembered; never changed in place
	coordinatorEpoch int32  // of the last transaction marker
	txnFirstOffset   int64  // of the open transaction, -1
	timestamp        int64  // of the last batch or marker
}

func (p producer) lastSequence() int32 {
	if len(p.batches) == 0 {
		return -1
	}
	return p.batches[len(p.batches)-1].lastSequence
}

// producers are the states by producer id.
type producers map[int64]producer

// duplicate finds the batch in what its producer sent before.
func (ps producers) duplicate(b Batch) (sent, bool) {
	p, ok := ps[b.ProducerID()]
	if !ok || p.epoch != b.ProducerEpoch() {
		return sent{}, false
	}
	i := slices.IndexFunc(p.batches, func(s sent) bool {
		return s.firstSequence() == b.BaseSequence() && s.lastSequence == b.LastSequence()
	})
	if i < 0 {
		return sent{}, false
	}
	return p.batches[i], true
}

// admit decides whether a client's batch may follow what its producer sent before (KIP-98, KIP-360). A producer
// that is not known (any more) may begin anywhere.
func (ps producers) admit(b Batch) error {
	p, ok := ps[b.ProducerID()]
	if !ok {
		return nil
	}
	first := b.BaseSequence()
	switch {
	case b.ProducerEpoch() < p.epoch:
		return fmt.Errorf("%w: producer %d has epoch %d, current is %d", ErrProducerFenced, b.ProducerID(), b.ProducerEpoch(), p.epoch)
	case b.ProducerEpoch() > p.epoch:
		if first != 0 {
			return fmt.Errorf("%w: producer %d begins epoch %d with sequence %d", ErrOutOfOrderSequence, b.ProducerID(), b.ProducerEpoch(), first)
		}
	case p.txnFirstOffset >= 0 && !b.Transactional():
		return fmt.Errorf("%w: producer %d is in a transaction", ErrInvalidTxnState, b.ProducerID())
	case first != addSequence(p.lastSequence(), 1):
		return fmt.Errorf("%w: producer %d sent %d after %d", ErrOutOfOrderSequence, b.ProducerID(), first, p.lastSequence())
	}
	return nil
}

// admitOwn is admit for batches of this cluster's coordinators: markers, and offsets in transactions. They have no
// sequence numbers, but older epochs of producers and coordinators are fenced off.
func (ps producers) admitOwn(b Batch) error {
	p, ok := ps[b.ProducerID()]
	if !ok {
		return nil
	}
	m, marks := b.Marker()
	switch {
	case b.ProducerEpoch() < p.epoch:
		return fmt.Errorf("%w: producer %d has epoch %d, current is %d", ErrProducerFenced, b.ProducerID(), b.ProducerEpoch(), p.epoch)
	case marks && m.CoordinatorEpoch < p.coordinatorEpoch:
		return fmt.Errorf("%w: marker of epoch %d, producer %d had one of %d", ErrCoordinatorFenced, m.CoordinatorEpoch, b.ProducerID(), p.coordinatorEpoch)
	}
	return nil
}

// add remembers an appended batch, whose offsets are final. t is the transaction that the batch begins, or ended;
// its first is -1 if there is none.
func (ps producers) add(b Batch) (t transaction, ended bool) {
	t = transaction{first: -1, last: -1}
	id := b.ProducerID()
	if id == noProducer {
		return t, false
	}
	p, ok := ps[id]
	if !ok {
		p = producer{epoch: b.ProducerEpoch(), coordinatorEpoch: -1, txnFirstOffset: -1}
	} else if b.ProducerEpoch() != p.epoch {
		p.epoch, p.batches = b.ProducerEpoch(), nil
	}
	p.timestamp = b.MaxTimestamp()
	switch {
	case b.Control():
		if m, ok := b.Marker(); ok {
			p.coordinatorEpoch = m.CoordinatorEpoch
		}
		t, ended = transaction{id, p.txnFirstOffset, b.LastOffset()}, true
		p.txnFirstOffset = -1
	default:
		if b.Transactional() && p.txnFirstOffset < 0 {
			p.txnFirstOffset = b.BaseOffset()
			t = transaction{id, p.txnFirstOffset, -1}
		}
		if b.BaseSequence() >= 0 {
			keep := p.batches[max(0, len(p.batches)-remembered+1):]
			p.batches = append(slices.Clip(keep), sent{b.LastSequence(), b.LastOffset(), b.lastOffsetDelta(), b.MaxTimestamp()})
		}
	}
	ps[id] = p
	return t, ended
}

// expire forgets producers that sent nothing for that long; open transactions stay.
func (ps producers) expire(now time.Time, after time.Duration) {
	limit := now.Add(-after).UnixMilli()
	maps.DeleteFunc(ps, func(_ int64, p producer) bool { return p.txnFirstOffset < 0 && p.timestamp < limit })
}

func (ps producers) list() []ProducerState {
	all := make([]ProducerState, 0, len(ps))
	for id, p := range ps {
		s := ProducerState{ID: id, Epoch: p.epoch, LastSequence: p.lastSequence(), LastTimestamp: p.timestamp, LastOffset: -1, CoordinatorEpoch: p.coordinatorEpoch, TxnFirstOffset: p.txnFirstOffset}
		if n := len(p.batches); n > 0 {
			s.LastOffset = p.batches[n-1].lastOffset
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b ProducerState) int { return int(min(1, max(-1, a.ID-b.ID))) })
	return all
}
