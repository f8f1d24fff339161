package watch

import (
	"context"
	"sync"
)

// queue holds the paths that have to be read. A path is in it once, and is given to one reader at a time: pushed
// again while it is being read, it comes again when done says that the reading is over.
type queue struct {
	mu      sync.Mutex
	waiting []string
	state   map[string]state
	ready   chan struct{} // capacity 1: something waits
	idle    func()        // called when the last path is done and none waits
}

type state struct{ reading, again bool }

func newQueue(idle func()) *queue {
	return &queue{state: map[string]state{}, ready: make(chan struct{}, 1), idle: idle}
}

func (q *queue) push(paths ...string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, path := range paths {
		s, known := q.state[path]
		switch {
		case !known:
			q.state[path] = state{}
			q.waiting = append(q.waiting, path)
		case s.reading:
			q.state[path] = state{reading: true, again: true}
		}
	}
	q.signal()
}

func (q *queue) signal() {
	if len(q.waiting) == 0 {
		return
	}
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// next waits for a path; ok is false once ctx ends.
func (q *queue) next(ctx context.Context) (path string, ok bool) {
	for ctx.Err() == nil {
		q.mu.Lock()
		if len(q.waiting) > 0 {
			path = q.waiting[0]
			q.waiting = q.waiting[1:]
			q.state[path] = state{reading: true}
			q.signal()
			q.mu.Unlock()
			return path, true
		}
		q.mu.Unlock()
		select {
		case <-ctx.Done():
		case <-q.ready:
		}
	}
	return "", false
}

// done ends the reading of a path.
func (q *queue) done(path string) {
	q.mu.Lock()
	again := q.state[path].again
	delete(q.state, path)
	if again {
		q.state[path] = state{}
		q.waiting = append(q.waiting, path)
		q.signal()
	}
	idle := len(q.state) == 0
	q.mu.Unlock()
	if idle {
		q.idle()
	}
}
