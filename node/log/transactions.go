package log

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"sort"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// A transaction lies open in the log from its first batch to its marker, a control batch that says how it ended.
type transaction struct {
	producer    int64
	first, last int64 // last is the marker's offset, -1 while there is none
}

// A Marker ends a transaction.
type Marker struct {
	ProducerID       int64
	ProducerEpoch    int16
	Committed        bool
	CoordinatorEpoch int32 // of the leader of the producer's partition of __transaction_state
}

// EncodeMarker makes the control batch of a marker:
//
//	key    version int16 (0), type int16 (0 abort, 1 commit)
//	value  version int16 (0), coordinator epoch int32
func EncodeMarker(m Marker, now time.Time) Batch {
	key, value := kmsg.ControlRecordKey{}, kmsg.EndTxnMarker{CoordinatorEpoch: m.CoordinatorEpoch}
	if m.Committed {
		key.Type = kmsg.ControlRecordKeyTypeCommit
	}
	b := EncodeBatch(Record{Timestamp: now.UnixMilli(), Key: key.AppendTo(nil), Value: value.AppendTo(nil)})
	binary.BigEndian.PutUint16(b[21:], transactional|control)
	b.SetProducer(m.ProducerID, m.ProducerEpoch, -1)
	return b
}

// SetTransactional makes the batch part of its producer's transaction.
func (b Batch) SetTransactional() {
	binary.BigEndian.PutUint16(b[21:], uint16(b.Attributes()|transactional))
	b.seal()
}

// Marker reads a control batch; ok is false if it is of another kind.
func (b Batch) Marker() (m Marker, ok bool) {
	if !b.Control() || b.ProducerID() == noProducer || len(b) < b.Size() {
		return m, false
	}
	for r, err := range b.Records() {
		var key kmsg.ControlRecordKey
		var value kmsg.EndTxnMarker
		if err != nil || key.ReadFrom(r.Key) != nil || value.ReadFrom(r.Value) != nil {
			return m, false
		}
		if key.Type != kmsg.ControlRecordKeyTypeAbort && key.Type != kmsg.ControlRecordKeyTypeCommit {
			return m, false
		}
		return Marker{b.ProducerID(), b.ProducerEpoch(), key.Type == kmsg.ControlRecordKeyTypeCommit, value.CoordinatorEpoch}, true
	}
	return m, false
}

// An Aborted transaction, as the transaction index of a segment (.txnindex) lists those whose markers it holds:
//
//	version int16 (0), producer id int64, first offset int64, last offset int64 (of the marker),
//	last stable offset int64 (once the marker was there)
type Aborted struct {
	ProducerID  int64
	First, Last int64
	Stable      int64
}

const abortedEntry = 2 + 4*8

func appendAborted(dst []byte, a Aborted) []byte {
	dst = binary.BigEndian.AppendUint16(dst, 0)
	for _, v := range []int64{a.ProducerID, a.First, a.Last, a.Stable} {
		dst = binary.BigEndian.AppendUint64(dst, uint64(v))
	}
	return dst
}

func decodeAborted(b []byte) (list []Aborted, err error) {
	if len(b)%abortedEntry != 0 {
		return nil, fmt.Errorf("transaction index of %d bytes", len(b))
	}
	last := int64(-1)
	for ; len(b) > 0; b = b[abortedEntry:] {
		v := func(i int) int64 { return int64(binary.BigEndian.Uint64(b[2+8*i:])) }
		a := Aborted{v(0), v(1), v(2), v(3)}
		if binary.BigEndian.Uint16(b) != 0 || a.Last <= last || a.First > a.Last || a.First < 0 {
			return nil, fmt.Errorf("transaction index has %v after %d", a, last)
		}
		list, last = append(list, a), a.Last
	}
	return list, nil
}

// Stable is the last stable offset: below it every transaction is decided, and its marker lies below the high watermark.
func (l *Log) Stable(highWatermark int64) int64 {
	l.mu.RLock()
	stable, settled := highWatermark, 0
	for _, t := range l.unstable {
		if t.last < 0 || t.last >= highWatermark {
			stable = max(min(t.first, highWatermark), l.start)
			break
		}
		settled++
	}
	l.mu.RUnlock()
	if settled > 0 {
		l.mu.Lock()
		l.unstable = slices.DeleteFunc(l.unstable, func(t transaction) bool { return t.last >= 0 && t.last < highWatermark })
		l.mu.Unlock()
	}
	return stable
}

