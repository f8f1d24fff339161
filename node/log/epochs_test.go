package log

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestEndOfEpoch(t *testing.T) {
	history := epochs{{2, 10}, {4, 20}, {5, 35}}
	for _, c := range []struct {
		name      string
		es        epochs
		requested int32
		epoch     int32
		end       int64
	}{
		{"the current epoch ends at the log's end", history, 5, 5, 40},
		{"an older one where the next begins", history, 4, 4, 35},
		{"one that wrote nothing: the largest below", history, 3, 2, 20},
		{"older than all known", history, 1, 1, 10},
		{"newer than all known", history, 6, -1, -1},
		{"none", history, -1, -1, -1},
		{"no history", nil, 3, -1, -1},
	} {
		if e, end := c.es.end(c.requested, 40); e != c.epoch || end != c.end {
			t.Errorf("%s: %d, %d; want %d, %d", c.name, e, end, c.epoch, c.end)
		}
	}
	for offset, want := range map[int64]int32{5: -1, 10: 2, 19: 2, 20: 4, 99: 5} {
		if e := history.at(offset); e != want {
			t.Errorf("epoch at %d is %d, want %d", offset, e, want)
		}
	}
}

func TestHistoryOfEpochs(t *testing.T) {
	history := epochs{{2, 10}, {4, 20}}
	begin := func(e int32, start int64) epochs { es, _ := history.begin(e, start); return es }
	for _, c := range []struct {
		name      string
		got, want epochs
	}{
		{"a new one", begin(5, 30), epochs{{2, 10}, {4, 20}, {5, 30}}},
		{"the same again", begin(4, 25), history},
		{"one that begins where the last did replaces it", begin(5, 20), epochs{{2, 10}, {5, 20}}},
		{"one that contradicts", begin(3, 15), epochs{{2, 10}, {3, 15}}},
		{"cut behind the end", history.cutEnd(21), history},
		{"cut at a beginning", history.cutEnd(20), epochs{{2, 10}}},
		{"cut all", history.cutEnd(0), epochs{}},
		{"start before all", history.cutStart(3), history},
		{"start inside the first", history.cutStart(15), epochs{{2, 15}, {4, 20}}},
		{"start at the second", history.cutStart(20), epochs{{4, 20}}},
		{"start behind all", history.cutStart(50), epochs{{4, 50}}},
	} {
		if !slices.Equal(c.got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, c.got, c.want)
		}
	}
	if !slices.Equal(history, epochs{{2, 10}, {4, 20}}) {
		t.Fatalf("the history was changed in place: %v", history)
	}
}

// KIP-101: both lost their leader in turn and appended something of their own. Truncating by epochs, not by high
// watermark, makes the logs equal again.
func TestAFollowerFindsWhereItDiverged(t *testing.T) {
	leader, follower := openLog(t, openDir(t, t.TempDir()), DefaultConfig()), openLog(t, openDir(t, t.TempDir()), DefaultConfig())
	lead(t, leader, 0, 3)
	raw, _ := leader.Read(0, 3, 1<<20, true)
	if _, err := follower.AppendFollower(raw, 2); err != nil {
		t.Fatal(err)
	}
	follower.BeginEpoch(1) // led for a moment, and wrote what nobody copied
	lead(t, follower, 1, 2)
	leader.BeginEpoch(2)
	lead(t, leader, 2, 4)

	for range 5 { // the loop of KIP-279
		epoch, end := leader.EndOfEpoch(follower.LastEpoch())
		own, ownEnd := follower.EndOfEpoch(epoch)
		if own == epoch && follower.LastEpoch() == epoch && end >= follower.End() {
			break
		}
		if err := follower.Truncate(min(end, ownEnd)); err != nil {
			t.Fatal(err)
		}
	}
	if follower.End() != 3 || follower.LastEpoch() != 0 {
		t.Fatalf("truncated to %d, epoch %d", follower.End(), follower.LastEpoch())
	}
	raw, _ = leader.Read(3, 7, 1<<20, true)
	if _, err := follower.AppendFollower(raw, 2); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(contents(t, follower, 0, 1<<20), sequence(0, 7)) || follower.EpochAt(2) != 0 || follower.EpochAt(3) != 2 {
		t.Fatal(follower.epochs)
	}
}

func TestALeaderThatWroteNothingForgetsItsEpoch(t *testing.T) {
	l := openLog(t, openDir(t, t.TempDir()), DefaultConfig())
	lead(t, l, 3, 2)
	if err := l.BeginEpoch(4); err != nil {
		t.Fatal(err)
	}
	if e, end := l.EndOfEpoch(4); e != 4 || end != 2 {
		t.Fatal(e, end)
	}
	if err := l.Truncate(2); err != nil {
		t.Fatal(err)
	}
	if l.LastEpoch() != 3 || l.End() != 2 {
		t.Fatal(l.LastEpoch(), l.End())
	}
}

func TestEpochsSurvive(t *testing.T) {
	want := epochs{{1, 0}, {6, 2}}
	grown := func() (*Dir, *Log) {
		d := openDir(t, t.TempDir())
		l := openLog(t, d, small())
		lead(t, l, 1, 2)
		l.BeginEpoch(6)
		lead(t, l, 6, 2)
		return d, l
	}
	saved := func(l *Log) {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(l.path, epochFile))
		if err != nil || string(text) != "0\n2\n1 0\n6 2\n" {
			t.Fatalf("%q, %v", text, err)
		}
	}
	t.Run("a crash before they were saved", func(t *testing.T) {
		d, l := grown()
		os.Remove(filepath.Join(l.path, epochFile))
		if _, l = crash(t, d, small()); !slices.Equal(l.epochs, want) {
			t.Fatal(l.epochs)
		}
	})
	t.Run("a flush, after which recovery does not look at the batches", func(t *testing.T) {
		_, l := grown()
		if err := l.Flush(); err != nil {
			t.Fatal(err)
		}
		saved(l)
	})
	t.Run("a flush of sealed segments", func(t *testing.T) {
		_, l := grown()
		for range 50 { // several segments
			lead(t, l, 6, 1)
		}
		if err := l.FlushSealed(); err != nil {
			t.Fatal(err)
		}
		if l.recoveryPoint <= 2 {
			t.Fatalf("nothing was flushed up to %d", l.recoveryPoint)
		}
		saved(l)
	})
	t.Run("a clean end", func(t *testing.T) {
		d, _ := grown()
		_, l := restart(t, d, small())
		saved(l)
		if !slices.Equal(l.epochs, want) {
			t.Fatal(l.epochs)
		}
	})
	t.Run("a truncation, which the file must not outlive", func(t *testing.T) {
		d, l := grown()
		if err := errors.Join(l.Flush(), l.Truncate(2)); err != nil {
			t.Fatal(err)
		}
		lead(t, l, 3, 1)
		if _, l = crash(t, d, small()); !slices.Equal(l.epochs, epochs{{1, 0}, {3, 2}}) {
			t.Fatal(l.epochs)
		}
	})
}
