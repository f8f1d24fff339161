package log

import (
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"time"
)

// A Compaction is what one run did.
type Compaction struct {
	Segments      int   // that were rewritten
	Before, After int64 // bytes of them
}

// maxKeys bounds the memory of a compaction; what lies behind that many keys waits for the next run.
const maxKeys = 4 << 20

// Compact rewrites sealed segments so that of each key only the newest record is left (cleanup.policy=compact), if
// the part that was not compacted yet is large enough (min.cleanable.dirty.ratio). Nothing at or above upTo (the high
// watermark), and nothing of an open transaction, is looked at. Records of aborted transactions go at once. Tombstones,
// and markers whose transaction has no record left, go in a run that is delete.retention.ms after the one that first
// met them; until then the batch carries that time (its delete horizon). Offsets never change.
func (l *Log) Compact(now time.Time, upTo int64) (c Compaction, err error) {
	cfg := l.Config()
	if !cfg.compacts() {
		return c, nil
	}
	run := l.compaction(&cfg, now, l.Stable(upTo))
	if len(run.segments) == 0 {
		return c, nil
	}
	if err = run.collect(); err == nil {
		err = l.saveEpochs() // the batches that begin one may go
	}
	for rest := run.segments; err == nil && len(rest) > 0; {
		group := run.group(rest)
		rest = rest[len(group):]
		var made *segment
		if made, err = run.rewrite(group); err == nil {
			c.Segments += len(group)
			c.Before += size(group)
			c.After += made.size
			err = l.swap(group, made, run.truncations)
			run.truncations++ // a swap counts as one
		}
	}
	switch {
	case errors.Is(err, errGone), errors.Is(err, ErrClosed):
		return Compaction{}, nil // overtaken by a truncation or a deletion
	case err != nil:
		return c, fmt.Errorf("compact %s: %w", l.tp, err)
	}
	return c, l.compactedTo(run.end)
}

// compactedTo notes the end of a run. Snapshots from before it are of no use any more: a transaction that is open in one
// may have lost its marker.
func (l *Log) compactedTo(end int64) error {
	l.write.Lock()
	defer l.write.Unlock()
	l.mu.Lock()
	end = min(end, l.end)
	l.cleaned = end
	closed := l.closed
	l.mu.Unlock()
	if closed {
		return nil
	}
	return l.dropSnapshots(func(offset int64) bool { return offset < end })
}

// A compaction is one run over a log.
type compaction struct {
	log         *Log
	cfg         *Config
	now         int64
	segments    []*segment // all that can be compacted, from the first on
	dirty       int        // index of the first that was not compacted before
	end         int64      // of them
	truncations int
	latest      map[string]int64    // offset of the newest record of each key, in what is dirty
	aborted     map[int64][]Aborted // by producer
	producers   map[int64]int64     // last offset of each
	pending     map[int64]bool      // producers with a batch since their last marker that stays
}

// compaction picks what a run would work on; no segments if it is not worth it.
func (l *Log) compaction(cfg *Config, now time.Time, upTo int64) *compaction {
	run := &compaction{
		log: l, cfg: cfg, now: now.UnixMilli(), latest: map[string]int64{}, aborted: map[int64][]Aborted{},
		producers: map[int64]int64{}, pending: map[int64]bool{},
	}
	l.mu.RLock()
	run.truncations = l.truncations
	var clean, dirty int64
	for _, s := range l.segments[:len(l.segments)-1] {
		old := s.end <= l.cleaned
		if s.end > upTo || l.closed || !old && run.now-s.maxTimestamp < cfg.MinCompactionLag.Milliseconds() {
			break
		}
		if old {
			clean += s.size
			run.dirty++
		} else {
			dirty += s.size
		}
		run.segments, run.end = append(run.segments, s), max(run.end, s.end)
	}
	l.mu.RUnlock()
	if dirty == 0 || !run.overdue() && float64(dirty) < cfg.MinCleanableRatio*float64(clean+dirty) {
		run.segments = nil
		return run
	}
	for _, a := range l.Aborted(run.segments[0].base, run.end) {
		run.aborted[a.ProducerID] = append(run.aborted[a.ProducerID], a)
	}
	for _, p := range l.ActiveProducers() {
		run.producers[p.ID] = p.LastOffset
	}
	return run
}

// overdue tells whether a record has waited for a compaction for max.compaction.lag.ms.
func (c *compaction) overdue() bool {
	first := c.segments[c.dirty].firstTimestamp
	return first >= 0 && c.now-first > c.cfg.MaxCompactionLag.Milliseconds()
}

// each calls do for every batch of a segment.
func (c *compaction) each(s *segment, do func(Batch) error) error {
	c.log.mu.RLock()
	sc := s.scanner(0, s.size, false)
	c.log.mu.RUnlock()
	for {
		header, pos, err := sc.next()
		if err != nil || header == nil {
			return err
		}
		b := make(Batch, header.Size())
		if err := s.log.readAt(b, pos); err != nil {
			return err
		}
		if err := do(b); err != nil {
			return err
		}
	}
}

