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

	received, sent atomic.Int64

	mu       sync.Mutex
	changed  sync.Cond // on mu: out, pending, finishing or gone
	out      []byte    // frames that wait for the writer
	pending  int       // writes under way
	finished bool      // the writer ends when out is empty
	gone     bool

	down chan struct{} // closed with gone
}

func newConn(s *Server, nc net.Conn) *conn {
	host, _, err := net.SplitHostPort(nc.RemoteAddr().String())
	if err != nil {
		host = nc.RemoteAddr().String()
	}
	c := &conn{
		server: s, nc: nc, host: host, since: time.Now(), down: make(chan struct{}),
		auth: []proto.ID{{Scheme: "ip", ID: host}},
	}
	c.changed.L = &c.mu
	return c
}

// kill ends the connection at once.
func (c *conn) kill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return
	}
	c.gone = true
	close(c.down)
	c.nc.Close()
	c.changed.Broadcast()
}

func (c *conn) isGone() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.gone
}

// finish ends the connection once everything that is queued has gone out.
func (c *conn) finish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.finished = true
	c.changed.Broadcast()
}

// queue appends one frame for the client. The caller holds a lock of the state, see the package comment.
func (c *conn) queue(body func(*proto.Encoder)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone || c.finished {
		return
	}
	start := len(c.out)
	e := proto.Encoder{B: append(c.out, 0, 0, 0, 0)}
	body(&e)
	binary.BigEndian.PutUint32(e.B[start:], uint32(len(e.B)-start-4))
	c.out = e.B
	c.sent.Add(1)
	c.changed.Broadcast()
	if len(c.out) > backlogMax {
		c.server.log.Warn("client reads too slowly, disconnected", "remote", c.nc.RemoteAddr(), "backlog", len(c.out))
		go c.kill()
	}
}

// write sends what is queued until the connection ends.
func (c *conn) write() {
	defer c.kill()
	var spare []byte
	for {
		c.mu.Lock()
		for len(c.out) == 0 && !c.gone && !c.finished {
			c.changed.Wait()
		}
		if c.gone || len(c.out) == 0 {
			c.mu.Unlock()
			return
		}
		out := c.out
		c.out = spare[:0]
		c.mu.Unlock()
		c.nc.SetWriteDeadline(time.Now().Add(flushLimit))
		if _, err := c.nc.Write(out); err != nil {
			return
		}
		if spare = out; cap(spare) > 64<<10 {
			spare = nil
		}
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
	c.pending--
	c.changed.Broadcast()
}

// settle waits until at most limit writes are under way; false if the connection has ended.
func (c *conn) settle(limit int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.pending > limit && !c.gone {
		c.changed.Wait()
	}
	return !c.gone
}

// serve reads requests until the connection ends.
func (c *conn) serve(ctx context.Context) {
	stop := context.AfterFunc(ctx, c.kill)
	defer stop()
	writer := make(chan struct{})
	go func() { defer close(writer); c.write() }()
	err := c.read(ctx)
	if ended(err) {
		err = nil
	}
	if err != nil && ctx.Err() == nil {
		c.server.log.Warn("connection closed", "remote", c.nc.RemoteAddr(), "session", hexID(c.session.Load()), "err", err)
	}
	c.finish() // what is queued still goes out
	<-writer
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
		c.fourLetters(word)
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
		if err := c.request(frame); err != nil {
			return err
		}
	}
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
