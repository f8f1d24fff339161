package log

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const epochFile = "leader-epoch-checkpoint"

// open reads a partition's folder, in this order:
//
//  1. leftovers of interrupted work are removed;
//  2. segments are listed; those that may hold what a crash damaged (all that reach beyond the recovery point after an unclean
//     stop) are scanned with their CRCs, and the log is cut at the first batch that is not whole;
//  3. indexes that are missing or wrong are rebuilt;
//  4. leader epochs are read, and completed from scanned batches;
//  5. producers come from the newest snapshot and the batches after it.
func (l *Log) open(clean bool, saved offsets) error {
	if err := os.MkdirAll(l.path, 0o755); err != nil {
		return storage("created "+l.path, err)
	}
	if err := l.list(); err != nil {
		return err
	}
	if err := l.readEpochs(); err != nil {
		return err
	}
	if err := l.recover(clean, saved.recovery); err != nil {
		return err
	}
	if err := l.dropMerged(); err != nil {
		return err
	}
	l.start = max(l.segments[0].base, saved.start)
	l.end = l.active().end
	l.cleaned = min(saved.cleaned, l.end)
	if l.start > l.end {
		l.recovery.Reason = fmt.Sprintf("the log ended at %d, before its start %d: it begins anew", l.end, l.start)
		if err := l.startOver(l.start, l.start); err != nil {
			return err
		}
	}
	l.recoveryPoint = l.end
	if !clean {
		l.recoveryPoint = min(max(saved.recovery, l.segments[0].base), l.end)
	}
	if es := l.epochs.cutEnd(l.end).cutStart(l.start); !slices.Equal(es, l.epochs) {
		if err := l.setEpochs(es); err != nil {
			return err
		}
	}
	if err := l.readTopicID(); err != nil {
		return err
	}
	from, err := l.readAborted()
	if err != nil {
		return err
	}
	return l.rebuildProducers(from)
}

// list finds the segments and removes what does not belong to one.
func (l *Log) list() error {
	entries, err := os.ReadDir(l.path)
	if err != nil {
		return storage("listed "+l.path, err)
	}
	bases := map[int64]bool{}
	for _, e := range entries {
		if base, ok := offsetOf(e.Name(), ".log"); ok {
			info, err := e.Info()
			if err != nil {
				return storage("listed "+l.path, err)
			}
			s := newSegment(l.path, base)
			s.size, s.loaded = info.Size(), false
			l.segments = append(l.segments, s)
			bases[base] = true
		}
	}
	for _, e := range entries {
		suffix := filepath.Ext(e.Name())
		base, ok := offsetOf(e.Name(), suffix)
		orphan := ok && strings.HasSuffix(suffix, "index") && !bases[base]
		if orphan || slices.Contains([]string{".tmp", ".deleted", ".cleaned", ".swap"}, suffix) {
			os.Remove(filepath.Join(l.path, e.Name()))
		}
	}
	slices.SortFunc(l.segments, func(a, b *segment) int { return cmp.Compare(a.base, b.base) })
	return nil
}

// recover brings every segment to a state that can be trusted.
func (l *Log) recover(clean bool, recoveryPoint int64) error {
	for i := 0; i < len(l.segments); i++ {
		s, last := l.segments[i], i == len(l.segments)-1
		suspect := !clean && (last || l.segments[i+1].base > recoveryPoint)
		if !suspect {
			err := s.trust(last)
			if err == nil {
				continue
			}
			if !damaged(err) && !errors.Is(err, errIndex) {
				return err
			}
		}
		if suspect {
			l.recovery.SegmentsScanned++
		} else {
			l.recovery.IndexesRebuilt++
		}
		damage, err := l.scan(s, last)
		if err != nil {
			return err
		}
		if damage != nil {
			if err := l.amputate(i, damage); err != nil {
				return err
			}
			break
		}
	}
	if len(l.segments) == 0 {
		s := newSegment(l.path, 0)
		if err := s.log.create(); err != nil {
			return err
		}
		l.segments = []*segment{s}
	}
	return nil
}

var errIndex = errors.New("index missing or wrong")

