package log

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"iter"
	"math"
)

// Layout of a message in message format version 0 and 1, which producers and consumers before Kafka 0.11 use. Messages
// follow each other without a header:
//
//	 0 offset int64
//	 8 size int32                 of everything after this field
//	12 crc uint32                 CRC-32 (IEEE) of everything after this field
//	16 magic int8                 0 or 1
//	17 attributes int8            0-2 compression, 3 timestamp type (1 only)
//	18 timestamp int64            1 only
//	   key, value                 int32 length, -1 is null, and bytes
//
// A compressed message, the wrapper, has other messages as its value. In version 1 their offsets count from the first,
// and the wrapper has the last one's offset; in version 0 theirs are whole.
const (
	messageCRC   = 12
	messageMagic = 16
	messageFrom  = 18
)

// message is one message, not a wrapper.
type message struct {
	offset, timestamp int64 // timestamp -1: none
	key, value        []byte
	codec             int16 // of the wrapper
	stamped           bool  // timestamp type LogAppendTime
}

// isOld tells whether records are messages of an older format than batches.
func isOld(records []byte) bool {
	return len(records) > messageMagic && int8(records[messageMagic]) < 2
}

// messages iterates over a set of messages, those in wrappers included. It ends with an error at one that is not whole.
func messages(set []byte, depth int) iter.Seq2[message, error] {
	return func(yield func(message, error) bool) {
		for len(set) > 0 {
			one, rest, err := cutMessage(set)
			if err != nil {
				yield(message{}, err)
				return
			}
			set = rest
			m, err := parseMessage(one)
			if err != nil {
				yield(message{}, err)
				return
			}
			if m.codec == 0 {
				if !yield(m, nil) {
					return
				}
				continue
			}
			for inner, err := range unwrap(m, int8(one[messageMagic]), depth) {
				if !yield(inner, err) || err != nil {
					return
				}
			}
		}
	}
}

// unwrap iterates over the messages in a wrapper.
func unwrap(wrapper message, magic int8, depth int) iter.Seq2[message, error] {
	return func(yield func(message, error) bool) {
		if depth > 0 {
			yield(message{}, fmt.Errorf("%w: compressed message within another", ErrInvalidRecord))
			return
		}
		const lz4 = 3
		if wrapper.codec == lz4 && magic == 0 {
			wrapper.value = lz4Checksum(wrapper.value, false)
		}
		set, err := decompress(nil, wrapper.codec, wrapper.value)
		if err != nil {
			yield(message{}, fmt.Errorf("%w: compressed message: %w", ErrCorrupt, err))
			return
		}
		for m, err := range messages(set, depth+1) {
			m.codec, m.stamped = wrapper.codec, wrapper.stamped
			if wrapper.stamped {
				m.timestamp = wrapper.timestamp
			}
			if !yield(m, err) || err != nil {
				return
			}
		}
	}
}

// cutMessage cuts the first message off a set.
func cutMessage(set []byte) (one, rest []byte, err error) {
	if len(set) < messageFrom+8 {
		return nil, nil, fmt.Errorf("%w: %d bytes are no message", ErrCorrupt, len(set))
	}
	size := int64(int32(binary.BigEndian.Uint32(set[8:])))
	if size < messageFrom+8-overhead || size > int64(len(set)-overhead) {
		return nil, nil, fmt.Errorf("%w: message of %d bytes, %d are left", ErrCorrupt, size, len(set)-overhead)
	}
	return set[:overhead+size], set[overhead+size:], nil
}

func parseMessage(src []byte) (m message, err error) {
	m.offset = int64(binary.BigEndian.Uint64(src))
	if sum := crc32.ChecksumIEEE(src[messageMagic:]); sum != binary.BigEndian.Uint32(src[messageCRC:]) {
		return m, fmt.Errorf("%w: message at %d: CRC is %08x, stored is %08x", ErrCorrupt, m.offset, sum, binary.BigEndian.Uint32(src[messageCRC:]))
	}
	magic, attributes := int8(src[messageMagic]), src[messageMagic+1]
	m.codec, m.timestamp = int16(attributes&compressionMask), -1
	rest := src[messageFrom:]
	if magic == 1 {
		if len(rest) < 8 {
			return m, fmt.Errorf("%w: message at %d ends within its timestamp", ErrCorrupt, m.offset)
		}
		m.timestamp, m.stamped, rest = int64(binary.BigEndian.Uint64(rest)), attributes&appendTimeBit != 0, rest[8:]
	} else if magic != 0 {
		return m, fmt.Errorf("%w: magic %d among messages", ErrCorrupt, magic)
	}
	const zstd = 4
	if m.codec >= zstd {
		return m, fmt.Errorf("%w: codec %d in message format %d", ErrCompression, m.codec, magic)
	}
	var ok1, ok2 bool
	m.key, rest, ok1 = nullableBytes(rest)
	m.value, rest, ok2 = nullableBytes(rest)
	if !ok1 || !ok2 || len(rest) > 0 {
		return m, fmt.Errorf("%w: message at %d: key and value do not fill it", ErrCorrupt, m.offset)
	}
	return m, nil
}

