package coordinator

import (
	"encoding/binary"
	"testing"
	"time"

	"kdrill/node/coordinator/proto"
)

// One client writes; another one, on another node, sets a watch and reads, over and over, many requests at a time. It
// must hear of every change before it reads it, and never of a watch that it does not know to be set.
func TestAnEventComesBeforeTheReadThatShowsTheChange(t *testing.T) {
	e := startEnsemble(t, 3)
	writer := dial(t, e.nodes[0].client)
	writer.connect(time.Minute)
	writer.create("/x", 0)

	reader := dial(t, e.nodes[1].client)
	reader.connect(time.Minute)
	reader.request(proto.OpSync, func(e *proto.Encoder) { e.String("/x") })
	const writes, batch = 100, 10
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range writes {
			writer.request(proto.OpSetData, (&proto.SetData{Path: "/x", Data: []byte("v"), Version: -1}).Encode)
		}
	}()
	watched, version, events, reads := false, int32(-1), 0, int32(0)
	for version < writes {
		var out []byte
		for i := range int32(batch) {
			var e proto.Encoder
			e.Int(reads + i)
			e.Int(int32(proto.OpGetData))
			e.String("/x")
			e.Bool(true)
			out = append(binary.BigEndian.AppendUint32(out, uint32(len(e.B))), e.B...)
		}
		reader.Write(out)
		for end := reads + batch; reads < end; {
			d := proto.NewDecoder(reader.receive())
			xid := d.Int()
			d.Long()
			d.Int()
			if xid == proto.XidNotification {
				if !watched {
					t.Fatal("an event without a watch")
				}
				watched = false
				events++
				continue
			}
			if xid != reads {
				t.Fatalf("reply %d, want %d", xid, reads)
			}
			reads++
			d.Buffer()
			var stat proto.Stat
			stat.Decode(d)
			if watched && stat.Version != version {
				t.Fatalf("read version %d, watching %d, and heard nothing", stat.Version, version)
			}
			watched, version = true, stat.Version
		}
	}
	<-done
	if events < writes/20 {
		t.Errorf("only %d events", events)
	}
	t.Logf("%d writes, %d events, %d reads", writes, events, reads)
}

// Requests of one session are answered in their order, whatever kind they are.
func TestRepliesKeepTheOrderOfRequests(t *testing.T) {
	e := startEnsemble(t, 3)
	c := dial(t, e.follower().client)
	c.connect(time.Minute)
	c.create("/x", 0)
	const rounds = 100
	var out []byte
	add := func(xid int32, op proto.Op, body func(*proto.Encoder)) {
		var e proto.Encoder
		e.Int(xid)
		e.Int(int32(op))
		body(&e)
		out = append(binary.BigEndian.AppendUint32(out, uint32(len(e.B))), e.B...)
	}
	path := func(e *proto.Encoder) { e.String("/x"); e.Bool(false) }
	for i := range int32(rounds) {
		add(10+5*i, proto.OpSetData, (&proto.SetData{Path: "/x", Version: i * 2}).Encode)
		add(11+5*i, proto.OpSetData, (&proto.SetData{Path: "/x", Version: i*2 + 1}).Encode)
		add(12+5*i, proto.OpExists, path)
		add(13+5*i, proto.OpSync, func(e *proto.Encoder) { e.String("/x") })
		add(14+5*i, 999, path)
	}
	go c.Write(out)
	for i := range int32(5 * rounds) {
		d := proto.NewDecoder(c.receive())
		xid := d.Int()
		d.Long()
		code := proto.Code(d.Int())
		if xid != 10+i {
			t.Fatalf("reply %d, want %d", xid, 10+i)
		}
		var stat proto.Stat
		switch i % 5 {
		case 2:
			if stat.Decode(d); stat.Version != 2*(i/5)+2 {
				t.Fatalf("a read after two writes shows version %d in round %d", stat.Version, i/5)
			}
		case 4:
			if code != proto.Unimplemented {
				t.Fatalf("%v", code)
			}
			continue
		}
		if code != proto.OK {
			t.Fatalf("reply %d: %v", xid, code)
		}
	}
}
