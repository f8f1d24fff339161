package quota

import (
	"time"
)

// Windows are the samples that a rate is taken over: quota.window.num and quota.window.size.seconds.
type Windows struct {
	Count int // at least 1; the last one is not full yet
	Size  time.Duration
}

// span is the time that full windows cover.
func (w Windows) span() time.Duration { return time.Duration(max(w.Count-1, 1)) * w.Size }

// meter measures a rate over the last windows.
type meter struct {
	samples []sample // the oldest first
	used    time.Time
}

type sample struct {
	start time.Time
	sum   float64
}

// take notes an amount and returns how long to rest until the rate is within the limit.
func (m *meter) take(w Windows, now time.Time, amount, limit float64) time.Duration {
	m.note(w, now, amount)
	span := m.elapsed(w, now)
	rate := m.total() / span.Seconds()
	if rate <= limit {
		return 0
	}
	if limit <= 0 {
		return w.span()
	}
	return time.Duration((rate - limit) / limit * float64(span))
}

// note adds an amount to the window of this moment.
func (m *meter) note(w Windows, now time.Time, amount float64) {
	m.used = now
	m.forget(w, now)
	if n := len(m.samples); n == 0 || now.Sub(m.samples[n-1].start) >= w.Size {
		m.samples = append(m.samples, sample{start: now})
	}
	m.samples[len(m.samples)-1].sum += amount
}

// forget drops samples that all windows have left behind.
func (m *meter) forget(w Windows, now time.Time) {
	drop := 0
	for drop < len(m.samples) && now.Sub(m.samples[drop].start) >= time.Duration(w.Count)*w.Size {
		drop++
	}
	m.samples = append(m.samples[:0], m.samples[drop:]...)
}

func (m *meter) total() (sum float64) {
	for _, s := range m.samples {
		sum += s.sum
	}
	return sum
}

// elapsed is the time that the samples cover, as if all but one of the windows had passed at least.
func (m *meter) elapsed(w Windows, now time.Time) time.Duration {
	covered := now.Sub(m.samples[0].start)
	if missing := w.Count - 1 - int(covered/w.Size); missing > 0 {
		covered += time.Duration(missing) * w.Size
	}
	return max(covered, w.Size)
}
