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
	"slices"
	"sync"
	"time"
)

// Tracker knows the deadlines of all open sessions.
type Tracker struct {
	stall time.Duration

	mu       sync.Mutex
	clients  map[int64]*client
	touched  map[int64]struct{}
	lastScan time.Time
	heard    chan struct{} // holds a token if touched was empty and is not any more
}

type client struct {
	timeout  time.Duration
	deadline time.Time
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
	t.clients[id] = &client{timeout: timeout, deadline: time.Now().Add(timeout)}
}

// Close forgets a session.
func (t *Tracker) Close(id int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.clients, id)
	delete(t.touched, id)
}

// Clear forgets all sessions.
func (t *Tracker) Clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.clients)
	clear(t.touched)
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
	for id, c := range t.clients {
		if now.After(c.deadline) {
			c.deadline = now.Add(c.timeout)
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// Next is how long it takes until the first of the sessions ends unless something is heard of it; at most limit.
func (t *Tracker) Next(limit time.Duration) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	for _, c := range t.clients {
		limit = min(limit, c.deadline.Sub(now))
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
