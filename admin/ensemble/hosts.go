package ensemble

import (
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// pause is how long a client waits after a server that cannot be reached.
const pause = 100 * time.Millisecond

// hosts hands out servers one after the other, from a random one on. The client library waits for a second
// whenever all were tried, which is long for a cluster that is just starting; it also looks only then whether it was
// closed. So hosts says that all were tried exactly when the session closes.
type hosts struct {
	servers []string
	next    int
	closing atomic.Bool
}

// Init implements zk.HostProvider.
func (h *hosts) Init(servers []string) error {
	h.servers, h.next = servers, rand.IntN(len(servers))
	return nil
}

// Len implements zk.HostProvider.
func (h *hosts) Len() int { return len(h.servers) }

// Next implements zk.HostProvider.
func (h *hosts) Next() (server string, retryStart bool) {
	server = h.servers[h.next%len(h.servers)]
	h.next++
	return server, h.closing.Load()
}

// Connected implements zk.HostProvider.
func (h *hosts) Connected() {}
