package log

import (
	"errors"
	"fmt"
	"os"
	"slices"
)

// Truncate cuts the end of the log back to an offset, which a follower does where it diverged from its leader. A
// batch that contains the offset goes as a whole, so End may become smaller than asked for. An offset
// at or after End changes nothing.
func (l *Log) Truncate(to int64) error {
	l.write.Lock()
	defer l.write.Unlock()
	if to >= l.end {
		// A leader that appended nothing in its term noted its epoch at End; a newer leader knows nothing of that.
		if es := l.epochs.cutEnd(l.end); len(es) != len(l.epochs) {
			return l.setEpochs(es)
		}
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

// truncate needs write. Readers see the shorter log before the files change: one that is at it finds that it was
// overtaken. The files go from the end on, so that the log has no hole whenever this process is killed.
func (l *Log) truncate(to int64) error {
	keep := len(l.segments)
	for keep > 1 && l.segments[keep-1].base >= to {
		keep--
	}
	s := l.segments[keep-1]
	if err := l.load(s); err != nil {
		return err
	}
	_, pos, err := s.locate(to, s.size)
	if err != nil {
		return err
	}
	offsets, times := s.offsets.cut(pos), s.times.cut(to-s.base)
	m, err := s.measure(offsets, times, pos)
	if err != nil {
		return err
	}
	dropped := l.segments[keep:]
	l.mu.Lock()
	l.truncations++
	l.cuts++
	l.segments = l.segments[:keep:keep]
	s.take(m)
	s.offsets, s.times, s.savedOffsets, s.savedTimes = offsets, times, 0, 0
	s.size, s.flushed, s.indexed = pos, min(s.flushed, pos), false
	s.cutAborted(to)
	l.end = s.end
	l.start = min(l.start, l.end)
	lowered := l.recoveryPoint > l.end
	l.recoveryPoint, l.cleaned = min(l.recoveryPoint, l.end), min(l.cleaned, l.end)
	l.mu.Unlock()
	for _, d := range slices.Backward(dropped) {
		if err := d.remove(); err != nil {
			return err
		}
	}
	if err := s.log.truncate(pos); err != nil {
		return err
	}
	if lowered {
		if err := l.dir.lowered(); err != nil {
			return err
		}
	}
	if err := l.setEpochs(l.epochs.cutEnd(l.end)); err != nil {
		return err
	}
	return l.rebuildProducers(l.end)
}

// A measure is what the batches of a segment say beyond its indexes.
type measure struct {
	end, maxTimestamp, maxOffset, firstTimestamp int64
	sinceEntry                                   int
}

func (s *segment) take(m measure) {
	s.end, s.sinceEntry = m.end, m.sinceEntry
	s.maxTimestamp, s.maxOffset, s.firstTimestamp = m.maxTimestamp, m.maxOffset, m.firstTimestamp
}

// measure looks at the batches after the last index entry, up to a size.
func (s *segment) measure(offsets offsetIndex, times timeIndex, size int64) (measure, error) {
	m := measure{end: s.base, maxTimestamp: -1, maxOffset: -1, firstTimestamp: -1}
	if size == 0 {
		return m, nil
	}
	first, _, err := s.scanner(0, size, false).next()
	if err != nil {
		return m, err
	}
	m.firstTimestamp = first.MaxTimestamp()
	if ts, relative := times.last(); relative >= 0 {
		m.maxTimestamp, m.maxOffset = ts, s.base+relative
	}
	for sc := s.scanner(offsets.lastPosition(), size, false); ; {
		b, _, err := sc.next()
		if err != nil || b == nil {
			return m, err
		}
		if b.MaxTimestamp() > m.maxTimestamp {
			m.maxTimestamp, m.maxOffset = b.MaxTimestamp(), b.LastOffset()
		}
		m.end = b.LastOffset() + 1
		m.sinceEntry += b.Size()
	}
}

// startOver replaces all segments by an empty one at base; the log starts at start, which is not below. Needs write.
func (l *Log) startOver(base, start int64) error {
	old, s := l.segments, newSegment(l.path, base)
	l.ps = producers{}
	l.mu.Lock()
	l.truncations++
	l.cuts++
	l.segments = []*segment{s}
	lowered := l.recoveryPoint > base
	l.start, l.end, l.recoveryPoint = start, base, base
	l.unstable, l.cleaned = nil, 0
	l.mu.Unlock()
	err := l.dropSnapshots(func(int64) bool { return true })
	for _, o := range slices.Backward(old) {
		err = errors.Join(err, o.remove())
	}
	err = errors.Join(err, s.log.create(), l.setEpochs(nil))
	if lowered {
		err = errors.Join(err, l.dir.lowered())
	}
	if err != nil {
		return fmt.Errorf("reset %s to %d: %w", l.tp, start, err)
	}
	return nil
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
// batches after it. The snapshot is not beyond upTo either: from there on transaction indexes are made anew. Needs write.
func (l *Log) rebuildProducers(upTo int64) error {
	if err := l.dropSnapshots(func(o int64) bool { return o > upTo }); err != nil {
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
	l.mu.Lock()
	l.resume()
	l.mu.Unlock()
	if err := l.recall(from); err != nil {
		return err
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
			b, pos, err := sc.next()
			if err != nil {
				return err
			}
			if b == nil {
				break
			}
			if b.BaseOffset() < from || b.ProducerID() == noProducer {
				continue
			}
			if b.Control() { // its record says how a transaction ended
				whole := make(Batch, b.Size())
				if err := s.log.readAt(whole, pos); err != nil {
					return err
				}
				b = whole
			}
			if err := l.account(b, s); err != nil {
				return err
			}
		}
		if err := s.saveAborted(); err != nil {
			return err
		}
	}
	return nil
}
