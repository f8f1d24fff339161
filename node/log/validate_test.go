package log

import (
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// rewritten is a batch whose records were changed as bytes, under another codec.
func rewritten(t testing.TB, b Batch, codec int16, change func(body []byte) []byte) Batch {
	t.Helper()
	body, err := compress(codec, change(append([]byte(nil), b[headerSize:]...)), CompressionLevels{})
	if err != nil {
		t.Fatal(err)
	}
	out := append(append(Batch(nil), b[:headerSize]...), body...)
	binary.BigEndian.PutUint32(out[8:], uint32(len(out)-overhead))
	binary.BigEndian.PutUint16(out[21:], uint16(codec))
	out.seal()
	return out
}

func TestRecordsOfAProducerAreCheckedUnderEveryCodec(t *testing.T) {
	now := time.Now().UnixMilli()
	header := []kmsg.Header{{Key: "h", Value: []byte("x")}, {Key: "null"}}
	three := EncodeBatch(Record{Timestamp: now, Key: []byte("k"), Value: []byte("v"), Headers: header}, Record{Timestamp: now - 5, Value: []byte("w")}, Record{Timestamp: now})
	second := 1 + int(three[headerSize]/2)           // where the second record begins: lengths are zigzag
	keyLength := headerSize + second + 1 + 1 + 1 + 1 // after length, attributes, timestamp (-5) and place
	for what, change := range map[string]func(body []byte) []byte{
		"the last record is missing":  func(b []byte) []byte { return b[:len(b)-len(b)/3] },
		"no record":                   func([]byte) []byte { return nil },
		"bytes follow":                func(b []byte) []byte { return append(b, 0) },
		"a record more":               func(b []byte) []byte { return append(b, b[second:second+1+int(b[second]/2)]...) },
		"places in the wrong order":   func(b []byte) []byte { b[second+3] = 4; return b },
		"a key beyond the record":     func(b []byte) []byte { b[keyLength-headerSize] = 0x7e; return b },
		"headers that are missing":    func(b []byte) []byte { b[second+int(b[second]/2)] = 4; return b },
		"a negative count of headers": func(b []byte) []byte { b[second+int(b[second]/2)] = 1; return b },
		"a record longer than itself": func(b []byte) []byte { b[0] += 2; return b },
	} {
		for codec := range int16(5) {
			l := openLog(t, openDir(t, t.TempDir()), DefaultConfig())
			if _, err := l.AppendLeader(rewritten(t, three, codec, change), 0, FromClient); !errors.Is(err, ErrInvalidRecord) || errors.Is(err, ErrCorrupt) {
				t.Errorf("%s, %s: %v", what, codecs[codec], err)
			}
			if l.End() != 0 {
				t.Errorf("%s, %s: appended", what, codecs[codec])
			}
		}
	}
	for codec := range int16(5) {
		l := openLog(t, openDir(t, t.TempDir()), DefaultConfig())
		whole := rewritten(t, three, codec, func(b []byte) []byte { return b })
		if _, err := l.AppendLeader(whole, 0, FromClient); err != nil {
			t.Errorf("%s: %v", codecs[codec], err)
		}
		cfg := DefaultConfig()
		cfg.CleanupPolicy = "compact"
		l.SetConfig(cfg)
		_, err := l.AppendLeader(whole, 0, FromClient)
		if refused, ok := errors.AsType[*RecordErrors](err); !ok || !errors.Is(err, ErrInvalidRecord) || len(refused.Records) != 2 || refused.Records[0].Index != 1 {
			t.Errorf("%s, records without key in a compacted topic: %v", codecs[codec], err)
		}
		if codec == 0 {
			continue
		}
		garbage := append(append(Batch(nil), whole[:headerSize]...), "no compressed data"...)
		binary.BigEndian.PutUint32(garbage[8:], uint32(len(garbage)-overhead))
		garbage.seal()
		if _, err := l.AppendLeader(garbage, 0, FromClient); !errors.Is(err, ErrInvalidRecord) || errors.Is(err, ErrCorrupt) {
			t.Errorf("%s, garbage: %v", codecs[codec], err)
		}
	}
}

func TestTheLargestTimestampIsThatOfTheRecords(t *testing.T) {
	now := time.Now().UnixMilli()
	for codec := range int16(5) {
		l := openLog(t, openDir(t, t.TempDir()), DefaultConfig())
		b := rewritten(t, EncodeBatch(Record{Timestamp: now}, Record{Timestamp: now - 1000}), codec, func(b []byte) []byte { return b })
		b.setMaxTimestamp(now + 1_000_000)
		if _, err := l.AppendLeader(b, 0, FromClient); err != nil {
			t.Fatal(err)
		}
		kept, err := l.Read(0, 2, 1<<20, true)
		if err != nil {
			t.Fatal(err)
		}
		if got := Batch(kept); got.MaxTimestamp() != now || got.check() != nil {
			t.Errorf("%s: %d, want %d; %v", codecs[codec], got.MaxTimestamp(), now, got.check())
		}
	}
}

// What a leader takes from a producer, a consumer can read.
func FuzzRecordsOfAProducer(f *testing.F) {
	b := EncodeBatch(Record{Timestamp: 7, Key: []byte("k"), Value: []byte("v"), Headers: []kmsg.Header{{Key: "h"}}}, Record{})
	for codec := range int16(5) {
		body, err := compress(codec, b[headerSize:], CompressionLevels{})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body, byte(codec), int32(2))
	}
	f.Fuzz(func(t *testing.T, body []byte, codec byte, count int32) {
		out := append(append(Batch(nil), b[:headerSize]...), body...)
		binary.BigEndian.PutUint32(out[8:], uint32(len(out)-overhead))
		binary.BigEndian.PutUint16(out[21:], uint16(codec%5))
		binary.BigEndian.PutUint32(out[57:], uint32(count))
		out.seal()
		cfg := DefaultConfig()
		if count <= 0 || out.checkRecords(&cfg, 0) != nil { // fewer are refused before
			return
		}
		read := int32(0)
		for r, err := range out.Records() {
			if err != nil {
				t.Fatal(err)
			}
			if r.Offset != int64(read) || r.Timestamp > out.MaxTimestamp() {
				t.Fatalf("record %d: %+v, largest timestamp %d", read, r, out.MaxTimestamp())
			}
			read++
		}
		if read != count {
			t.Fatalf("%d records, %d announced", read, count)
		}
	})
}

