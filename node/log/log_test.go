package log

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var me = Identity{ClusterID: "a92pitikTIGH4knMxsjVSg", BrokerID: 1}

func openDir(t testing.TB, path string) *Dir {
	t.Helper()
	d, err := OpenDir(path, me, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close(false, nil) })
	return d
}

func openLog(t testing.TB, d *Dir, cfg Config) *Log {
	t.Helper()
	l, err := d.Open("orders", 0, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// crash leaves the files as kill -9 does and opens them again.
func crash(t testing.TB, d *Dir, cfg Config) (*Dir, *Log) {
	t.Helper()
	if err := d.Close(false, nil); err != nil {
		t.Fatal(err)
	}
	d = openDir(t, d.path)
	return d, openLog(t, d, cfg)
}

// checkpoint is what a broker does every few seconds.
func checkpoint(d *Dir, hw map[TopicPartition]int64) error {
	d.mu.Lock()
	logs := slices.Collect(maps.Values(d.logs))
	d.mu.Unlock()
	for _, l := range logs {
		if err := l.FlushSealed(); err != nil {
			return err
		}
	}
	return d.Checkpoint(hw)
}

func restart(t testing.TB, d *Dir, cfg Config) (*Dir, *Log) {
	t.Helper()
	if err := d.Close(true, nil); err != nil {
		t.Fatal(err)
	}
	d = openDir(t, d.path)
	return d, openLog(t, d, cfg)
}

// small rolls often and has many index entries.
func small() Config {
	c := DefaultConfig()
	c.SegmentBytes, c.IndexInterval = 1000, 100
	return c
}

// records makes a batch of n records with values "<first>", "<first+1>" … and timestamps likewise.
func records(first int64, n int) Batch {
	var rs []Record
	for i := range int64(n) {
		rs = append(rs, Record{Timestamp: first + i, Key: []byte("k"), Value: fmt.Append(nil, first+i)})
	}
	return EncodeBatch(rs...)
}

func lead(t testing.TB, l *Log, epoch int32, n int) Appended {
	t.Helper()
	a, err := l.AppendLeader(records(l.End(), n), epoch, FromClient)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// contents reads a log from an offset on; values have to be the offsets.
func contents(t testing.TB, l *Log, from int64, maxBytes int) []int64 {
	t.Helper()
	var offsets []int64
	for next := from; ; {
		raw, err := l.Read(next, l.End(), maxBytes, true)
		if err != nil {
			t.Fatal(err)
		}
		if len(raw) == 0 {
			return offsets
		}
		for b, err := range Batches(raw) {
			if err == nil {
				err = b.check()
			}
			if err != nil {
				t.Fatal(err)
			}
			for r, err := range b.Records() {
				if err != nil {
					t.Fatal(err)
				}
				if string(r.Value) != fmt.Sprint(r.Offset) {
					t.Fatalf("offset %d holds %q", r.Offset, r.Value)
				}
				if r.Offset >= from {
					offsets = append(offsets, r.Offset)
				}
			}
			next = b.LastOffset() + 1
		}
	}
}

func sequence(from, to int64) (s []int64) {
	for ; from < to; from++ {
		s = append(s, from)
	}
	return s
}

func TestBatchesComeBackAsTheyWereAppended(t *testing.T) {
	for _, maxBytes := range []int{1, 70, 500, 1 << 20} {
		l := openLog(t, openDir(t, t.TempDir()), small())
		for i := range 40 {
			if a := lead(t, l, 3, 1+i%4); a.Last+1 != l.End() || a.MaxTimestamp != a.Last {
				t.Fatalf("appended %+v, end %d", a, l.End())
			}
		}
		if len(l.segments) < 3 {
			t.Fatalf("%d segments, the test wants several", len(l.segments))
		}
		for from := range l.End() + 1 {
			if got, want := contents(t, l, from, maxBytes), sequence(from, l.End()); !slices.Equal(got, want) {
				t.Fatalf("from %d with %d bytes: %v", from, maxBytes, got)
			}
		}
	}
}

func TestReadKeepsItsBounds(t *testing.T) {
	l := openLog(t, openDir(t, t.TempDir()), DefaultConfig())
	for range 3 {
		lead(t, l, 0, 2) // offsets 0-1, 2-3, 4-5
	}
	one := len(records(0, 2))
	for _, c := range []struct {
		name         string
		from, limit  int64
		max          int
		minOne       bool
		first, count int
	}{
		{"all", 0, 6, 1 << 20, true, 0, 3},
		{"from inside a batch", 3, 6, 1 << 20, true, 2, 2},
		{"limit between batches", 0, 4, 1 << 20, true, 0, 2},
		{"limit beyond the end", 0, 99, 1 << 20, true, 0, 3},
		{"at the limit", 4, 4, 1 << 20, true, 0, 0},
		{"at the end", 6, 6, 1 << 20, true, 0, 0},
		{"two batches fit", 0, 6, 2*one + 5, false, 0, 2},
		{"too small without minOne", 0, 6, one - 1, false, 0, 0},
		{"too small with minOne", 2, 6, 1, true, 2, 1},
		{"no bytes", 0, 6, 0, false, 0, 0},
	} {
		raw, err := l.Read(c.from, c.limit, c.max, c.minOne)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if len(raw) != c.count*one {
			t.Errorf("%s: %d bytes, want %d", c.name, len(raw), c.count*one)
		} else if c.count > 0 && Batch(raw).BaseOffset() != int64(c.first) {
			t.Errorf("%s: begins at %d, want %d", c.name, Batch(raw).BaseOffset(), c.first)
		}
	}
	for _, from := range []int64{-1, 7} {
		if _, err := l.Read(from, 6, 1, true); !errors.Is(err, ErrOffsetOutOfRange) {
			t.Errorf("read at %d: %v", from, err)
		}
	}
}

func TestWhatALeaderRefuses(t *testing.T) {
	cfg := DefaultConfig()
	cfg.MaxMessageBytes = 300
	change := func(at int, v byte) []byte {
		b := records(0, 2)
		b[at] = v
		return b
	}
	sealed := func(f func(Batch)) []byte {
		b := records(0, 2)
		f(b)
		b.seal()
		return b
	}
	for _, c := range []struct {
		name  string
		batch []byte
		want  error
	}{
		{"nothing", nil, ErrInvalidRecord},
		{"a flipped bit", change(70, 'x'), ErrCorrupt},
		{"no message, though magic 1 says so", change(16, 1), ErrCorrupt},
		{"magic 7", change(16, 7), ErrCorrupt},
		{"half a batch", records(0, 2)[:65], ErrCorrupt},
		{"half a header", records(0, 2)[:20], ErrCorrupt},
		{"a short old message", append(make([]byte, 16), 0, 0, 0), ErrCorrupt},
		{"a negative length", change(8, 0xff), ErrCorrupt},
		{"a large batch", records(0, 100), ErrTooLarge},
		{"a wrong count", sealed(func(b Batch) { b[60] = 9 }), ErrInvalidRecord},
		{"no records", sealed(func(b Batch) { b[60] = 0; b[26] = 0 }), ErrInvalidRecord},
		{"a control batch", sealed(func(b Batch) { b[22] = control }), ErrInvalidRecord},
		{"append time", sealed(func(b Batch) { b[22] = appendTimeBit }), ErrInvalidTimestamp},
		{"an unknown codec", sealed(func(b Batch) { b[22] = 5 }), ErrCompression},
		{"a record that is not in its place", sealed(func(b Batch) { b[headerSize+3] = 4 }), ErrInvalidRecord},
		{"a record that is longer than the batch", sealed(func(b Batch) { b[headerSize] = 0x7e }), ErrInvalidRecord},
		{"more than its records", sealed(func(b Batch) { b[60], b[26] = 1, 0 }), ErrInvalidRecord},
		{"a producer without sequence", sealed(func(b Batch) { b.SetProducer(5, 0, -1) }), ErrInvalidRecord},
	} {
		l := openLog(t, openDir(t, t.TempDir()), cfg)
		if _, err := l.AppendLeader(c.batch, 0, FromClient); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if l.End() != 0 || l.Size() != 0 {
			t.Errorf("%s: left %d bytes", c.name, l.Size())
		}
	}
}

func TestACompactedTopicWantsKeys(t *testing.T) {
	cfg := DefaultConfig()
	cfg.CleanupPolicy = "compact"
	l := openLog(t, openDir(t, t.TempDir()), cfg)
	if _, err := l.AppendLeader(EncodeBatch(Record{Value: []byte("v")}), 0, FromClient); !errors.Is(err, ErrInvalidRecord) {
		t.Fatal(err)
	}
	lead(t, l, 0, 2)
}

func TestLogAppendTimeStampsAndReseals(t *testing.T) {
	cfg := DefaultConfig()
	cfg.TimestampType = LogAppendTime
	l := openLog(t, openDir(t, t.TempDir()), cfg)
	before := time.Now().UnixMilli()
	a := lead(t, l, 0, 2)
	if a.AppendTime < before || a.MaxTimestamp != a.AppendTime {
		t.Fatalf("%+v", a)
	}
	contents(t, l, 0, 1<<20) // checks the CRC
	if offset, ts, _, ok, err := l.OffsetForTime(before); err != nil || !ok || offset != 0 || ts != a.AppendTime {
		t.Fatal(offset, ts, ok, err)
	}
}

func TestAFollowerHoldsTheSameBytes(t *testing.T) {
	leader, follower := openLog(t, openDir(t, t.TempDir()), small()), openLog(t, openDir(t, t.TempDir()), small())
	for i := range 30 {
		lead(t, leader, int32(i/10), 1+i%3)
	}
	for follower.End() < leader.End() {
		raw, err := leader.Read(follower.End(), leader.End(), 700, true)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := follower.AppendFollower(raw, 2); err != nil {
			t.Fatal(err)
		}
	}
	if got := contents(t, follower, 0, 1<<20); !slices.Equal(got, sequence(0, leader.End())) {
		t.Fatal(got)
	}
	if !slices.Equal(leader.epochs, follower.epochs) || follower.LastEpoch() != 2 {
		t.Fatalf("epochs %v and %v", leader.epochs, follower.epochs)
	}
	if _, err := follower.AppendFollower(withOffset(records(0, 1), follower.End()-1), 2); !errors.Is(err, ErrNotContinuous) {
		t.Fatal(err)
	}
	bad := withOffset(records(0, 1), follower.End())
	bad[len(bad)-1]++
	if _, err := follower.AppendFollower(bad, 2); !errors.Is(err, ErrCorrupt) {
		t.Fatal(err)
	}
}

func TestAFollowerTakesNothingOfALaterEpoch(t *testing.T) {
	leader, follower := openLog(t, openDir(t, t.TempDir()), DefaultConfig()), openLog(t, openDir(t, t.TempDir()), DefaultConfig())
	for epoch := range int32(3) {
		lead(t, leader, epoch, 2)
	}
	raw, err := leader.Read(0, leader.End(), 1<<20, true)
	if err != nil {
		t.Fatal(err)
	}
	for epoch, end := range []int64{2, 4, 6} {
		if _, err := follower.AppendFollower(raw, int32(epoch)); err != nil {
			t.Fatal(err)
		}
		if follower.End() != end || follower.LastEpoch() != int32(epoch) {
			t.Fatalf("of a leader of epoch %d it has all to %d, the last of epoch %d", epoch, follower.End(), follower.LastEpoch())
		}
		raw, _ = leader.Read(end, leader.End(), 1<<20, true)
	}
}

func withOffset(b Batch, offset int64) Batch {
	b.setBaseOffset(offset)
	return b
}

func TestAnEmptyFollowerMayBeginInsideABatch(t *testing.T) {
	l := openLog(t, openDir(t, t.TempDir()), DefaultConfig())
	if err := l.Reset(7); err != nil {
		t.Fatal(err)
	}
	if _, err := l.AppendFollower(withOffset(records(5, 5), 5), 2); err != nil {
		t.Fatal(err)
	}
	if l.Start() != 7 || l.End() != 10 {
		t.Fatal(l.Start(), l.End())
	}
	if got := contents(t, l, 7, 1<<20); !slices.Equal(got, sequence(7, 10)) {
		t.Fatal(got)
	}
}

// The log is compared with a list of batches through random changes, restarts and crashes.
func TestTheLogBehavesLikeAList(t *testing.T) {
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 1))
		cfg := small()
		d := openDir(t, t.TempDir())
		l := openLog(t, d, cfg)
		var ends []int64 // ends of batches
		start, end, epoch := int64(0), int64(0), int32(0)
		for step := range 150 {
			switch n := r.IntN(100); {
			case n < 70:
				a := lead(t, l, epoch, 1+r.IntN(5))
				end = a.Last + 1
				ends = append(ends, end)
			case n < 76 && end > start:
				to := start + r.Int64N(end-start+1)
				if err := l.Truncate(to); err != nil {
					t.Fatal(err)
				}
				for len(ends) > 0 && ends[len(ends)-1] > to {
					ends = ends[:len(ends)-1]
				}
				if to < end {
					end = l.segments[0].base
					if len(ends) > 0 {
						end = ends[len(ends)-1]
					}
				}
				start = min(start, end)
			case n < 80:
				start = start + r.Int64N(end-start+1)
				if err := l.SetStart(start); err != nil {
					t.Fatal(err)
				}
			case n < 84:
				if _, err := l.Retain(time.UnixMilli(0), end); err != nil {
					t.Fatal(err)
				}
			case n < 86:
				start, end, ends = end+10, end+10, nil
				if err := l.Reset(start); err != nil {
					t.Fatal(err)
				}
			case n < 90:
				epoch++
				if err := l.BeginEpoch(epoch); err != nil {
					t.Fatal(err)
				}
			case n < 93:
				if err := checkpoint(d, nil); err != nil {
					t.Fatal(err)
				}
			case n < 97:
				d, l = restart(t, d, cfg)
			default:
				if err := checkpoint(d, nil); err != nil { // without it a crash may forget SetStart
					t.Fatal(err)
				}
				d, l = crash(t, d, cfg)
			}
			if l.Start() != start || l.End() != end {
				t.Fatalf("seed %d, step %d: log is %d to %d, want %d to %d", seed, step, l.Start(), l.End(), start, end)
			}
			from := start + r.Int64N(end-start+1)
			if got := contents(t, l, from, 1+r.IntN(2000)); !slices.Equal(got, sequence(from, end)) {
				t.Fatalf("seed %d, step %d: from %d: %v", seed, step, from, got)
			}
		}
		d.Close(false, nil)
	}
}

