// Package session decides when the session of a silent client ends.
//
// Every node notes the signs of life of the clients connected to it ([Tracker.Touch]) and passes them on to the leader
// now and then ([Tracker.TakeTouched]). Only the leader asks what has [Tracker.Expired], and what it does about it is an
// entry in the replicated log. A new leader gives every session a full fresh timeout ([Tracker.Renew]), since it
// cannot know what its predecessor had heard; so does one that finds that it was itself stopped for a while.
//
// A Tracker may be used by many goroutines.
package session

import (
	"container/heap"
	"slices"
	"sync"
	"time"
)

// Tracker knows the deadlines of all open sessions.
type Tracker struct {
	stall time.Duration

	mu       sync.Mutex
	clients  map[int64]*client
	queue    queue
	touched  map[int64]struct{}
	lastScan time.Time
	heard    chan struct{} // holds a token if touched was empty and is not any more
}

type client struct {
	id       int64
	timeout  time.Duration
	deadline time.Time
	look     time.Time // when to look at the deadline; never after it
	over     bool      // closed, or opened anew
}

// queue is a heap of all clients, and of some that are over, by look. A sign of life moves a deadline only, so that it
// costs nothing here; the client is put further back when its turn has come.
type queue []*client

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].look.Before(q[j].look) }
func (q queue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(c any)        { *q = append(*q, c.(*client)) }
func (q *queue) Pop() any {
	old := *q
	last := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	return last
}

// first is the client whose deadline is the first of all, nil if there is none.
func (t *Tracker) first() *client {
	for len(t.queue) > 0 {
		switch c := t.queue[0]; {
		case c.over:
			heap.Pop(&t.queue)
		case c.look.Before(c.deadline):
			c.look = c.deadline
			heap.Fix(&t.queue, 0)
		default:
			return c
		}
	}
	return nil
}

// New makes a tracker without sessions. If more than stall goes by between two calls of Expired this process itself
// was not running, and the silence of its clients says nothing.
func New(stall time.Duration) *Tracker {
	return &Tracker{stall: stall, clients: map[int64]*client{}, touched: map[int64]struct{}{}, heard: make(chan struct{}, 1)}
}

// Open adds a session, or changes its timeout; its timeout starts now.
func (t *Tracker) Open(id int64, timeout time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forget(id)
	deadline := time.Now().Add(timeout)
	c := &client{id: id, timeout: timeout, deadline: deadline, look: deadline}
	t.clients[id] = c
	heap.Push(&t.queue, c)
}

func (t *Tracker) forget(id int64) {
	if c := t.clients[id]; c != nil {
		c.over = true
		delete(t.clients, id)
	}
	if len(t.queue) > 2*len(t.clients)+64 { // most are over
		t.queue = slices.DeleteFunc(t.queue, func(c *client) bool { return c.over })
		heap.Init(&t.queue)
	}
}

// Close forgets a session.
func (t *Tracker) Close(id int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forget(id)
	delete(t.touched, id)
}

// Clear forgets all sessions.
func (t *Tracker) Clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.clients)
	clear(t.touched)
	t.queue = nil
}

// Touch notes a sign of life of a client that is connected here.
func (t *Tracker) Touch(id int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.touch(id)
	if t.touched[id] = struct{}{}; len(t.touched) == 1 {
		select {
		case t.heard <- struct{}{}:
		default:
		}
	}
}

// Some is received from once there is somebody for TakeTouched to return.
func (t *Tracker) Some() <-chan struct{} { return t.heard }

// Heard notes signs of life that another node reports.
func (t *Tracker) Heard(ids []int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, id := range ids {
		t.touch(id)
	}
}

func (t *Tracker) touch(id int64) {
	if c := t.clients[id]; c != nil {
		c.deadline = time.Now().Add(c.timeout)
	}
}

// TakeTouched returns who was heard of here since the last call.
func (t *Tracker) TakeTouched() []int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.touched) == 0 {
		return nil
	}
	ids := make([]int64, 0, len(t.touched))
	for id := range t.touched {
		ids = append(ids, id)
	}
	clear(t.touched)
	return ids
}

// Renew gives every session its full timeout from now.
func (t *Tracker) Renew() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.renew(time.Now())
}

func (t *Tracker) renew(now time.Time) {
	for _, c := range t.clients {
		c.deadline = now.Add(c.timeout)
	}
	t.lastScan = now
}

// Expired returns the sessions whose timeout has passed, by id. Each gets another timeout, after which it is returned
// again if nobody has closed it.
func (t *Tracker) Expired() []int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if now.Sub(t.lastScan) > t.stall {
		t.renew(now)
		return nil
	}
	t.lastScan = now
	var ids []int64
	for c := t.first(); c != nil && now.After(c.deadline); c = t.first() {
		c.deadline = now.Add(c.timeout)
		ids = append(ids, c.id)
	}
	slices.Sort(ids)
	return ids
}

// Next is how long it takes until the first of the sessions ends unless something is heard of it; at most limit.
func (t *Tracker) Next(limit time.Duration) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c := t.first(); c != nil {
		limit = min(limit, time.Until(c.deadline))
	}
	return limit
}

// Expiries returns when the sessions end unless something is heard of them.
func (t *Tracker) Expiries() map[time.Time][]int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	at := map[time.Time][]int64{}
	for id, c := range t.clients {
		at[c.deadline] = append(at[c.deadline], id)
	}
	return at
}
