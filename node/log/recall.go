package log

import (
	"encoding/binary"
	"sort"
)

// recallBytes is how far before a snapshot is looked for what it does not have.
const recallBytes = 1 << 20

// recall completes what a snapshot as of an offset says of producers: it has the last batch of each, and a client that got no
// answer repeats several. Otherwise the first of them would be out of order, the client would give up its sequence numbers, and
// all that it has under way would be there twice. Damage that recovery did not look for ends the search. Needs write.
func (l *Log) recall(from int64) error {
	if len(l.ps) == 0 {
		return nil
	}
	first := sort.Search(len(l.segments), func(i int) bool { return l.segments[i].base >= from }) - 1
	earlier := map[int64][]sent{}
	starts := map[int]int64{}
	i := first
	for left := int64(recallBytes); i >= 0 && left > 0; i-- {
		s := l.segments[i]
		if err := l.load(s); err != nil {
			return err
		}
		size := s.size
		if s.end > from {
			size = s.offsets.floor(from - s.base)
		}
		starts[i] = s.offsets.before(size - left)
		left -= size
	}
	for i++; i <= first; i++ {
		s := l.segments[i]
		for sc := s.scanner(starts[i], s.size, false); ; {
			b, _, err := sc.next()
			if err != nil && !damaged(err) {
				return err
			}
			if err != nil || b == nil || b.BaseOffset() >= from {
				break
			}
			if p, ok := l.ps[b.ProducerID()]; ok && p.precedes(b) {
				earlier[b.ProducerID()] = append(earlier[b.ProducerID()], sent{b.LastSequence(), b.LastOffset(), b.lastOffsetDelta(), b.MaxTimestamp()})
			}
		}
	}
	for id, batches := range earlier {
		p := l.ps[id]
		p.batches = append(batches[max(0, len(batches)-remembered+1):], p.batches...)
		l.ps[id] = p
	}
	return nil
}

// precedes tells whether a batch is one before the only one that is remembered.
func (p producer) precedes(b Batch) bool {
	return len(p.batches) == 1 && !b.Control() && b.BaseSequence() >= 0 && b.ProducerEpoch() == p.epoch && b.LastOffset() < p.batches[0].lastOffset
}

// before is the position of the last indexed batch that begins at or before a position, 0 if none.
func (x offsetIndex) before(position int64) int64 {
	i := sort.Search(len(x)/offsetEntry, func(i int) bool {
		return int64(binary.BigEndian.Uint32(x[i*offsetEntry+4:])) > position
	})
	if i == 0 {
		return 0
	}
	return int64(binary.BigEndian.Uint32(x[(i-1)*offsetEntry+4:]))
}
