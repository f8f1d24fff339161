package state

import (
	"bytes"

	"kdrill/node/coordinator/members"
	"kdrill/node/coordinator/proto"
	"kdrill/node/coordinator/tree"
)

// Encode appends the whole state:
//
//	int64 zxid | int32 count | count x session (id, timeout, password, owner) | tree | change, if there is one
//	change     int64 number | string members
func (m *Machine) Encode(e *proto.Encoder) {
	e.Long(m.zxid)
	sessions := m.Sessions()
	e.Int(int32(len(sessions)))
	for _, s := range sessions {
		e.Long(s.ID)
		e.Int(s.TimeoutMs)
		e.Buffer(s.Password)
		e.Long(int64(s.Owner))
	}
	m.Tree.Encode(e)
	if m.change != nil {
		e.Long(m.change.Number)
		e.String(m.change.To.Text(0))
	}
}

// Decode reads what Encode wrote.
func Decode(d *proto.Decoder) (*Machine, error) {
	m := &Machine{zxid: d.Long(), sessions: map[int64]*Session{}}
	for range d.Count(24) {
		s := &Session{ID: d.Long(), TimeoutMs: d.Int(), Password: bytes.Clone(d.Buffer()), Owner: uint64(d.Long())}
		m.sessions[s.ID] = s
	}
	t, err := tree.Decode(d)
	if err != nil {
		return nil, err
	}
	m.Tree = t
	config, _, _ := t.Data(tree.ConfigPath)
	if m.members, m.version, err = members.Read(string(config)); err != nil {
		return nil, err
	}
	if len(d.Rest()) > 0 {
		c := &Change{Number: d.Long()}
		if c.To, _, err = members.Read(d.String()); err != nil {
			return nil, err
		}
		m.change = c
	}
	return m, d.Err()
}
