package quota

import (
	"sync"
	"time"
)

// Rate measures how often something happens, for limits that are no client's.
type Rate struct {
	windows Windows

	mu sync.Mutex
	m  meter
}

// NewRate returns a rate of 0.
func NewRate(w Windows) *Rate { return &Rate{windows: w} }

// Take notes that it happened, and returns how long to rest until the rate is within a limit, but not longer than a window.
func (r *Rate) Take(limit float64, now time.Time) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return min(r.m.take(r.windows, now, 1, limit), r.windows.Size)
}

// Undo takes back what was noted last: in the end it did not happen.
func (r *Rate) Undo(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.m.note(r.windows, now, -1)
}

// PerSecond is the rate now.
func (r *Rate) PerSecond(now time.Time) float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.m.forget(r.windows, now)
	if len(r.m.samples) == 0 {
		return 0
	}
	return r.m.total() / r.m.elapsed(r.windows, now).Seconds()
}
