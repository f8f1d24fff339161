package log

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"time"
)

// Origin says who made the batches that a leader appends.
type Origin int8

const (
	FromClient      Origin = iota // a producer
	FromCoordinator               // this broker's group or transaction coordinator
)

// AppendLeader appends what a producer sent to this leader: it checks framing, CRC, size and the producer's sequence
// numbers, stamps offsets and leader epoch into the headers in place (which leaves the CRC alone) and writes. A batch that was
// appended before is not again: the answer has its offsets and Duplicate.
func (l *Log) AppendLeader(batches []byte, leaderEpoch int32, origin Origin) (Appended, error) {
	cfg := l.Config()
	batches, err := convert(batches, &cfg, origin)
	if err != nil {
		return Appended{}, fmt.Errorf("append to %s: %w", l.tp, err)
	}
	list, err := parse(batches, &cfg, origin)
	if err != nil {
		return Appended{}, fmt.Errorf("append to %s: %w", l.tp, err)
	}
	l.write.Lock()
	defer l.write.Unlock()
	if l.closed {
		return Appended{}, fmt.Errorf("append to %s: %w", l.tp, ErrClosed)
	}
	if origin == FromClient {
		if a, done, err := l.sequence(list); done || err != nil {
			if err != nil {
				err = fmt.Errorf("append to %s: %w", l.tp, err)
			}
			return a, err
		}
	} else {
		for _, b := range list {
			if err := l.ps.admitOwn(b); err != nil {
				return Appended{}, fmt.Errorf("append to %s: %w", l.tp, err)
			}
		}
	}
	appendTime := int64(-1)
	if cfg.TimestampType == LogAppendTime {
		appendTime = time.Now().UnixMilli()
	}
	next := l.end
	for _, b := range list {
		b.setBaseOffset(next)
		b.setLeaderEpoch(leaderEpoch)
		if appendTime >= 0 {
			b.setAppendTime(appendTime)
		}
		next += int64(b.lastOffsetDelta()) + 1
	}
	a, err := l.append(batches, list, &cfg)
	a.AppendTime = appendTime
	return a, err
}

// AppendFollower appends what was fetched from the leader of an epoch, as it is, up to the first batch of a later epoch: whoever
// sent that has become a follower meanwhile, with a history that was not compared with this log's. The first batch has to
// begin at End.
func (l *Log) AppendFollower(batches []byte, leaderEpoch int32) (Appended, error) {
	var list []Batch
	n := 0
	for b, err := range Batches(batches) {
		if err == nil {
			err = b.check()
		}
		if err != nil {
			return Appended{}, fmt.Errorf("replicate %s: %w", l.tp, err)
		}
		if b.LeaderEpoch() > leaderEpoch {
			break
		}
		list = append(list, b)
		n += b.Size()
	}
	batches = batches[:n]
	cfg := l.Config()
	l.write.Lock()
	defer l.write.Unlock()
	if l.closed {
		return Appended{}, fmt.Errorf("replicate %s: %w", l.tp, ErrClosed)
	}
	if err := l.continues(list); err != nil {
		return Appended{}, fmt.Errorf("replicate %s: %w", l.tp, err)
	}
	return l.append(batches, list, &cfg)
}

// sequence checks idempotent producers' sequence numbers. done means that nothing is left to append.
func (l *Log) sequence(list []Batch) (a Appended, done bool, err error) {
	seen := l.ps
	if len(list) > 1 { // later batches of the request follow the earlier ones; what is refused leaves no trace
		seen = producers{}
		for _, b := range list {
			if p, ok := l.ps[b.ProducerID()]; ok {
				seen[b.ProducerID()] = p
			}
		}
	}
	for _, b := range list {
		if b.ProducerID() == noProducer {
			continue
		}
		if s, ok := seen.duplicate(b); ok {
			if len(list) > 1 {
				return a, false, fmt.Errorf("%w: producer %d repeats %d among others", ErrOutOfOrderSequence, b.ProducerID(), b.BaseSequence())
			}
			return Appended{
				First: s.lastOffset - int64(s.delta), Last: s.lastOffset, MaxTimestamp: s.timestamp,
				AppendTime: appendTimeOf(l.Config(), s), LogStart: l.start, Duplicate: true,
			}, true, nil
		}
		if err := seen.admit(b); err != nil {
			return a, false, err
		}
		if len(list) > 1 {
			seen.add(b)
		}
	}
	return a, false, nil
}

func appendTimeOf(c Config, s sent) int64 {
	if c.TimestampType == LogAppendTime {
		return s.timestamp
	}
	return -1
}

