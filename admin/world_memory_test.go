package admin

import (
	"runtime"
	"testing"
	"time"
)

// TestASnapshotDoesNotKeepThoseBeforeIt: an observer runs for weeks.
func TestASnapshotDoesNotKeepThoseBeforeIt(t *testing.T) {
	w := newWorld(Config{})
	w.controller = 1
	w.topic("orders").partition(2)
	freed := make(chan struct{})
	first := w.snapshot(time.Now())
	runtime.AddCleanup(first, func(done chan struct{}) { close(done) }, freed)
	last := w.snapshot(time.Now())
	deadline := time.After(2 * time.Minute)
	for {
		runtime.GC()
		select {
		case <-freed:
			runtime.KeepAlive(last)
			return
		case <-deadline:
			t.Fatal("a snapshot that nobody holds is still in memory")
		default:
		}
	}
}
