package txn

import (
	"errors"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

var at = time.UnixMilli(1000)

// in is the metadata of producer 7 with an epoch in a state; an open or decided transaction has one partition.
func in(s state, epoch int16) metadata {
	m := metadata{producer: producer{7, epoch}, last: nobody, timeout: time.Minute, state: s, updated: at}
	if s == ongoing || m.preparing() {
		m.started, m.partitions = at, map[place]struct{}{{"a", 0}: {}}
	}
	return m
}

func TestWhoMayBeginWithATransactionalID(t *testing.T) {
	bumped := in(empty, 3)
	bumped.last = producer{7, 2}
	rotated := in(empty, 0)
	rotated.last = producer{5, math.MaxInt16 - 1}
	for _, c := range []struct {
		what  string
		m     metadata
		given producer
		want  producer
		how   initiation
		err   error
	}{
		{"the first producer", in(empty, -1), nobody, producer{7, 0}, begin, nil},
		{"the next producer", in(completeCommit, 0), nobody, producer{7, 1}, begin, nil},
		{"one that finds a transaction open", in(ongoing, 0), nobody, producer{7, 0}, fence, nil},
		{"one that finds a commit under way", in(prepareCommit, 0), nobody, producer{}, 0, kerr.ConcurrentTransactions},
		{"one that finds an abort under way", in(prepareAbort, 0), nobody, producer{}, 0, kerr.ConcurrentTransactions},
		{"the current one, for a higher epoch", in(completeAbort, 3), producer{7, 3}, producer{7, 4}, begin, nil},
		{"one that did not learn of its bump", bumped, producer{7, 2}, producer{7, 3}, repeated, nil},
		{"one that was fenced", bumped, producer{7, 1}, producer{}, 0, kerr.ProducerFenced},
		{"a stranger", in(empty, 3), producer{8, 3}, producer{}, 0, kerr.ProducerFenced},
		{"the last epoch", in(completeCommit, math.MaxInt16-1), nobody, producer{-1, 0}, rotate, nil},
		{"one that did not learn of its new id", rotated, producer{5, math.MaxInt16 - 1}, producer{7, 0}, repeated, nil},
	} {
		next, how, err := c.m.initiate(c.given, time.Second, at)
		if !errors.Is(err, c.err) || err == nil && (how != c.how || next.producer != c.want) {
			t.Errorf("%s: %v %d %v", c.what, next.producer, how, err)
		}
	}
}

func TestHowATransactionEnds(t *testing.T) {
	for _, c := range []struct {
		state   state
		commit  bool
		changed bool
		want    state
		err     error
	}{
		{ongoing, true, true, prepareCommit, nil},
		{ongoing, false, true, prepareAbort, nil},
		{empty, true, false, empty, kerr.InvalidTxnState},
		{empty, false, false, empty, kerr.InvalidTxnState},
		{prepareCommit, true, false, prepareCommit, kerr.ConcurrentTransactions},
		{prepareCommit, false, false, prepareCommit, kerr.InvalidTxnState},
		{prepareAbort, false, false, prepareAbort, kerr.ConcurrentTransactions},
		{prepareAbort, true, false, prepareAbort, kerr.InvalidTxnState},
		{completeCommit, true, false, completeCommit, nil},
		{completeCommit, false, false, completeCommit, kerr.InvalidTxnState},
		{completeAbort, false, false, completeAbort, nil},
		{completeAbort, true, false, completeAbort, kerr.InvalidTxnState},
	} {
		next, changed, err := in(c.state, 1).end(producer{7, 1}, c.commit, at)
		if next.state != c.want || changed != c.changed || !errors.Is(err, c.err) {
			t.Errorf("%s, commit %v: %s %v %v", names[c.state], c.commit, names[next.state], changed, err)
		}
	}
	for p, want := range map[producer]error{{7, 0}: kerr.ProducerFenced, {7, 2}: kerr.ProducerFenced, {8, 1}: kerr.InvalidProducerIDMapping} {
		if _, _, err := in(ongoing, 1).end(p, true, at); !errors.Is(err, want) {
			t.Errorf("producer %v: %v, want %v", p, err, want)
		}
	}
}

func TestPartitionsBeginATransactionAndJoinIt(t *testing.T) {
	me, a, b := producer{7, 1}, place{"a", 0}, place{"b", 1}
	for s, want := range map[state]error{
		empty: nil, ongoing: nil, completeCommit: nil, completeAbort: nil,
		prepareCommit: kerr.ConcurrentTransactions, prepareAbort: kerr.ConcurrentTransactions,
	} {
		before := in(s, 1)
		kept := len(before.partitions)
		next, changed, err := before.add(me, []place{b}, at.Add(time.Second))
		if !errors.Is(err, want) || err == nil && (!changed || next.state != ongoing) {
			t.Errorf("%s: %s %v %v", names[s], names[next.state], changed, err)
		}
		if len(before.partitions) != kept {
			t.Errorf("%s: the state before was changed", names[s])
		}
	}
	next, _, _ := in(ongoing, 1).add(me, []place{a, b}, at.Add(time.Second))
	if len(next.partitions) != 2 || next.started != at {
		t.Errorf("%+v", next)
	}
	if _, changed, err := next.add(me, []place{b}, at); changed || err != nil {
		t.Errorf("once more: %v %v", changed, err)
	}
}

func TestATransactionThatTakesTooLongIsAbortedWithAnEpochOfItsOwn(t *testing.T) {
	m := in(ongoing, 4)
	if m.overdue(at.Add(time.Minute)) || !m.overdue(at.Add(time.Minute+1)) || in(prepareCommit, 4).overdue(at.Add(time.Hour)) {
		t.Error("only an open transaction is overdue, after its timeout")
	}
	aborted := m.abort(at)
	if aborted.state != prepareAbort || aborted.epoch != 5 || len(aborted.partitions) != 1 {
		t.Errorf("%+v", aborted)
	}
	if done := aborted.complete(at); done.state != completeAbort || len(done.partitions) != 0 {
		t.Errorf("%+v", done)
	}
	if last := in(ongoing, math.MaxInt16).abort(at); last.epoch != math.MaxInt16 {
		t.Errorf("epoch %d", last.epoch)
	}
}

func TestRecordsComeBack(t *testing.T) {
	for s := range names {
		if s > completeAbort {
			continue
		}
		m := in(s, 9)
		if m.partitions == nil {
			m.partitions = map[place]struct{}{}
		}
		got, err := decode(m.record("id").Value)
		if err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("%s: %+v %v, want %+v", names[s], got, err, m)
		}
	}
}

func FuzzRecord(f *testing.F) {
	m := in(ongoing, 3)
	r := m.record("id")
	f.Add(r.Key, r.Value)
	f.Fuzz(func(t *testing.T, key, value []byte) {
		all := memory{}
		r.Key, r.Value = key, value
		if all.add(r) != nil {
			return
		}
		for id, m := range all {
			again := memory{}
			if err := again.add(m.record(id)); err != nil || !reflect.DeepEqual(again[id], m) {
				t.Fatalf("%+v became %+v: %v", m, again[id], err)
			}
		}
	})
}