// collect learns the newest offset of each key.
func (c *compaction) collect() error {
	for i, s := range c.segments[c.dirty:] {
		err := c.each(s, func(b Batch) error {
			if b.Control() || c.wasAborted(b) {
				return nil
			}
			for r, err := range b.Records() {
				if err != nil {
					return err
				}
				if r.Key != nil {
					c.latest[string(r.Key)] = r.Offset
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		if len(c.latest) >= maxKeys {
			c.segments = c.segments[:c.dirty+i+1]
			c.end = s.end
			return nil
		}
	}
	return nil
}

func (c *compaction) wasAborted(b Batch) bool {
	return b.Transactional() && slices.ContainsFunc(c.aborted[b.ProducerID()], func(a Aborted) bool {
		return a.First <= b.BaseOffset() && b.BaseOffset() <= a.Last
	})
}

// group takes the segments that go into one, at least one.
func (c *compaction) group(segments []*segment) []*segment {
	n, bytes := 1, segments[0].size
	for _, s := range segments[1:] {
		if bytes += s.size; bytes > int64(c.cfg.SegmentBytes) || s.end-segments[0].base > math.MaxInt32 {
			break
		}
		n++
	}
	return segments[:n]
}

// rewrite makes one segment of some. Its file is named .cleaned; it is on the disk.
func (c *compaction) rewrite(group []*segment) (*segment, error) {
	made := newSegment(c.log.path, group[0].base)
	path := made.log.path + ".cleaned"
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return nil, storage("created "+path, err)
	}
	made.log.f = f
	for _, s := range group {
		markers := map[int64]bool{}
		err = c.each(s, func(b Batch) error {
			kept, err := c.keep(b)
			if err != nil || kept == nil {
				return err
			}
			if kept.Control() {
				markers[kept.LastOffset()] = true
			}
			if err := made.log.writeAt(kept, made.size); err != nil {
				return err
			}
			made.add(kept, made.size, c.cfg.IndexInterval)
			return nil
		})
		if err != nil {
			break
		}
		c.log.mu.RLock()
		for _, a := range s.aborted {
			if markers[a.Last] {
				made.aborted = append(made.aborted, a)
			}
		}
		c.log.mu.RUnlock()
	}
	if err == nil {
		err = errors.Join(made.log.release(), made.log.sync())
	}
	if err != nil {
		f.Close()
		os.Remove(path)
		return nil, err
	}
	made.flushed = made.size
	made.seal()
	return made, nil
}

// keep is what stays of a batch, nil if nothing does.
func (c *compaction) keep(b Batch) (Batch, error) {
	id := b.ProducerID()
	if b.Control() {
		needed := c.pending[id]
		c.pending[id] = false
		switch horizon, ok := b.horizon(); {
		case needed || ok && c.now < horizon:
			return b, nil
		case ok:
			return nil, nil
		}
		all := make([]Record, 0, 1)
		for r, err := range b.Records() {
			if err != nil {
				return nil, err
			}
			all = append(all, r)
		}
		return b.with(all, c.now+c.cfg.DeleteRetention.Milliseconds())
	}
	var left []Record
	tombstones := false
	horizon, doomed := b.horizon()
	if !c.wasAborted(b) {
		for r, err := range b.Records() {
			if err != nil {
				return nil, err
			}
			if newest, ok := c.latest[string(r.Key)]; r.Key == nil || ok && r.Offset < newest {
				continue
			}
			if r.Value == nil {
				if doomed && c.now >= horizon {
					continue
				}
				tombstones = true
			}
			left = append(left, r)
		}
	}
	switch last, known := c.producers[id]; {
	case len(left) == 0 && (id == noProducer || !known || last != b.LastOffset()):
		return nil, nil // only of a producer's last batch the sequence number is needed
	case b.Transactional():
		c.pending[id] = true
	}
	switch {
	case tombstones && !doomed:
		return b.with(left, c.now+c.cfg.DeleteRetention.Milliseconds())
	case len(left) == int(b.Count()):
		return b, nil
	case doomed && tombstones:
		return b.with(left, horizon)
	}
	return b.with(left, -1)
}

// deleteHorizon marks a batch whose base timestamp is the time when its tombstones, or its marker, may go.
const deleteHorizon = 1 << 6

func (b Batch) horizon() (millis int64, ok bool) {
	return b.BaseTimestamp(), b.Attributes()&deleteHorizon != 0
}

// swap puts a rewritten segment in the place of those it was made of. A crash leaves either the old segments, or the
// new one with some of the old behind it, whose offsets it has: they are dropped when the log is opened.
func (l *Log) swap(group []*segment, made *segment, truncations int) error {
	l.write.Lock()
	defer l.write.Unlock()
	l.mu.Lock()
	at := slices.Index(l.segments, group[0])
	if l.closed || l.truncations != truncations || at < 0 || at+len(group) > len(l.segments) || !slices.Equal(l.segments[at:at+len(group)], group) {
		l.mu.Unlock()
		made.log.close()
		os.Remove(made.log.path + ".cleaned")
		return errGone
	}
	segments := append(slices.Clone(l.segments[:at]), made)
	l.segments = append(segments, l.segments[at+len(group):]...)
	l.truncations++
	l.mu.Unlock()
	err := group[0].log.close()
	for _, suffix := range []string{".index", ".timeindex", ".txnindex"} {
		os.Remove(made.path + suffix)
	}
	if e := os.Rename(made.log.path+".cleaned", made.log.path); e != nil {
		return errors.Join(err, storage("renamed a compacted segment", e))
	}
	err = errors.Join(err, syncFolder(l.path))
	for _, old := range group[1:] {
		err = errors.Join(err, old.remove())
	}
	return errors.Join(err, made.saveIndexes(), made.saveAborted())
}

// dropMerged removes segments that a compaction merged into the one before them, and did not get to remove.
func (l *Log) dropMerged() error {
	for i := 1; i < len(l.segments); {
		if s := l.segments[i]; s.base < l.segments[i-1].end {
			if err := s.remove(); err != nil {
				return err
			}
			l.segments = slices.Delete(l.segments, i, i+1)
			continue
		}
		i++
	}
	return nil
}
