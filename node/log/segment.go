package log

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// A segment is one .log file with its two indexes. Its fields are guarded by the mutex of its Log; only the one who
// holds the Log's write mutex changes them.
type segment struct {
	base int64
	path string // without suffix
	log  *file

	size    int64 // bytes of whole batches
	flushed int64 // bytes known to be on the disk
	indexed bool  // of a sealed one: its index files are known to be on the disk, too
	end     int64 // one past the last offset

	maxTimestamp   int64 // of all batches, -1 when empty
	maxOffset      int64 // last offset of the batch that has it
	firstTimestamp int64 // max timestamp of the first batch, -1 when unknown

	jitter float64 // which share of segment.jitter.ms it ends sooner, 0 to 1

	// Indexes; of a sealed segment they may be dropped from memory (loaded is false) and are read again when needed.
	loaded       bool
	offsets      offsetIndex
	times        timeIndex
	savedOffsets int // bytes of them that the files have
	savedTimes   int
	sinceEntry   int // bytes appended since the last offset entry

	aborted      []Aborted // whose markers are here, by marker
	savedAborted int       // entries that the file has
	scanned      bool      // since a crash may have damaged it
}

// name is the file name for an offset, without suffix: 20 digits, so that names sort as offsets do.
func name(offset int64) string { return fmt.Sprintf("%020d", offset) }

// offsetOf is the inverse of name for a file with the given suffix.
func offsetOf(file, suffix string) (int64, bool) {
	digits, ok := strings.CutSuffix(file, suffix)
	if !ok || len(digits) != 20 {
		return 0, false
	}
	offset, err := strconv.ParseInt(digits, 10, 64)
	return offset, err == nil && offset >= 0
}

func newSegment(folder string, base int64) *segment {
	path := filepath.Join(folder, name(base))
	return &segment{
		base: base, path: path, log: &file{path: path + ".log"}, end: base,
		maxTimestamp: -1, maxOffset: -1, firstTimestamp: -1, loaded: true, jitter: rand.Float64(),
	}
}

// add accounts for a batch that lies at position pos.
func (s *segment) add(b Batch, pos int64, interval int) {
	last, ts := b.LastOffset(), b.MaxTimestamp()
	if ts > s.maxTimestamp {
		s.maxTimestamp, s.maxOffset = ts, last
	}
	if s.firstTimestamp < 0 {
		s.firstTimestamp = ts
	}
	if s.sinceEntry > interval {
		s.offsets = s.offsets.add(last-s.base, pos)
		s.times = s.times.add(s.maxTimestamp, s.maxOffset-s.base)
		s.sinceEntry = 0
	}
	s.sinceEntry += b.Size()
	s.size = pos + int64(b.Size())
	s.end = last + 1
}

// locate finds the first batch whose last offset is at least offset: its position and header, nil if there is none.
func (s *segment) locate(offset, size int64) (Batch, int64, error) {
	sc := s.scanner(s.offsets.floor(offset-s.base), size, false)
	for {
		b, pos, err := sc.next()
		if err != nil || b == nil || b.LastOffset() >= offset {
			return b, pos, err
		}
	}
}

// seal completes the time index of a segment that gets no more batches, or is closed.
func (s *segment) seal() {
	if s.maxTimestamp >= 0 {
		s.times = s.times.add(s.maxTimestamp, s.maxOffset-s.base)
	}
}

func (s *segment) saveIndexes() (err error) {
	if !s.loaded {
		return nil
	}
	if s.savedOffsets, err = save(s.path+".index", s.offsets, s.savedOffsets); err != nil {
		return err
	}
	s.savedTimes, err = save(s.path+".timeindex", s.times, s.savedTimes)
	return err
}

// syncIndexes brings the index files of a sealed segment to the disk. One that was deleted meanwhile needs none.
func (s *segment) syncIndexes() error {
	for _, suffix := range []string{".index", ".timeindex", ".txnindex"} {
		f, err := os.OpenFile(s.path+suffix, os.O_RDWR, 0)
		if os.IsNotExist(err) {
			continue
		}
		if err == nil {
			err = errors.Join(f.Sync(), f.Close())
		}
		if err != nil {
			return storage("synced "+filepath.Base(s.path)+suffix, err)
		}
	}
	return nil
}

// readIndexes reads the index files; ok is false when they are missing or cannot be right.
func (s *segment) readIndexes() (offsets offsetIndex, times timeIndex, ok bool) {
	o, err1 := os.ReadFile(s.path + ".index")
	t, err2 := os.ReadFile(s.path + ".timeindex")
	if err1 != nil || err2 != nil || !offsetIndex(o).sane(s.size) || !timeIndex(t).sane() {
		return nil, nil, false
	}
	return o, t, s.size == 0 || len(t) > 0
}

// remove deletes the files. Readers that are at it get errGone and look again.
func (s *segment) remove() error {
	err := s.log.close()
	for _, suffix := range []string{".log", ".index", ".timeindex", ".txnindex", ".snapshot"} {
		if e := os.Remove(s.path + suffix); e != nil && !os.IsNotExist(e) {
			err = e
		}
	}
	return storage("removed "+filepath.Base(s.path), err)
}
