package cluster

import "sync"

// view holds the newest status for any number of readers; who waits for a change misses what lies between.
type view struct {
	mu      sync.Mutex
	status  Status
	changed chan struct{} // closed and replaced by every change
}

func (v *view) set(s Status) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.status = s
	close(v.changed)
	v.changed = make(chan struct{})
}

// get returns the status and a channel that is closed once it is outdated.
func (v *view) get() (Status, <-chan struct{}) {
	v.mu.Lock()
	defer v.mu.Unlock()
	s := v.status
	s.Nodes = append([]NodeStatus(nil), s.Nodes...)
	return s, v.changed
}
