package ensemble

import (
	"context"
	"sync"
)

// Queue holds the paths that have to be read. A path is in it once, and is given to one reader at a time: pushed
// again while it is being read, it comes again when Done says that the reading is over.
type Queue struct {
	mu      sync.Mutex
	waiting []string
	state   map[string]reading
	ready   chan struct{} // capacity 1: something waits
	idle    func()
}

type reading struct{ reading, again bool }

// NewQueue makes a queue; idle is called when the last path is done and none waits.
func NewQueue(idle func()) *Queue {
	return &Queue{state: map[string]reading{}, ready: make(chan struct{}, 1), idle: idle}
}

// Push puts paths in.
func (q *Queue) Push(paths ...string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, path := range paths {
		s, known := q.state[path]
		switch {
		case !known:
			q.state[path] = reading{}
			q.waiting = append(q.waiting, path)
		case s.reading:
			q.state[path] = reading{reading: true, again: true}
		}
	}
	q.signal()
}

func (q *Queue) signal() {
	if len(q.waiting) == 0 {
		return
	}
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// Next waits for a path; ok is false once ctx ends.
func (q *Queue) Next(ctx context.Context) (path string, ok bool) {
	for ctx.Err() == nil {
		q.mu.Lock()
		if len(q.waiting) > 0 {
			path = q.waiting[0]
			q.waiting = q.waiting[1:]
			q.state[path] = reading{reading: true}
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

// Done ends the reading of a path.
func (q *Queue) Done(path string) {
	q.mu.Lock()
	again := q.state[path].again
	delete(q.state, path)
	if again {
		q.state[path] = reading{}
		q.waiting = append(q.waiting, path)
		q.signal()
	}
	idle := len(q.state) == 0
	q.mu.Unlock()
	if idle {
		q.idle()
	}
}
