package log

import (
	"fmt"
	"maps"
	"os"
	"testing"
	"time"
)

// compacted rolls often.
func compacted() Config {
	c := small()
	c.CleanupPolicy, c.SegmentBytes, c.MinCleanableRatio = "compact", 400, 0.1
	return c
}

// put appends a record; a nil value is a tombstone.
func put(t testing.TB, l *Log, key string, value []byte) {
	t.Helper()
	b := EncodeBatch(Record{Timestamp: 1000 + l.End(), Key: []byte(key), Value: value})
	if _, err := l.AppendLeader(b, 0, FromClient); err != nil {
		t.Fatal(err)
	}
}

// table is what a log says each key's value is, with how many records it takes to say so.
func table(t testing.TB, l *Log) (values map[string]string, records int) {
	t.Helper()
	values = map[string]string{}
	for at := l.Start(); at < l.End(); {
		raw, err := l.Read(at, l.End(), 1<<20, true)
		if err != nil {
			t.Fatal(err)
		}
		if len(raw) == 0 {
			break
		}
		for b, err := range Batches(raw) {
			if err != nil {
				t.Fatal(err)
			}
			if err := b.check(); err != nil {
				t.Fatal(err)
			}
			if at = b.LastOffset() + 1; b.Control() {
				continue
			}
			for r, err := range b.Records() {
				if err != nil {
					t.Fatal(err)
				}
				if want := 1000 + r.Offset; r.Timestamp != want {
					t.Errorf("record %d has timestamp %d", r.Offset, r.Timestamp)
				}
				records++
				if values[string(r.Key)] = string(r.Value); r.Value == nil {
					delete(values, string(r.Key))
				}
			}
		}
	}
	return values, records
}

func compact(t testing.TB, l *Log, now time.Time) Compaction {
	t.Helper()
	c, err := l.Compact(now, l.End())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCompactionLeavesTheNewestOfEachKey(t *testing.T) {
	cfg := compacted()
	d := openDir(t, t.TempDir())
	l := openLog(t, d, cfg)
	for i := range 200 {
		put(t, l, fmt.Sprint("key", i%7), fmt.Append(nil, i))
	}
	want, before := table(t, l)
	end := l.End()
	if c := compact(t, l, time.UnixMilli(5000)); c.Segments < 10 || c.After >= c.Before {
		t.Errorf("%+v", c)
	}
	check := func(when string) {
		t.Helper()
		got, records := table(t, l)
		if !maps.Equal(got, want) || records >= before/4 || l.End() != end {
			t.Errorf("%s: %d records of %d, end %d: %v, want %v", when, records, before, l.End(), got, want)
		}
	}
	check("after")
	if c := compact(t, l, time.UnixMilli(5000)); c.Segments != 0 {
		t.Errorf("again, with nothing new: %+v", c)
	}
	d, l = restart(t, d, cfg)
	check("after a restart")
	_, l = crash(t, d, cfg)
	check("after a crash")
	for i := range 100 {
		put(t, l, fmt.Sprint("key", i%9), fmt.Append(nil, "new", i))
	}
	want, _ = table(t, l)
	end, before = l.End(), 300
	compact(t, l, time.UnixMilli(5000))
	check("the next time")
}

func TestTombstonesStayForReadersThatAreLate(t *testing.T) {
	cfg := compacted()
	cfg.DeleteRetention = time.Minute
	l := openLog(t, openDir(t, t.TempDir()), cfg)
	fill := func() {
		for i := range 30 {
			put(t, l, "filler", fmt.Append(nil, i))
		}
	}
	tombstones := func() (n int) {
		raw, err := l.Read(l.Start(), l.End(), 1<<20, true)
		if err != nil {
			t.Fatal(err)
		}
		for b := range Batches(raw) {
			for r := range b.Records() {
				if r.Value == nil {
					n++
				}
			}
		}
		return n
	}
	put(t, l, "a", []byte("1"))
	put(t, l, "a", nil)
	now := time.UnixMilli(100_000)
	for _, step := range []struct {
		after time.Duration
		want  int
	}{{0, 1}, {59 * time.Second, 1}, {61 * time.Second, 0}} {
		fill()
		compact(t, l, now.Add(step.after))
		if got := tombstones(); got != step.want {
			t.Errorf("after %v: %d tombstones, want %d", step.after, got, step.want)
		}
	}
}

func TestCompactionKnowsTransactions(t *testing.T) {
	cfg := compacted()
	cfg.DeleteRetention = time.Minute
	d := openDir(t, t.TempDir())
	l := openLog(t, d, cfg)
	txn := func(id int64, sequence int32, key, value string) {
		t.Helper()
		b := EncodeBatch(Record{Timestamp: 1000 + l.End(), Key: []byte(key), Value: []byte(value)})
		b.SetProducer(id, 0, sequence)
		b.SetTransactional()
		if _, err := l.AppendLeader(b, 0, FromClient); err != nil {
			t.Fatal(err)
		}
	}
	put(t, l, "a", []byte("before"))
	txn(1, 0, "a", "aborted")
	mark(t, l, 1, false)
	txn(2, 0, "b", "first")
	mark(t, l, 2, true)
	txn(2, 1, "b", "second")
	mark(t, l, 2, true)
	txn(1, 1, "d", "later") // of what was aborted, not even the sequence number is needed
	mark(t, l, 1, true)
	fill := func() {
		for i := range 30 {
			put(t, l, "filler", fmt.Append(nil, i))
		}
	}
	for _, after := range []time.Duration{0, 2 * time.Minute} {
		fill()
		compact(t, l, time.UnixMilli(5000).Add(after))
		values, _ := table(t, l)
		if values["a"] != "before" || values["b"] != "second" {
			t.Errorf("after %v: %v", after, values)
		}
	}
	if list := l.Aborted(0, l.End()); list != nil {
		t.Errorf("index of a marker that is gone: %v", list)
	}
	_, l = crash(t, d, cfg)
	if got := l.Stable(l.End()); got != l.End() {
		t.Errorf("stable is %d of %d after a crash", got, l.End())
	}
	txn(3, 0, "c", "open")
	fill()
	fill()
	compact(t, l, time.UnixMilli(5000))
	if _, records := table(t, l); records < 60 {
		t.Errorf("%d records: what lies behind an open transaction was compacted", records)
	}
}

func TestAHalfSwappedSegmentIsWhole(t *testing.T) {
	cfg := compacted()
	d := openDir(t, t.TempDir())
	l := openLog(t, d, cfg)
	for i := range 100 {
		put(t, l, fmt.Sprint("key", i%7), fmt.Append(nil, i))
	}
	want, _ := table(t, l)
	second, content := l.segments[1].log.path, []byte(nil)
	content, err := os.ReadFile(second)
	if err != nil {
		t.Fatal(err)
	}
	compact(t, l, time.UnixMilli(5000))
	if err := os.WriteFile(second, content, 0o600); err != nil { // as if the crash came before it was removed
		t.Fatal(err)
	}
	_, l = crash(t, d, cfg)
	if got, _ := table(t, l); !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestEveryCompressionCanBeMadeAgain(t *testing.T) {
	for codec := range int16(5) {
		packed, err := compress(codec, []byte("some records"), CompressionLevels{})
		if err != nil {
			t.Fatal(err)
		}
		b := append(make(Batch, headerSize), packed...)
		b[22] = byte(codec)
		if got, err := b.body(); err != nil || string(got) != "some records" {
			t.Errorf("codec %d: %q %v", codec, got, err)
		}
	}
}