// trust takes a segment as its index files describe it.
func (s *segment) trust(last bool) error {
	if s.size == 0 {
		s.end, s.loaded = s.base, true
		return nil
	}
	offsets, times, ok := s.readIndexes()
	if !ok {
		return errIndex
	}
	m, err := s.measure(offsets, times, s.size)
	if err != nil {
		return err
	}
	s.take(m)
	s.flushed, s.indexed = s.size, !last
	if last {
		s.offsets, s.times, s.loaded = offsets, times, true
		s.savedOffsets, s.savedTimes = len(offsets), len(times)
	}
	return nil
}

// scan verifies a segment batch by batch and rebuilds its indexes; those of the active one are written when it is sealed.
// damage is what ended it early; then size is where.
func (l *Log) scan(s *segment, active bool) (damage, err error) {
	total := s.size
	interval := l.Config().IndexInterval
	*s = segment{
		base: s.base, path: s.path, log: s.log, end: s.base,
		maxTimestamp: -1, maxOffset: -1, firstTimestamp: -1, loaded: true, scanned: true, jitter: s.jitter,
	}
	for sc := s.scanner(0, total, true); ; {
		b, pos, err := sc.next()
		switch {
		case err != nil && !damaged(err):
			return nil, err
		case err != nil:
			return err, nil
		case b == nil && active:
			return nil, nil
		case b == nil:
			s.seal()
			return nil, s.saveIndexes()
		}
		s.add(b, pos, interval)
		if e := b.LeaderEpoch(); e > l.epochs.last() {
			es, _ := l.epochs.begin(e, b.BaseOffset())
			l.grow(es)
		}
	}
}

// amputate cuts the log at the end of what is whole in segment i.
func (l *Log) amputate(i int, damage error) error {
	s := l.segments[i]
	info, err := os.Stat(s.log.path)
	if err != nil {
		return storage("looked at "+s.log.path, err)
	}
	l.recovery.TruncatedBytes = info.Size() - s.size
	l.recovery.Reason = fmt.Sprintf("%s.log: %v", name(s.base), damage)
	if err := s.log.truncate(s.size); err != nil {
		return err
	}
	for _, later := range l.segments[i+1:] {
		l.recovery.TruncatedBytes += later.size
		if err := later.remove(); err != nil {
			return err
		}
	}
	l.segments = l.segments[:i+1]
	return s.saveIndexes()
}

func (l *Log) readEpochs() error {
	text, err := os.ReadFile(filepath.Join(l.path, epochFile))
	if os.IsNotExist(err) {
		return nil
	} else if err != nil {
		return storage("read "+epochFile, err)
	}
	if l.epochs, err = decodeEpochs(text); err != nil {
		l.dir.log.Warn("leader epochs dropped", "partition", l.tp.String(), "err", err)
		l.epochs = nil
	}
	return nil
}

// load reads a sealed segment's indexes into memory.
func (l *Log) load(s *segment) error {
	l.mu.RLock()
	loaded := s.loaded
	l.mu.RUnlock()
	if loaded {
		return nil
	}
	offsets, times, ok := s.readIndexes()
	if !ok {
		offsets, times = nil, nil // an index is a hint: without one reads scan the segment from its start
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !s.loaded {
		s.offsets, s.times, s.loaded = offsets, times, true
		s.savedOffsets, s.savedTimes = len(offsets), len(times)
	}
	return nil
}

// close ends all use of the log and leaves its indexes and producers on disk in full.
func (l *Log) close() error {
	l.write.Lock()
	defer l.write.Unlock()
	if l.closed {
		return nil
	}
	err := errors.Join(l.active().log.release(), l.Flush(), l.saveEpochs())
	if l.end > l.segments[0].base {
		err = errors.Join(err, l.snapshot(l.end), l.dropSnapshots(l.stray))
	}
	l.mu.Lock()
	l.closed = true
	l.active().seal()
	l.mu.Unlock()
	for _, s := range l.segments {
		err = errors.Join(err, s.saveIndexes(), s.log.close())
	}
	return err
}

// stray reports whether a snapshot is one of an earlier close: those of rolls stand at the base of a segment.
func (l *Log) stray(offset int64) bool {
	return offset != l.end && !slices.ContainsFunc(l.segments, func(s *segment) bool { return s.base == offset })
}

// abandon closes files as a crash would.
func (l *Log) abandon() {
	l.write.Lock()
	defer l.write.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for _, s := range l.segments {
		s.log.close()
	}
}
