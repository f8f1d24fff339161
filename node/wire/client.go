package wire

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// maxResponse bounds a reply that a client accepts.
const maxResponse = 1 << 30

// Client is one connection to a broker. Requests are written in the order of their calls and answered in that
// order; several may be under way.
type Client struct {
	conn      net.Conn
	formatter *kmsg.RequestFormatter

	mu      sync.Mutex // guards what follows and the order of writes
	last    int32      // correlation id
	waiting []*call    // in the order of their requests
	broken  error      // why the connection is of no use any more
	recycle bool
	fetched []byte // the reply to the last Fetch, to be overwritten by the next
	spare   int    // how many replies in a row needed only a part of it

	done chan struct{} // the reader has ended

	login   func(context.Context) (lifetime time.Duration, err error) // nil: nobody asks who this is
	turn    sync.RWMutex                                              // held by logIn, shared by requests
	expires atomic.Int64                                              // when to log in again, Unix nanoseconds; 0 for never
}

// call is a request that waits for its reply.
type call struct {
	id      int32
	request kmsg.Request
	reply   chan result // has room for one
}

type result struct {
	response kmsg.Response
	err      error
}

// NewClient speaks over a connection that exists already.
func NewClient(conn net.Conn, clientID string) *Client {
	c := &Client{
		conn: conn, formatter: kmsg.NewRequestFormatter(kmsg.FormatterClientID(clientID)), done: make(chan struct{}),
	}
	c.expires.Store(never)
	go c.readReplies()
	return c
}

// Request sends a request, whose version the caller has set, and waits for its reply. When ctx ends first only
// this call is given up; an error of the connection fails every call on it, now and later.
func (c *Client) Request(ctx context.Context, request kmsg.Request) (kmsg.Response, error) {
	if c.login == nil {
		return c.exchange(ctx, request)
	}
	if c.due(time.Now()) {
		if err := c.logIn(ctx); err != nil {
			c.Close() // the broker would end it
			return nil, err
		}
	}
	c.turn.RLock()
	defer c.turn.RUnlock()
	return c.exchange(ctx, request)
}

func (c *Client) exchange(ctx context.Context, request kmsg.Request) (kmsg.Response, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	waiting, err := c.send(ctx, request)
	if err != nil {
		return nil, err
	}
	select {
	case r := <-waiting.reply:
		return r.response, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Recycle lets all replies to Fetch share one buffer: the records of one are valid until the next Fetch is requested.
func (c *Client) Recycle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.recycle = true
}

func (c *Client) send(ctx context.Context, request kmsg.Request) (*call, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken != nil {
		return nil, c.broken
	}
	c.last++
	waiting := &call{id: c.last, request: request, reply: make(chan result, 1)}
	frame := c.formatter.AppendRequest(nil, request, c.last)
	// A peer that reads nothing blocks the write: when ctx ends the frame is cut short and nothing can follow it.
	stop := context.AfterFunc(ctx, func() { c.conn.Close() })
	c.waiting = append(c.waiting, waiting)
	_, err := c.conn.Write(frame)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		c.breakLocked(err)
		return nil, c.broken
	}
	return waiting, nil
}

// Close ends the connection; calls that wait fail.
func (c *Client) Close() {
	c.conn.Close() // first: a write that hangs holds the lock
	c.mu.Lock()
	c.breakLocked(net.ErrClosed)
	c.mu.Unlock()
	<-c.done
}

// Broken says why the connection cannot be used any more, nil while it can.
func (c *Client) Broken() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.broken
}

func (c *Client) breakLocked(err error) {
	if c.broken != nil {
		return
	}
	c.broken = fmt.Errorf("connection to %s: %w", c.conn.RemoteAddr(), err)
	c.conn.Close()
	for _, w := range c.waiting {
		w.reply <- result{err: c.broken}
	}
	c.waiting = nil
}

func (c *Client) readReplies() {
	defer close(c.done)
	in := bufio.NewReaderSize(c.conn, 32<<10)
	for {
		if err := c.readReply(in); err != nil {
			c.mu.Lock()
			c.breakLocked(cutShort(err))
			c.mu.Unlock()
			return
		}
	}
}

// replyBuffer is what the reply that comes may be read into. Replies keep parts of their frame, so that is nothing mostly.
func (c *Client) replyBuffer() (buf []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) > 0 && c.waiting[0].request.Key() == keyFetch {
		buf, c.fetched = c.fetched, nil
	}
	return buf
}

// mostSpare is how many small replies may take the place of a large one.
const mostSpare = 16

// keep keeps a reply's memory for the next, unless most of it was of no use for some time. Needs mu.
func (c *Client) keep(frame []byte) {
	if c.spare++; len(frame) > cap(frame)/4 || cap(frame) <= firstRead/4 {
		c.spare = 0
	}
	if c.spare < mostSpare {
		c.fetched = frame
	}
}

func (c *Client) readReply(in *bufio.Reader) error {
	size, err := readSize(in, maxResponse)
	if err != nil {
		return err
	}
	frame, err := readPayload(in, c.replyBuffer(), size)
	if err != nil {
		return err
	}
	if len(frame) < 4 {
		return malformed("reply of %d bytes", len(frame))
	}
	id := int32(binary.BigEndian.Uint32(frame))
	c.mu.Lock()
	if len(c.waiting) == 0 || c.waiting[0].id != id {
		c.mu.Unlock()
		return malformed("reply with correlation id %d was not expected", id)
	}
	w := c.waiting[0]
	c.waiting = c.waiting[1:]
	if c.recycle && w.request.Key() == keyFetch {
		c.keep(frame)
	}
	c.mu.Unlock()
	response, err := readResponse(frame[4:], w.request)
	w.reply <- result{response, err}
	return err
}
