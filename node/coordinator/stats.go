package coordinator

import (
	"sync"
	"sync/atomic"
	"time"
)

// stats are the counters of a node since it started.
type stats struct {
	received, sent, outstanding atomic.Int64
	authFailed                  atomic.Int64
	bytesReceived               atomic.Int64
	rejected                    atomic.Int64 // connections beyond maxClientCnxns
	tooLarge                    atomic.Int64 // requests beyond jute.maxbuffer
	leading                     atomic.Int64 // since when, in Unix milliseconds; 0 for a follower
	elections                   atomic.Int64

	mu         sync.Mutex
	count, sum int64 // of latencies, in milliseconds
	least      int64
	most       int64
}

// latency counts a request that took d.
func (s *stats) latency(d time.Duration) {
	ms := d.Milliseconds()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count == 0 || ms < s.least {
		s.least = ms
	}
	s.most = max(s.most, ms)
	s.count++
	s.sum += ms
}

// latencies returns the least, mean and greatest latency in milliseconds.
func (s *stats) latencies() (least int64, mean float64, most int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count == 0 {
		return 0, 0, 0
	}
	return s.least, float64(s.sum) / float64(s.count), s.most
}

func (s *stats) reset() {
	s.received.Store(0)
	s.sent.Store(0)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count, s.sum, s.least, s.most = 0, 0, 0, 0
}
