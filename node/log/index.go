package log

import (
	"encoding/binary"
	"os"
	"sort"
)

// Both indexes are kept in memory in the layout of their files, offsets relative to the segment's base:
//
//	.index      relative offset int32 (last of a batch), position int32 (of that batch)
//	.timeindex  timestamp int64 (largest so far), relative offset int32 (of the batch that has it)
//
// They are sparse, one entry every index.interval.bytes. The files are written when a segment is sealed or closed, and are
// on the disk before the recovery point passes them; what a crash leaves behind is rebuilt from the log.
type offsetIndex []byte

const (
	offsetEntry = 8
	timeEntry   = 12
)

// floor is the position of the indexed batch with the largest last offset up to the relative offset, 0 if none.
func (x offsetIndex) floor(relative int64) (position int64) {
	i := sort.Search(len(x)/offsetEntry, func(i int) bool {
		return int64(binary.BigEndian.Uint32(x[i*offsetEntry:])) > relative
	})
	if i == 0 {
		return 0
	}
	return int64(binary.BigEndian.Uint32(x[(i-1)*offsetEntry+4:]))
}

func (x offsetIndex) add(relative, position int64) offsetIndex {
	x = binary.BigEndian.AppendUint32(x, uint32(relative))
	return binary.BigEndian.AppendUint32(x, uint32(position))
}

// cut drops the entries of batches that begin at position size or later.
func (x offsetIndex) cut(size int64) offsetIndex {
	n := sort.Search(len(x)/offsetEntry, func(i int) bool {
		return int64(binary.BigEndian.Uint32(x[i*offsetEntry+4:])) >= size
	})
	return x[:n*offsetEntry]
}

// sane reports whether a file's content can be the index of a segment of that size.
func (x offsetIndex) sane(size int64) bool {
	if len(x)%offsetEntry != 0 {
		return false
	}
	offset, position := int64(-1), int64(-1)
	for ; len(x) > 0; x = x[offsetEntry:] {
		o, p := int64(binary.BigEndian.Uint32(x)), int64(binary.BigEndian.Uint32(x[4:]))
		if o <= offset || p <= position || p >= size {
			return false
		}
		offset, position = o, p
	}
	return true
}

type timeIndex []byte

// floor is the relative offset of the last entry whose timestamp is below ts, -1 if there is none: the first
// batch that reaches ts lies behind it.
func (x timeIndex) floor(ts int64) (relative int64) {
	i := sort.Search(len(x)/timeEntry, func(i int) bool {
		return int64(binary.BigEndian.Uint64(x[i*timeEntry:])) >= ts
	})
	if i == 0 {
		return -1
	}
	return int64(binary.BigEndian.Uint32(x[(i-1)*timeEntry+8:]))
}

func (x timeIndex) last() (ts, relative int64) {
	if len(x) < timeEntry {
		return -1, -1
	}
	x = x[len(x)-timeEntry:]
	return int64(binary.BigEndian.Uint64(x)), int64(binary.BigEndian.Uint32(x[8:]))
}

// add appends an entry if it has a newer timestamp than the last.
func (x timeIndex) add(ts, relative int64) timeIndex {
	if last, _ := x.last(); ts <= last {
		return x
	}
	x = binary.BigEndian.AppendUint64(x, uint64(ts))
	return binary.BigEndian.AppendUint32(x, uint32(relative))
}

// cut drops the entries of batches at the relative offset or later.
func (x timeIndex) cut(relative int64) timeIndex {
	n := sort.Search(len(x)/timeEntry, func(i int) bool {
		return int64(binary.BigEndian.Uint32(x[i*timeEntry+8:])) >= relative
	})
	return x[:n*timeEntry]
}

func (x timeIndex) sane() bool {
	if len(x)%timeEntry != 0 {
		return false
	}
	ts, relative := int64(-1), int64(-1)
	for ; len(x) > 0; x = x[timeEntry:] {
		t, r := int64(binary.BigEndian.Uint64(x)), int64(binary.BigEndian.Uint32(x[8:]))
		if t <= ts || r < relative {
			return false
		}
		ts, relative = t, r
	}
	return true
}

// save writes what an index file does not have yet.
func save(path string, content []byte, saved int) (int, error) {
	if saved == len(content) && saved > 0 {
		return saved, nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return 0, storage("opened an index", err)
	}
	defer f.Close()
	if _, err := f.WriteAt(content[saved:], int64(saved)); err != nil {
		return 0, storage("wrote an index", err)
	}
	return len(content), storage("cut an index", f.Truncate(int64(len(content))))
}

// lastPosition is the position of the last indexed batch, 0 if none.
func (x offsetIndex) lastPosition() int64 {
	if len(x) < offsetEntry {
		return 0
	}
	return int64(binary.BigEndian.Uint32(x[len(x)-4:]))
}
