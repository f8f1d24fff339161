package broker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-zookeeper/zk"

	"kdrill/node/broker/settings"
)

// session is the broker's connection to ZooKeeper. It outlives sessions: after one expired the client opens the next.
type session struct {
	*zk.Conn
	log *slog.Logger

	mu      sync.Mutex
	id      int64 // 0 while there is no session or no connection
	last    int64 // id of the last session, 0 if it expired
	dialed  int   // servers since there was a session
	closing bool
	changed chan struct{}
}

// Close ends the session.
func (s *session) Close() {
	s.mu.Lock()
	s.closing = true
	s.mu.Unlock()
	s.Conn.Close()
}

// connectZooKeeper returns when there is a session. The chroot is made if need be.
func connectZooKeeper(ctx context.Context, to settings.ZooKeeper, log *slog.Logger) (*session, error) {
	if to.Chroot != "" {
		outside := to
		outside.Chroot = ""
		s, err := openSession(ctx, outside, log)
		if err != nil {
			return nil, err
		}
		defer s.Close()
		if err := s.ensure(ctx, to.Chroot); err != nil {
			return nil, fmt.Errorf("zookeeper.connect: chroot %s: %w", to.Chroot, err)
		}
	}
	return openSession(ctx, to, log)
}

func openSession(ctx context.Context, to settings.ZooKeeper, log *slog.Logger) (*session, error) {
	s := &session{log: log, changed: make(chan struct{})}
	servers := strings.Join(to.Servers, ",")
	log.Info("connecting to ZooKeeper", "servers", servers)
	dial := func(network, address string, timeout time.Duration) (net.Conn, error) {
		conn, err := net.DialTimeout(network, address, timeout)
		if err != nil {
			return nil, err
		}
		conn = &impatient{Conn: conn, limit: s.patience(to)}
		if to.Chroot == "" {
			return conn, nil
		}
		return newChrooted(conn, to.Chroot), nil
	}
	s.mu.Lock() // events wait until the connection they are about is in place
	conn, _, err := zk.Connect(to.Servers, to.SessionTimeout, zk.WithLogger(zkLogger{log}),
		zk.WithEventCallback(s.event), zk.WithHostProvider(new(hosts)), zk.WithDialer(dial))
	s.Conn = conn
	s.mu.Unlock()
	if err != nil {
		return nil, fmt.Errorf("zookeeper.connect %s: %w", servers, err)
	}
	limit, cancel := context.WithTimeout(ctx, to.ConnectionTimeout)
	defer cancel()
	if _, err := s.await(limit, func(id int64) bool { return id != 0 }); err != nil {
		s.Close()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("no ZooKeeper server at %s gave a session within %v: start the coordinators, or mend zookeeper.connect", servers, to.ConnectionTimeout)
	}
	return s, nil
}

// patience is how long the next server may take for its first reply: one that hangs must not cost the session there is.
// With each round in vain it grows, since all may be slow.
func (s *session) patience(to settings.ZooKeeper) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	rounds := s.dialed / len(to.Servers)
	s.dialed++
	if s.last == 0 {
		return to.SessionTimeout * time.Duration(1+rounds)
	}
	return to.SessionTimeout / 3 * time.Duration(1+rounds)
}

// impatient is a connection to a ZooKeeper server that may be reached and yet hang. The client gives a server many times
// the session's timeout for the first reply; here it is limit, and the next server is tried.
type impatient struct {
	net.Conn
	limit    time.Duration
	answered atomic.Bool
}

func (c *impatient) SetReadDeadline(t time.Time) error {
	if most := time.Now().Add(c.limit); !c.answered.Load() && t.After(most) {
		t = most
	}
	return c.Conn.SetReadDeadline(t)
}

func (c *impatient) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.answered.Store(true)
	}
	return n, err
}

