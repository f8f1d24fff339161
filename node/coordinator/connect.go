package coordinator

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"time"

	"kdrill/node/coordinator/proto"
	"kdrill/node/coordinator/state"
)

// handshake waits for a session to be created or attached.
type handshake struct {
	c       *conn
	request *proto.ConnectRequest
	over    chan struct{}
	code    proto.Code
}

// connect answers the first frame of a client: a new session, or one that it had before, on whatever node.
func (c *conn) connect(ctx context.Context, frame []byte) error {
	var r proto.ConnectRequest
	d := proto.NewDecoder(frame)
	if r.Decode(d); d.Err() != nil {
		return fmt.Errorf("connect request: %w", d.Err())
	}
	timeout := min(max(time.Duration(r.TimeoutMs)*time.Millisecond, c.server.cfg.minSession), c.server.cfg.maxSession)
	if !c.server.waitUp(ctx) {
		defer c.out.Flush()
		return c.connectReadOnly(&r, timeout)
	}
	command := state.Command{Kind: state.Attach, Session: r.Session, TimeoutMs: int32(timeout.Milliseconds()), Password: bytes.Clone(r.Password)}
	if r.Session == 0 {
		command.Kind = state.CreateSession
		command.Password = make([]byte, proto.PasswordSize)
		rand.Read(command.Password)
	}
	for {
		if r.Session == 0 {
			command.Session = c.server.lastID.Add(1)
		}
		h := &handshake{c: c, request: &r, over: make(chan struct{})}
		if !c.server.submit(&command, h) {
			return net.ErrClosed
		}
		select {
		case <-h.over:
		case <-c.down():
			return net.ErrClosed
		}
		if h.code == proto.NodeExists && r.Session == 0 {
			continue // another life of this node made the id
		}
		if h.code != proto.OK {
			return net.ErrClosed
		}
		return nil
	}
}

// done implements waiter.
func (h *handshake) done(r *state.Result) {
	defer close(h.over)
	c, s := h.c, h.c.server
	h.code = r.Code
	switch {
	case r.Code == proto.NodeExists, c.isGone():
	case r.Code != proto.OK:
		c.queue(func(e *proto.Encoder) {
			(&proto.ConnectResponse{Password: make([]byte, proto.PasswordSize), HasReadOnly: h.request.HasReadOnly}).Encode(e)
		})
		s.answered(c, true)
	case h.request.LastZxidSeen > r.Zxid:
		s.log.Warn("client refused: it has seen a state that is newer than this node's", "remote", c.nc.RemoteAddr(),
			"seen", hexID(h.request.LastZxidSeen), "here", hexID(r.Zxid))
		c.kill()
	default:
		c.session.Store(r.Opened.ID)
		s.sessions[r.Opened.ID] = c
		c.queue(func(e *proto.Encoder) {
			(&proto.ConnectResponse{
				TimeoutMs: r.Opened.TimeoutMs, Session: r.Opened.ID, Password: r.Opened.Password,
				HasReadOnly: h.request.HasReadOnly,
			}).Encode(e)
		})
		s.answered(c, false)
	}
}

var errAuth = errors.New("authentication failed")
