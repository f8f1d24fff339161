package memory

import (
	"runtime"
	"testing"
)

func TestMemoryIsGivenBackOnceWorkIsOver(t *testing.T) {
	const mb = 1 << 20
	c := calm{kept: 10 * mb}
	for i, look := range []struct {
		allocated, held uint64 // since the last look; then
		give            bool
	}{
		{1 * mb, 11 * mb, false},
		{1 * mb, 12 * mb, false}, // calm, but there is nothing to give
		{900 * mb, 80 * mb, false},
		{3 * mb, 83 * mb, false},
		{900 * mb, 80 * mb, false},
		{3 * mb, 83 * mb, false},
		{3 * mb, 86 * mb, true},
		{1 * mb, 31 * mb, false}, // more is needed than before
		{1 * mb, 32 * mb, false},
		{1 * mb, 25 * mb, false}, // collected
		{1 * mb, 40 * mb, false},
		{1 * mb, 42 * mb, true},
		{1 * mb, 45 * mb, false},
	} {
		next, give := c.next(c.allocated+look.allocated, look.held)
		if give != look.give {
			t.Errorf("look %d: gives back: %v", i, give)
		}
		if c = next; give {
			c.kept = 30 * mb
		}
	}
}

func TestTheHeapIsMeasured(t *testing.T) {
	before, _ := heap()
	block := make([]byte, 32<<20)
	after, held := heap()
	if after-before < uint64(len(block)) || held < uint64(len(block)) {
		t.Errorf("%d bytes allocated, heap of %d, after a block of %d", after-before, held, len(block))
	}
	runtime.KeepAlive(block)
}
