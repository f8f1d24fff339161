package wire

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Request is one request as a handler sees it.
type Request struct {
	Key, Version  int16
	CorrelationID int32
	ClientID      string // "" if the client gave none
	Body          kmsg.Request
	Conn          *ConnInfo

	// Waited is set by the handler: for so long it only waited for others.
	Waited time.Duration
	Times  Times
	// Throttle is set by the handler: the connection rests so long after its answer (KIP-219).
	Throttle time.Duration

	later   func() kmsg.Response
	written []func(kmsg.Response)
	hangUp  error
}

// Times are the moments of a request's way through a server.
type Times struct {
	Arrived time.Time // its last byte
	Began   time.Time // its handler
	Handled time.Time // the handler returned
	Known   time.Time // its answer: later than that, for one that is answered later
	Turn    time.Time // earlier requests of the connection have their answers
	Sent    time.Time // the answer's last byte
}

// HangUp ends the connection, after the answer if there is one. A client that wants no answers learns by that of an error.
func (r *Request) HangUp(why error) { r.hangUp = why }

// ConnInfo says who is at the other end of a connection.
type ConnInfo struct {
	Remote, Local net.Addr
	Listener      string // name of the listener it came in by
	Principal     string // who authenticated, such as User:ANONYMOUS
	ByToken       bool   // by a delegation token
}

// Host is the client's address without its port.
func (c *ConnInfo) Host() string {
	host, _, err := net.SplitHostPort(c.Remote.String())
	if err != nil {
		return c.Remote.String()
	}
	return host
}

// Handler answers requests. Record batches in a Produce request are only valid until Serve returns; everything
// else may be kept.
type Handler interface {
	// Serve blocks until the response is known, unless it calls [Request.Later]. A nil response means that none is sent.
	Serve(ctx context.Context, r *Request) kmsg.Response
}

// Server serves the connections of one listener.
type Server struct {
	Handler  Handler
	Table    Table // ApiVersions is answered from it
	Listener string
	Security Security
	// Enter lets a connection in, optional. It waits until there is room; others of the listener queue up meanwhile. With an
	// error the connection is closed, after a rest.
	Enter func(ctx context.Context, conn net.Conn) (stay Stay, rest time.Duration, err error)
	// Answered is told of the requests that the server answers itself, ApiVersions; optional.
	Answered func(r *Request, answer kmsg.Response)
	// Authenticated is told of each client that has to say who it is, by TLS or SASL, whether it could; optional.
	Authenticated   func(could bool)
	MaxRequestBytes int           // socket.request.max.bytes
	MaxIdle         time.Duration // connections.max.idle.ms; 0 is forever
	Log             *slog.Logger
}

// Stay is told of a connection that was let in.
type Stay interface {
	Used()  // it has sent a request
	Leave() // it has ended
}

// freely is the stay of connections that nobody counts.
type freely struct{}

func (freely) Used()  {}
func (freely) Leave() {}

// Serve accepts connections until ctx ends, then closes them all and waits until their handlers have returned.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	var conns sync.WaitGroup
	defer conns.Wait()
	defer cancel()
	defer context.AfterFunc(ctx, func() { listener.Close() })()
	for {
		conn, err := listener.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				conn.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("listener %s: %w", s.Listener, err)
		case err != nil: // out of file descriptors, or the client is gone already
			s.Log.Warn("cannot accept a connection", "listener", s.Listener, "err", err)
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
		default:
			serve := s.enter(ctx, conn)
			conns.Go(serve)
		}
	}
}

// enter waits until a connection is let in, and returns what serves it, or ends it.
func (s *Server) enter(ctx context.Context, conn net.Conn) (serve func()) {
	if s.Enter == nil {
		return func() { s.serveConn(ctx, conn, freely{}) }
	}
	stay, wait, err := s.Enter(ctx, conn)
	if err == nil {
		return func() {
			defer stay.Leave()
			s.serveConn(ctx, conn, stay)
		}
	}
	return func() {
		defer conn.Close()
		rest(ctx, wait)
		if ctx.Err() == nil {
			s.Log.Info("connection refused", "client", conn.RemoteAddr(), "listener", s.Listener, "err", err)
		}
	}
}

// ServeConn serves one connection until it ends, its peer breaks the protocol, or ctx ends.
func (s *Server) ServeConn(ctx context.Context, conn net.Conn) { s.enter(ctx, conn)() }

func (s *Server) serveConn(ctx context.Context, conn net.Conn, stay Stay) {
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	hasten(conn)
	info := &ConnInfo{Remote: conn.RemoteAddr(), Local: conn.LocalAddr(), Listener: s.Listener, Principal: Anonymous}
	secured, err := s.secure(ctx, conn, info)
	if err != nil {
		s.ended(ctx, conn, err)
		return
	}
	defer secured.Close()
	c := &served{Server: s, conn: secured, stay: stay, in: bufio.NewReaderSize(secured, 32<<10), info: info}
	if s.Security.SASL != nil {
		c.auth = s.Security.SASL(info)
	}
	defer func() {
		if p := recover(); p != nil {
			s.Log.Error("handler failed, connection closed", "client", conn.RemoteAddr(), "request", c.current.String(), "panic", p, "stack", string(debug.Stack()))
		}
	}()
	c.pending.c = c
	defer c.pending.close()
	for {
		if err := c.one(ctx); err != nil {
			s.ended(ctx, conn, err)
			return
		}
	}
}

