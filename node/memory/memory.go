// Package memory decides how much garbage a node may hold before it is collected.
//
// A small node must not collect for every 2 MB that it allocates, which costs more than its work does, and a large one
// must not take twice what it keeps. So the heap may always grow by [Room], and by half of what lives in it if that is
// more. What the environment says in GOGC goes before.
package memory

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// Room is what the heap may grow by between two collections, in bytes, whatever lives in it.
const Room = 16 << 20

// Tune sets the pace of collections now and after each of them, as long as the process runs.
func Tune() {
	if os.Getenv("GOGC") != "" {
		return
	}
	debug.SetGCPercent(mostPercent)
	again(mostPercent)
}

// The runtime takes 4 MB for the least heap there is, so more than this would be more than Room.
const (
	mostPercent  = Room / (4 << 20) * 100
	leastPercent = 50
)

// percent is the growth that live bytes are allowed, for [debug.SetGCPercent].
func percent(live uint64) int {
	return int(max(leastPercent, min(mostPercent, Room*100/max(live, 1))))
}

// again has the next collection set the pace anew: a collected object's finalizer runs after it.
func again(now int) {
	runtime.SetFinalizer(&mark{}, func(*mark) {
		sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		metrics.Read(sample)
		next := percent(sample[0].Value.Uint64())
		if d := next - now; d < -now/8 || d > now/8 || next == leastPercent && now != leastPercent { // it stops the world
			debug.SetGCPercent(next)
			now = next
		}
		again(now)
	})
}

// mark is large enough to have a block of its own, which a finalizer needs.
type mark struct{ _ [4]*byte }
