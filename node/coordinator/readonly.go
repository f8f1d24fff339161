package coordinator

import (
	"crypto/rand"
	"net"
	"time"

	"kdrill/node/coordinator/proto"
)

// A node without a quorum answers reads of clients that accept that (readonlymode.enabled). What it has may be old. Such
// a client has no session: its connection ends as soon as there is a quorum, and then it opens or takes up one.

// readsOnly says whether the node is in that mode. The caller holds a lock of the state.
func (s *Server) readsOnly() bool {
	select {
	case <-s.up:
		return false
	default:
		return s.cfg.readOnly && time.Since(s.downAt) > max(2*time.Second, s.cfg.tick)
	}
}

// connectReadOnly answers the first frame of a client when the node has no quorum. Who has a session keeps it for a
// node with one, as at Apache.
func (c *conn) connectReadOnly(r *proto.ConnectRequest, timeout time.Duration) error {
	s := c.server
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.readsOnly() || r.LastZxidSeen > s.machine.Zxid() {
		return net.ErrClosed
	}
	if !r.ReadOnly {
		s.log.Info("client refused: it does not accept to read only, and there is no quorum", "remote", c.nc.RemoteAddr())
		return net.ErrClosed
	}
	if r.Session != 0 {
		s.log.Info("client refused: its session can go on only where there is a quorum", "remote", c.nc.RemoteAddr(), "session", hexID(r.Session))
		return net.ErrClosed
	}
	id, password := s.lastID.Add(1), make([]byte, proto.PasswordSize)
	rand.Read(password)
	c.readOnly.Store(true)
	c.session.Store(id)
	s.sessions[id] = c
	c.queue(func(e *proto.Encoder) {
		(&proto.ConnectResponse{
			TimeoutMs: int32(timeout.Milliseconds()), Session: id, Password: password, HasReadOnly: r.HasReadOnly, ReadOnly: true,
		}).Encode(e)
	})
	return nil
}

// refuse answers what a client that reads only may not do. Its goodbye is the end of the connection.
func (c *conn) refuse(xid int32, op proto.Op) {
	code := proto.NotReadOnly
	if op == proto.OpCloseSession {
		code = proto.OK
		defer c.out.Finish()
	}
	c.server.mu.RLock()
	defer c.server.mu.RUnlock()
	c.reply(xid, c.server.machine.Zxid(), code, nil)
}

// dropReaders ends the connections of those that read only. The caller holds the state's lock.
func (s *Server) dropReaders() {
	for _, c := range s.connections() {
		if c.readOnly.Load() {
			c.kill()
		}
	}
}
