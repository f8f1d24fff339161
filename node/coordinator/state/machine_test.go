package state

import (
	"bytes"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"kdrill/node/coordinator/proto"
)

const node = 1

func body(record func(*proto.Encoder)) []byte {
	var e proto.Encoder
	record(&e)
	return e.B
}

func create(session int64, path string, flags int32) *Command {
	r := proto.Create{Path: path, ACL: proto.Anyone(), Flags: flags}
	return &Command{Kind: Request, Session: session, Op: proto.OpCreate, Body: body(r.Encode)}
}

func open(m *Machine, id int64) {
	m.Apply(1, node, &Command{Kind: CreateSession, Session: id, TimeoutMs: 4000, Password: []byte{byte(id)}})
}

func TestEveryTransactionHasAZxidAndATermStartsAnew(t *testing.T) {
	m := New(nil)
	open(m, 7)
	for i, step := range []struct {
		term uint64
		c    *Command
		zxid int64
		code proto.Code
	}{
		{1, create(7, "/a", 0), 0x100000002, proto.OK},
		{1, create(7, "/a", 0), 0x100000003, proto.NodeExists},
		{1, create(7, "/x/y", 0), 0x100000004, proto.NoNode},
		{3, create(7, "/b", 0), 0x300000001, proto.OK},
		{3, create(8, "/c", 0), 0x300000001, proto.SessionExpired},
		{3, &Command{Kind: Attach, Session: 7, Password: []byte{7}}, 0x300000001, proto.OK},
		{3, &Command{Kind: Attach, Session: 7, Password: []byte{8}}, 0x300000001, proto.SessionExpired},
		{3, &Command{Kind: CreateSession, Session: 7}, 0x300000001, proto.NodeExists},
		{3, &Command{Kind: Request, Session: 7, Op: proto.OpSetData, Body: []byte{1}}, 0x300000002, proto.MarshallingError},
		{3, &Command{Kind: Request, Session: 7, Op: proto.OpCloseSession}, 0x300000003, proto.OK},
	} {
		if r := m.Apply(step.term, node, step.c); r.Zxid != step.zxid || r.Code != step.code {
			t.Errorf("step %d: zxid %x %v, want %x %v", i+1, r.Zxid, r.Code, step.zxid, step.code)
		}
	}
	if m.Lead(4); m.Zxid() != 0x400000000 {
		t.Errorf("after an election: %x", m.Zxid())
	}
}

func TestOnlyTheLeaderOfTheTermEndsASession(t *testing.T) {
	m := New(nil)
	open(m, 7)
	m.Apply(1, node, create(7, "/e", proto.FlagEphemeral))
	if r := m.Apply(2, node, &Command{Kind: Expire, Session: 7, Term: 1}); r.Closed != 0 || m.Session(7) == nil {
		t.Error("the verdict of an older leader was carried out")
	}
	r := m.Apply(2, node, &Command{Kind: Expire, Session: 7, Term: 2})
	if r.Closed != 7 || m.Session(7) != nil || len(r.Events) != 2 {
		t.Errorf("%+v", r)
	}
	if _, ok := m.Tree.Stat("/e"); ok {
		t.Error("its ephemeral is still there")
	}
	if r := m.Apply(2, node, &Command{Kind: Expire, Session: 7, Term: 2}); r.Closed != 0 {
		t.Error("it ended twice")
	}
}

func TestRequestsThroughAnOlderNodeAreRefused(t *testing.T) {
	m := New(nil)
	open(m, 7)
	m.Apply(1, 2, &Command{Kind: Attach, Session: 7, TimeoutMs: 4000, Password: []byte{7}})
	if r := m.Apply(1, node, create(7, "/a", 0)); r.Code != proto.SessionMoved {
		t.Errorf("through the old node: %v", r.Code)
	}
	if r := m.Apply(1, 2, create(7, "/a", 0)); r.Code != proto.OK {
		t.Errorf("through the new node: %v", r.Code)
	}
}

