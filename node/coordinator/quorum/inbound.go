package quorum

import (
	"net"
	"sync/atomic"
	"syscall"
)

// inbound is a connection of another node to this one.
type inbound struct {
	raw    syscall.RawConn // nil if the connection is none of the system's
	busy   atomic.Bool     // frames are being taken from it
	pauses atomic.Int64    // how often all was taken that came together
}

// mark is a place in what comes from another node.
type mark struct {
	in    *inbound
	pause int64 // it is reached with the pause of this number
}

// come notes a connection.
func (t *transport) come(conn net.Conn) *inbound {
	in := &inbound{}
	if c, ok := conn.(syscall.Conn); ok {
		in.raw, _ = c.SyscallConn()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.inbound[in] = struct{}{}
	return in
}

// left forgets it.
func (t *transport) left(in *inbound) {
	t.mu.Lock()
	delete(t.inbound, in)
	t.mu.Unlock()
	in.pause()
}

// pause notes that all is taken that came together.
func (in *inbound) pause() {
	in.busy.Store(false)
	in.pauses.Add(1)
}

// unread are the ends of what has come from others and was not taken up to now.
func (t *transport) unread() (marks []mark) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for in := range t.inbound {
		next := in.pauses.Load() + 1
		if in.busy.Load() || in.waits() {
			marks = append(marks, mark{in, next})
		}
	}
	return marks
}

// waits says whether the system has something that was not read.
func (in *inbound) waits() (waits bool) {
	if in.raw == nil {
		return false
	}
	in.raw.Control(func(fd uintptr) {
		n, _, err := syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		waits = err == nil && n > 0
	})
	return waits
}

// allRead says whether everything up to marks was taken.
func allRead(marks []mark) bool {
	for _, m := range marks {
		if m.in.pauses.Load() < m.pause {
			return false
		}
	}
	return true
}
