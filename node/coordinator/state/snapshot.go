package state

import (
	"bytes"
	"io"
	"maps"
	"slices"

	"kdrill/node/coordinator/members"
	"kdrill/node/coordinator/proto"
	"kdrill/node/coordinator/tree"
)

// Frozen is the state as it was at one time. Any goroutine may write it while the [Machine] goes on.
type Frozen struct {
	zxid     int64
	sessions []*Session
	tree     tree.Frozen
	change   *Change
}

// Freeze takes no longer for many znodes than for few.
func (m *Machine) Freeze() *Frozen {
	return &Frozen{m.zxid, slices.Collect(maps.Values(m.sessions)), m.Tree.Freeze(), m.change}
}

// WriteTo writes the whole state, in pieces:
//
//	int64 zxid | int32 count | count x session (id, timeout, password, owner) | tree | change, if there is one
//	change     int64 number | string members
func (f *Frozen) WriteTo(w io.Writer) (int64, error) {
	counted := &counter{w: w}
	e := proto.NewWriter(counted)
	e.Long(f.zxid)
	e.Int(int32(len(f.sessions)))
	sortByID(f.sessions)
	for _, s := range f.sessions {
		e.Long(s.ID)
		e.Int(s.TimeoutMs)
		e.Buffer(s.Password)
		e.Long(int64(s.Owner))
		e.Pass()
	}
	f.tree.Encode(e)
	if f.change != nil {
		e.Long(f.change.Number)
		e.String(f.change.To.Text(0))
	}
	err := e.Flush()
	return counted.n, err
}

// counter counts what is written to w.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

// Decode reads what WriteTo wrote.
func Decode(d *proto.Decoder) (*Machine, error) {
	m := &Machine{zxid: d.Long(), sessions: map[int64]*Session{}}
	for range d.Int() {
		s := &Session{ID: d.Long(), TimeoutMs: d.Int(), Password: bytes.Clone(d.Buffer()), Owner: uint64(d.Long())}
		if d.Err() != nil {
			return nil, d.Err()
		}
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
	if d.More() {
		c := &Change{Number: d.Long()}
		if c.To, _, err = members.Read(d.String()); err != nil {
			return nil, err
		}
		m.change = c
	}
	return m, d.Err()
}
