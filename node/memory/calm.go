package memory

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// What a burst of work leaves (garbage, buffers in pools, free pages) is kept while there is work: nothing is faster. When a
// node has had little to do for a while, all of it goes back to the system, once, if it is much beside what lives. The
// runtime would see to it after some minutes, and give back a part.
const (
	look       = 5 * time.Second // how often is looked
	littleWork = 8 << 20         // bytes allocated in that time
	calmLooks  = 2               // how often in a row there has to be little work
)

// calm is how a node's memory was at the last look.
type calm struct {
	looks     int    // in a row with little work
	allocated uint64 // bytes since the start of the process
	kept      uint64 // bytes that the heap held after memory was given back last
}

// next takes in what was allocated since the start and what the heap holds, and decides whether to give memory back.
func (c calm) next(allocated, held uint64) (calm, bool) {
	if c.looks++; allocated-c.allocated > littleWork {
		c.looks = 0
	}
	c.allocated, c.kept = allocated, min(c.kept, held)
	return c, c.looks >= calmLooks && held-c.kept > max(Room, c.kept/2)
}

// watch looks again and again, as long as the process runs.
func (c calm) watch() {
	time.AfterFunc(look, func() {
		next, give := c.next(heap())
		if give {
			runtime.GC() // what lies in pools survives one collection
			debug.FreeOSMemory()
			next.allocated, next.kept = heap()
		}
		next.watch()
	})
}

// heap is what was allocated since the start and what the heap has of the system, in bytes.
func heap() (allocated, held uint64) {
	sample := []metrics.Sample{
		{Name: "/gc/heap/allocs:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
	}
	metrics.Read(sample)
	for _, s := range sample[1:] {
		held += s.Value.Uint64()
	}
	return sample[0].Value.Uint64(), held
}
