package log

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"time"
)

// RecordErrors is why a producer's batch was refused, with the records that are wrong (KIP-467).
type RecordErrors struct {
	Err     error // ErrInvalidRecord or ErrInvalidTimestamp
	Records []RecordError
}

// RecordError is what is wrong with one record, by its place in the batch.
type RecordError struct {
	Index int32
	Why   string
}

func (e *RecordErrors) Error() string {
	const shown = 3
	text := fmt.Sprintf("%v: %d records are refused", e.Err, len(e.Records))
	for i, r := range e.Records[:min(shown, len(e.Records))] {
		text += fmt.Sprintf("%s record %d: %s", []string{":", ";", ";"}[i], r.Index, r.Why)
	}
	return text
}

func (e *RecordErrors) Unwrap() error { return e.Err }

// convert makes batches of what a producer sent: messages of older formats become one, and compression.type is applied.
func convert(batches []byte, cfg *Config, origin Origin) ([]byte, error) {
	if origin == FromClient && isOld(batches) {
		b, err := upgrade(batches)
		if err != nil {
			return nil, err
		}
		batches = b
	}
	codec := int16(slices.Index(codecs, cfg.Compression))
	if codec < 0 || origin != FromClient {
		return batches, nil
	}
	same := true
	var out []byte
	for b, err := range Batches(batches) {
		if err == nil {
			err = b.checkSum()
		}
		if err != nil {
			return nil, err
		}
		packed, err := b.recompress(codec, cfg.CompressionLevels)
		if err != nil {
			return nil, err
		}
		same = same && b.Attributes()&compressionMask == codec
		out = append(out, packed...)
	}
	if same {
		return batches, nil
	}
	return out, nil
}

// parse checks what can be checked of a producer's batches without the log.
func parse(batches []byte, cfg *Config, origin Origin) ([]Batch, error) {
	var list []Batch
	for b, err := range Batches(batches) {
		switch {
		case err != nil:
			return nil, err
		case len(b) > cfg.MaxMessageBytes:
			return nil, fmt.Errorf("%w: %d bytes, the limit is %d", ErrTooLarge, len(b), cfg.MaxMessageBytes)
		case len(b) > cfg.SegmentBytes:
			return nil, fmt.Errorf("%w: %d bytes, segment.bytes is %d", ErrListTooLarge, len(b), cfg.SegmentBytes)
		}
		check := b.check
		if origin == FromClient {
			check = func() error { return b.fromClient(cfg) }
		}
		if err := check(); err != nil {
			return nil, err
		}
		list = append(list, b)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%w: no batch", ErrInvalidRecord)
	}
	return list, nil
}

// fromClient checks the rules for producers. Only what the CRC finds is worth sending again.
func (b Batch) fromClient(cfg *Config) error {
	const zstd = 4
	if err := b.checkSum(); err != nil {
		return err
	}
	switch {
	case b.BaseOffset() != 0:
		return fmt.Errorf("%w: a producer's batch begins at offset 0, not %d", ErrInvalidRecord, b.BaseOffset())
	case b.Count() <= 0:
		return fmt.Errorf("%w: batch without records", ErrInvalidRecord)
	case b.Count() != b.lastOffsetDelta()+1:
		return fmt.Errorf("%w: %d records, last offset delta %d", ErrInvalidRecord, b.Count(), b.lastOffsetDelta())
	case b.Control():
		return fmt.Errorf("%w: clients may not write control batches", ErrInvalidRecord)
	case b.Attributes()&compressionMask > zstd:
		return fmt.Errorf("%w: codec %d", ErrCompression, b.Attributes()&compressionMask)
	case b.Attributes()&appendTimeBit != 0:
		return fmt.Errorf("%w: clients may not set the log append time", ErrInvalidTimestamp)
	case b.ProducerID() != noProducer && b.BaseSequence() < 0:
		return fmt.Errorf("%w: producer %d sent sequence %d", ErrInvalidRecord, b.ProducerID(), b.BaseSequence())
	}
	return b.checkRecords(cfg, time.Now().UnixMilli())
}

