package log

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"
)

// told are records as a test compares them.
func told(t testing.TB, batches []byte) (all []string) {
	t.Helper()
	for b, err := range Batches(batches) {
		if err != nil {
			t.Fatal(err)
		}
		for r, err := range b.Records() {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, fmt.Sprintf("%d %d %q %q", r.Offset, r.Timestamp, r.Key, r.Value))
		}
	}
	return all
}

func TestMessagesOfOlderFormatsAreConverted(t *testing.T) {
	for magic := range int8(2) {
		for codec := range int16(4) {
			name := fmt.Sprintf("magic %d, %s", magic, codecs[codec])
			batch := EncodeBatch(Record{Timestamp: 7, Key: []byte("k"), Value: []byte("v")}, Record{Timestamp: 5}, Record{Timestamp: 9, Value: []byte("")})
			packed, err := batch.recompress(codec, CompressionLevels{})
			if err != nil {
				t.Fatal(err)
			}
			set, err := Downgrade(packed, magic, 0)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			l := openLog(t, openDir(t, t.TempDir()), DefaultConfig())
			if _, err := l.AppendLeader(set, 3, FromClient); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			kept, err := l.Read(0, l.End(), 1<<20, true)
			if err != nil {
				t.Fatal(err)
			}
			want := []string{`0 7 "k" "v"`, `1 5 "" ""`, `2 9 "" ""`}
			if magic == 0 {
				want = []string{`0 -1 "k" "v"`, `1 -1 "" ""`, `2 -1 "" ""`}
			}
			if got := told(t, kept); !slices.Equal(got, want) || Batch(kept).Attributes() != codec || l.End() != 3 {
				t.Errorf("%s: %q with attributes %d", name, got, Batch(kept).Attributes())
			}
			var offsets []int64
			again, err := Downgrade(kept, magic, 1) // from the middle of a batch
			for m, e := range messages(again, 0) {
				offsets, err = append(offsets, m.offset), errors.Join(err, e)
			}
			relative := codec != 0 && magic == 1
			if err != nil || len(offsets) != 2 || !relative && offsets[0] != 1 || relative && offsets[0] != 0 {
				t.Errorf("%s: read from offset 1: %v %v", name, offsets, err)
			}
		}
	}
}

func TestLZ4HeadersOfMessageFormatZero(t *testing.T) {
	right, err := compress(3, []byte("some records"), CompressionLevels{})
	if err != nil {
		t.Fatal(err)
	}
	wrong := lz4Checksum(right, true)
	if slices.Equal(wrong, right) {
		t.Error("both checksums are the same")
	}
	if got := lz4Checksum(wrong, false); !slices.Equal(got, right) {
		t.Errorf("the checksum is not the library's: %x, want %x", got[:16], right[:16])
	}
}

func TestRecordsThatAreRefusedAreNamed(t *testing.T) {
	now := time.Now().UnixMilli()
	cfg := DefaultConfig()
	cfg.TimestampBefore, cfg.TimestampAfter = 3_600_000, 60_000
	l := openLog(t, openDir(t, t.TempDir()), cfg)
	_, err := l.AppendLeader(EncodeBatch(Record{Timestamp: now}, Record{Timestamp: now - 7_200_000}, Record{Timestamp: now + 600_000}, Record{Timestamp: -1}), 0, FromClient)
	refused, ok := errors.AsType[*RecordErrors](err)
	if !ok || !errors.Is(err, ErrInvalidTimestamp) || len(refused.Records) != 2 || refused.Records[0].Index != 1 || refused.Records[1].Index != 2 {
		t.Errorf("%v", err)
	}
	cfg.CleanupPolicy = "compact"
	l.SetConfig(cfg)
	_, err = l.AppendLeader(EncodeBatch(Record{Timestamp: now}, Record{Timestamp: 0, Key: []byte("k")}), 0, FromClient)
	if refused, ok := errors.AsType[*RecordErrors](err); !ok || !errors.Is(err, ErrInvalidTimestamp) || len(refused.Records) != 2 {
		t.Errorf("%v", err)
	}
	cfg.TimestampType = LogAppendTime
	l.SetConfig(cfg)
	if _, err := l.AppendLeader(EncodeBatch(Record{Timestamp: 0, Key: []byte("k")}), 0, FromClient); err != nil {
		t.Errorf("timestamps that the leader replaces: %v", err)
	}
}

func TestTheTopicsCompressionIsApplied(t *testing.T) {
	for sent := range int16(5) {
		for codec, name := range codecs {
			cfg := DefaultConfig()
			cfg.Compression, cfg.CompressionLevels = name, CompressionLevels{Gzip: 9, LZ4: 17, Zstd: 22}
			l := openLog(t, openDir(t, t.TempDir()), cfg)
			b := EncodeBatch(Record{Timestamp: 5, Value: []byte("a")}, Record{Timestamp: 6, Value: []byte("b")})
			b.SetProducer(9, 1, 0)
			b, err := b.recompress(sent, CompressionLevels{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := l.AppendLeader(b, 0, FromClient); err != nil {
				t.Fatal(err)
			}
			kept, err := l.Read(0, l.End(), math.MaxInt32, true)
			if err != nil {
				t.Fatal(err)
			}
			if got := Batch(kept); got.Attributes() != int16(codec) || got.check() != nil || got.ProducerID() != 9 || got.BaseSequence() != 0 ||
				fmt.Sprint(told(t, kept)) != `[0 5 "" "a" 1 6 "" "b"]` {
				t.Errorf("sent %s, kept %s: attributes %d, %q", codecs[sent], name, got.Attributes(), told(t, kept))
			}
		}
	}
}

// What a set of old messages says is either an error or a batch that a consumer can read.
func FuzzMessages(f *testing.F) {
	for magic := range int8(2) {
		for codec := range int16(4) {
			b, _ := EncodeBatch(Record{Timestamp: 7, Key: []byte("k"), Value: []byte("v")}, Record{}).recompress(codec, CompressionLevels{})
			set, err := Downgrade(b, magic, 0)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(set)
		}
	}
	f.Fuzz(func(t *testing.T, set []byte) {
		b, err := upgrade(set)
		if err != nil {
			return
		}
		if err := b.check(); err != nil {
			t.Fatal(err)
		}
		if n := len(told(t, b)); n != int(b.Count()) {
			t.Errorf("%d records, %d announced", n, b.Count())
		}
		for magic := range int8(2) {
			if _, err := Downgrade(b, magic, 0); err != nil {
				t.Error(err)
			}
		}
	})
}
