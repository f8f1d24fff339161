package state

import (
	"kdrill/node/coordinator/members"
	"kdrill/node/coordinator/proto"
	"kdrill/node/coordinator/tree"
)

// Change is a reconfiguration that was asked for and found possible. The leader makes it happen among the nodes, then
// it is settled: only then do the clients see it.
type Change struct {
	Number int64 // the zxid at which it was asked for: no two have the same
	To     members.List
}

// Members are those of the ensemble, none for a node on its own.
func (m *Machine) Members() members.List { return m.members }

// Version is the zxid of the change that made the members what they are. For those of the configuration files it is the
// zxid with which the first leader began.
func (m *Machine) Version() int64 { return m.version }

// Reconfigured says whether a client has changed the members: no longer the configuration files tell them then.
func (m *Machine) Reconfigured() bool { return m.version&(1<<32-1) != 0 }

// Change is the reconfiguration on its way, nil if there is none.
func (m *Machine) Change() *Change { return m.change }

// Configure makes the members of the configuration files those of the ensemble.
func (m *Machine) Configure(list members.List) {
	m.members = list
	if len(list) > 0 {
		m.Tree.Configure([]byte(list.Text(m.version)))
	}
}

// establish gives the members of the configuration files a version once there is a leader.
func (m *Machine) establish() {
	m.version = m.zxid
	m.Tree.Begin(m.zxid, 0, nil).Reconfigure([]byte(m.members.Text(m.version)))
}

// reconfig checks in the order of Apache's.
func (m *Machine) reconfig(c *Command) Result {
	fail := func(code proto.Code) Result { return Result{Zxid: m.next(), Code: code} }
	var r proto.Reconfig
	d := proto.NewDecoder(c.Body)
	if r.Decode(d); d.Err() != nil {
		return fail(proto.MarshallingError)
	}
	switch {
	case c.Rules&AllowReconfig == 0:
		return fail(proto.ReconfigDisabled)
	case len(m.members) == 0:
		return fail(proto.Unimplemented)
	case m.change != nil:
		return fail(proto.ReconfigInProgress)
	case r.Version != -1 && r.Version != m.version:
		return fail(proto.BadVersion)
	}
	var next members.List
	var err error
	if r.Members != "" {
		next, err = m.members.Replace(r.Members)
	} else {
		next, err = m.members.Change(r.Joining, r.Leaving)
	}
	least := 1
	if c.Rules&StandaloneEnabled != 0 {
		least = 2
	}
	acl, _, _ := m.Tree.ACL(tree.ConfigPath)
	switch {
	case err != nil || next.Voters() < least:
		return fail(proto.BadArguments)
	case c.Rules&SkipACL == 0 && !tree.Allowed(acl, proto.PermWrite, c.Auth):
		return fail(proto.NoAuth)
	}
	m.change = &Change{Number: m.zxid, To: next}
	return Result{Zxid: m.zxid, Begun: true}
}

// settle ends the change on its way: the members are others now, or nothing has happened.
func (m *Machine) settle(c *Command) Result {
	if m.change == nil || m.change.Number != c.Change {
		return Result{Zxid: m.zxid}
	}
	next := m.change.To
	m.change = nil
	r := Result{Zxid: m.next(), Code: c.Code, Settled: true}
	if c.Code != proto.OK {
		return r
	}
	m.members, m.version = next, m.zxid
	x := m.Tree.Begin(m.zxid, c.Time, nil)
	data := []byte(next.Text(m.version))
	stat := x.Reconfigure(data)
	var e proto.Encoder
	e.Buffer(data)
	stat.Encode(&e)
	r.Body, r.Events = e.B, x.Events
	return r
}
