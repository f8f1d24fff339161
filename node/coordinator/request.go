package coordinator

import (
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"

	"kdrill/node/coordinator/proto"
	"kdrill/node/coordinator/state"
)

// request carries out one request of a client, or starts it. An error ends the connection.
func (c *conn) request(frame []byte) error {
	d := proto.NewDecoder(frame)
	xid, op := d.Int(), proto.Op(d.Int())
	if d.Err() != nil {
		return fmt.Errorf("request: %w", d.Err())
	}
	s := c.server
	readOnly := c.readOnly.Load()
	if !readOnly {
		s.tracker.Touch(c.session.Load())
	}
	start := time.Now()
	switch op {
	case proto.OpPing:
		s.mu.RLock()
		defer s.mu.RUnlock()
		c.reply(xid, s.machine.Zxid(), proto.OK, nil)
		return nil
	case proto.OpCreate, proto.OpCreate2, proto.OpDelete, proto.OpSetData, proto.OpSetACL, proto.OpCheck, proto.OpMulti, proto.OpCloseSession,
		proto.OpCreateContainer, proto.OpCreateTTL, proto.OpReconfig:
		if readOnly {
			c.refuse(xid, op)
			return nil
		}
		return c.propose(xid, op, d.Rest(), start)
	}
	if !c.settle(0) {
		return nil
	}
	switch op {
	case proto.OpAuth:
		return c.authenticate(xid, d)
	case proto.OpSASL:
		c.sasl(xid, d)
		return nil
	case proto.OpSync:
		if readOnly {
			c.refuse(xid, op)
			return nil
		}
		return c.sync(xid, d)
	}
	read := reads[op]
	if read == nil {
		s.log.Info("request that is not implemented", "op", int32(op), "remote", c.nc.RemoteAddr())
		s.mu.RLock()
		defer s.mu.RUnlock()
		c.reply(xid, -1, proto.Unimplemented, nil)
		return nil
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	code, body := read(c, d)
	if d.Err() != nil {
		s.log.Warn("malformed request", "op", int32(op), "remote", c.nc.RemoteAddr())
		code = proto.MarshallingError
	}
	c.reply(xid, s.machine.Zxid(), code, body)
	s.stats.latency(time.Since(start))
	return nil
}

// reply queues the reply to a request; body may be nil.
func (c *conn) reply(xid int32, zxid int64, code proto.Code, body func(*proto.Encoder)) {
	c.server.stats.sent.Add(1)
	c.queue(func(e *proto.Encoder) {
		e.Int(xid)
		e.Long(zxid)
		e.Int(int32(code))
		if code == proto.OK && body != nil {
			body(e)
		}
	})
}

// write is a request that is on its way through the log.
type write struct {
	c     *conn
	xid   int32
	op    proto.Op
	start time.Time
}

// propose puts a write into the log. Its reply comes when it is applied.
func (c *conn) propose(xid int32, op proto.Op, body []byte, start time.Time) error {
	if !c.settle(pipelineMax) {
		return nil
	}
	c.begin()
	c.server.stats.outstanding.Add(1)
	command := state.Command{Kind: state.Request, Session: c.session.Load(), Op: op, Auth: c.auth, Body: body, Rules: c.server.cfg.rules}
	if !c.server.submit(&command, &write{c, xid, op, start}) {
		c.kill()
	}
	if op == proto.OpReconfig {
		c.settle(0) // its reply is the only one that does not come in the order of the log
	}
	return nil
}

// done implements waiter.
func (w *write) done(r *state.Result) {
	s := w.c.server
	s.stats.outstanding.Add(-1)
	s.stats.latency(time.Since(w.start))
	w.c.end()
	if r.Code == proto.MarshallingError {
		s.log.Warn("malformed request", "op", int32(w.op), "remote", w.c.nc.RemoteAddr())
	}
	w.c.reply(w.xid, r.Zxid, r.Code, func(e *proto.Encoder) { e.B = append(e.B, r.Body...) })
	s.answered(w.c, w.op == proto.OpCloseSession || r.Code == proto.SessionExpired || r.Code == proto.SessionMoved)
}

// sync answers once this node has everything that was committed when the request came.
func (c *conn) sync(xid int32, d *proto.Decoder) error {
	path := d.String()
	if d.Err() != nil {
		return fmt.Errorf("sync: %w", d.Err())
	}
	s, over := c.server, make(chan struct{})
	s.quorum.Sync(func() {
		defer close(over)
		s.mu.RLock()
		defer s.mu.RUnlock()
		c.reply(xid, s.machine.Zxid(), proto.OK, func(e *proto.Encoder) { e.String(path) })
	})
	select {
	case <-over:
	case <-c.down():
	}
	return nil
}

// authenticate adds an identity to those of the client. A digest is whatever the client says it is: only the ACLs that
// name it make it mean something.
func (c *conn) authenticate(xid int32, d *proto.Decoder) error {
	var r proto.Auth
	if r.Decode(d); d.Err() != nil {
		return fmt.Errorf("auth: %w", d.Err())
	}
	code := proto.OK
	c.server.mu.RLock()
	defer c.server.mu.RUnlock()
	switch r.Scheme {
	case "digest":
		user, _, _ := strings.Cut(string(r.Auth), ":")
		sum := sha1.Sum(r.Auth)
		digest := user + ":" + base64.StdEncoding.EncodeToString(sum[:])
		if digest == c.server.cfg.superDigest {
			c.is(proto.ID{Scheme: "super"})
		}
		c.is(proto.ID{Scheme: "digest", ID: digest})
	case "ip":
		c.is(proto.ID{Scheme: "ip", ID: c.host})
	default:
		code = proto.AuthFailed
		c.server.stats.authFailed.Add(1)
	}
	c.reply(xid, 0, code, nil)
	if code != proto.OK {
		return errAuth
	}
	return nil
}

// sasl answers a token as Apache does where no login is configured: with none, which leaves the client as it was.
func (c *conn) sasl(xid int32, d *proto.Decoder) {
	code := proto.OK
	if d.Buffer(); d.Err() != nil {
		code = proto.MarshallingError
	}
	c.server.mu.RLock()
	defer c.server.mu.RUnlock()
	c.reply(xid, 0, code, func(e *proto.Encoder) { e.Buffer(nil) })
}

// is adds an identity to those of the client. The caller holds the state's read lock.
func (c *conn) is(id proto.ID) {
	if !slices.Contains(c.auth, id) {
		c.auth = append(slices.Clip(c.auth), id)
	}
}