func TestReadersAreNotDisturbedByTheWriter(t *testing.T) {
	d := openDir(t, t.TempDir())
	l := openLog(t, d, small())
	lead(t, l, 0, 5)
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				raw, err := l.Read(l.Start(), l.End(), 4000, true)
				if err != nil && !errors.Is(err, ErrOffsetOutOfRange) {
					t.Error(err)
					return
				}
				for b, err := range Batches(raw) {
					if err == nil {
						err = b.check()
					}
					if err != nil {
						t.Error(err)
						return
					}
				}
				l.OffsetForTime(l.End() / 2)
			}
		})
	}
	for i := range 400 {
		lead(t, l, 0, 3)
		switch i % 20 {
		case 7:
			l.Truncate(l.End() - 7)
		case 13:
			l.SetStart(l.End() - 20)
			l.Retain(time.UnixMilli(0), l.End())
		case 17:
			checkpoint(d, nil)
		case 19:
			l.Reset(l.End())
		}
	}
	close(done)
	readers.Wait()
}

func TestAFullDiskIsASentenceAndLeavesNoTornBatch(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("needs /dev/full")
	}
	d := openDir(t, t.TempDir())
	l := openLog(t, d, DefaultConfig())
	lead(t, l, 0, 1)
	s := l.active()
	real := s.log
	s.log = &file{path: "/dev/full"}
	_, err := l.AppendLeader(records(1, 1), 0, FromClient)
	if !errors.Is(err, ErrStorage) || !strings.Contains(err.Error(), "free some space") {
		t.Fatal(err)
	}
	s.log = real
	lead(t, l, 0, 2)
	if got := contents(t, l, 0, 1<<20); !slices.Equal(got, sequence(0, 3)) {
		t.Fatal(got)
	}
}