// ended says why a connection ended, unless that is of no interest.
func (s *Server) ended(ctx context.Context, conn net.Conn, err error) {
	_, wrong := errors.AsType[malformedError](err)
	_, refused := errors.AsType[refusedError](err)
	switch {
	case ctx.Err() != nil:
	case refused:
		s.Log.Info("authentication failed, connection closed", "client", conn.RemoteAddr(), "listener", s.Listener, "err", err)
	case wrong:
		s.Log.Warn("malformed request, connection closed", "client", conn.RemoteAddr(), "err", err)
	case !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed):
		s.Log.Debug("connection ended", "client", conn.RemoteAddr(), "err", err)
	}
}

// keepBuffer is the largest buffer that a connection holds on to between requests.
const keepBuffer = 4 << 20

// served is the state of one connection.
type served struct {
	*Server
	conn    net.Conn
	stay    Stay
	in      *bufio.Reader
	info    *ConnInfo
	auth    Authenticator // nil: none is asked for
	proven  bool          // it has let the client in once
	current header        // of the request being handled
	read    []byte        // free to be read into, or nil
	write   []byte        // free to be written to
	pending underWay
}

// one reads, handles and answers one request.
func (c *served) one(ctx context.Context) error {
	if c.MaxIdle > 0 {
		if err := c.conn.SetReadDeadline(time.Now().Add(c.MaxIdle)); err != nil {
			return err
		}
	}
	frame, err := readFrame(c.in, c.read, c.limit())
	c.read = nil
	if err != nil {
		return err
	}
	c.stay.Used()
	arrived := time.Now()
	if c.auth != nil && c.auth.Raw() {
		return c.token(ctx, frame)
	}
	h, body, err := readHeader(frame)
	if err != nil {
		return err
	}
	if h.Key == keyAPIVersions && !c.Table.Has(h.Key, h.Version) {
		c.pending.drain()
		return c.reply(h.CorrelationID, c.Table.response(h.Version))
	}
	if !c.Table.Has(h.Key, h.Version) {
		return malformed("%s (API key %d) version %d is not supported", kmsg.NameForKey(h.Key), h.Key, h.Version)
	}
	request, err := readBody(h, body)
	if err != nil {
		return err
	}
	if h.Key != keyProduce {
		c.pending.drain()
	}
	if h.Key == keyAPIVersions {
		return c.answerVersions(arrived, h, request)
	}
	if c.auth != nil {
		if h.Key == keySASLHandshake || h.Key == keySASLAuthenticate {
			return c.authenticate(ctx, h, request)
		}
		if err := c.auth.Admit(); err != nil {
			c.proved(err)
			return refusedError{fmt.Errorf("%s: %w", kmsg.NameForKey(h.Key), err)}
		}
	}
	return c.handle(ctx, arrived, h, request, frame)
}

// answerVersions answers ApiVersions.
func (c *served) answerVersions(arrived time.Time, h header, body kmsg.Request) error {
	r := &Request{Key: h.Key, Version: h.Version, CorrelationID: h.CorrelationID, ClientID: h.ClientID, Body: body, Conn: c.info}
	r.Times.Arrived, r.Times.Began = arrived, time.Now()
	answer := c.Table.response(h.Version)
	r.Times.Handled = time.Now()
	r.Times.Known, r.Times.Turn = r.Times.Handled, r.Times.Handled
	err := c.reply(h.CorrelationID, answer)
	r.Times.Sent = time.Now()
	if c.Answered != nil {
		c.Answered(r, answer)
	}
	return err
}

// handle hands a request to the handler and answers it.
func (c *served) handle(ctx context.Context, arrived time.Time, h header, body kmsg.Request, frame []byte) error {
	c.current = h
	request := &Request{
		Key: h.Key, Version: h.Version, CorrelationID: h.CorrelationID, ClientID: h.ClientID, Body: body, Conn: c.info,
	}
	request.Times = Times{Arrived: arrived, Began: time.Now()}
	response := c.Handler.Serve(ctx, request)
	request.Times.Handled = time.Now()
	if reusable(h.Key) && cap(frame) <= keepBuffer {
		c.read = frame
	}
	if request.later != nil {
		c.pending.add(request)
		rest(ctx, request.Throttle)
		return nil
	}
	request.Times.Known = request.Times.Handled
	c.pending.drain()
	request.Times.Turn = time.Now()
	var err error
	if response != nil {
		response.SetVersion(h.Version)
		err = c.reply(h.CorrelationID, response)
	}
	request.done(response)
	rest(ctx, request.Throttle)
	return cmp.Or(err, request.hangUp)
}

func (c *served) reply(correlationID int32, response kmsg.Response) error {
	if fetched, ok := response.(*kmsg.FetchResponse); ok {
		return c.replyFetch(correlationID, fetched)
	}
	frame := endFrame(appendResponse(beginFrame(c.write), correlationID, response))
	if cap(frame) <= keepBuffer {
		c.write = frame
	}
	_, err := c.conn.Write(frame)
	return err
}

// replyFetch leaves the records where they are.
func (c *served) replyFetch(correlationID int32, response *kmsg.FetchResponse) error {
	frame := pieces{text: appendHeader(beginFrame(c.write), correlationID, response)}
	frame.appendFetch(response)
	c.write = frame.text
	buffers := frame.buffers()
	_, err := buffers.WriteTo(c.conn)
	return err
}

// reusable says whether nothing of a request outlives its handling: decoded byte slices alias the frame, and
// group members, for one, keep theirs.
func reusable(key int16) bool {
	return key == keyProduce || key == keyFetch
}
