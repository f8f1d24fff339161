package coordinator

import (
	"context"
	"net"

	"golang.org/x/sync/errgroup"

	"kdrill/node/coordinator/members"
)

// A change of the members may move the port on which a node takes clients. It takes effect at once: the node listens at the
// new one, then no more at the old one. Who is connected stays.

// entrance is where a node takes clients that do not speak TLS. Its fields are guarded by the state's lock.
type entrance struct {
	now    net.Listener
	left   map[net.Listener]bool // no more listened at
	wanted chan string           // the next address; capacity 1, the newest wins
}

func newEntrance() entrance {
	return entrance{left: map[net.Listener]bool{}, wanted: make(chan string, 1)}
}

// clientAddr is where a member's line has this node take clients; "" for where it does. The address of all hosts means the
// one that the node has been given.
func (s *Server) clientAddr(m members.Member) string {
	host, _, _ := net.SplitHostPort(s.addr)
	if m.ClientPort == "" || m.ClientPort == "0" || s.cfg.clientAddr == "" {
		return ""
	}
	if ip := net.ParseIP(m.ClientHost); ip == nil || !ip.IsUnspecified() {
		host = m.ClientHost
	}
	if addr := net.JoinHostPort(host, m.ClientPort); addr != s.addr {
		return addr
	}
	return ""
}

// moveClients has clients taken where the members say. The caller holds the state's lock.
func (s *Server) moveClients() {
	m, here := s.machine.Members().Find(s.cfg.id)
	addr := s.clientAddr(m)
	if !here || addr == "" {
		return
	}
	select {
	case <-s.entrance.wanted:
	default:
	}
	s.entrance.wanted <- addr
}

// follow listens where it is wanted, until ctx is done.
func (s *Server) follow(ctx context.Context, g *errgroup.Group) {
	for {
		select {
		case <-ctx.Done():
			return
		case addr := <-s.entrance.wanted:
			l, err := listenAt("clientPort", addr)
			if err != nil {
				s.log.Error("the new client address cannot be used, clients are taken at the old one until this node starts again", "address", addr, "err", err)
				continue
			}
			s.mu.Lock()
			old := s.entrance.now
			s.entrance.now, s.entrance.left[old], s.addr = l, true, l.Addr().String()
			s.mu.Unlock()
			g.Go(func() error { return s.accept(ctx, l) })
			old.Close()
			s.log.Info("clients are taken at another address", "address", addr, "before", old.Addr())
		}
	}
}

// hasLeft says whether a listener has been replaced, and forgets it.
func (s *Server) hasLeft(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	left := s.entrance.left[l]
	delete(s.entrance.left, l)
	return left
}
