package log

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A large segment has space set aside for appends to come; a sealed one, or one of a log that was closed, takes no more than it holds.
func TestSpaceIsSetAsideForAppends(t *testing.T) {
	probe, err := os.Create(filepath.Join(t.TempDir(), "probe"))
	if err != nil {
		t.Fatal(err)
	}
	defer probe.Close()
	if err := allocate(probe, 0, 1); err != nil {
		t.Skip("this file system sets nothing aside: ", err)
	}
	cfg := DefaultConfig()
	cfg.SegmentBytes = 4 << 20
	d := openDir(t, t.TempDir())
	l := openLog(t, d, cfg)
	for len(l.segments) < 2 || l.active().size < 3<<20 {
		if _, err := l.AppendLeader(EncodeBatch(Record{Value: make([]byte, 256<<10)}), 0, FromClient); err != nil {
			t.Fatal(err)
		}
	}
	sealed, active := l.segments[0].log.path, l.active().log.path
	if n := spare(t, active); n < leastAhead {
		t.Errorf("%d bytes are set aside for the active segment", n)
	}
	if n := spare(t, sealed); n > 0 {
		t.Errorf("a sealed segment takes %d bytes more than it holds", n)
	}
	if err := d.Close(true, nil); err != nil {
		t.Fatal(err)
	}
	if n := spare(t, active); n > 0 {
		t.Errorf("the last segment of a closed log takes %d bytes more than it holds", n)
	}
}

// spare is what a file takes of the disk beyond its size, in bytes, not counting what a block or the file system's own notes need.
func spare(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	const notes = 64 << 10
	return max(info.Sys().(*syscall.Stat_t).Blocks*512-info.Size()-notes, 0)
}
