package quota

import (
	"sync"
	"sync/atomic"
	"time"
)

// Throttle limits the bytes that replicas copy in a second: leaders hold back what followers fetch, or followers ask
// for less, until the rate over the windows is within the limit again (KIP-73). What is noted may exceed the limit: whoever
// copies asks before.
type Throttle struct {
	windows Windows
	limit   atomic.Int64

	mu    sync.Mutex
	meter meter
}

// NewThrottle returns one that limits nothing yet.
func NewThrottle(w Windows) *Throttle {
	t := &Throttle{windows: w}
	t.limit.Store(-1)
	return t
}

// SetLimit sets the bytes a second, negative for no limit. What was measured stays.
func (t *Throttle) SetLimit(rate int64) { t.limit.Store(rate) }

// Limit is what was set last.
func (t *Throttle) Limit() int64 { return t.limit.Load() }

// Note adds bytes that were copied.
func (t *Throttle) Note(bytes int, now time.Time) {
	if bytes == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.meter.note(t.windows, now, float64(bytes))
}

// Rate is the bytes a second that were noted of late.
func (t *Throttle) Rate(now time.Time) float64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	total, span := t.measured(now)
	return total / span.Seconds()
}

// Rest is how long nothing more should be copied, 0 while the rate is within the limit.
func (t *Throttle) Rest(now time.Time) time.Duration {
	limit := t.limit.Load()
	if limit < 0 {
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	total, span := t.measured(now)
	if total/span.Seconds() <= float64(limit) {
		return 0
	}
	forgotten := time.Duration(t.windows.Count)*t.windows.Size - span // by then at the latest
	even := total/float64(limit) - span.Seconds()
	return max(min(forgotten, time.Duration(min(even, forgotten.Seconds())*float64(time.Second))), time.Millisecond)
}

// measured are the bytes in the windows, and the time since the oldest began, a window at least. Needs mu.
func (t *Throttle) measured(now time.Time) (total float64, span time.Duration) {
	t.meter.forget(t.windows, now)
	if len(t.meter.samples) == 0 {
		return 0, t.windows.Size
	}
	return t.meter.total(), max(now.Sub(t.meter.samples[0].start), t.windows.Size)
}
