package coordinator

import (
	"encoding/binary"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"kdrill/node/coordinator/proto"
)

// A session belongs to the node that it went to last: once that has taken it, nothing counts any more that its client had
// sent to the node before, and no reply claims that it did.
func TestWhatASessionHasLeftBehindDoesNotCount(t *testing.T) {
	e := startEnsemble(t, 3)
	old, next := dial(t, e.nodes[0].client), dial(t, e.nodes[1].client)
	session := old.connect(time.Minute)
	old.create("/d", 0)
	const requests = 5000
	var out []byte
	for i := range int32(requests) {
		var e proto.Encoder
		e.Int(100 + i)
		e.Int(int32(proto.OpCreate))
		newZnode(fmt.Sprintf("/d/%d", i), "", 0, proto.Anyone()).Encode(&e)
		out = append(binary.BigEndian.AppendUint32(out, uint32(len(e.B))), e.B...)
	}
	go old.Write(out) // ends with the connection
	old.receive()     // some have been carried out
	if r := next.reconnect(session, 0); r.Session != session.Session {
		t.Fatalf("not taken: %+v", r)
	}
	children := func() int {
		next.request(proto.OpSync, func(e *proto.Encoder) { e.String("/d") })
		body := next.request(proto.OpGetChildren, func(e *proto.Encoder) { e.String("/d"); e.Bool(false) })
		return len(proto.NewDecoder(body).Strings())
	}
	there, acknowledged := children(), 1
	for {
		frame, err := old.next()
		if err != nil {
			if strings.Contains(err.Error(), "timeout") {
				t.Fatal("the older connection stays")
			}
			break
		}
		d := proto.NewDecoder(frame)
		d.Int()
		d.Long()
		if proto.Code(d.Int()) == proto.OK {
			acknowledged++
		}
	}
	if after := children(); after != there || acknowledged > there {
		t.Errorf("%d znodes when the session had moved, %d later; the older connection was told of %d", there, after, acknowledged)
	}
	if there == requests {
		t.Log("all was done before the session moved")
	}
}

// A client never goes back in time: a node that has missed what it saw elsewhere takes it only once it has caught up.
func TestANodeThatWasAwayDoesNotShowTheClientThePast(t *testing.T) {
	e := startEnsemble(t, 3)
	late, leader := e.follower(), e.leader()
	c := dial(t, leader.client)
	session := c.connect(time.Minute)
	c.create("/x", 0)
	for round := range int32(5) {
		late.signal(syscall.SIGSTOP)
		for range 20 {
			c.request(proto.OpSetData, (&proto.SetData{Path: "/x", Version: -1}).Encode)
		}
		if c.code != proto.OK {
			t.Fatal(c.code)
		}
		seen := c.zxid
		there := dial(t, late.client) // the system takes the connection, and what is sent over it
		there.send(connectRequest(time.Minute, session.Session, session.Password, seen))
		late.signal(syscall.SIGCONT)
		var frame []byte
		eventually(t, "the node that was away takes the client", func() bool {
			var err error
			if frame, err = there.next(); err == nil {
				return true
			}
			there = dial(t, late.client)
			there.send(connectRequest(time.Minute, session.Session, session.Password, seen))
			return false
		})
		d := proto.NewDecoder(frame)
		if d.Int(); d.Int() == 0 {
			t.Fatal("the session has ended")
		}
		body := proto.NewDecoder(there.request(proto.OpGetData, func(e *proto.Encoder) { e.String("/x"); e.Bool(false) }))
		body.Buffer()
		var stat proto.Stat
		stat.Decode(body)
		if want := 20 * (round + 1); stat.Version != want || there.zxid < seen {
			t.Errorf("round %d: version %d at zxid %x, it had seen version %d at %x", round, stat.Version, there.zxid, want, seen)
		}
		c = dial(t, leader.client)
		if r := c.reconnect(session, there.zxid); r.Session != session.Session {
			t.Fatalf("not taken back: %+v", r)
		}
	}
}
