package log

import (
	"fmt"
	"os"
)

// Truncate cuts the end of the log back to an offset, which a follower does where it diverged from its leader. A
// batch that contains the offset goes as a whole, so End may become smaller than asked for. An offset
// at or after End changes nothing.
func (l *Log) Truncate(to int64) error {
	l.write.Lock()
	defer l.write.Unlock()
	if to >= l.end {
		return nil
	}
	if to < l.start {
		return l.startOver(to, to)
	}
	if err := l.truncate(to); err != nil {
		return fmt.Errorf("truncate %s to %d: %w", l.tp, to, err)
	}
	return nil
}

// Reset drops everything and begins an empty log at an offset.
func (l *Log) Reset(start int64) error {
	l.write.Lock()
	defer l.write.Unlock()
	return l.startOver(start, start)
}

// truncate needs write.
func (l *Log) truncate(to int64) error {
	if err := l.loadAll(to); err != nil {
		return err
	}
	keep := len(l.segments)
	for keep > 1 && l.segments[keep-1].base >= to {
		keep--
	}
	s := l.segments[keep-1]
	_, pos, err := s.locate(to, s.size)
	if err != nil {
		return err
	}
	dropped := l.segments[keep:]
	l.mu.Lock()
	l.truncations++
	l.segments = l.segments[:keep:keep]
	if err = s.cut(pos, to); err == nil {
		l.end = s.end
		l.start = min(l.start, l.end)
		l.recoveryPoint = min(l.recoveryPoint, l.end)
	}
	end := l.end
	l.mu.Unlock()
	if err != nil {
		return err
	}
	for _, d := range dropped {
		if err := d.remove(); err != nil {
			return err
		}
	}
	if err := l.setEpochs(l.epochs.cutEnd(end)); err != nil {
		return err
	}
	return l.rebuildProducers()
}

// cut shortens a segment to the batch at pos, which is the first that ends at or after the offset to.
func (s *segment) cut(pos, to int64) error {
	if pos < s.size {
		if err := s.log.truncate(pos); err != nil {
			return err
		}
	}
	s.offsets, s.savedOffsets = s.offsets.cut(pos), 0
	s.times, s.savedTimes = s.times.cut(to-s.base), 0
	s.size, s.flushed = pos, min(s.flushed, pos)
	return s.measure(s.offsets, s.times)
}

// measure finds out what the batches say that the indexes do not: end and largest timestamp.
func (s *segment) measure(offsets offsetIndex, times timeIndex) error {
	s.end, s.sinceEntry = s.base, 0
	s.maxTimestamp, s.maxOffset = -1, -1
	if ts, relative := times.last(); relative >= 0 {
		s.maxTimestamp, s.maxOffset = ts, s.base+relative
	}
	sc := s.scanner(offsets.lastPosition(), s.size, false)
	for {
		b, _, err := sc.next()
		if err != nil || b == nil {
			return err
		}
		if b.MaxTimestamp() > s.maxTimestamp {
			s.maxTimestamp, s.maxOffset = b.MaxTimestamp(), b.LastOffset()
		}
		s.end = b.LastOffset() + 1
		s.sinceEntry += b.Size()
	}
}

// startOver replaces all segments by an empty one at base; the log starts at start, which is not below. Needs write.
func (l *Log) startOver(base, start int64) error {
	old := l.segments
	for _, s := range old {
		if err := s.remove(); err != nil {
			return fmt.Errorf("reset %s to %d: %w", l.tp, start, err)
		}
	}
	if err := l.dropSnapshots(func(int64) bool { return true }); err != nil {
		return err
	}
	s := newSegment(l.path, base)
	if _, err := s.log.open(); err != nil {
		return fmt.Errorf("reset %s to %d: %w", l.tp, start, err)
	}
	l.ps = producers{}
	l.mu.Lock()
	l.truncations++
	l.segments = []*segment{s}
	l.start, l.end, l.recoveryPoint = start, base, base
	l.mu.Unlock()
	return l.setEpochs(nil)
}

// dropSnapshots removes the snapshots whose offsets are condemned.
func (l *Log) dropSnapshots(condemned func(offset int64) bool) error {
	offsets, err := snapshots(l.path)
	if err != nil {
		return err
	}
	for _, o := range offsets {
		if condemned(o) {
			if err := os.Remove(l.snapshotPath(o)); err != nil && !os.IsNotExist(err) {
				return storage("removed a snapshot", err)
			}
		}
	}
	return nil
}

// rebuildProducers brings the producers' state to End: from the newest snapshot that is not beyond, then from the
// batches after it. Needs write.
func (l *Log) rebuildProducers() error {
	if err := l.dropSnapshots(func(o int64) bool { return o > l.end }); err != nil {
		return err
	}
	offsets, err := snapshots(l.path)
	if err != nil {
		return err
	}
	from := l.segments[0].base
	l.ps = producers{}
	for _, o := range offsets {
		content, err := os.ReadFile(l.snapshotPath(o))
		if err != nil {
			return storage("read a snapshot", err)
		}
		ps, err := decodeSnapshot(content)
		if err != nil {
			l.dir.log.Warn("producer snapshot dropped", "partition", l.tp.String(), "offset", o, "err", err)
			os.Remove(l.snapshotPath(o))
			continue
		}
		l.ps, from = ps, o
		break
	}
	return l.replay(from)
}

// replay adds the batches from an offset on to the producers' state.
func (l *Log) replay(from int64) error {
	for _, s := range l.segments {
		if s.end <= from {
			continue
		}
		sc := s.scanner(0, s.size, false)
		if from > s.base {
			if err := l.load(s); err != nil {
				return err
			}
			sc = s.scanner(s.offsets.floor(from-s.base), s.size, false)
		}
		for {
			b, _, err := sc.next()
			if err != nil {
				return err
			}
			if b == nil {
				break
			}
			if b.BaseOffset() >= from {
				l.ps.add(b)
			}
		}
	}
	return nil
}
