package broker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"kdrill/node/broker/quota"
	"kdrill/node/broker/settings"
	"kdrill/node/wire"
)

// connections counts who is connected. Who is one too many waits until another leaves, or is refused: by max.connections
// and max.connection.creation.rate connections wait, by max.connections.per.ip and the rates of addresses they are refused.
//
// Where other listeners exist, too, that between brokers is protected: its connections do not wait for those of others. If
// they are too many with them, the others lose the connection that has been idle for longest.
type connections struct {
	quotas  *quota.Quotas
	windows quota.Windows

	mu        sync.Mutex
	protected string        // listener, "" if none is
	changed   chan struct{} // is closed when somebody left, or limits changed
	limits    connectionLimits
	rate      *quota.Rate // of those that are not protected
	listeners map[string]*listenerConnections
	addresses map[string]int
	total     int
}

// listenerConnections are those of one listener.
type listenerConnections struct {
	rate           *quota.Rate
	stays          map[*stay]bool
	opened, closed int64
	refused        int64 // because of their address
	proven, failed int64 // clients that could say who they are, and could not
}

// stay is one connection that was let in.
type stay struct {
	in       *connections
	listener string
	of       *listenerConnections // of the listener, which may be gone meanwhile
	address  string
	conn     net.Conn
	used     atomic.Int64 // nanoseconds since 1970
}

func newConnections(s *settings.Settings, quotas *quota.Quotas) *connections {
	w := windows(s.Values, "quota.window")
	c := &connections{
		quotas: quotas, windows: w, changed: make(chan struct{}), rate: quota.NewRate(w), listeners: map[string]*listenerConnections{}, addresses: map[string]int{},
	}
	c.Follow(s.Values, s.Listeners, s.InterBrokerListener)
	return c
}

// Follow takes in which listeners there are, and which is that between brokers. Who came in by one that is gone counts until
// it leaves; nobody comes in by it any more.
func (c *connections) Follow(v settings.Values, all []settings.Listener, between string) {
	c.mu.Lock()
	before := c.listeners
	c.listeners = map[string]*listenerConnections{}
	for _, l := range all {
		c.listeners[l.Name] = before[l.Name]
		if before[l.Name] == nil {
			c.listeners[l.Name] = &listenerConnections{rate: quota.NewRate(c.windows), stays: map[*stay]bool{}}
		}
	}
	c.protected = ""
	if len(all) > 1 {
		c.protected = between
	}
	c.mu.Unlock()
	c.Limit(v)
}

// errRemoved is the error of connections that come in by a listener that is gone.
var errRemoved = errors.New("the listener was removed")

// Limit takes in limits that changed. By max.connections connections end that are too many, by the other limits they stay.
func (c *connections) Limit(v settings.Values) {
	c.mu.Lock()
	names := slices.Collect(maps.Keys(c.listeners))
	c.mu.Unlock()
	limits := readConnectionLimits(v, names)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.limits = limits
	c.makeRoom()
	c.news()
}

// news wakes up who waits for room. The lock is held.
func (c *connections) news() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// Enter lets a connection of a listener in as soon as there is room, or says why not; such a one is closed after a rest.
func (c *connections) Enter(ctx context.Context, listener string, conn net.Conn) (wire.Stay, time.Duration, error) {
	if err := c.await(ctx, listener); err != nil {
		return nil, 0, err
	}
	s := &stay{in: c, listener: listener, address: addressOf(conn), conn: conn}
	s.Used()
	rest, err := c.admit(s)
	if err != nil {
		return nil, rest, err
	}
	return s, 0, nil
}

func addressOf(conn net.Conn) string {
	address, _, err := net.SplitHostPort(conn.RemoteAddr().String())
	if err != nil {
		return conn.RemoteAddr().String()
	}
	return address
}

// await blocks until a listener may have one more connection, by the rates and by their number.
func (c *connections) await(ctx context.Context, listener string) error {
	rest := time.NewTimer(c.pace(listener, time.Now()))
	defer rest.Stop()
	select {
	case <-rest.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	for {
		c.mu.Lock()
		there, changed := c.listeners[listener] != nil, c.changed
		room := there && c.room(listener)
		c.mu.Unlock()
		switch {
		case !there:
			return errRemoved
		case room:
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// pace notes that a connection comes, and returns how long it has to wait for the rates' sake.
func (c *connections) pace(listener string, now time.Time) (rest time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if listener != c.protected {
		rest = c.rate.Take(c.limits.rate, now)
	}
	if l := c.listeners[listener]; l != nil {
		rest = max(rest, l.rate.Take(c.limits.listeners[listener].rate, now))
	}
	return rest
}

// room says whether a listener may have one more. The lock is held.
func (c *connections) room(listener string) bool {
	if len(c.listeners[listener].stays) >= c.limits.listeners[listener].most {
		return false
	}
	return listener == c.protected || c.total < c.limits.most
}

// admit counts a connection, or refuses it because of its address.
func (c *connections) admit(s *stay) (rest time.Duration, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l, now := c.listeners[s.listener], time.Now()
	if l == nil {
		return 0, errRemoved
	}
	most, ok := c.limits.overrides[s.address]
	if !ok {
		most = c.limits.perAddress
	}
	if rest = c.quotas.Connect(s.address, now); rest > 0 {
		l.rate.Undo(now)
		if s.listener != c.protected {
			c.rate.Undo(now)
		}
		l.refused++
		return rest, fmt.Errorf("%s opens connections faster than its connection_creation_rate", s.address)
	}
	if c.addresses[s.address] >= most {
		l.refused++
		return 0, fmt.Errorf("%s has %d connections already (max.connections.per.ip)", s.address, most)
	}
	l.opened++
	s.of = l
	l.stays[s] = true
	c.addresses[s.address]++
	c.total++
	c.makeRoom()
	return 0, nil
}

// Authenticated notes whether a client could say who it is.
func (c *connections) Authenticated(listener string, could bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch l := c.listeners[listener]; {
	case l == nil: // it is gone
	case could:
		l.proven++
	default:
		l.failed++
	}
}

// makeRoom closes connections while they are too many, those first that have been idle for longest. The lock is held.
func (c *connections) makeRoom() {
	for c.total > c.limits.most {
		s := c.idlest()
		if s == nil {
			return
		}
		c.remove(s)
		s.conn.Close() // its goroutine sees that and leaves
	}
}

// idlest is the connection that has been idle for longest, nil if all are protected. The lock is held.
func (c *connections) idlest() (idlest *stay) {
	for name, l := range c.listeners {
		for s := range l.stays {
			if name != c.protected && (idlest == nil || s.used.Load() < idlest.used.Load()) {
				idlest = s
			}
		}
	}
	return idlest
}

// remove takes a connection out of the count, once. The lock is held.
func (c *connections) remove(s *stay) {
	if !s.of.stays[s] {
		return
	}
	delete(s.of.stays, s)
	s.of.closed++
	c.total--
	if c.addresses[s.address]--; c.addresses[s.address] <= 0 {
		delete(c.addresses, s.address)
	}
	c.news()
}

// Used implements [wire.Stay].
func (s *stay) Used() { s.used.Store(time.Now().UnixNano()) }

// Leave implements [wire.Stay].
func (s *stay) Leave() {
	s.in.mu.Lock()
	defer s.in.mu.Unlock()
	s.in.remove(s)
}
