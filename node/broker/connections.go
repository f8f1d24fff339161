package broker

import (
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"kdrill/node/broker/quota"
	"kdrill/node/broker/settings"
)

// connections counts who is connected, and refuses who is too many.
type connections struct {
	most      int            // max.connections.per.ip
	overrides map[string]int // max.connections.per.ip.overrides
	quotas    *quota.Quotas
	log       *slog.Logger

	mu    sync.Mutex
	count map[string]int // by address
}

func newConnections(v settings.Values, quotas *quota.Quotas, log *slog.Logger) *connections {
	c := &connections{most: int(v.Int("max.connections.per.ip")), overrides: map[string]int{}, quotas: quotas, log: log, count: map[string]int{}}
	for _, pair := range settings.List(v.Text("max.connections.per.ip.overrides")) {
		if i := strings.LastIndexByte(pair, ':'); i > 0 {
			if n, err := strconv.Atoi(strings.TrimSpace(pair[i+1:])); err == nil {
				c.overrides[strings.TrimSpace(pair[:i])] = n
			}
		}
	}
	return c
}

// Arrive lets a connection in, or says why not; such a one is closed after a rest. leave is called at its end.
func (c *connections) Arrive(from net.Addr) (leave func(), rest time.Duration, err error) {
	address, _, splitErr := net.SplitHostPort(from.String())
	if splitErr != nil {
		address = from.String()
	}
	c.mu.Lock()
	c.count[address]++
	n := c.count[address]
	c.mu.Unlock()
	leave = func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.count[address]--; c.count[address] <= 0 {
			delete(c.count, address)
		}
	}
	most, ok := c.overrides[address]
	if !ok {
		most = c.most
	}
	if n > most {
		return leave, 0, fmt.Errorf("%s has %d connections already (max.connections.per.ip)", address, most)
	}
	if rest = c.quotas.Connect(address, time.Now()); rest > 0 {
		return leave, rest, fmt.Errorf("%s opens connections faster than its connection_creation_rate", address)
	}
	return leave, 0, nil
}
