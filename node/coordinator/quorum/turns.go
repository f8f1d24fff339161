package quorum

import "sync/atomic"

// turns has turn run whenever somebody asks for it, never twice at a time, on the goroutine of who asks: to wake another
// one costs more than most turns. Who asks while it runs has it run once more by whoever is at it, who runs after when
// nobody asks any more.
type turns struct {
	turn, after func()
	asked       atomic.Int64
}

// inRow is how many turns a goroutine takes for others before it may go back to what it is there for.
const inRow = 32

// take has a turn taken, which takes up everything that was brought before.
func (t *turns) take() {
	if t.asked.Add(1) == 1 {
		t.run()
	}
}

func (t *turns) run() {
	for range inRow {
		asked := t.asked.Load()
		t.turn()
		if t.asked.CompareAndSwap(asked, 0) {
			t.after()
			return
		}
	}
	go t.run()
}
