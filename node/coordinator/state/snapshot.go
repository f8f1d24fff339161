package state

import (
	"bytes"

	"kdrill/node/coordinator/proto"
	"kdrill/node/coordinator/tree"
)

// Encode appends the whole state:
//
//	int64 zxid | int32 count | count x session (id, timeout, password, owner) | tree
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
	return m, nil
}
