package coordinator

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"kdrill/node/coordinator/proto"
	"kdrill/node/coordinator/quorum"
	"kdrill/node/coordinator/session"
	"kdrill/node/coordinator/state"
)

// Server answers the clients of one node and is the quorum's [quorum.Applier].
type Server struct {
	cfg       *settings
	log       *slog.Logger
	quorum    *quorum.Node
	tracker   *session.Tracker
	watches   *watches
	started   time.Time
	settled   sync.Once // the node has served once
	stats     stats
	slowSyncs func() int64 // of the log
	lastID    atomic.Int64 // of sessions made here
	traceMask atomic.Int64 // what gtmk tells and stmk sets; Apache traces by it, here the log level decides alone
	words     map[string]fourLetterWord

	mu       sync.RWMutex
	addr     string // where clients connect
	entrance entrance
	machine  *state.Machine
	sessions map[int64]*conn // by the session that is connected here
	role     quorum.Role
	up       chan struct{} // closed while the node serves
	downAt   time.Time     // since when it does not
	changing waiter        // for the end of a change of members that a client here has asked for; nil if there is none
	due      []*conn       // see answered
	written  int64         // the version of the members that this node's files have

	connMu  sync.Mutex
	conns   map[*conn]struct{}
	perHost map[string]int
}

func newServer(s *settings, log *slog.Logger, addr string) *Server {
	now := time.Now()
	srv := &Server{
		cfg: s, log: log, addr: addr, started: now, downAt: now, entrance: newEntrance(), written: s.version,
		tracker: session.New(stall(s)), watches: newWatches(),
		machine: state.New(s.membership()), sessions: map[int64]*conn{}, up: make(chan struct{}),
		conns: map[*conn]struct{}{}, perHost: map[string]int{},
	}
	srv.words = fourLetterWords()
	srv.traceMask.Store(306) // Apache's default
	srv.lastID.Store(int64(uint64(now.UnixMilli())<<24>>8 | s.id<<56))
	return srv
}

// run accepts clients and watches over sessions until ctx is done.
func (s *Server) run(ctx context.Context, listeners []net.Listener) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { s.watchSessions(ctx); return nil })
	g.Go(func() error { s.reap(ctx); return nil })
	g.Go(func() error { s.follow(ctx, g); return nil })
	s.mu.Lock()
	s.entrance.now = listeners[0]
	s.mu.Unlock()
	for _, l := range listeners {
		g.Go(func() error { return s.accept(ctx, l) })
	}
	return g.Wait()
}

func (s *Server) accept(ctx context.Context, l net.Listener) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	for {
		nc, err := l.Accept()
		if ctx.Err() != nil {
			if err == nil {
				nc.Close()
			}
			return nil
		}
		if errors.Is(err, net.ErrClosed) {
			if s.hasLeft(l) {
				return nil
			}
			return err
		}
		if err != nil { // out of file descriptors, most likely
			s.log.Warn("accept a client", "err", err)
			select {
			case <-time.After(100 * time.Millisecond):
			case <-ctx.Done():
			}
			continue
		}
		c := newConn(s, nc)
		if !s.admit(c) {
			s.stats.rejected.Add(1)
			s.log.Warn("too many connections, refused", "remote", nc.RemoteAddr(), "maxClientCnxns", s.cfg.maxConnections, "maxCnxns", s.cfg.allConnections)
			nc.Close()
			continue
		}
		wg.Go(func() {
			c.serve(ctx)
			s.forget(c)
		})
	}
}

func (s *Server) admit(c *conn) bool {
	s.connMu.Lock()
	defer s.connMu.Unlock()
	if s.cfg.maxConnections > 0 && s.perHost[c.host] >= s.cfg.maxConnections || s.cfg.allConnections > 0 && len(s.conns) >= s.cfg.allConnections {
		return false
	}
	s.perHost[c.host]++
	s.conns[c] = struct{}{}
	return true
}

func (s *Server) forget(c *conn) {
	s.watches.drop(c)
	s.mu.Lock()
	if id := c.session.Load(); s.sessions[id] == c {
		delete(s.sessions, id)
	}
	s.mu.Unlock()
	s.connMu.Lock()
	defer s.connMu.Unlock()
	delete(s.conns, c)
	if s.perHost[c.host]--; s.perHost[c.host] == 0 {
		delete(s.perHost, c.host)
	}
}

func (s *Server) dropAll() {
	s.connMu.Lock()
	defer s.connMu.Unlock()
	for c := range s.conns {
		c.kill()
	}
}

// stall is a silence of this process itself that says nothing about its clients.
func stall(s *settings) time.Duration { return max(s.tick, time.Second) }

// watchSessions passes signs of life on to the leader, those of a while at once; as the leader it ends the sessions that
// show none.
func (s *Server) watchSessions(ctx context.Context) {
	// New sessions, and all of them after a change of leader, have at least the least timeout.
	longest := min(s.cfg.minSession/2, stall(s.cfg)/2)
	while := min(100*time.Millisecond, s.cfg.minSession/16)
	timer := time.NewTimer(longest)
	defer timer.Stop()
	for {
		s.mu.RLock()
		role := s.role
		s.mu.RUnlock()
		some := s.tracker.Some()
		if role.Leading() {
			some = nil
		}
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			s.endSilent()
		case <-some:
			select {
			case <-ctx.Done():
				return
			case <-time.After(while):
			}
			s.passOn()
			continue
		}
		next := longest
		if role.Leading() {
			next = max(s.tracker.Next(longest), time.Millisecond)
		}
		timer.Reset(next)
	}
}

// passOn tells the leader which sessions were alive here.
func (s *Server) passOn() {
	s.mu.RLock()
	role := s.role
	s.mu.RUnlock()
	touched := s.tracker.TakeTouched()
	if role.Leader != 0 && !role.Leading() && len(touched) > 0 {
		s.quorum.Touched(role.Leader, touched)
	}
}

// endSilent ends the sessions that are silent, if this node leads.
func (s *Server) endSilent() {
	s.mu.RLock()
	role := s.role
	s.mu.RUnlock()
	if !role.Leading() {
		return
	}
	s.tracker.TakeTouched()
	for _, id := range s.tracker.Expired() {
		s.log.Info("session expired", "session", hexID(id))
		s.submit(&state.Command{Kind: state.Expire, Session: id, Term: role.Term}, nil)
	}
}

// submit proposes a command; false if the node does not serve.
func (s *Server) submit(c *state.Command, token any) bool {
	c.Time = time.Now().UnixMilli()
	e := proto.Encoder{B: make([]byte, 0, 64+len(c.Body))}
	c.Encode(&e)
	return s.quorum.Submit(e.B, token)
}

// waitUp waits until the node serves. It is false if that takes too long: the client should try another node.
func (s *Server) waitUp(ctx context.Context) bool {
	s.mu.RLock()
	up, patience := s.up, time.Until(s.downAt.Add(time.Second))
	s.mu.RUnlock()
	select {
	case <-up:
		return true
	default:
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-up:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

func (s *Server) isUp() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	select {
	case <-s.up:
		return true
	default:
		return false
	}
}
