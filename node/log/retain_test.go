package log

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// aged is a log of segments of one batch each: 10 records, timestamps = offsets, in minutes.
func aged(t *testing.T, d *Dir, n int, change func(*Config)) *Log {
	cfg := DefaultConfig()
	cfg.SegmentBytes = 400
	cfg.RetentionMillis = -1
	if change != nil {
		change(&cfg)
	}
	l := openLog(t, d, cfg)
	for i := range n {
		var rs []Record
		for j := range 10 {
			rs = append(rs, Record{Timestamp: int64(10*i+j) * time.Minute.Milliseconds(), Key: []byte("key"), Value: make([]byte, 15)})
		}
		if _, err := l.AppendLeader(EncodeBatch(rs...), 0, FromClient); err != nil {
			t.Fatal(err)
		}
	}
	if len(l.segments) != n {
		t.Fatalf("%d segments of %d bytes, want %d", len(l.segments), l.segments[0].size, n)
	}
	return l
}

func TestRetention(t *testing.T) {
	now := time.UnixMilli(0).Add(100 * time.Minute)
	for _, c := range []struct {
		name          string
		change        func(*Config)
		start, upTo   int64
		deleted, left int // segments
		first         int64
	}{
		{"nothing to do", nil, 0, 50, 0, 5, 0},
		{"by time", func(c *Config) { c.RetentionMillis = (75 * time.Minute).Milliseconds() }, 0, 50, 2, 3, 20},
		{"by time, all: an empty segment takes over", func(c *Config) { c.RetentionMillis = 1 }, 0, 50, 5, 1, 50},
		{"not beyond the high watermark", func(c *Config) { c.RetentionMillis = 1 }, 0, 25, 2, 3, 20},
		{"by size", func(c *Config) { c.RetentionBytes = 900 }, 0, 50, 2, 3, 20},
		{"by size, never the active one", func(c *Config) { c.RetentionBytes = 0 }, 0, 50, 4, 1, 40},
		{"below the start", nil, 30, 50, 3, 2, 30},
		{"below a start inside a segment", nil, 25, 50, 2, 3, 25},
		{"compacted topics keep all", func(c *Config) { c.RetentionMillis, c.CleanupPolicy = 1, "compact" }, 0, 50, 0, 5, 0},
	} {
		l := aged(t, openDir(t, t.TempDir()), 5, c.change)
		if err := l.SetStart(c.start); err != nil {
			t.Fatal(err)
		}
		n, err := l.Retain(now, c.upTo)
		if err != nil || n != c.deleted || len(l.segments) != c.left || l.Start() != c.first {
			t.Errorf("%s: deleted %d, left %d, start %d (%v); want %d, %d, %d", c.name, n, len(l.segments), l.Start(), err, c.deleted, c.left, c.first)
		}
		if files := segmentFiles(t, l, ".log"); len(files) != c.left {
			t.Errorf("%s: files %v", c.name, files)
		}
		if l.End() != 50 {
			t.Errorf("%s: end %d", c.name, l.End())
		}
		lead(t, l, 1, 1)
	}
}

func TestSegmentsRollByTime(t *testing.T) {
	l := aged(t, openDir(t, t.TempDir()), 4, func(c *Config) { c.SegmentBytes, c.SegmentMillis = 1<<20, time.Minute.Milliseconds() })
	if l.segments[1].base != 10 {
		t.Fatal(l.segments[1].base)
	}
}

