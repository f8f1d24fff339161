package txn

import (
	"maps"
	"math"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A state of a transactional id, numbered as in its records:
//
//	Empty, Complete* -> Ongoing            partitions are added
//	Ongoing -> PrepareCommit, PrepareAbort the outcome is decided
//	Prepare* -> Complete*                  every partition has its marker
//	Complete* -> Empty                     a producer begins with the id
type state = kmsg.TransactionState

const (
	empty          state = 0
	ongoing        state = 1
	prepareCommit  state = 2
	prepareAbort   state = 3
	completeCommit state = 4
	completeAbort  state = 5
)

// names are the states as ListTransactions and DescribeTransactions spell them.
var names = map[state]string{
	empty: "Empty", ongoing: "Ongoing", prepareCommit: "PrepareCommit", prepareAbort: "PrepareAbort",
	completeCommit: "CompleteCommit", completeAbort: "CompleteAbort", 6: "Dead", 7: "PrepareEpochFence",
}

// A place is a partition of a topic.
type place struct {
	topic     string
	partition int32
}

// A producer is an instance of a producer: its id, and the epoch that fences earlier instances off.
type producer struct {
	id    int64
	epoch int16
}

var nobody = producer{-1, -1}

// metadata is what is known of a transactional id. It is a value: its methods return the next one; partitions is
// never changed in place.
type metadata struct {
	producer
	last       producer // before the latest bump, for one that did not learn of it
	timeout    time.Duration
	state      state
	partitions map[place]struct{} // of the transaction
	started    time.Time          // zero: never
	updated    time.Time
}

func (p producer) exhausted() bool { return p.epoch >= math.MaxInt16-1 }

func (m metadata) preparing() bool { return m.state == prepareCommit || m.state == prepareAbort }

// An initiation is what InitProducerId leads to.
type initiation int8

const (
	begin    initiation = iota // store the new state, then answer
	repeated                   // answer with the current producer
	fence                      // the transaction of the former instance has to be aborted first
	rotate                     // as begin, and the producer needs a new id
)

// initiate lets a producer begin. given is what it says it was (KIP-360), or nobody.
func (m metadata) initiate(given producer, timeout time.Duration, now time.Time) (next metadata, what initiation, err error) {
	if given != nobody && m.epoch >= 0 && given.id != m.id && (given.id != m.last.id || !given.exhausted()) {
		return m, 0, kerr.ProducerFenced
	}
	if m.preparing() {
		return m, 0, kerr.ConcurrentTransactions
	}
	if given != nobody && m.epoch >= 0 && given.epoch != m.epoch {
		if given.epoch != m.last.epoch {
			return m, 0, kerr.ProducerFenced
		}
		if m.state == empty {
			return m, repeated, nil
		}
	}
	if m.state == ongoing {
		return m, fence, nil
	}
	next = metadata{
		producer: producer{m.id, m.epoch + 1}, last: nobody, timeout: timeout, state: empty,
		started: time.Time{}, updated: now,
	}
	if given != nobody {
		next.last = m.producer
	}
	if m.exhausted() {
		next.producer, next.last = producer{-1, 0}, m.producer
		return next, rotate, nil
	}
	return next, begin, nil
}

// check tells whether a producer is the current instance.
func (m metadata) check(p producer) error {
	switch {
	case p.id != m.id:
		return kerr.InvalidProducerIDMapping
	case p.epoch != m.epoch:
		return kerr.ProducerFenced
	}
	return nil
}

// add makes partitions part of the transaction, which it may begin.
func (m metadata) add(p producer, places []place, now time.Time) (next metadata, changed bool, err error) {
	if err := m.check(p); err != nil {
		return m, false, err
	}
	if m.preparing() {
		return m, false, kerr.ConcurrentTransactions
	}
	next = m
	if m.state == ongoing {
		next.partitions = maps.Clone(m.partitions)
	} else {
		next.state, next.started, next.partitions = ongoing, now, map[place]struct{}{}
	}
	for _, at := range places {
		next.partitions[at] = struct{}{}
	}
	if m.state == ongoing && len(next.partitions) == len(m.partitions) {
		return m, false, nil
	}
	next.updated = now
	return next, true, nil
}

// end decides the transaction. A producer that asks again once it is decided is told so.
func (m metadata) end(p producer, commit bool, now time.Time) (next metadata, changed bool, err error) {
	if err := m.check(p); err != nil {
		return m, false, err
	}
	switch m.state {
	case ongoing:
		next = m
		next.state, next.updated = prepareAbort, now
		if commit {
			next.state = prepareCommit
		}
		return next, true, nil
	case prepareCommit, prepareAbort:
		if commit == (m.state == prepareCommit) {
			return m, false, kerr.ConcurrentTransactions
		}
	case completeCommit, completeAbort:
		if commit == (m.state == completeCommit) {
			return m, false, nil
		}
	}
	return m, false, kerr.InvalidTxnState
}

// overdue tells whether the transaction takes longer than its producer allowed.
func (m metadata) overdue(now time.Time) bool {
	return m.state == ongoing && now.After(m.started.Add(m.timeout))
}

// abort decides the transaction against its producer, whose epoch is fenced off.
func (m metadata) abort(now time.Time) metadata {
	next := m
	next.state, next.updated, next.last = prepareAbort, now, nobody
	if next.epoch < math.MaxInt16 {
		next.epoch++
	}
	return next
}

// complete is the state once every partition has its marker.
func (m metadata) complete(now time.Time) metadata {
	next := m
	next.state, next.partitions, next.updated = completeCommit, nil, now
	if m.state == prepareAbort {
		next.state = completeAbort
	}
	return next
}

// expired tells whether nobody used the id for long.
func (m metadata) expired(now time.Time, after time.Duration) bool {
	return !m.preparing() && m.state != ongoing && now.Sub(m.updated) >= after
}
