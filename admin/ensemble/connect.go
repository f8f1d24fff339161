package ensemble

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-zookeeper/zk"
)

// Servers splits a connect string host:port,…/chroot.
func Servers(connect string) (servers []string, chroot string) {
	list, path, _ := strings.Cut(connect, "/")
	for host := range strings.SplitSeq(list, ",") {
		if host = strings.TrimSpace(host); host == "" {
			continue
		}
		if _, _, err := net.SplitHostPort(host); err != nil {
			host = net.JoinHostPort(host, "2181")
		}
		servers = append(servers, host)
	}
	if path = strings.Trim(path, "/"); path != "" {
		chroot = "/" + path
	}
	return servers, chroot
}

// Config says how to open a session.
type Config struct {
	Servers []string
	Timeout time.Duration // of the session: how soon a hung server is left
	// Event gets what happens to the session and to watches; it must not wait. nil for nobody.
	Event func(zk.Event)
	Access
	Log *slog.Logger // nil discards
}

// Access is what servers want to know of a client, and it of them.
type Access struct {
	Auth []Credential // who the client is, told before the events tell that there is a session
	TLS  *tls.Config  // of their secure port; nil where that is not asked
}

// Session is a client's session with an ensemble. It connects again as long as it is not closed.
type Session struct {
	*zk.Conn
	hosts *hosts
}

// Connect starts to open a session; the events tell when there is one.
func Connect(cfg Config) (*Session, error) {
	if len(cfg.Servers) == 0 {
		return nil, fmt.Errorf("no ZooKeeper server is named: write host:port,…/chroot")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Event == nil {
		cfg.Event = func(zk.Event) {}
	}
	var who *introduction
	if len(cfg.Auth) > 0 {
		who = introduce(cfg.Auth, cfg.Event, cfg.Log)
		cfg.Event = who.event
	}
	h := &hosts{}
	conn, _, err := zk.Connect(cfg.Servers, cfg.Timeout, zk.WithDialer(dialer(cfg.Timeout, cfg.TLS)), zk.WithLogInfo(false),
		zk.WithLogger(logger{cfg.Log}), zk.WithEventCallback(cfg.Event), zk.WithHostProvider(h))
	if err != nil {
		return nil, err
	}
	if who != nil {
		who.conn <- conn
	}
	return &Session{Conn: conn, hosts: h}, nil
}

// Close ends the session.
func (s *Session) Close() {
	s.hosts.closing.Store(true)
	s.Conn.Close()
}

// dialer bounds every wait for an answer: the client library would wait ten times longer while it shakes hands with
// a server that hangs.
func dialer(session time.Duration, secure *tls.Config) zk.Dialer {
	return func(_, address string, _ time.Duration) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(context.Background(), min(time.Second, session))
		defer cancel()
		conn, err := dial(ctx, address, secure)
		if err != nil {
			time.Sleep(pause)
			return nil, err
		}
		return &hasty{Conn: conn, limit: max(session, time.Second)}, nil
	}
}

// dial connects to a server, over TLS if that is not nil.
func dial(ctx context.Context, address string, secure *tls.Config) (net.Conn, error) {
	if secure == nil {
		return new(net.Dialer).DialContext(ctx, "tcp", address)
	}
	return (&tls.Dialer{Config: secure}).DialContext(ctx, "tcp", address)
}

type hasty struct {
	net.Conn
	limit time.Duration
	shook atomic.Bool
}

// SetReadDeadline shortens the first deadline, that of the handshake; later ones follow from the session's timeout.
func (h *hasty) SetReadDeadline(t time.Time) error {
	if limit := time.Now().Add(h.limit); !t.IsZero() && t.After(limit) && h.shook.CompareAndSwap(false, true) {
		t = limit
	}
	return h.Conn.SetReadDeadline(t)
}

type logger struct{ log *slog.Logger }

func (l logger) Printf(format string, args ...any) {
	l.log.Debug("zookeeper: " + fmt.Sprintf(format, args...))
}
