package coordinator

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"kdrill/node/coordinator/proto"
	"kdrill/node/coordinator/socket"
)

const (
	pipelineMax = 1000     // writes under way on one connection; more are read later
	backlogMax  = 64 << 20 // bytes that a client has not read; with more it is cut off
	helloLimit  = 10 * time.Second
	flushLimit  = 10 * time.Second
)

// conn is the connection of one client.
type conn struct {
	server  *Server
	nc      net.Conn
	host    string
	since   time.Time
	session atomic.Int64 // 0 until it is established
	auth    []proto.ID   // changed by the reader, under the state's read lock

	readOnly       atomic.Bool // there was no quorum when it came
	received, sent atomic.Int64

	out *socket.Out

	// Under the state's write lock: see Server.answered.
	due, last bool

	mu      sync.Mutex
	pending int           // writes under way
	limit   int           // the reader waits for no more than these
	settled chan struct{} // until this is closed; nil if it does not wait
}

func newConn(s *Server, nc net.Conn) *conn {
	host, _, err := net.SplitHostPort(nc.RemoteAddr().String())
	if err != nil {
		host = nc.RemoteAddr().String()
	}
	return &conn{
		server: s, nc: nc, host: host, since: time.Now(), out: socket.NewOut(nc, flushLimit),
		auth: []proto.ID{{Scheme: "ip", ID: host}},
	}
}

// kill ends the connection at once.
func (c *conn) kill() { c.out.Close() }

// down is closed when the connection has ended.
func (c *conn) down() <-chan struct{} { return c.out.Ended() }

func (c *conn) isGone() bool {
	select {
	case <-c.down():
		return true
	default:
		return false
	}
}

// queue appends one frame for the client, which goes out with the next flush. The caller holds a lock of the state, see
// the package comment.
func (c *conn) queue(body func(*proto.Encoder)) {
	backlog := c.out.Put(func(b []byte) []byte {
		start := len(b)
		e := proto.Encoder{B: append(b, 0, 0, 0, 0)}
		body(&e)
		binary.BigEndian.PutUint32(e.B[start:], uint32(len(e.B)-start-4))
		return e.B
	})
	if backlog > 0 {
		c.sent.Add(1)
	}
	if backlog > backlogMax {
		c.server.log.Warn("client reads too slowly, disconnected", "remote", c.nc.RemoteAddr(), "backlog", backlog)
		c.kill()
	}
}

// begin counts a write that is under way.
func (c *conn) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pending++
}

// end uncounts it.
func (c *conn) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pending--; c.settled != nil && c.pending <= c.limit {
		close(c.settled)
		c.settled = nil
	}
}

// settle has the reader wait until at most limit writes are under way; false if the connection has ended.
func (c *conn) settle(limit int) bool {
	c.mu.Lock()
	if c.pending <= limit {
		c.mu.Unlock()
		return !c.isGone()
	}
	settled := make(chan struct{})
	c.limit, c.settled = limit, settled
	c.mu.Unlock()
	c.out.Flush()
	select {
	case <-settled:
		return true
	case <-c.down():
		return false
	}
}

// serve reads requests until the connection ends.
func (c *conn) serve(ctx context.Context) {
	stop := context.AfterFunc(ctx, c.kill)
	defer stop()
	err := c.read(ctx)
	if ended(err) {
		err = nil
	}
	if err != nil && ctx.Err() == nil {
		c.server.log.Warn("connection closed", "remote", c.nc.RemoteAddr(), "session", hexID(c.session.Load()), "err", err)
	}
	c.out.Finish() // what is queued still goes out
	<-c.down()
}

func ended(err error) bool {
	var timeout net.Error
	return err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.As(err, &timeout)
}

func (c *conn) read(ctx context.Context) error {
	c.nc.SetReadDeadline(time.Now().Add(helloLimit))
	r := bufio.NewReaderSize(c.nc, 4<<10)
	first, err := r.Peek(4)
	if err != nil {
		return err
	}
	if word := string(first); c.server.words[word] != nil {
		if _, err := r.Discard(len(word)); err != nil {
			return err
		}
		c.fourLetters(word, r)
		return nil
	}
	var frame []byte
	if frame, err = c.frame(r, frame); err != nil {
		return err
	}
	if err := c.connect(ctx, frame); err != nil {
		return err
	}
	c.nc.SetReadDeadline(time.Time{})
	for {
		if frame, err = c.frame(r, frame); err != nil {
			return err
		}
		err = c.request(frame)
		if !buffered(r) { // the replies to requests that came together go out together
			c.out.Flush()
		}
		if err != nil {
			return err
		}
	}
}

// buffered says whether the next frame is here.
func buffered(r *bufio.Reader) bool {
	if r.Buffered() < 4 {
		return false
	}
	head, _ := r.Peek(4)
	return uint32(r.Buffered()-4) >= binary.BigEndian.Uint32(head)
}

// frame reads the next frame, into the memory of the one before if it fits.
func (c *conn) frame(r *bufio.Reader, b []byte) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := int32(binary.BigEndian.Uint32(head[:]))
	if n < 0 || int(n) > c.server.cfg.maxBuffer {
		c.server.stats.tooLarge.Add(1)
		return nil, fmt.Errorf("frame of %d bytes, jute.maxbuffer is %d", n, c.server.cfg.maxBuffer)
	}
	if cap(b) < int(n) || cap(b) > 64<<10 {
		b = make([]byte, n)
	}
	b = b[:n]
	_, err := io.ReadFull(r, b)
	c.received.Add(1)
	c.server.stats.received.Add(1)
	c.server.stats.bytesReceived.Add(int64(n) + 4)
	return b, err
}