func BenchmarkCheckRecords(b *testing.B) {
	values := make([]Record, 64)
	for i := range values {
		values[i] = Record{Timestamp: 1, Key: fmt.Appendf(nil, "key %d", i), Value: fmt.Appendf(nil, "%01000d", i*7919)}
	}
	cfg := DefaultConfig()
	for codec := range int16(5) {
		b.Run(codecs[codec], func(b *testing.B) {
			batch, err := EncodeBatch(values...).recompress(codec, CompressionLevels{})
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(64 << 10)
			b.ReportAllocs()
			for b.Loop() {
				if err := batch.checkRecords(&cfg, 0); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A producer would send again for ever what it is told is corrupt.
func TestHeadersOfAProducersBatchAreChecked(t *testing.T) {
	for what, change := range map[string]func(b Batch){
		"it begins elsewhere": func(b Batch) { b.setBaseOffset(5) },
		"it has no records": func(b Batch) {
			binary.BigEndian.PutUint32(b[23:], 0xffffffff) // last offset delta
			binary.BigEndian.PutUint32(b[57:], 0)          // count
		},
		"it has fewer than none": func(b Batch) { binary.BigEndian.PutUint32(b[57:], 0xffffffff) },
		"its last offset":        func(b Batch) { binary.BigEndian.PutUint32(b[23:], 7) },
	} {
		for _, compression := range []string{"producer", "gzip"} {
			cfg := DefaultConfig()
			cfg.Compression = compression
			l := openLog(t, openDir(t, t.TempDir()), cfg)
			b := EncodeBatch(Record{Timestamp: time.Now().UnixMilli(), Value: []byte("v")})
			change(b)
			Batch(b).seal()
			if _, err := l.AppendLeader(b, 0, FromClient); !errors.Is(err, ErrInvalidRecord) || errors.Is(err, ErrCorrupt) {
				t.Errorf("%s, %s: %v", what, compression, err)
			}
		}
	}
}
