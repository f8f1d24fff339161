package log

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
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
			err = b.check()
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
		if err := b.check(); err != nil {
			return nil, err
		}
		if origin == FromClient {
			if err := b.fromClient(cfg); err != nil {
				return nil, err
			}
		}
		list = append(list, b)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%w: no batch", ErrInvalidRecord)
	}
	return list, nil
}

// fromClient checks the rules for producers. Records that are compressed are only looked into where a rule asks for it.
func (b Batch) fromClient(cfg *Config) error {
	const zstd = 4
	switch {
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
	if b.Attributes()&compressionMask == 0 {
		if err := b.wellFormed(); err != nil {
			return err
		}
	}
	now := time.Now().UnixMilli()
	timed := cfg.TimestampType == CreateTime && (cfg.TimestampBefore < math.MaxInt64 || b.MaxTimestamp()-now > cfg.TimestampAfter)
	if !timed && !cfg.compacts() {
		return nil
	}
	return b.checkRecords(cfg, now)
}

// wellFormed checks the frames of records that are not compressed: each has its length and its place, together they
// fill the batch.
func (b Batch) wellFormed() error {
	body := []byte(b[headerSize:])
	for i := range b.Count() {
		length, n := binary.Varint(body)
		if n <= 0 || length < 1 || length > int64(len(body)-n) {
			return fmt.Errorf("%w: record %d is cut off", ErrInvalidRecord, i)
		}
		record := body[n+1 : n+int(length)] // without attributes
		body = body[n+int(length):]
		_, n = binary.Varint(record) // timestamp
		if n <= 0 {
			return fmt.Errorf("%w: record %d has no timestamp", ErrInvalidRecord, i)
		}
		if place, n := binary.Varint(record[n:]); n <= 0 || place != int64(i) {
			return fmt.Errorf("%w: record %d says that it is record %d", ErrInvalidRecord, i, place)
		}
	}
	if len(body) > 0 {
		return fmt.Errorf("%w: %d bytes follow the last record", ErrInvalidRecord, len(body))
	}
	return nil
}

// checkRecords looks at each record: a compacted topic takes none without key, timestamps must be near the clock.
func (b Batch) checkRecords(cfg *Config, now int64) error {
	var wrong []RecordError
	onlyTimes := true
	index := int32(0)
	for r, err := range b.Records() {
		switch {
		case err != nil:
			return errors.Join(ErrInvalidRecord, err)
		case cfg.compacts() && r.Key == nil:
			wrong = append(wrong, RecordError{index, "a compacted topic takes no record without key"})
			onlyTimes = false
		case cfg.TimestampType == CreateTime && r.Timestamp >= 0 && (now-r.Timestamp > cfg.TimestampBefore || r.Timestamp-now > cfg.TimestampAfter):
			wrong = append(wrong, RecordError{index, fmt.Sprintf("timestamp %d is more than %d ms before or %d ms after the broker's clock", r.Timestamp, cfg.TimestampBefore, cfg.TimestampAfter)})
		}
		index++
	}
	switch {
	case len(wrong) == 0:
		return nil
	case onlyTimes:
		return &RecordErrors{ErrInvalidTimestamp, wrong}
	}
	return &RecordErrors{ErrInvalidRecord, wrong}
}