// continues checks that fetched batches follow the end of the log. Offsets may skip (compaction), never go back; only
// an empty log takes a first batch that begins before its end: its leader's start lies inside that batch.
func (l *Log) continues(list []Batch) error {
	next := l.end
	for i, b := range list {
		if i == 0 && b.BaseOffset() < next && next <= b.LastOffset() && l.start == l.end && size(l.segments) == 0 {
			if err := l.startOver(b.BaseOffset(), l.start); err != nil {
				return err
			}
			next = b.BaseOffset()
		}
		if b.BaseOffset() < next {
			return fmt.Errorf("%w: batch at %d, end is %d", ErrNotContinuous, b.BaseOffset(), next)
		}
		next = b.LastOffset() + 1
	}
	return nil
}

// append writes batches whose headers are final, needs write. raw is what they were cut from, one after the other;
// all that fit into the active segment go with one write.
func (l *Log) append(raw []byte, list []Batch, cfg *Config) (a Appended, err error) {
	a = Appended{First: l.end, Last: l.end - 1, MaxTimestamp: -1, AppendTime: -1, LogStart: l.start}
	if len(list) == 0 {
		return a, nil
	}
	a.First = list[0].BaseOffset()
	for len(list) > 0 {
		if l.full(list[0], cfg) {
			if err := l.roll(list[0].BaseOffset()); err != nil {
				return a, fmt.Errorf("append to %s: %w", l.tp, err)
			}
		}
		n, bytes := l.fitting(list, cfg)
		if err := l.active().log.writeAt(raw[:bytes], l.active().size); err != nil {
			return a, fmt.Errorf("append to %s: %w", l.tp, err)
		}
		if err := l.publish(list[:n], cfg); err != nil {
			return a, fmt.Errorf("append to %s: %w", l.tp, err)
		}
		for _, b := range list[:n] {
			a.MaxTimestamp = max(a.MaxTimestamp, b.MaxTimestamp())
		}
		a.Last = list[n-1].LastOffset()
		raw, list = raw[bytes:], list[n:]
	}
	return a, l.flushIfDue(cfg)
}

// full reports whether the active segment may not take this batch.
func (l *Log) full(b Batch, cfg *Config) bool {
	s := l.active()
	switch {
	case s.size == 0:
		return b.LastOffset()-s.base > math.MaxInt32
	case s.size+int64(len(b)) > int64(cfg.SegmentBytes):
		return true
	case b.LastOffset()-s.base > math.MaxInt32:
		return true
	case len(s.offsets)+offsetEntry > cfg.IndexBytes || len(s.times)+timeEntry > cfg.IndexBytes:
		return true
	}
	return s.firstTimestamp >= 0 && b.MaxTimestamp()-s.firstTimestamp > cfg.segmentMillis(s.jitter)
}

// fitting counts the batches that the active segment can take at once, at least one.
func (l *Log) fitting(list []Batch, cfg *Config) (n, bytes int) {
	s := l.active()
	n, bytes = 1, len(list[0])
	for n < len(list) && s.size+int64(bytes+len(list[n])) <= int64(cfg.SegmentBytes) && list[n].LastOffset()-s.base <= math.MaxInt32 {
		bytes += len(list[n])
		n++
	}
	return n, bytes
}

// publish makes written batches visible.
func (l *Log) publish(list []Batch, cfg *Config) error {
	es, changed := l.epochs, false
	for _, b := range list {
		if err := l.account(b, l.active()); err != nil {
			return err
		}
		if e := b.LeaderEpoch(); e > es.last() {
			es, _ = es.begin(e, b.BaseOffset())
			changed = true
		}
	}
	l.mu.Lock()
	s := l.active()
	for _, b := range list {
		s.add(b, s.size, cfg.IndexInterval)
	}
	l.end = s.end
	if changed {
		l.grow(es)
	}
	l.mu.Unlock()
	return s.saveAborted()
}

// roll seals the active segment and begins a new one.
func (l *Log) roll(base int64) error {
	old := l.active()
	next := newSegment(l.path, base)
	if err := next.log.create(); err != nil {
		return err
	}
	if err := l.snapshot(base); err != nil {
		return err
	}
	l.mu.Lock()
	old.seal()
	l.mu.Unlock()
	if err := errors.Join(old.saveIndexes(), old.log.release()); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.segments = append(l.segments[:len(l.segments):len(l.segments)], next)
	return nil
}

// snapshot writes the producers' state as of an offset, unless it is there: many files that are replaced by their likes
// would make the end of a broker wait for the disk.
func (l *Log) snapshot(offset int64) error {
	path, content := l.snapshotPath(offset), encodeSnapshot(l.ps)
	if found, err := os.ReadFile(path); err == nil && bytes.Equal(found, content) {
		return nil
	}
	return replace(path, content, false)
}
