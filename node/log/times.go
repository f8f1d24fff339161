package log

import (
	"errors"
	"fmt"
)

// OffsetForTime finds the first record whose timestamp is at least ts (milliseconds): its offset, timestamp and leader
// epoch. ok is false when all are older.
func (l *Log) OffsetForTime(ts int64) (offset, timestamp int64, epoch int32, ok bool, err error) {
	for {
		offset, timestamp, ok, err = l.offsetForTime(ts)
		if !errors.Is(err, errGone) {
			break
		}
	}
	if err != nil {
		return -1, -1, -1, false, fmt.Errorf("look up %s at time %d: %w", l.tp, ts, err)
	}
	if !ok {
		return -1, -1, -1, false, nil
	}
	return offset, timestamp, l.EpochAt(offset), true, nil
}

func (l *Log) offsetForTime(ts int64) (offset, timestamp int64, ok bool, err error) {
	l.mu.RLock()
	segments, start := l.segments, l.start
	var candidates []*segment
	for _, s := range segments {
		if s.maxTimestamp >= ts && s.end > start {
			candidates = append(candidates, s)
		}
	}
	l.mu.RUnlock()
	for _, s := range candidates {
		if err := l.load(s); err != nil {
			return 0, 0, false, err
		}
		l.mu.RLock()
		at := spot{segment: s, size: s.size, truncations: l.truncations, memory: newMemory}
		if relative := s.times.floor(ts); relative >= 0 {
			at.position = s.offsets.floor(relative)
		}
		if start > s.base {
			at.position = max(at.position, s.offsets.floor(start-s.base))
		}
		l.mu.RUnlock()
		offset, timestamp, ok, err = at.firstSince(ts, start)
		if l.overtaken(at) {
			return 0, 0, false, errGone
		}
		if ok || err != nil {
			return offset, timestamp, ok, err
		}
	}
	return 0, 0, false, nil
}

// firstSince looks at batches from the spot on.
func (at spot) firstSince(ts, start int64) (offset, timestamp int64, ok bool, err error) {
	for sc := at.segment.scanner(at.position, at.size, false); ; {
		header, pos, err := sc.next()
		if err != nil || header == nil {
			return 0, 0, false, err
		}
		if header.MaxTimestamp() < ts || header.LastOffset() < start {
			continue
		}
		b, err := at.fill(pos, header.Size())
		if err != nil {
			return 0, 0, false, err
		}
		for r, err := range Batch(b).Records() {
			if err != nil {
				return 0, 0, false, err
			}
			if r.Timestamp >= ts && r.Offset >= start {
				return r.Offset, r.Timestamp, true, nil
			}
		}
	}
}

// MaxTimestamp finds the record with the largest timestamp, the first of them; ok is false in an empty log.
func (l *Log) MaxTimestamp() (offset, timestamp int64, epoch int32, ok bool, err error) {
	l.mu.RLock()
	largest := int64(-1)
	for _, s := range l.segments {
		if s.end > l.start {
			largest = max(largest, s.maxTimestamp)
		}
	}
	l.mu.RUnlock()
	if largest < 0 {
		return -1, -1, -1, false, nil
	}
	return l.OffsetForTime(largest)
}