func TestManyEmptyPartitionsOpenAtOnce(t *testing.T) {
	d := openDir(t, t.TempDir())
	began := time.Now()
	var all sync.WaitGroup
	turns := make(chan struct{}, 8)
	for i := range int32(1000) {
		turns <- struct{}{}
		all.Go(func() {
			defer func() { <-turns }()
			if _, err := d.Open("many", i, DefaultConfig()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	t.Logf("1000 partitions created in %v", time.Since(began))
	if fds, err := os.ReadDir("/proc/self/fd"); err == nil && len(fds) > 100 {
		t.Errorf("%d open files", len(fds))
	}
	if n := len(d.Existing()); n != 1000 {
		t.Errorf("%d folders", n)
	}
}

func segmentFiles(t testing.TB, l *Log, suffix string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(l.path, "*"+suffix))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// obstruct makes the removal of a segment fail, as far as its log.
func obstruct(t testing.TB, s *segment) (away func()) {
	t.Helper()
	obstacle := s.path + ".txnindex"
	if err := os.MkdirAll(filepath.Join(obstacle, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	return func() { os.RemoveAll(obstacle) }
}

func TestATruncationThatIsInterruptedLeavesNoHole(t *testing.T) {
	cfg := small()
	d := openDir(t, t.TempDir())
	l := openLog(t, d, cfg)
	for len(l.segments) < 5 {
		lead(t, l, 0, 3)
	}
	clear := obstruct(t, l.segments[3])
	if err := l.Truncate(2); !errors.Is(err, ErrStorage) {
		t.Fatalf("truncated with an obstacle: %v", err)
	}
	clear()
	_, l = crash(t, d, cfg)
	if got, want := contents(t, l, 0, 1<<20), sequence(0, l.End()); !slices.Equal(got, want) {
		t.Errorf("after the crash: %v", got)
	}
	if l.End() < 3 {
		t.Errorf("the log ends at %d", l.End())
	}
}

// What is appended after a truncation is not on the disk yet: a power cut may damage it, and it must be looked at.
func TestATruncationLowersTheRecoveryPointOnDisk(t *testing.T) {
	for name, cut := range map[string]func(*Log) error{
		"truncated": func(l *Log) error { return l.Truncate(4) },
		"reset":     func(l *Log) error { return l.Reset(4) },
	} {
		t.Run(name, func(t *testing.T) {
			d := openDir(t, t.TempDir())
			l := openLog(t, d, small())
			for len(l.segments) < 4 {
				lead(t, l, 0, 2)
			}
			if err := errors.Join(l.Flush(), checkpoint(d, nil)); err != nil {
				t.Fatal(err)
			}
			if err := cut(l); err != nil {
				t.Fatal(err)
			}
			if err := d.Close(false, nil); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(filepath.Join(d.path, recoveryFile))
			if err != nil {
				t.Fatal(err)
			}
			if points, err := decodeOffsets(text); err != nil || points[l.tp] > 4 {
				t.Errorf("recovery point %d: %v", points[l.tp], err)
			}
		})
	}
}
