package log

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"iter"
	"math"
)

// Layout of a record batch, message format version 2 (KIP-98). Numbers are big endian.
//
//	 0 baseOffset int64           first offset
//	 8 batchLength int32          of everything after this field
//	12 partitionLeaderEpoch int32 not covered by the CRC
//	16 magic int8                 2
//	17 crc uint32                 CRC-32C of everything after this field
//	21 attributes int16           0-2 compression, 3 timestamp type, 4 transactional, 5 control
//	23 lastOffsetDelta int32
//	27 baseTimestamp int64
//	35 maxTimestamp int64
//	43 producerId int64           -1: none
//	51 producerEpoch int16
//	53 baseSequence int32
//	57 records int32              count; then the records, compressed as one
const (
	overhead   = 12 // baseOffset and batchLength, which all message formats share
	headerSize = 61
	crcEnd     = 21

	compressionMask = 0x07
	appendTimeBit   = 1 << 3
	transactional   = 1 << 4
	control         = 1 << 5

	noProducer = -1
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A Batch is one whole record batch as it lies on the wire and on disk.
type Batch []byte

func (b Batch) BaseOffset() int64    { return int64(binary.BigEndian.Uint64(b)) }
func (b Batch) Size() int            { return overhead + int(int32(binary.BigEndian.Uint32(b[8:]))) }
func (b Batch) LeaderEpoch() int32   { return int32(binary.BigEndian.Uint32(b[12:])) }
func (b Batch) Magic() int8          { return int8(b[16]) }
func (b Batch) CRC() uint32          { return binary.BigEndian.Uint32(b[17:]) }
func (b Batch) Attributes() int16    { return int16(binary.BigEndian.Uint16(b[21:])) }
func (b Batch) LastOffset() int64    { return b.BaseOffset() + int64(b.lastOffsetDelta()) }
func (b Batch) BaseTimestamp() int64 { return int64(binary.BigEndian.Uint64(b[27:])) }
func (b Batch) MaxTimestamp() int64  { return int64(binary.BigEndian.Uint64(b[35:])) }
func (b Batch) ProducerID() int64    { return int64(binary.BigEndian.Uint64(b[43:])) }
func (b Batch) ProducerEpoch() int16 { return int16(binary.BigEndian.Uint16(b[51:])) }
func (b Batch) BaseSequence() int32  { return int32(binary.BigEndian.Uint32(b[53:])) }
func (b Batch) Count() int32         { return int32(binary.BigEndian.Uint32(b[57:])) }
func (b Batch) Transactional() bool  { return b.Attributes()&transactional != 0 }
func (b Batch) Control() bool        { return b.Attributes()&control != 0 }

func (b Batch) lastOffsetDelta() int32 { return int32(binary.BigEndian.Uint32(b[23:])) }

// LastSequence is the sequence number of the last record; sequence numbers wrap to 0.
func (b Batch) LastSequence() int32 {
	if b.BaseSequence() < 0 {
		return b.BaseSequence()
	}
	return addSequence(b.BaseSequence(), b.lastOffsetDelta())
}

func addSequence(s, n int32) int32 {
	if s > math.MaxInt32-n {
		return n - (math.MaxInt32 - s) - 1
	}
	return s + n
}

// frame cuts the first batch off src. Only what framing needs is looked at: length and magic. The error is
// ErrCorrupt when src does not begin with a whole batch, ErrUnsupportedMagic when it is of an older format.
func frame(src []byte) (b Batch, rest []byte, err error) {
	if len(src) < headerSize {
		if len(src) > 16 && int8(src[16]) != 2 {
			return nil, src, fmt.Errorf("%w: %d", ErrUnsupportedMagic, int8(src[16]))
		}
		return nil, src, fmt.Errorf("%w: %d bytes are no batch header", ErrCorrupt, len(src))
	}
	if magic := int8(src[16]); magic != 2 {
		if magic == 0 || magic == 1 {
			return nil, src, fmt.Errorf("%w: %d", ErrUnsupportedMagic, magic)
		}
		return nil, src, fmt.Errorf("%w: magic %d", ErrCorrupt, magic)
	}
	length := int64(int32(binary.BigEndian.Uint32(src[8:])))
	if length < headerSize-overhead {
		return nil, src, fmt.Errorf("%w: batch length %d", ErrCorrupt, length)
	}
	if length+overhead > int64(len(src)) {
		return nil, src, fmt.Errorf("%w: batch of %d bytes has only %d", ErrCorrupt, length+overhead, len(src))
	}
	n := int(length) + overhead
	return Batch(src[:n:n]), src[n:], nil
}

// check verifies the CRC and that the header makes sense.
func (b Batch) check() error {
	if err := b.checkSum(); err != nil {
		return err
	}
	switch delta, count := b.lastOffsetDelta(), b.Count(); {
	case delta < 0 || count < 0 || b.BaseOffset() < 0:
		return fmt.Errorf("%w: offset %d, last delta %d, %d records", ErrCorrupt, b.BaseOffset(), delta, count)
	case b.BaseOffset() > math.MaxInt64-int64(delta):
		return fmt.Errorf("%w: offset %d overflows", ErrCorrupt, b.BaseOffset())
	}
	return nil
}

func (b Batch) checkSum() error {
	if sum := crc32.Checksum(b[crcEnd:], castagnoli); sum != b.CRC() {
		return fmt.Errorf("%w: at offset %d: CRC is %08x, stored is %08x", ErrCorrupt, b.BaseOffset(), sum, b.CRC())
	}
	return nil
}

func (b Batch) setBaseOffset(v int64)  { binary.BigEndian.PutUint64(b, uint64(v)) }
func (b Batch) setLeaderEpoch(v int32) { binary.BigEndian.PutUint32(b[12:], uint32(v)) }

// setMaxTimestamp corrects what a producer got wrong, which the CRC covers.
func (b Batch) setMaxTimestamp(v int64) {
	binary.BigEndian.PutUint64(b[35:], uint64(v))
	b.seal()
}

// setAppendTime stamps the batch with the leader's clock, which the CRC covers.
func (b Batch) setAppendTime(millis int64) {
	binary.BigEndian.PutUint16(b[21:], uint16(b.Attributes()|appendTimeBit))
	binary.BigEndian.PutUint64(b[35:], uint64(millis))
	b.seal()
}

func (b Batch) seal() { binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[crcEnd:], castagnoli)) }

// Batches iterates over the batches in src and ends with an error if what is left is not a whole batch.
// CRCs are not verified.
func Batches(src []byte) iter.Seq2[Batch, error] {
	return func(yield func(Batch, error) bool) {
		for len(src) > 0 {
			b, rest, err := frame(src)
			if !yield(b, err) || err != nil {
				return
			}
			src = rest
		}
	}
}
