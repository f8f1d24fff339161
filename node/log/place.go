package log

import "sync"

// places remembers where the latest reads ended. Whoever reads on from there needs no index, which would lead to the
// batch before: that may be as large as all that is wanted.
type places struct {
	mu sync.Mutex
	at [8]place // by offset
}

// place is a position at which a batch begins whose first offset it is, or will.
type place struct {
	offset      int64
	base        int64 // of the segment
	position    int64
	truncations int // of the log, at the time; positions only hold until the next one
}

func (ps *places) slot(offset int64) *place { return &ps.at[uint64(offset)%uint64(len(ps.at))] }

func (ps *places) note(offset, base, position int64, truncations int) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	*ps.slot(offset) = place{offset, base, position, truncations}
}

// find returns the position in a segment at which a batch begins that has this offset or, if the log has a gap, a later one.
func (ps *places) find(offset, base int64, truncations int) (position int64, ok bool) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	at := *ps.slot(offset)
	return at.position, at.position > 0 && at.offset == offset && at.base == base && at.truncations == truncations
}
