package state

import (
	"bytes"
	"cmp"
	"maps"
	"slices"

	"kdrill/node/coordinator/members"
	"kdrill/node/coordinator/proto"
	"kdrill/node/coordinator/tree"
)

// Session is one client's session.
type Session struct {
	ID        int64
	TimeoutMs int32
	Password  []byte
	Owner     uint64 // the node that the client is connected to; requests through another one are refused
}

// Machine is the replicated state.
type Machine struct {
	Tree *tree.Tree

	sessions map[int64]*Session
	zxid     int64
	members  members.List
	version  int64   // of the members, see Version
	change   *Change // of the members, on its way
}

// Result is what a command came to.
type Result struct {
	Zxid   int64
	Code   proto.Code
	Body   []byte // of the reply; nil where the reply has none
	Events []tree.Event
	Opened *Session // the session that was created or attached
	Closed int64    // the session that ended, 0 for none

	Begun   bool // a reconfiguration is on its way; its outcome is that of a Settle command
	Settled bool // a reconfiguration has come to an end
}

// New makes the state of a fresh ensemble; config is the data of /zookeeper/config.
func New(config []byte) *Machine {
	m := &Machine{Tree: tree.New(config), sessions: map[int64]*Session{}}
	m.members, m.version, _ = members.Read(string(config))
	return m
}

// Zxid is the newest change.
func (m *Machine) Zxid() int64 { return m.zxid }

// Session returns an open session, nil if there is none.
func (m *Machine) Session(id int64) *Session { return m.sessions[id] }

// Sessions returns all open sessions by id.
func (m *Machine) Sessions() []*Session {
	list := slices.Collect(maps.Values(m.sessions))
	sortByID(list)
	return list
}

func sortByID(sessions []*Session) {
	slices.SortFunc(sessions, func(a, b *Session) int { return cmp.Compare(a.ID, b.ID) })
}

// Lead notes that the log has reached term: zxids of that term start from 0.
func (m *Machine) Lead(term uint64) {
	if epoch := int64(term) << 32; epoch > m.zxid {
		m.zxid = epoch
	}
	if len(m.members) > 0 && m.version == 0 {
		m.establish()
	}
}

// Apply carries out the command that node proposed and that the log holds in term.
func (m *Machine) Apply(term, node uint64, c *Command) Result {
	m.Lead(term)
	switch c.Kind {
	case CreateSession:
		return m.createSession(node, c)
	case Attach:
		return m.attach(node, c)
	case Expire:
		if c.Term != term || m.sessions[c.Session] == nil {
			return Result{Zxid: m.zxid, Code: proto.SessionExpired}
		}
		return m.closeSession(c)
	case Reap:
		return m.reap(c)
	case Settle:
		return m.settle(c)
	}
	return m.request(node, c)
}

func (m *Machine) next() int64 {
	m.zxid++
	return m.zxid
}

func (m *Machine) createSession(node uint64, c *Command) Result {
	if m.sessions[c.Session] != nil {
		return Result{Zxid: m.zxid, Code: proto.NodeExists}
	}
	s := &Session{ID: c.Session, TimeoutMs: c.TimeoutMs, Password: bytes.Clone(c.Password), Owner: node}
	m.sessions[s.ID] = s
	return Result{Zxid: m.next(), Opened: s}
}

func (m *Machine) attach(node uint64, c *Command) Result {
	s := m.sessions[c.Session]
	if s == nil || !bytes.Equal(s.Password, c.Password) {
		return Result{Zxid: m.zxid, Code: proto.SessionExpired}
	}
	// A new value: readers may still hold the old one.
	s = &Session{ID: s.ID, TimeoutMs: c.TimeoutMs, Password: s.Password, Owner: node}
	m.sessions[s.ID] = s
	return Result{Zxid: m.zxid, Opened: s}
}

func (m *Machine) closeSession(c *Command) Result {
	x := m.Tree.Begin(m.next(), c.Time, nil)
	x.DropSession(c.Session)
	delete(m.sessions, c.Session)
	return Result{Zxid: m.zxid, Events: x.Events, Closed: c.Session}
}

