package log

import (
	"errors"
	"fmt"
	"hash/crc32"
	"math"
)

// A scanner walks the batches of a segment from a position to its end, with a window of the file in memory.
type scanner struct {
	file   *file
	size   int64 // end of what may be read
	pos    int64 // of the next batch
	verify bool  // CRCs too, not only framing
	base   int64 // no offset may be below
	window []byte
	start  int64 // position of the window
}

const windowSize = 64 << 10

func (s *segment) scanner(pos, size int64, verify bool) *scanner {
	return &scanner{file: s.log, size: size, pos: pos, verify: verify, base: s.base}
}

// at returns n bytes at a position inside the file; n is at most the window's size.
func (s *scanner) at(pos int64, n int) ([]byte, error) {
	if pos < s.start || pos+int64(n) > s.start+int64(len(s.window)) {
		want := min(windowSize, s.size-pos)
		if int64(cap(s.window)) < want {
			s.window = make([]byte, want)
		}
		s.window, s.start = s.window[:want], pos
		if err := s.file.readAt(s.window, pos); err != nil {
			s.window = s.window[:0]
			return nil, err
		}
	}
	return s.window[pos-s.start:][:n], nil
}

// next returns the header of the next batch and its position; only the header's 61 bytes may be looked at, and
// only until the next call. At the end it returns nil. An error that is ErrCorrupt or ErrUnsupportedMagic is about what lies
// there, any other about the disk.
func (s *scanner) next() (header Batch, pos int64, err error) {
	pos = s.pos
	left := s.size - pos
	if left == 0 {
		return nil, pos, nil
	}
	if left < headerSize {
		return nil, pos, fmt.Errorf("%w: %d bytes at the end are no batch", ErrCorrupt, left)
	}
	b, err := s.at(pos, headerSize)
	if err != nil {
		return nil, pos, err
	}
	header = Batch(b)
	if err := s.sensible(header, left); err != nil {
		return nil, pos, err
	}
	if s.verify {
		copied := append(make(Batch, 0, headerSize), header...)
		if err := s.checksum(copied, pos); err != nil {
			return nil, pos, err
		}
		header = copied
	}
	s.pos = pos + int64(header.Size())
	s.base = header.LastOffset() + 1
	return header, pos, nil
}

func (s *scanner) sensible(b Batch, left int64) error {
	switch size := int64(b.Size()); {
	case b.Magic() != 2:
		return fmt.Errorf("%w: magic %d at position %d", ErrCorrupt, b.Magic(), s.pos)
	case size < headerSize:
		return fmt.Errorf("%w: batch of %d bytes at position %d", ErrCorrupt, size, s.pos)
	case size > left:
		return fmt.Errorf("%w: batch of %d bytes at position %d has only %d", ErrCorrupt, size, s.pos, left)
	case b.BaseOffset() < s.base || b.lastOffsetDelta() < 0 || b.BaseOffset() > math.MaxInt64-int64(b.lastOffsetDelta())-1:
		return fmt.Errorf("%w: offset %d at position %d, expected %d", ErrCorrupt, b.BaseOffset(), s.pos, s.base)
	}
	return nil
}

func (s *scanner) checksum(b Batch, pos int64) error {
	sum := crc32.Checksum(b[crcEnd:headerSize], castagnoli)
	end := pos + int64(b.Size())
	for p := pos + headerSize; p < end; {
		n := int(min(end-p, windowSize))
		chunk, err := s.at(p, n)
		if err != nil {
			return err
		}
		sum = crc32.Update(sum, castagnoli, chunk)
		p += int64(n)
	}
	if sum != b.CRC() {
		return fmt.Errorf("%w: offset %d at position %d: CRC is %08x, stored is %08x", ErrCorrupt, b.BaseOffset(), pos, sum, b.CRC())
	}
	return nil
}

func damaged(err error) bool {
	return errors.Is(err, ErrCorrupt) || errors.Is(err, ErrUnsupportedMagic)
}
