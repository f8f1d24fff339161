package broker

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// A link is a TCP proxy that can be cut: what stands between two nodes that cannot hear each other.
type link struct {
	listener net.Listener
	targets  []string // tried in order

	mu    sync.Mutex
	whole *sync.Cond
	cut   bool
	conns map[net.Conn]bool
	ended bool
}

func newLink(t testing.TB, targets ...string) *link {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &link{listener: listener, targets: targets, conns: map[net.Conn]bool{}}
	l.whole = sync.NewCond(&l.mu)
	var working sync.WaitGroup
	working.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			working.Go(func() { l.serve(conn) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		l.mu.Lock()
		l.ended = true
		for conn := range l.conns {
			conn.Close()
		}
		l.whole.Broadcast()
		l.mu.Unlock()
		working.Wait()
	})
	return l
}

func (l *link) addr() string { return l.listener.Addr().String() }

// set cuts the link, or mends it. While it is cut nothing passes and no connection ends, as if packets were dropped.
func (l *link) set(cut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = cut
	l.whole.Broadcast()
}

// pass waits while the link is cut.
func (l *link) pass() (ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.cut && !l.ended {
		l.whole.Wait()
	}
	return !l.ended
}

func (l *link) keep(conn net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns[conn] = true
	return !l.ended
}

func (l *link) drop(conn net.Conn) {
	l.mu.Lock()
	delete(l.conns, conn)
	l.mu.Unlock()
	conn.Close()
}

func (l *link) serve(from net.Conn) {
	defer l.drop(from)
	if !l.keep(from) || !l.pass() {
		return
	}
	for _, target := range l.targets {
		to, err := net.DialTimeout("tcp", target, 5*time.Second)
		if err != nil {
			continue
		}
		defer l.drop(to)
		if !l.keep(to) {
			return
		}
		var both sync.WaitGroup
		both.Go(func() { l.copy(to, from) })
		both.Go(func() { l.copy(from, to) })
		both.Wait()
		return
	}
}

func (l *link) copy(to, from net.Conn) {
	defer to.Close() // the other direction ends, too
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if !l.pass() {
			return
		}
		if _, writeErr := to.Write(buf[:n]); writeErr != nil || err == io.EOF || err != nil {
			return
		}
	}
}