// Aborted lists the aborted transactions with records in [from, upper), which ends at or below the last stable offset.
func (l *Log) Aborted(from, upper int64) (list []Aborted) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	i := max(0, sort.Search(len(l.segments), func(i int) bool { return l.segments[i].base > from })-1)
	for _, s := range l.segments[i:] {
		first := sort.Search(len(s.aborted), func(i int) bool { return s.aborted[i].Last >= from })
		for _, a := range s.aborted[first:] {
			if a.First < upper {
				list = append(list, a)
			}
			if a.Stable >= upper {
				return list
			}
		}
	}
	return list
}

// account adds a batch that lies in a segment to the producers' state. Needs write, not mu.
func (l *Log) account(b Batch, s *segment) error {
	t, ended := l.ps.add(b)
	if t.first < 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !ended {
		l.unstable = append(l.unstable, t)
		return nil
	}
	stable := t.last + 1
	for i := range l.unstable {
		switch u := &l.unstable[i]; {
		case u.last >= 0:
		case u.producer == t.producer:
			u.last = t.last
		default:
			stable = min(stable, u.first)
		}
	}
	if m, ok := b.Marker(); !ok || m.Committed {
		return nil
	}
	if n := len(s.aborted); n > 0 && s.aborted[n-1].Last >= t.last {
		return nil // replayed, the index has it
	}
	s.aborted = append(s.aborted, Aborted{t.producer, t.first, t.last, stable})
	return nil
}

// saveAborted writes the entries that a segment's transaction index does not have yet.
func (s *segment) saveAborted() error {
	if s.savedAborted == len(s.aborted) {
		return nil
	}
	var fresh []byte
	for _, a := range s.aborted[s.savedAborted:] {
		fresh = appendAborted(fresh, a)
	}
	f, err := os.OpenFile(s.path+".txnindex", os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return storage("opened a transaction index", err)
	}
	defer f.Close()
	at := int64(s.savedAborted * abortedEntry)
	if _, err = f.WriteAt(fresh, at); err == nil {
		err = f.Truncate(at + int64(len(fresh)))
	}
	if err == nil {
		s.savedAborted = len(s.aborted)
	}
	return storage("wrote a transaction index", err)
}

// cutAborted forgets transactions whose markers are at the offset or later. Needs mu.
func (s *segment) cutAborted(to int64) {
	n := sort.Search(len(s.aborted), func(i int) bool { return s.aborted[i].Last >= to })
	if n == len(s.aborted) {
		return
	}
	s.aborted, s.savedAborted = slices.Clip(s.aborted[:n]), min(s.savedAborted, n)
	if err := os.Truncate(s.path+".txnindex", int64(n*abortedEntry)); err != nil {
		s.savedAborted = 0 // the next entry writes it whole
	}
}

// readAborted loads the transaction indexes and returns the base of the first segment whose index has to be made anew,
// End if there is none.
func (l *Log) readAborted() (from int64, err error) {
	from = l.end
	for _, s := range l.segments {
		content, err := os.ReadFile(s.path + ".txnindex")
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return from, storage("read a transaction index", err)
		}
		if s.aborted, err = decodeAborted(content); err == nil && !s.scanned {
			s.savedAborted = len(s.aborted)
			continue
		}
		s.aborted, s.savedAborted = nil, 0
		os.Remove(s.path + ".txnindex")
		from = min(from, s.base)
	}
	return from, nil
}

// resume makes the open transactions of a snapshot known again.
func (l *Log) resume() {
	l.unstable = nil
	for id, p := range l.ps {
		if p.txnFirstOffset >= 0 {
			l.unstable = append(l.unstable, transaction{id, p.txnFirstOffset, -1})
		}
	}
	slices.SortFunc(l.unstable, func(a, b transaction) int { return cmp.Compare(a.first, b.first) })
}
