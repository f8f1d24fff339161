package quota

import "time"

// bucket holds permits for changes. It fills steadily, and may be overdrawn once: who then asks has to wait until it is
// empty again (KIP-599).
type bucket struct {
	tokens float64
	at     time.Time
	used   time.Time
}

// take takes permits. A strict one takes none while the bucket is overdrawn; rest is how long that lasts.
func (b *bucket) take(w Windows, now time.Time, permits, rate float64, strict bool) (rest time.Duration, taken bool) {
	b.used = now
	full := rate * float64(w.Count) * w.Size.Seconds()
	if b.at.IsZero() {
		b.tokens = full
	} else {
		b.tokens = min(b.tokens+now.Sub(b.at).Seconds()*rate, full)
	}
	b.at = now
	if b.tokens < 0 && strict {
		return b.rest(w, rate), false
	}
	if b.tokens -= permits; strict || b.tokens >= 0 {
		return 0, true
	}
	return b.rest(w, rate), true
}

func (b *bucket) rest(w Windows, rate float64) time.Duration {
	if rate <= 0 {
		return w.span()
	}
	return time.Duration(-b.tokens / rate * float64(time.Second))
}
