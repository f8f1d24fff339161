package quota

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// Quotas are the limits with what was used of them.
type Quotas struct {
	windows   Windows
	mutations Windows // controller.quota.window.num and controller.quota.window.size.seconds
	limits    atomic.Pointer[Limits]

	mu      sync.Mutex
	meters  map[meterKey]*meter
	buckets map[string]*bucket // of changes of topics
	swept   time.Time
}

type meterKey struct {
	kind   Kind
	shared string
}

// idle is how long a meter is kept that nobody uses.
const idle = time.Hour

// New returns quotas without limits.
func New(w, mutations Windows) *Quotas {
	return &Quotas{windows: w, mutations: mutations, meters: map[meterKey]*meter{}, buckets: map[string]*bucket{}}
}

// Set replaces the limits. What was measured stays.
func (q *Quotas) Set(l *Limits) { q.limits.Store(l) }

// Take notes an amount that a client used, and returns for how long it has to rest.
func (q *Quotas) Take(kind Kind, user, client string, amount float64, now time.Time) time.Duration {
	limit, ok := q.limits.Load().OfClient(kind, user, client)
	if !ok {
		return 0
	}
	rest := q.take(kind, limit, amount, now)
	if kind == Request { // threads are not held up for longer than a window (KIP-124)
		rest = min(rest, q.windows.Size)
	}
	return rest
}

// Mutate notes that a client changes topics by a number of partitions. Is it strict, a change may be refused: then taken
// is false. The client has to rest.
func (q *Quotas) Mutate(user, client string, partitions int, strict bool, now time.Time) (rest time.Duration, taken bool) {
	limit, ok := q.limits.Load().OfClient(Mutation, user, client)
	if !ok {
		return 0, true
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sweep(now)
	b := q.buckets[limit.Shared]
	if b == nil {
		b = new(bucket)
		q.buckets[limit.Shared] = b
	}
	return b.take(q.mutations, now, float64(partitions), limit.Rate, strict)
}

// sweep drops what nobody has used for long.
func (q *Quotas) sweep(now time.Time) {
	if now.Sub(q.swept) > idle {
		q.swept = now
		maps.DeleteFunc(q.meters, func(_ meterKey, m *meter) bool { return now.Sub(m.used) > idle })
		maps.DeleteFunc(q.buckets, func(_ string, b *bucket) bool { return now.Sub(b.used) > idle })
	}
}

// Connect notes a connection from an address, and returns for how long it has to rest before it is refused; 0 lets it in.
func (q *Quotas) Connect(address string, now time.Time) time.Duration {
	limit, ok := q.limits.Load().OfAddress(address)
	if !ok {
		return 0
	}
	return q.take(Connections, limit, 1, now)
}

// Any says whether any client has a limit at all.
func (q *Quotas) Any() bool {
	l := q.limits.Load()
	return l != nil && (l.any[Produce] || l.any[Fetch] || l.any[Request] || l.any[Mutation])
}

// Most is the amount that a client may use within all windows, false if it has no limit. More at once could never be
// made up for.
func (q *Quotas) Most(kind Kind, user, client string) (amount float64, limited bool) {
	limit, ok := q.limits.Load().OfClient(kind, user, client)
	return limit.Rate * q.windows.span().Seconds(), ok
}

func (q *Quotas) take(kind Kind, limit Limit, amount float64, now time.Time) time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sweep(now)
	key := meterKey{kind, limit.Shared}
	m := q.meters[key]
	if m == nil {
		m = new(meter)
		q.meters[key] = m
	}
	return m.take(q.windows, now, amount, limit.Rate)
}
