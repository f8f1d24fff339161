// Package socket sends on a connection from whatever goroutine has something to send, and none of them waits for the
// other side.
//
// What was put into an [Out] goes out with the next [Out.Flush], in as few writes as possible, on the goroutine that
// flushes: to wake another one takes longer than to write. Only if the other side does not take everything at once a
// goroutine is started that goes on.
package socket

import (
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

// Out is the sending side of a connection. It may be used by many goroutines.
type Out struct {
	conn    net.Conn
	raw     syscall.RawConn // nil if the connection is none of the system's
	limit   time.Duration
	ended   chan struct{}
	mu      sync.Mutex
	queued  []byte
	spare   []byte // memory for what is queued next
	busy    bool   // somebody is writing
	last    bool   // the connection ends when nothing is queued
	endedBy error  // why it has ended
}

// spareMax is the memory in bytes that is kept for what is queued next.
const spareMax = 64 << 10

// NewOut makes the sending side of conn. If the other side takes nothing for limit the connection ends.
func NewOut(conn net.Conn, limit time.Duration) *Out {
	o := &Out{conn: conn, limit: limit, ended: make(chan struct{})}
	if c, ok := conn.(syscall.Conn); ok {
		o.raw, _ = c.SyscallConn()
	}
	return o
}

// Put appends what body appends, to be sent with the next Flush, and returns how many bytes are queued then. After the
// end, or once the end is due, it does nothing and returns 0.
func (o *Out) Put(body func(queued []byte) []byte) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.endedBy != nil || o.last {
		return 0
	}
	if o.queued == nil {
		o.queued, o.spare = o.spare, nil
	}
	o.queued = body(o.queued)
	return len(o.queued)
}

// Flush sends what is queued.
func (o *Out) Flush() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for !o.busy && o.endedBy == nil && len(o.queued) > 0 {
		b := o.take()
		o.mu.Unlock()
		n := o.try(b)
		o.mu.Lock()
		if n < len(b) {
			go o.drain(b, n)
			return
		}
		o.sent(b)
	}
	if o.last && !o.busy {
		o.end(io.EOF)
	}
}

// take begins a write. The caller holds mu.
func (o *Out) take() []byte {
	b := o.queued
	o.queued, o.busy = nil, true
	return b
}

// sent ends a write. The caller holds mu.
func (o *Out) sent(b []byte) {
	o.busy = false
	if cap(b) <= spareMax {
		o.spare = b[:0]
	}
}

// try writes what the system takes now.
func (o *Out) try(b []byte) (n int) {
	if o.raw == nil {
		return 0
	}
	o.raw.Write(func(fd uintptr) bool {
		n, _ = syscall.Write(int(fd), b) // drain meets the error again
		return true
	})
	return max(n, 0)
}

// drain writes from the nth byte of b on, and what is queued meanwhile, however long it takes.
func (o *Out) drain(b []byte, n int) {
	for {
		o.conn.SetWriteDeadline(time.Now().Add(o.limit))
		_, err := o.conn.Write(b[n:])
		o.conn.SetWriteDeadline(time.Time{})
		o.mu.Lock()
		o.sent(b)
		if err != nil {
			o.end(err)
		}
		if o.endedBy != nil || len(o.queued) == 0 {
			if o.last {
				o.end(io.EOF)
			}
			o.mu.Unlock()
			return
		}
		b, n = o.take(), 0
		o.mu.Unlock()
	}
}

// Finish ends the connection once everything that is queued has gone out, which it sends.
func (o *Out) Finish() {
	o.mu.Lock()
	o.last = true
	o.mu.Unlock()
	o.Flush()
}

// Close ends the connection at once.
func (o *Out) Close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.end(net.ErrClosed)
}

// end closes the connection. The caller holds mu.
func (o *Out) end(err error) {
	if o.endedBy != nil {
		return
	}
	o.endedBy, o.queued, o.spare = err, nil, nil
	close(o.ended)
	if err := o.conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		o.endedBy = err
	}
}

// Ended is closed when the connection has ended.
func (o *Out) Ended() <-chan struct{} { return o.ended }

// Err says why the connection has ended: io.EOF for Finish; nil as long as it has not.
func (o *Out) Err() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.endedBy
}
