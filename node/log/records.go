package log

import (
	"encoding/binary"
	"fmt"
	"iter"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// A Record is one record of a batch, with its offset and timestamp worked out.
type Record struct {
	Offset    int64
	Timestamp int64
	Key       []byte // nil is null
	Value     []byte // nil is a tombstone
	Headers   []kmsg.Header
}

// Records iterates over a batch's records, decompressing them if need be. It ends with an error if they are not as the
// header says.
func (b Batch) Records() iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		body, err := b.body()
		if err != nil {
			yield(Record{}, err)
			return
		}
		for i := range b.Count() {
			length, n := binary.Varint(body)
			if n <= 0 || length < 0 || length > int64(len(body)-n) {
				yield(Record{}, fmt.Errorf("%w: record %d of the batch at %d is cut off", ErrCorrupt, i, b.BaseOffset()))
				return
			}
			var r kmsg.Record
			size := n + int(length)
			if err := r.ReadFrom(body[:size]); err != nil {
				yield(Record{}, fmt.Errorf("%w: record %d of the batch at %d: %w", ErrCorrupt, i, b.BaseOffset(), err))
				return
			}
			body = body[size:]
			record := Record{
				Offset: b.BaseOffset() + int64(r.OffsetDelta), Timestamp: b.BaseTimestamp() + r.TimestampDelta64,
				Key: r.Key, Value: r.Value, Headers: r.Headers,
			}
			if b.Attributes()&appendTimeBit != 0 {
				record.Timestamp = b.MaxTimestamp()
			}
			if !yield(record, nil) {
				return
			}
		}
	}
}

// EncodeBatch makes one uncompressed batch, without producer, of records with their timestamps; their offsets are
// ignored: they count from 0. An appending leader moves them.
func EncodeBatch(records ...Record) Batch {
	b := make(Batch, headerSize, headerSize+64*len(records))
	if len(records) == 0 {
		return nil
	}
	base, newest := records[0].Timestamp, records[0].Timestamp
	for i, r := range records {
		newest = max(newest, r.Timestamp)
		b = appendRecord(b, r, r.Timestamp-base, i)
	}
	binary.BigEndian.PutUint32(b[8:], uint32(len(b)-overhead))
	b.setLeaderEpoch(-1)
	b[16] = 2
	binary.BigEndian.PutUint32(b[23:], uint32(len(records)-1))
	binary.BigEndian.PutUint64(b[27:], uint64(base))
	binary.BigEndian.PutUint64(b[35:], uint64(newest))
	b.SetProducer(noProducer, -1, -1)
	binary.BigEndian.PutUint32(b[57:], uint32(len(records)))
	b.seal()
	return b
}

// SetProducer makes the batch an idempotent producer's.
func (b Batch) SetProducer(id int64, epoch int16, sequence int32) {
	binary.BigEndian.PutUint64(b[43:], uint64(id))
	binary.BigEndian.PutUint16(b[51:], uint16(epoch))
	binary.BigEndian.PutUint32(b[53:], uint32(sequence))
	b.seal()
}

func appendRecord(b []byte, r Record, timestamp int64, offset int) []byte {
	k := kmsg.Record{TimestampDelta64: timestamp, OffsetDelta: int32(offset), Key: r.Key, Value: r.Value, Headers: r.Headers}
	body := k.AppendTo(nil)[1:] // without the length, which is one byte while 0
	b = binary.AppendVarint(b, int64(len(body)))
	return append(b, body...)
}

// with is the batch with only some of its records, in their places. A horizon of -1 is none.
func (b Batch) with(left []Record, horizon int64) (Batch, error) {
	out := append(make(Batch, 0, len(b)), b[:headerSize]...)
	base, newest := b.BaseTimestamp(), int64(-1)
	if horizon >= 0 {
		base = horizon
	}
	var body []byte
	for _, r := range left {
		newest = max(newest, r.Timestamp)
		body = appendRecord(body, r, r.Timestamp-base, int(r.Offset-b.BaseOffset()))
	}
	attributes := b.Attributes() &^ deleteHorizon
	if horizon >= 0 {
		attributes |= deleteHorizon
	}
	body, err := compress(attributes&compressionMask, body, CompressionLevels{})
	if err != nil {
		return nil, err
	}
	if len(left) == 0 {
		newest = b.MaxTimestamp()
	}
	out = append(out, body...)
	binary.BigEndian.PutUint32(out[8:], uint32(len(out)-overhead))
	binary.BigEndian.PutUint16(out[21:], uint16(attributes))
	binary.BigEndian.PutUint64(out[27:], uint64(base))
	binary.BigEndian.PutUint64(out[35:], uint64(newest))
	binary.BigEndian.PutUint32(out[57:], uint32(len(left)))
	out.seal()
	return out, nil
}