func TestRestingSegmentsAreReadAgain(t *testing.T) {
	d := openDir(t, t.TempDir())
	l, _ := filled(t, d, small())
	for range 3 {
		if _, err := l.Retain(time.UnixMilli(0), 0); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range l.segments {
		if s.log.f != nil || s.loaded != (s == l.active()) {
			t.Fatalf("segment %d holds on", s.base)
		}
	}
	if got := contents(t, l, 3, 200); !slices.Equal(got, sequence(3, l.End())) {
		t.Fatal(got)
	}
	lead(t, l, 9, 1)
	if err := l.Truncate(5); err != nil {
		t.Fatal(err)
	}
}

func TestOffsetsByTime(t *testing.T) {
	minute := time.Minute.Milliseconds()
	for _, cfg := range []func(*Config){nil, func(c *Config) { c.IndexInterval = 1 }} {
		d := openDir(t, t.TempDir())
		l := aged(t, d, 5, cfg)
		l.SetStart(3)
		check := func() {
			t.Helper()
			for _, c := range []struct{ ts, offset int64 }{
				{0, 3},
				{-5, 3},
				{3 * minute, 3},
				{3*minute + 1, 4},
				{9 * minute, 9},
				{9*minute + 1, 10},
				{25 * minute, 25},
				{49 * minute, 49},
				{49*minute + 1, -1},
			} {
				offset, ts, epoch, ok, err := l.OffsetForTime(c.ts)
				if err != nil || ok != (c.offset >= 0) || offset != c.offset {
					t.Fatalf("time %d: offset %d, %v, %v; want %d", c.ts, offset, ok, err, c.offset)
				}
				if ok && (ts != offset*minute || epoch != 0) {
					t.Fatalf("time %d: timestamp %d, epoch %d", c.ts, ts, epoch)
				}
			}
			if offset, ts, _, ok, err := l.MaxTimestamp(); offset != 49 || ts != 49*minute || !ok || err != nil {
				t.Fatal(offset, ts, ok, err)
			}
		}
		check()
		_, l = restart(t, d, l.Config())
		l.SetStart(3)
		check()
	}
	l := openLog(t, openDir(t, t.TempDir()), DefaultConfig())
	if _, _, _, ok, err := l.MaxTimestamp(); ok || err != nil {
		t.Fatal(ok, err)
	}
}

func TestOffsetIndexLayout(t *testing.T) {
	d := openDir(t, t.TempDir())
	cfg := DefaultConfig()
	cfg.IndexInterval = 100
	l := openLog(t, d, cfg)
	l.Reset(1000)
	for range 4 {
		lead(t, l, 0, 5)
	}
	one := byte(len(records(1000, 5)))
	if err := d.Close(true, nil); err != nil {
		t.Fatal(err)
	}
	index, _ := os.ReadFile(segmentFiles(t, l, ".index")[0])
	// last offset of the batch relative to 1000, and where the batch begins
	want := []byte{0, 0, 0, 9, 0, 0, 0, one, 0, 0, 0, 14, 0, 0, 0, 2 * one, 0, 0, 0, 19, 0, 0, 1, 3*one - 0}
	want[22], want[23] = byte(3*int(one)>>8), byte(3*int(one))
	want[14], want[15] = byte(2*int(one)>>8), byte(2*int(one))
	if !bytes.Equal(index, want) {
		t.Fatalf("%v, want %v", index, want)
	}
	times, _ := os.ReadFile(segmentFiles(t, l, ".timeindex")[0])
	last := []byte{0, 0, 0, 0, 0, 0, 1019 >> 8, 1019 & 0xff, 0, 0, 0, 19}
	if len(times) != 36 || !bytes.HasSuffix(times, last) {
		t.Fatalf("%v", times)
	}
}

func TestCheckpointsAreKeptForWhatIsNotOpen(t *testing.T) {
	d := openDir(t, t.TempDir())
	orders, _ := filled(t, d, small())
	other, err := d.Open("other", 3, small())
	if err != nil {
		t.Fatal(err)
	}
	lead(t, other, 0, 5)
	orders.SetStart(2)
	hw := map[TopicPartition]int64{{"orders", 0}: 44, {"other", 3}: 5}
	if err := d.Close(true, hw); err != nil {
		t.Fatal(err)
	}
	d = openDir(t, d.path)
	if !d.Clean() || !reflect.DeepEqual(d.HighWatermarks(), hw) {
		t.Fatal(d.Clean(), d.HighWatermarks())
	}
	l := openLog(t, d, small())
	if l.Start() != 2 {
		t.Fatal(l.Start())
	}
	if err := checkpoint(d, map[TopicPartition]int64{{"orders", 0}: 45}); err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(filepath.Join(d.path, hwFile))
	if string(text) != "0\n2\norders 0 45\nother 3 5\n" {
		t.Fatalf("%q", text)
	}
	text, _ = os.ReadFile(filepath.Join(d.path, startFile))
	if string(text) != "0\n1\norders 0 2\n" {
		t.Fatalf("%q", text)
	}
	d.Close(false, nil)
	if d = openDir(t, d.path); d.Clean() {
		t.Fatal("a crash looks clean")
	}
}

// The recovery point passes a sealed segment once its index files are on the disk, too; those of the active one are not
// trusted after a crash anyway.
func TestIndexesAreOnTheDiskBeforeTheRecoveryPointPasses(t *testing.T) {
	d := openDir(t, t.TempDir())
	cfg := small()
	cfg.FlushMessages = 1 // so that the segments themselves are there at once
	l, _ := filled(t, d, cfg)
	if l.recoveryPoint != l.end || len(l.segments) < 3 {
		t.Fatalf("recovery point %d of %d", l.recoveryPoint, l.end)
	}
	sealed := l.segments[len(l.segments)-2]
	if !sealed.indexed {
		t.Error("no index was brought to the disk")
	}
	lead(t, l, 1, 1)
	sealed.indexed = false
	index := sealed.path + ".index"
	if err := errors.Join(os.Rename(index, index+".away"), os.Mkdir(index, 0o700)); err != nil {
		t.Fatal(err)
	}
	if err := l.FlushSealed(); !errors.Is(err, ErrStorage) {
		t.Errorf("an index that cannot be synced: %v", err)
	}
	if err := errors.Join(os.Remove(index), os.Rename(index+".away", index)); err != nil {
		t.Fatal(err)
	}
	if err := l.FlushSealed(); err != nil || !sealed.indexed {
		t.Errorf("once it can: %v, on the disk %v", err, sealed.indexed)
	}
}

func TestADirectoryBelongsToOneBroker(t *testing.T) {
	d := openDir(t, t.TempDir())
	if _, err := OpenDir(d.path, me, d.log); !errors.Is(err, ErrLocked) {
		t.Fatal(err)
	}
	d.Close(true, nil)
	for _, other := range []Identity{{"elsewhere", 1}, {me.ClusterID, 2}} {
		if _, err := OpenDir(d.path, other, d.log); !errors.Is(err, ErrIdentity) || !strings.Contains(err.Error(), "use another log.dirs") {
			t.Fatal(err)
		}
	}
	openDir(t, d.path)
}

func TestDeletedPartitionsAreSweptLater(t *testing.T) {
	d := openDir(t, t.TempDir())
	l, _ := filled(t, d, small())
	if err := d.Delete(l); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Read(0, 5, 100, true); !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
	if _, err := l.AppendLeader(records(0, 1), 0, FromClient); !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
	again := openLog(t, d, small())
	if again.End() != 0 {
		t.Fatal("the new partition has old records")
	}
	left := func() int {
		graves, _ := filepath.Glob(filepath.Join(d.path, "orders-0.*-delete"))
		return len(graves)
	}
	if err := d.Sweep(time.Now(), time.Minute); err != nil || left() != 1 {
		t.Fatal(err, left())
	}
	if err := d.Sweep(time.Now().Add(2*time.Minute), time.Minute); err != nil || left() != 0 {
		t.Fatal(err, left())
	}
}

func TestAPartitionWithTheLongestNameCanBeDeleted(t *testing.T) {
	d := openDir(t, t.TempDir())
	l, err := d.Open(strings.Repeat("x", 249), 100, DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Delete(l); err != nil {
		t.Fatal(err)
	}
	if left := d.Existing(); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	graves, err := filepath.Glob(filepath.Join(d.path, "x*x-100.*-delete"))
	if err != nil || len(graves) != 1 {
		t.Errorf("moved to %v: %v", graves, err)
	}
}

func TestTopicID(t *testing.T) {
	d := openDir(t, t.TempDir())
	l := openLog(t, d, small())
	id := [16]byte{1, 2, 3}
	if err := l.SetTopicID(id); err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(filepath.Join(l.path, partitionFile))
	if string(text) != "version: 0\ntopic_id: AQIDAAAAAAAAAAAAAAAAAA" {
		t.Fatalf("%q", text)
	}
	_, l = restart(t, d, small())
	if l.TopicID() != id {
		t.Fatal(l.TopicID())
	}
	if err := l.SetTopicID([16]byte{9}); err == nil {
		t.Fatal("took the id of another topic")
	}
}

func TestSegmentsEndSoonerByAShareOfTheJitter(t *testing.T) {
	c := Config{SegmentMillis: 1000, SegmentJitter: 400, CleanupPolicy: "delete", MaxCompactionLag: 100 * time.Millisecond}
	if c.segmentMillis(0) != 1000 || c.segmentMillis(0.5) != 800 || c.segmentMillis(1) != 600 {
		t.Errorf("%d to %d", c.segmentMillis(0), c.segmentMillis(1))
	}
	if c.CleanupPolicy = "compact"; c.segmentMillis(0) != 100 || c.segmentMillis(1) != 0 {
		t.Errorf("compacted within 100 ms: %d to %d", c.segmentMillis(0), c.segmentMillis(1))
	}
}

func TestOldRecordsAreFlushed(t *testing.T) {
	cfg := DefaultConfig()
	cfg.FlushMillis = 1000
	l := openLog(t, openDir(t, t.TempDir()), cfg)
	now := time.Now()
	for _, step := range []struct {
		after time.Duration
		want  int64 // recovery point
	}{{0, 0}, {999 * time.Millisecond, 0}, {time.Second, 5}} {
		if l.End() == 0 {
			lead(t, l, 0, 5)
		}
		if err := l.FlushOld(now.Add(step.after)); err != nil {
			t.Fatal(err)
		}
		if l.recoveryPoint != step.want {
			t.Errorf("after %v: flushed up to %d, want %d", step.after, l.recoveryPoint, step.want)
		}
	}
}

func TestACompactionThatIsOverdueDoesNotWaitForItsRatio(t *testing.T) {
	l := aged(t, openDir(t, t.TempDir()), 5, func(c *Config) {
		c.CleanupPolicy, c.MinCleanableRatio = "compact", 0.5
	})
	now := time.UnixMilli(0).Add(100 * time.Minute)
	if _, err := l.Compact(now, 30); err != nil { // what is clean outweighs the rest from now on
		t.Fatal(err)
	}
	cfg := l.Config()
	cfg.MinCleanableRatio = 1
	l.SetConfig(cfg)
	if c, err := l.Compact(now, 50); err != nil || c.Segments != 0 {
		t.Errorf("before it is due: %+v %v", c, err)
	}
	cfg.MaxCompactionLag = 55 * time.Minute
	l.SetConfig(cfg)
	if c, err := l.Compact(now, 50); err != nil || c.Segments == 0 {
		t.Errorf("when it is due: %+v %v", c, err)
	}
}
