// Package memory decides how much garbage a node may hold before it is collected.
//
// A busy node must not collect for every 2 MB that it allocates, which costs more than its work does; one with nothing to do
// must not keep garbage because there is room for it; and a large one must not take twice what it keeps. So the heap may always
// grow by a part of what lives in it, or by a room if that is more: [Room] while collections follow each other fast, an eighth of
// it while they do not. Once a burst of work is over, what it left is given back. What the environment says in GOGC goes before.
package memory

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// Room is what the heap of a busy node may grow by between two collections, in bytes, whatever lives in it.
const Room = 16 << 20

const leastRoom = Room / 8

// Tune sets the pace of collections now and after each of them, and gives memory back after work, as long as the process runs: a
// large heap may grow by least percent.
func Tune(least int) {
	if os.Getenv("GOGC") != "" {
		return
	}
	allocated, held := heap()
	calm{allocated: allocated, kept: held}.watch()
	p := pace{least: least, room: leastRoom, percent: 100, at: time.Now()} // what the runtime begins with
	p.again()
}

// pace is how the heap may grow until the next collection.
type pace struct {
	least   int // percent, however much lives
	room    int64
	percent int       // as the runtime has it
	cycles  uint64    // how many collections there were because the heap had grown
	at      time.Time // when the last of them was
}

// again has the next collection set the pace anew: a collected object's finalizer runs after it.
func (p pace) again() {
	runtime.SetFinalizer(&mark{}, func(*mark) {
		sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/cycles/automatic:gc-cycles"}}
		metrics.Read(sample)
		if cycles := sample[1].Value.Uint64(); cycles != p.cycles {
			now := time.Now()
			p.room = room(p.room, now.Sub(p.at))
			p.cycles, p.at = cycles, now
		}
		next := percent(p.least, p.room, int64(sample[0].Value.Uint64()))
		if d := next - p.percent; d < -p.percent/8 || d > p.percent/8 || next == p.least && d != 0 { // it stops the world
			debug.SetGCPercent(next)
			p.percent = next
		}
		p.again()
	})
}

// room is what the heap may grow by, after what it was and the time that it lasted for.
func room(was int64, lasted time.Duration) int64 {
	switch {
	case lasted < time.Second:
		return min(2*was, Room)
	case lasted > 5*time.Second:
		return max(was/2, leastRoom)
	}
	return was
}

// percent is the growth that live bytes are allowed, for [debug.SetGCPercent]. The runtime takes 4 MB for the least heap there
// is, so it would give a smaller one more than its room.
func percent(least int, room, live int64) int {
	return max(least, int(room*100/max(live, 4<<20)))
}

// mark is large enough to have a block of its own, which a finalizer needs.
type mark struct{ _ [4]*byte }
