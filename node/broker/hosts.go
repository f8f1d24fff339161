package broker

import (
	"sync"
	"time"
)

// hosts chooses the ZooKeeper server to try next. The client's own choice pauses for a second after each round, which
// is too long for the short sessions of a rehearsal.
type hosts struct {
	mu      sync.Mutex
	servers []string
	next    int
	tried   int // since the last success
}

const (
	hostsPause    = 100 * time.Millisecond // after a round without success
	hostsPatience = 10                     // rounds until waiting requests are failed
)

// Init takes the servers, which the client has shuffled.
func (h *hosts) Init(servers []string) error {
	h.servers = servers
	return nil
}

// Len returns the number of servers.
func (h *hosts) Len() int { return len(h.servers) }

// Next returns the server to try. With startOver the client fails the requests that wait and pauses.
func (h *hosts) Next() (server string, startOver bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	round := len(h.servers)
	if h.tried > 0 && h.tried%round == 0 {
		if startOver = h.tried%(round*hostsPatience) == 0; !startOver {
			time.Sleep(hostsPause)
		}
	}
	server = h.servers[h.next]
	h.next = (h.next + 1) % round
	h.tried++
	return server, startOver
}

// Connected notes a success.
func (h *hosts) Connected() {
	h.mu.Lock()
	h.tried = 0
	h.mu.Unlock()
}
