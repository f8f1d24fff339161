package coordinator

import (
	"fmt"
	"io"
	"time"

	"kdrill/node/coordinator/proto"
	"kdrill/node/coordinator/quorum"
	"kdrill/node/coordinator/state"
	"kdrill/node/coordinator/tree"
	"kdrill/node/memory"
)

// waiter is what a connection gives to the quorum with a command: it is called with what became of it, under the
// write lock of the state.
type waiter interface{ done(r *state.Result) }

// Apply implements [quorum.Applier].
func (s *Server) Apply(entries []quorum.Entry) {
	for _, c := range s.apply(entries) {
		if c.last {
			c.out.Finish()
		} else {
			c.out.Flush()
		}
	}
}

// apply returns the connections that have something to send now.
func (s *Server) apply(entries []quorum.Entry) []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range entries {
		if e.Payload == nil {
			s.machine.Lead(e.Term)
			continue
		}
		c, err := state.DecodeCommand(e.Payload)
		if err != nil {
			s.log.Error("command in the log ignored", "err", err)
			continue
		}
		r := s.machine.Apply(e.Term, e.Node, &c)
		s.tell(&r)
		w, waits := e.Token.(waiter)
		switch {
		case r.Begun || r.Settled:
			s.reconfigured(&r, w)
		case waits:
			w.done(&r)
		}
		s.end(r.Closed)
	}
	due := s.due
	for _, c := range due {
		c.due = false
	}
	s.due = nil
	return due
}

// answered notes that a connection has something to send once the entries at hand are applied, and after that ends if
// it is the last. The caller holds the write lock of the state.
func (s *Server) answered(c *conn, last bool) {
	c.last = c.last || last
	if !c.due {
		c.due = true
		s.due = append(s.due, c)
	}
}

// tell sends out the events of a result. A session that was opened has no older connection any more.
func (s *Server) tell(r *state.Result) {
	for _, event := range r.Events {
		s.watches.fire(event, func(c *conn) {
			if c.may(event.ACL, proto.PermRead) {
				c.notify(event, r.Zxid)
				s.answered(c, false)
			}
		})
	}
	if o := r.Opened; o != nil {
		s.tracker.Open(o.ID, time.Duration(o.TimeoutMs)*time.Millisecond)
		if old := s.sessions[o.ID]; old != nil {
			delete(s.sessions, o.ID)
			old.kill()
		}
	}
}

// end disconnects the client whose session is over, 0 for none.
func (s *Server) end(session int64) {
	if session == 0 {
		return
	}
	s.tracker.Close(session)
	if c := s.sessions[session]; c != nil {
		delete(s.sessions, session)
		s.answered(c, true)
	}
}

// Restore implements [quorum.Applier].
func (s *Server) Restore(snapshot io.Reader) error {
	m, err := state.Decode(proto.NewReader(snapshot))
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.machine = m
	if s.quorum != nil { // else it is not there yet, and told later
		s.meet()
	}
	s.tracker.Clear()
	for _, o := range m.Sessions() {
		s.tracker.Open(o.ID, time.Duration(o.TimeoutMs)*time.Millisecond)
	}
	// What the clients here watched may have changed unseen: they come back and say what they last saw.
	s.dropAll()
	return nil
}

// Freeze implements [quorum.Applier].
func (s *Server) Freeze() io.WriterTo {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.machine.Freeze()
}

// Up implements [quorum.Applier].
func (s *Server) Up(role quorum.Role) {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.role
	if role == was {
		return
	}
	s.role = role
	if role.Leading() {
		s.tracker.Renew()
		s.stats.leading.Store(time.Now().UnixMilli())
		s.steer()
	} else {
		s.stats.leading.Store(0)
	}
	select {
	case <-s.up:
	default:
		close(s.up)
		s.settled.Do(func() { go memory.ForgetStart() })
		s.dropReaders()
	}
	s.log.Info("coordinator serving", "id", role.ID, "role", s.mode(), "leader", role.Leader, "term", role.Term, "client", s.addr)
}

// Down implements [quorum.Applier].
func (s *Server) Down() {
	s.mu.Lock()
	s.role, s.changing = quorum.Role{ID: s.role.ID}, nil
	s.stats.leading.Store(0)
	s.stats.elections.Add(1)
	s.up, s.downAt = make(chan struct{}), time.Now()
	s.mu.Unlock()
	s.log.Warn("coordinator not serving: no quorum; its clients were disconnected", "id", s.cfg.id)
	s.dropAll()
}

// Heard implements [quorum.Applier].
func (s *Server) Heard(sessions []int64) { s.tracker.Heard(sessions) }

// mode is the node's role by ZooKeeper's names.
func (s *Server) mode() string {
	switch {
	case len(s.cfg.members) == 0:
		return "standalone"
	case s.readsOnly():
		return "read-only"
	case s.role.Leading():
		return "leader"
	case s.observes():
		return "observer"
	}
	return "follower"
}

// observes says whether this node is a member without a vote.
func (s *Server) observes() bool {
	m, ok := s.machine.Members().Find(s.cfg.id)
	return ok && m.Observer
}

// notify queues an event for the client.
func (c *conn) notify(event tree.Event, zxid int64) {
	c.server.stats.sent.Add(1)
	c.queue(func(e *proto.Encoder) {
		e.Int(proto.XidNotification)
		e.Long(zxid)
		e.Int(0)
		e.Int(int32(event.Type))
		e.Int(proto.StateConnected)
		e.String(event.Path)
	})
}

func hexID(session int64) string { return fmt.Sprintf("0x%x", uint64(session)) }