func nullableBytes(src []byte) (value, rest []byte, ok bool) {
	if len(src) < 4 {
		return nil, nil, false
	}
	n := int64(int32(binary.BigEndian.Uint32(src)))
	switch src = src[4:]; {
	case n == -1:
		return nil, src, true
	case n < 0 || n > int64(len(src)):
		return nil, nil, false
	}
	return src[:n:n], src[n:], true
}

// upgrade makes one batch of a set of messages, with the compression of the first.
func upgrade(set []byte) (Batch, error) {
	var records []Record
	codec := int16(0)
	for m, err := range messages(set, 0) {
		if err != nil {
			return nil, err
		}
		if m.stamped {
			return nil, fmt.Errorf("%w: clients may not set the log append time", ErrInvalidTimestamp)
		}
		if len(records) == 0 {
			codec = m.codec
		}
		if len(records) == math.MaxInt32 {
			return nil, fmt.Errorf("%w: too many messages", ErrInvalidRecord)
		}
		records = append(records, Record{Timestamp: m.timestamp, Key: m.key, Value: m.value})
	}
	if len(records) == 0 {
		return nil, fmt.Errorf("%w: no message", ErrInvalidRecord)
	}
	return EncodeBatch(records...).recompress(codec, CompressionLevels{})
}

// Downgrade is what a consumer of message format magic, 0 or 1, gets of batches: their records from an offset on, as
// messages. Headers are left out, so are control batches, and timestamps in version 0.
func Downgrade(batches []byte, magic int8, from int64) ([]byte, error) {
	var out []byte
	for b, err := range Batches(batches) {
		if err != nil {
			return nil, err
		}
		if b.Control() {
			continue
		}
		if out, err = b.downgrade(out, magic, from); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (b Batch) downgrade(out []byte, magic int8, from int64) ([]byte, error) {
	codec, stamp := b.Attributes()&compressionMask, byte(0)
	if b.Attributes()&appendTimeBit != 0 {
		stamp = appendTimeBit
	}
	var set []byte
	first, last, newest := int64(-1), int64(-1), int64(-1)
	for r, err := range b.Records() {
		if err != nil {
			return nil, err
		}
		if r.Offset < from {
			continue
		}
		if first < 0 {
			first = r.Offset
		}
		last, newest = r.Offset, max(newest, r.Timestamp)
		offset := r.Offset
		if codec != 0 && magic == 1 {
			offset -= first
		}
		set = appendMessage(set, magic, stamp, message{offset: offset, timestamp: r.Timestamp, key: r.Key, value: r.Value})
	}
	if codec == 0 || first < 0 {
		return append(out, set...), nil
	}
	packed, err := compress(codec, set, CompressionLevels{})
	if err != nil {
		return nil, err
	}
	const lz4 = 3
	if codec == lz4 && magic == 0 {
		packed = lz4Checksum(packed, true)
	}
	return appendMessage(out, magic, stamp|byte(codec), message{offset: last, timestamp: newest, value: packed}), nil
}

func appendMessage(out []byte, magic int8, attributes byte, m message) []byte {
	start := len(out)
	out = binary.BigEndian.AppendUint64(out, uint64(m.offset))
	out = append(out, 0, 0, 0, 0, 0, 0, 0, 0, byte(magic), attributes)
	if magic == 1 {
		out = binary.BigEndian.AppendUint64(out, uint64(m.timestamp))
	} else {
		out[len(out)-1] &^= appendTimeBit
	}
	for _, field := range [][]byte{m.key, m.value} {
		if field == nil {
			out = binary.BigEndian.AppendUint32(out, math.MaxUint32)
			continue
		}
		out = append(binary.BigEndian.AppendUint32(out, uint32(len(field))), field...)
	}
	one := out[start:]
	binary.BigEndian.PutUint32(one[8:], uint32(len(one)-overhead))
	binary.BigEndian.PutUint32(one[messageCRC:], crc32.ChecksumIEEE(one[messageMagic:]))
	return out
}