func (m *Machine) reap(c *Command) Result {
	x := m.Tree.Begin(m.next(), c.Time, nil)
	code := x.Reap(c.Path)
	return Result{Zxid: m.zxid, Code: code, Events: x.Events}
}

func (m *Machine) request(node uint64, c *Command) Result {
	s := m.sessions[c.Session]
	switch {
	case s == nil:
		return Result{Zxid: m.zxid, Code: proto.SessionExpired}
	case s.Owner != node:
		return Result{Zxid: m.zxid, Code: proto.SessionMoved}
	case c.Op == proto.OpCloseSession:
		return m.closeSession(c)
	case c.Op == proto.OpReconfig:
		return m.reconfig(c)
	}
	x := m.Tree.Begin(m.next(), c.Time, c.Auth)
	x.Free = c.Rules&SkipACL != 0
	x.Enforce = c.Rules&EnforceHard != 0
	r := Result{Zxid: m.zxid}
	d := proto.NewDecoder(c.Body)
	var e proto.Encoder
	one := request{x, c.Session, c.Rules}
	if c.Op == proto.OpMulti {
		r.Code = one.multi(d, &e)
	} else {
		r.Code = one.run(c.Op, d, &e)
	}
	if r.Code != proto.OK {
		x.Rollback()
		return r
	}
	r.Body, r.Events = e.B, x.Events
	return r
}

// request is what a client asks for within one change.
type request struct {
	x       *tree.Txn
	session int64
	rules   Rules
}

// run carries out one operation and appends the body of its reply.
func (q request) run(op proto.Op, d *proto.Decoder, e *proto.Encoder) proto.Code {
	x := q.x
	switch op {
	case proto.OpCreate, proto.OpCreate2, proto.OpCreateContainer, proto.OpCreateTTL:
		r := decodeCreate(op, d)
		if d.Err() != nil {
			return proto.MarshallingError
		}
		return q.create(op, r, e)
	case proto.OpDelete, proto.OpCheck:
		var r proto.PathVersion
		if r.Decode(d); d.Err() != nil {
			return proto.MarshallingError
		}
		if op == proto.OpCheck {
			return x.Check(r.Path, r.Version)
		}
		return x.Delete(r.Path, r.Version)
	case proto.OpSetData:
		var r proto.SetData
		if r.Decode(d); d.Err() != nil {
			return proto.MarshallingError
		}
		return encodeStat(e)(x.SetData(r.Path, r.Data, r.Version))
	case proto.OpSetACL:
		var r proto.SetACL
		if r.Decode(d); d.Err() != nil {
			return proto.MarshallingError
		}
		return encodeStat(e)(x.SetACL(r.Path, r.ACL, r.Version))
	}
	return proto.Unimplemented
}

// decodeCreate reads the body of any kind of create.
func decodeCreate(op proto.Op, d *proto.Decoder) *proto.CreateTTL {
	var r proto.CreateTTL
	if op == proto.OpCreateTTL {
		r.Decode(d)
	} else {
		r.Create.Decode(d)
	}
	return &r
}

func (q request) create(op proto.Op, r *proto.CreateTTL, e *proto.Encoder) proto.Code {
	var path string
	var stat proto.Stat
	var code proto.Code
	switch ofTTL := r.Flags == proto.FlagTTL || r.Flags == proto.FlagTTLSequential; {
	case ofTTL && q.rules&AllowTTL == 0:
		return proto.Unimplemented
	case op == proto.OpCreateTTL:
		path, stat, code = q.x.CreateTTL(r.Path, r.Data, r.ACL, r.Flags, r.TTL)
	case op == proto.OpCreateContainer:
		path, stat, code = q.x.CreateContainer(r.Path, r.Data, r.ACL, r.Flags)
	default:
		path, stat, code = q.x.Create(r.Path, r.Data, r.ACL, r.Flags, q.session)
	}
	if code != proto.OK {
		return code
	}
	e.String(path)
	if op != proto.OpCreate {
		stat.Encode(e)
	}
	return proto.OK
}

func encodeStat(e *proto.Encoder) func(proto.Stat, proto.Code) proto.Code {
	return func(stat proto.Stat, code proto.Code) proto.Code {
		if code == proto.OK {
			stat.Encode(e)
		}
		return code
	}
}
