package log

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// Which files a checkpoint writes is seen by which come back.
func TestACheckpointWritesWhatChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := openDir(t, t.TempDir())
		l := openLog(t, d, DefaultConfig())
		lead(t, l, 1, 10)
		hw := map[TopicPartition]int64{l.tp: 0}
		all := []string{cleanerFile, recoveryFile, hwFile, startFile}
		for _, step := range []struct {
			what  string
			do    func() error
			wrote []string
		}{
			{"the first one", nil, all},
			{"nothing changed", nil, nil},
			{"the high watermark moved", func() error { hw[l.tp] = 10; return nil }, []string{hwFile}},
			{"records came to the disk", l.Flush, []string{recoveryFile}},
			{"the start moved", func() error { return l.SetStart(5) }, []string{startFile}},
			{"the log was cut below what was on the disk", func() error { return l.Truncate(0) }, all},
			{"a partition came", func() error { _, err := d.Open("orders", 1, DefaultConfig()); return err }, all},
			{"nothing changed again", nil, nil},
			{"nothing changed for long", func() error { time.Sleep(checkpointRest); return nil }, all},
		} {
			if step.do != nil {
				if err := step.do(); err != nil {
					t.Fatal(err)
				}
			}
			for _, name := range all {
				os.Remove(filepath.Join(d.path, name))
			}
			if err := d.Checkpoint(hw); err != nil {
				t.Fatal(err)
			}
			var wrote []string
			for _, name := range all {
				if _, err := os.Stat(filepath.Join(d.path, name)); err == nil {
					wrote = append(wrote, name)
				}
			}
			if !slices.Equal(wrote, step.wrote) {
				t.Errorf("%s: wrote %v, want %v", step.what, wrote, step.wrote)
			}
		}
		d.Close(false, nil)
	})
}