// event is called by the client and must not block.
func (s *session) event(e zk.Event) {
	if e.Type != zk.EventSession {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch e.State {
	case zk.StateHasSession:
		if s.id = s.SessionID(); s.id != s.last {
			s.log.Info("ZooKeeper session opened", "server", e.Server)
		} else {
			s.log.Info("ZooKeeper session resumed", "server", e.Server)
		}
		s.last, s.dialed = s.id, 0
	case zk.StateExpired:
		s.id, s.last = 0, 0
		s.log.Warn("ZooKeeper session expired")
	case zk.StateDisconnected:
		if s.id != 0 && !s.closing {
			s.log.Warn("connection to ZooKeeper lost", "server", e.Server)
		}
		s.id = 0
	default:
		return
	}
	close(s.changed)
	s.changed = make(chan struct{})
}

// current returns the id of the session, 0 while there is none or the connection is down.
func (s *session) current() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.id
}

// await blocks until the session's id is as wanted, and returns it.
func (s *session) await(ctx context.Context, wanted func(id int64) bool) (int64, error) {
	for {
		s.mu.Lock()
		id, changed := s.id, s.changed
		s.mu.Unlock()
		if wanted(id) {
			return id, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// do runs an operation until ZooKeeper answered it: what fails for want of a connection is repeated.
func (s *session) do(ctx context.Context, op func() error) error {
	for {
		err := op()
		if err == nil || answered(err) {
			return err
		}
		if _, lost := s.await(ctx, func(id int64) bool { return id != 0 }); lost != nil {
			return errors.Join(err, lost)
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// answered says whether an error is ZooKeeper's answer, rather than the lack of one.
func answered(err error) bool {
	for _, final := range []error{
		zk.ErrNoNode, zk.ErrNodeExists, zk.ErrBadVersion, zk.ErrNotEmpty, zk.ErrNoAuth, zk.ErrNoChildrenForEphemerals,
		zk.ErrInvalidACL, zk.ErrInvalidPath, zk.ErrAPIError, zk.ErrBadArguments, zk.ErrAuthFailed, zk.ErrClosing,
	} {
		if errors.Is(err, final) {
			return true
		}
	}
	return false
}

func (s *session) get(ctx context.Context, path string) (data []byte, stat *zk.Stat, err error) {
	err = s.do(ctx, func() error {
		data, stat, err = s.Get(path)
		return err
	})
	return data, stat, err
}

func (s *session) children(ctx context.Context, path string) (names []string, err error) {
	err = s.do(ctx, func() error {
		names, _, err = s.Children(path)
		return err
	})
	return names, err
}

func (s *session) exists(ctx context.Context, path string) (there bool, err error) {
	err = s.do(ctx, func() error {
		there, _, err = s.Exists(path)
		return err
	})
	return there, err
}

func (s *session) create(ctx context.Context, path string, data []byte, flags int32) (made string, err error) {
	err = s.do(ctx, func() error {
		made, err = s.Create(path, data, flags, zk.WorldACL(zk.PermAll))
		return err
	})
	return made, err
}

func (s *session) multi(ctx context.Context, ops ...any) error {
	return s.do(ctx, func() error {
		results, err := s.Multi(ops...)
		if err != nil {
			return err
		}
		for _, r := range results {
			if r.Error != nil {
				return r.Error
			}
		}
		return nil
	})
}

// createRequest makes an operation for [session.multi].
func createRequest(path string, data []byte, flags int32) *zk.CreateRequest {
	return &zk.CreateRequest{Path: path, Data: data, Acl: zk.WorldACL(zk.PermAll), Flags: flags}
}

// ensure creates a persistent znode without data, and its parents, where they do not exist.
func (s *session) ensure(ctx context.Context, path string) error {
	if there, err := s.exists(ctx, path); err != nil || there {
		return err
	}
	if i := strings.LastIndexByte(path, '/'); i > 0 {
		if err := s.ensure(ctx, path[:i]); err != nil {
			return err
		}
	}
	if _, err := s.create(ctx, path, nil, 0); err != nil && !errors.Is(err, zk.ErrNodeExists) {
		return fmt.Errorf("create %s: %w", path, err)
	}
	return nil
}

// zkLogger takes what the client says for itself.
type zkLogger struct{ log *slog.Logger }

func (l zkLogger) Printf(format string, args ...any) {
	for _, a := range args {
		if err, ok := a.(error); ok && errors.Is(err, io.EOF) {
			return
		}
	}
	l.log.Debug("ZooKeeper client: " + fmt.Sprintf(format, args...))
}
