package log

import (
	"errors"
	"fmt"
	"math"
	"os"
	"time"
)

// Retain deletes whole segments that are older than retention.ms, above retention.bytes or below Start, none of which
// may reach beyond upTo (the high watermark). The active segment goes too when all its records are too old: an
// empty one takes its place. Start moves along. Segments that were not read since the last call give back their file
// descriptors and indexes.
func (l *Log) Retain(now time.Time, upTo int64) (deleted int, err error) {
	cfg := l.Config()
	l.write.Lock()
	defer l.write.Unlock()
	if l.closed {
		return 0, nil
	}
	n := l.condemned(&cfg, now, upTo)
	if n == len(l.segments) {
		if err := l.roll(l.end); err != nil {
			return 0, fmt.Errorf("retain %s: %w", l.tp, err)
		}
	}
	dropped := l.segments[:n]
	if n > 0 {
		l.mu.Lock()
		l.segments = l.segments[n:len(l.segments):len(l.segments)]
		l.start = max(l.start, l.segments[0].base)
		l.recoveryPoint = max(l.recoveryPoint, l.segments[0].base)
		l.mu.Unlock()
		if err := l.setEpochs(l.epochs.cutStart(l.start)); err != nil {
			return 0, fmt.Errorf("retain %s: %w", l.tp, err)
		}
	}
	for _, s := range dropped {
		err = errors.Join(err, s.remove())
	}
	if n > 0 {
		err = errors.Join(err, l.dropSnapshots(func(o int64) bool { return o < l.segments[0].base }))
	}
	l.rest()
	if err != nil {
		err = fmt.Errorf("retain %s: %w", l.tp, err)
	}
	return n, err
}

// condemned counts the segments, from the oldest on, that may go.
func (l *Log) condemned(cfg *Config, now time.Time, upTo int64) (n int) {
	excess := int64(-1)
	if cfg.deletes() && cfg.RetentionBytes >= 0 {
		excess = size(l.segments) - cfg.RetentionBytes
	}
	for i, s := range l.segments {
		if s.end > upTo || s.size == 0 {
			return n
		}
		old := cfg.deletes() && cfg.RetentionMillis >= 0 && now.UnixMilli()-s.newest() > cfg.RetentionMillis
		large := excess >= s.size && i < len(l.segments)-1
		if !old && !large && (s.end > l.start || i == len(l.segments)-1) {
			return n
		}
		excess -= s.size
		n++
	}
	return n
}

// rest gives back what segments hold that nobody uses.
func (l *Log) rest() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.segments {
		if s.log.rest() && s != l.active() && s.savedOffsets == len(s.offsets) && s.savedTimes == len(s.times) {
			s.loaded, s.offsets, s.times = false, nil, nil
		}
	}
}

// newest is when the segment's last record was made, by its file when records have no timestamps.
func (s *segment) newest() int64 {
	if s.maxTimestamp >= 0 {
		return s.maxTimestamp
	}
	info, err := os.Stat(s.log.path)
	if err != nil {
		return math.MaxInt64 / 2
	}
	return info.ModTime().UnixMilli()
}

// Flush makes everything appended so far survive a power cut.
func (l *Log) Flush() error { return l.flush(false) }

// FlushSealed is Flush but for the active segment.
func (l *Log) FlushSealed() error { return l.flush(true) }

// flush syncs all segments, or only the sealed ones. Appends go on meanwhile. A log that is
// deleted or moved meanwhile needs none.
func (l *Log) flush(onlySealed bool) error {
	l.mu.RLock()
	segments, path := l.segments, l.path
	if onlySealed {
		segments = segments[:len(segments)-1]
	}
	sizes := make([]int64, len(segments))
	point, fresh := l.recoveryPoint, false
	sealed := len(l.segments) - 1
	for i, s := range segments {
		sizes[i], point = s.size, max(point, s.end)
		fresh = fresh || s.flushed < s.size || i < sealed && !s.indexed
	}
	truncations, closed := l.truncations, l.closed
	l.mu.RUnlock()
	if closed || !fresh {
		return nil
	}
	err := l.sync(segments, sizes, sealed, path)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed, l.path != path: // it moved to another directory
		return nil
	case err != nil:
		return fmt.Errorf("flush %s: %w", l.tp, err)
	case l.truncations != truncations:
		return nil
	}
	for i, s := range segments {
		s.flushed = max(s.flushed, sizes[i])
		s.indexed = i < sealed
	}
	l.recoveryPoint = max(l.recoveryPoint, point)
	return nil
}

// sync brings segments of these sizes to the disk, and the indexes of those that are sealed, which are trusted below the
// recovery point.
func (l *Log) sync(segments []*segment, sizes []int64, sealed int, path string) error {
	for i, s := range segments {
		l.mu.RLock()
		fresh, unindexed := s.flushed < sizes[i], i < sealed && !s.indexed
		l.mu.RUnlock()
		if fresh {
			if err := s.log.sync(); err != nil {
				return err
			}
		}
		if unindexed {
			if err := s.syncIndexes(); err != nil {
				return err
			}
		}
	}
	return errors.Join(l.saveEpochs(), syncFolder(path))
}

// FlushOld honours flush.ms: it flushes if that is the time since the last flush, or since the log was opened.
func (l *Log) FlushOld(now time.Time) error {
	limit := l.Config().FlushMillis
	if limit == math.MaxInt64 { // never, as it is by default
		return nil
	}
	l.mu.Lock()
	due := l.end > l.recoveryPoint && !l.flushedAt.IsZero() && now.Sub(l.flushedAt).Milliseconds() >= limit
	if due || l.flushedAt.IsZero() {
		l.flushedAt = now
	}
	l.mu.Unlock()
	if !due {
		return nil
	}
	return l.Flush()
}

// flushIfDue honours flush.messages.
func (l *Log) flushIfDue(cfg *Config) error {
	l.mu.RLock()
	unflushed := l.end - l.recoveryPoint
	l.mu.RUnlock()
	if unflushed < cfg.FlushMessages {
		return nil
	}
	return l.Flush()
}