func TestAMultiThatFailsChangesNothing(t *testing.T) {
	m := New(nil)
	open(m, 7)
	r := m.Apply(1, node, &Command{Kind: Request, Session: 7, Op: proto.OpMulti, Body: body(func(e *proto.Encoder) {
		proto.MultiHeader{Op: proto.OpCreate, Err: -1}.Encode(e)
		(&proto.Create{Path: "/a", ACL: proto.Anyone(), Flags: proto.FlagEphemeral}).Encode(e)
		proto.MultiHeader{Op: proto.OpCheck, Err: -1}.Encode(e)
		(&proto.PathVersion{Path: "/a", Version: 5}).Encode(e)
		proto.MultiEnd.Encode(e)
	})})
	if r.Code != proto.OK || len(r.Events) != 0 || m.Tree.Len() != 4 || len(m.Tree.Ephemerals(7)) != 0 {
		t.Errorf("%+v, %d znodes", r, m.Tree.Len())
	}
}

func TestASnapshotIsTheWholeState(t *testing.T) {
	m := New([]byte(pair))
	open(m, 7)
	open(m, 9)
	if r := m.Apply(2, node, reconfig("server.3=c:1:2;3", "", "", -1, allowed)); !r.Begun {
		t.Error(r.Code)
	}
	m.Apply(2, node, create(7, "/e", proto.FlagEphemeral))
	restored, err := Decode(proto.NewReader(iotest.OneByteReader(bytes.NewReader(written(m)))))
	if err != nil {
		t.Fatal(err)
	}
	if restored.Zxid() != m.Zxid() || !cmp.Equal(restored.Sessions(), m.Sessions()) || restored.Tree.Len() != m.Tree.Len() ||
		restored.Members().Text(0) != m.Members().Text(0) || restored.Change().To.Text(0) != m.Change().To.Text(0) {
		t.Errorf("%x %v", restored.Zxid(), restored.Sessions())
	}
	// Both go on alike.
	for _, c := range []*Command{create(7, "/s-", 2), {Kind: Expire, Session: 7, Term: 2}, create(9, "/e", 0)} {
		a, b := m.Apply(2, node, c), restored.Apply(2, node, c)
		if diff := cmp.Diff(a, b, cmpopts.EquateEmpty()); diff != "" {
			t.Error(diff)
		}
	}
}

func FuzzCommand(f *testing.F) {
	f.Add(body(create(7, "/a", 0).Encode))
	f.Add(body((&Command{Kind: CreateSession, Session: 1, Password: []byte{1}}).Encode))
	f.Add(body((&Command{Kind: Expire, Session: 7, Term: 1}).Encode))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := DecodeCommand(b)
		if err != nil {
			return
		}
		m := New(nil)
		open(m, 7)
		m.Apply(1, node, &c)
		var e proto.Encoder
		c.Encode(&e)
		back, err := DecodeCommand(e.B)
		if err != nil || !cmp.Equal(c, back, cmpopts.EquateEmpty()) {
			t.Errorf("%v %s", err, cmp.Diff(c, back))
		}
	})
}

func FuzzMulti(f *testing.F) {
	f.Add(body(proto.MultiEnd.Encode))
	f.Add(body(func(e *proto.Encoder) {
		proto.MultiHeader{Op: proto.OpCreate, Err: -1}.Encode(e)
		(&proto.Create{Path: "/a", ACL: proto.Anyone()}).Encode(e)
		proto.MultiEnd.Encode(e)
	}))
	f.Fuzz(func(t *testing.T, b []byte) {
		m := New(nil)
		open(m, 7)
		before := written(m)
		r := m.Apply(1, node, &Command{Kind: Request, Session: 7, Op: proto.OpMulti, Body: b})
		if changed := !cmp.Equal(before[8:], written(m)[8:]); changed && len(r.Events) == 0 && r.Code != proto.OK {
			t.Errorf("%v, but the tree has changed", r.Code)
		}
	})
}

func FuzzDecode(f *testing.F) {
	m := New([]byte(pair))
	open(m, 7)
	f.Add(written(m))
	m.Apply(1, node, reconfig("server.3=c:1:2;3", "", "", -1, allowed))
	f.Add(written(m))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Decode(proto.NewDecoder(b))
		if err != nil {
			return
		}
		again, err := Decode(proto.NewDecoder(written(m)))
		if err != nil || !cmp.Equal(written(m), written(again)) {
			t.Errorf("does not read back: %v", err)
		}
	})
}

// written is what a snapshot of m holds.
func written(m *Machine) []byte {
	var b bytes.Buffer
	m.Freeze().WriteTo(&b)
	return b.Bytes()
}
