package log

import (
	"errors"
	"fmt"
	"sort"
)

// Read returns whole batches as they lie in the file: from the one that contains offset from (its first records may be
// below), up to the last that begins below limit (high watermark, last stable offset, End) and fits
// into maxBytes. With minOne the first batch comes even if it is larger. Nothing to read is nil without an error.
func (l *Log) Read(from, limit int64, maxBytes int, minOne bool) ([]byte, error) {
	return l.ReadInto(newMemory, from, limit, maxBytes, minOne)
}

func newMemory(n int) []byte { return make([]byte, n) }

// ReadInto is Read into memory that the caller provides: each call of memory returns n bytes, whatever they hold.
func (l *Log) ReadInto(memory func(n int) []byte, from, limit int64, maxBytes int, minOne bool) ([]byte, error) {
	for {
		b, err := l.read(memory, from, limit, maxBytes, minOne)
		if !errors.Is(err, errGone) {
			if err != nil {
				err = fmt.Errorf("read %s at %d: %w", l.tp, from, err)
			}
			return b, err
		}
	}
}

// A spot is where a read begins, as found under the lock.
type spot struct {
	segment     *segment
	position    int64 // of a batch at or before the wanted one
	size        int64 // readable bytes of the segment
	last        bool  // no segment follows
	exact       bool  // the wanted batch begins at position
	truncations int
	memory      func(n int) []byte
}

// find returns the spot of an offset between start and end, loading the segment's index if it has to.
func (l *Log) find(offset int64) (spot, error) {
	for {
		l.mu.RLock()
		if l.closed {
			l.mu.RUnlock()
			return spot{}, ErrClosed
		}
		i := max(0, sort.Search(len(l.segments), func(i int) bool { return l.segments[i].base > offset })-1)
		for i+1 < len(l.segments) && (l.segments[i].end <= offset || l.segments[i].size == 0) {
			i++ // a gap that compaction left
		}
		s := l.segments[i]
		if s.loaded {
			at := spot{segment: s, size: s.size, last: i == len(l.segments)-1, truncations: l.truncations, memory: newMemory}
			if at.position, at.exact = l.places.find(offset, s.base, l.truncations); !at.exact {
				at.position = s.offsets.floor(offset - s.base)
			}
			l.mu.RUnlock()
			return at, nil
		}
		l.mu.RUnlock()
		if err := l.load(s); err != nil {
			return spot{}, err
		}
	}
}

// overtaken reports whether a truncation may have changed what was read.
func (l *Log) overtaken(at spot) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.truncations != at.truncations
}

func (l *Log) read(memory func(int) []byte, from, limit int64, maxBytes int, minOne bool) ([]byte, error) {
	l.mu.RLock()
	start, end, truncations := l.start, l.end, l.truncations
	l.mu.RUnlock()
	if from < start || from > end {
		return nil, fmt.Errorf("%w: the log has %d to %d", ErrOffsetOutOfRange, start, end)
	}
	if limit = min(limit, end); from >= limit {
		return nil, nil
	}
	at, err := l.find(from)
	if err != nil {
		return nil, err
	}
	at.truncations, at.memory = truncations, memory // since the bounds were checked
	b, next, err := at.read(from, limit, maxBytes, minOne)
	if l.overtaken(at) {
		return nil, errGone
	}
	if len(b) > 0 {
		l.places.note(next.offset, at.segment.base, next.position, truncations)
	}
	return b, err
}

// probe is what is read where the index leads to, which is to a batch before the wanted one: enough for batches that are
// small, and for the headers of large ones.
const probe = 8 << 10

// read returns the batches, and where the one after them begins.
func (at spot) read(from, limit int64, maxBytes int, minOne bool) (b []byte, next place, err error) {
	pos, n := at.position, max(maxBytes, headerSize)
	if !at.exact {
		n = probe
	}
	buf, err := at.fill(pos, n)
	if err != nil {
		return nil, next, err
	}
	for { // skip batches before the wanted one
		if len(buf) < headerSize {
			if pos+int64(len(buf)) >= at.size {
				return nil, next, nil // the offset lies in a gap at the end
			}
			if buf, err = at.fill(pos, n); err != nil {
				return nil, next, err
			}
			continue
		}
		b := Batch(buf)
		if b.Size() < headerSize || pos+int64(b.Size()) > at.size {
			return nil, next, fmt.Errorf("%w: batch of %d bytes at position %d of %s", ErrCorrupt, b.Size(), pos, name(at.segment.base))
		}
		if b.LastOffset() >= from {
			break
		}
		pos += int64(b.Size())
		buf = buf[min(b.Size(), len(buf)):]
	}
	if Batch(buf).BaseOffset() >= limit {
		return nil, next, nil
	}
	if int64(len(buf)) < min(int64(maxBytes), at.size-pos) {
		if buf, err = at.fill(pos, maxBytes); err != nil {
			return nil, next, err
		}
	}
	b, offset, err := at.whole(buf, pos, limit, maxBytes, minOne)
	return b, place{offset: offset, position: pos + int64(len(b))}, err
}

// whole cuts buf, which begins with a batch's header, after the last batch that may be returned; next is the offset after it.
func (at spot) whole(buf []byte, pos, limit int64, maxBytes int, minOne bool) (b []byte, next int64, err error) {
	if size := Batch(buf).Size(); size > maxBytes {
		if !minOne {
			return nil, 0, nil
		}
		if size > len(buf) {
			if buf, err = at.fill(pos, size); err != nil {
				return nil, 0, err
			}
		}
		return buf[:size:size], Batch(buf).LastOffset() + 1, nil
	}
	n := 0
	for n+headerSize <= len(buf) {
		b := Batch(buf[n:])
		if b.Size() < headerSize || n+b.Size() > min(len(buf), maxBytes) || b.BaseOffset() >= limit {
			break
		}
		n += b.Size()
		next = b.LastOffset() + 1
	}
	return buf[:n:n], next, nil
}

// fill reads up to n bytes from a position.
func (at spot) fill(pos int64, n int) ([]byte, error) {
	buf := at.memory(int(min(int64(n), at.size-pos)))
	if err := at.segment.log.readAt(buf, pos); err != nil {
		return nil, err
	}
	return buf, nil
}
