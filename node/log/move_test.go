package log

import (
	"log/slog"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func TestALogMovesToAnotherDirectory(t *testing.T) {
	base := t.TempDir()
	paths := []string{filepath.Join(base, "a"), filepath.Join(base, "b")}
	open := func() *Dirs {
		ds, err := OpenDirs(paths, Identity{"c", 1}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		return ds
	}
	ds := open()
	cfg := DefaultConfig()
	cfg.SegmentBytes = 400
	l, err := ds.Open("orders", 0, true, cfg)
	if err != nil {
		t.Fatal(err)
	}
	lead(t, l, 0, 30)
	lead(t, l, 2, 10)
	if err := l.BeginEpoch(3); err != nil {
		t.Fatal(err)
	}
	before := contents(t, l, 0, 1<<20)
	f, err := l.MoveTo(ds.Find(paths[1]))
	if err != nil {
		t.Fatal(err)
	}
	if f.Behind() != l.End() {
		t.Errorf("behind by %d", f.Behind())
	}
	for n := 1; n > 0; {
		if n, err = f.Copy(300); err != nil {
			t.Fatal(err)
		}
	}
	lead(t, l, 3, 5) // what comes while the copy is made
	if err := f.Finish(); err != nil {
		t.Fatal(err)
	}
	after := contents(t, l, 0, 1<<20)
	if !slices.Equal(after[:len(before)], before) || l.Dir() != ds.All()[1] || l.LastEpoch() != 3 {
		t.Errorf("%d offsets before, %d after, in %s", len(before), len(after), l.Dir().Path())
	}
	lead(t, l, 3, 5)
	if got := ds.All()[0].Existing(); len(got) != 0 {
		t.Errorf("left behind: %v", got)
	}
	if err := ds.Sweep(time.Now().Add(time.Hour), time.Minute); err != nil {
		t.Error(err)
	}
	if err := ds.Close(true, nil); err != nil {
		t.Fatal(err)
	}
	ds = open()
	if l, err = ds.Open("orders", 0, false, cfg); err != nil {
		t.Fatal(err)
	}
	if got := contents(t, l, 0, 1<<20); len(got) != len(after)+5 || l.EpochAt(45) != 3 || l.Dir() != ds.All()[1] {
		t.Errorf("%d offsets after a restart, want %d", len(got), len(after)+5)
	}
	if err := ds.Close(true, nil); err != nil {
		t.Fatal(err)
	}
}

func TestACopyThatIsNotCompleteLeavesTheLogAlone(t *testing.T) {
	base := t.TempDir()
	paths := []string{filepath.Join(base, "a"), filepath.Join(base, "b")}
	ds, err := OpenDirs(paths, Identity{"c", 1}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	l, err := ds.Open("orders", 0, true, DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	lead(t, l, 0, 10)
	f, err := l.MoveTo(ds.All()[1])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Copy(1); err != nil {
		t.Fatal(err)
	}
	if err := l.Truncate(5); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Copy(1); !Cut(err) {
		t.Errorf("after a truncation: %v", err)
	}
	if err := f.Finish(); !Cut(err) {
		t.Errorf("after a truncation: %v", err)
	}
	if got := ds.Futures(); got[TopicPartition{"orders", 0}] != ds.All()[1] {
		t.Errorf("unfinished: %v", got)
	}
	if got := ds.Futures(); len(got) != 0 {
		t.Errorf("removed, and there again: %v", got)
	}
	lead(t, l, 1, 3)
	if err := ds.Close(true, nil); err != nil {
		t.Fatal(err)
	}
}
