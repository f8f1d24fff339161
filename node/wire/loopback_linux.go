package wire

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// plain is the congestion control that every process may choose on every Linux.
const plain = "reno"

// hasten spares a connection that does not leave the machine the pacing of BBR, where that is the default: its timers cost more there
// than they are good for. A connection that refuses works all the same.
func hasten(conn net.Conn) {
	peer, ok := conn.RemoteAddr().(*net.TCPAddr)
	if !ok || !peer.IP.IsLoopback() {
		return
	}
	c, ok := conn.(syscall.Conn)
	if !ok {
		return
	}
	if raw, err := c.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _ = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, plain) })
	}
}