// checkRecords looks at each record, decompressed if need be: they are as many as the header says, in their places, and
// fill the batch; a compacted topic takes none without key; timestamps are near the clock, and the largest is the header's.
func (b Batch) checkRecords(cfg *Config, now int64) error {
	scratch := scratches.Get().(*[]byte)
	defer scratches.Put(scratch)
	body := []byte(b[headerSize:])
	if codec := b.Attributes() & compressionMask; codec != 0 {
		var err error
		if body, err = decompress((*scratch)[:0], codec, body); err != nil {
			return fmt.Errorf("%w: records cannot be decompressed: %v", ErrInvalidRecord, err)
		}
		if cap(body) <= maxScratch {
			*scratch = body[:0]
		}
	}
	var refused []RecordError
	kind, newest := ErrInvalidRecord, int64(-1)
	for i := range b.Count() {
		r, rest, ok := cutOutline(body)
		switch {
		case !ok:
			return fmt.Errorf("%w: record %d is cut off or malformed", ErrInvalidRecord, i)
		case r.place != int64(i):
			return fmt.Errorf("%w: record %d says that it is record %d", ErrInvalidRecord, i, r.place)
		}
		body = rest
		timestamp := b.BaseTimestamp() + r.timestampDelta
		newest = max(newest, timestamp)
		switch {
		case cfg.compacts() && !r.keyed:
			refused = append(refused, RecordError{i, "a compacted topic takes no record without key"})
		case cfg.TimestampType == CreateTime && timestamp >= 0 && (now-timestamp > cfg.TimestampBefore || timestamp-now > cfg.TimestampAfter):
			refused = append(refused, RecordError{i, fmt.Sprintf("timestamp %d is more than %d ms before or %d ms after the broker's clock", timestamp, cfg.TimestampBefore, cfg.TimestampAfter)})
			kind = ErrInvalidTimestamp
		}
	}
	switch {
	case len(body) > 0:
		return fmt.Errorf("%w: %d bytes follow the last record", ErrInvalidRecord, len(body))
	case len(refused) > 0:
		return &RecordErrors{kind, refused}
	case newest != b.MaxTimestamp() && cfg.TimestampType == CreateTime:
		b.setMaxTimestamp(newest)
	}
	return nil
}

// scratches are buffers that batches are decompressed into to be looked at. Larger ones are left to the collector.
var scratches = sync.Pool{New: func() any { return new([]byte) }}

const maxScratch = 4 << 20

// outline is what the rules for producers ask of a record.
type outline struct {
	timestampDelta, place int64
	keyed                 bool
}

// cutOutline looks at the first record of a body: length, attributes, timestamp, place, key, value and headers have to
// fill it exactly.
func cutOutline(body []byte) (o outline, rest []byte, ok bool) {
	length, n := binary.Varint(body)
	if n <= 0 || length < 1 || length > int64(len(body)-n) {
		return o, nil, false
	}
	r := fields{left: body[n+1 : n+int(length)]} // without attributes
	rest = body[n+int(length):]
	o.timestampDelta, o.place = r.number(), r.number()
	o.keyed = r.skip()
	r.skip() // value
	headers := r.number()
	for ; headers > 0 && !r.bad; headers-- {
		r.bad = !r.skip() || r.bad // a header's key is not null
		r.skip()
	}
	return o, rest, !r.bad && headers == 0 && len(r.left) == 0
}

// fields are what is left of a record; bad tells that it ended too soon.
type fields struct {
	left []byte
	bad  bool
}

func (f *fields) number() int64 {
	v, n := binary.Varint(f.left)
	if n <= 0 {
		f.bad, f.left = true, nil
		return 0
	}
	f.left = f.left[n:]
	return v
}

// skip goes beyond bytes with their length; present is false for null.
func (f *fields) skip() (present bool) {
	length := f.number()
	switch {
	case length < 0:
		return false
	case length > int64(len(f.left)):
		f.bad, f.left = true, nil
	default:
		f.left = f.left[length:]
	}
	return true
}
