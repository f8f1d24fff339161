package cmd

import (
	"context"
	"iter"
	"log/slog"
	"slices"
	"testing"
	"time"

	"kdrill/admin"
	"kdrill/cluster"
)

// notebook is a recorder that keeps what it is given.
type notebook struct {
	events   []cluster.Event
	sessions []int64
}

func (n *notebook) Status() cluster.Status {
	return cluster.Status{Nodes: []cluster.NodeStatus{{Name: "broker-1", Session: 2 * time.Second}}}
}

func (n *notebook) Observes(session int64) { n.sessions = append(n.sessions, session) }
func (n *notebook) Record(e cluster.Event) { n.events = append(n.events, e) }

func (n *notebook) Events(context.Context, int) iter.Seq2[cluster.Event, error] {
	return func(func(cluster.Event, error) bool) {}
}

// seen is a snapshot of one partition on two brokers.
func seen(at time.Time, registered bool, leader int32, isr ...int32) *admin.Snapshot {
	return &admin.Snapshot{
		At: at, Controller: 2,
		Brokers: []admin.Broker{{ID: 1, Registered: registered}, {ID: 2, Registered: true}},
		Topics:  []*admin.Topic{{Name: "orders", Partitions: []admin.Partition{{Leader: leader, Replicas: []int32{1, 2}, ISR: isr}}}},
	}
}

func TestAFaultIsOverOnceAllOfItIsSeen(t *testing.T) {
	at := time.Unix(1000, 0)
	after := func(s int) time.Time { return at.Add(time.Duration(s) * time.Second) }
	for name, first := range map[string]time.Time{"known before": after(-1), "known only after": after(1)} {
		book := &notebook{}
		c := &chronicle{supervisor: book, log: slog.New(slog.DiscardHandler)}
		fault := admin.Event{At: at, Kind: admin.KindFault, Subject: "broker-1", New: "kill"}
		before := seen(first, true, 1, 1, 2)
		if first.Before(at) {
			c.see(before)
			c.note(fault)
		} else {
			c.note(fault)
			c.see(before)
		}
		c.note(admin.Event{At: after(2), Kind: admin.KindSession, Subject: "broker-1"})
		c.note(admin.Event{At: after(2), Kind: admin.KindLeader, Subject: "orders/0", Old: "broker-1", New: "broker-2"})
		c.see(seen(after(3), false, 2, 2))
		if c.over != nil {
			t.Errorf("%s: over while broker-1 is away", name)
		}
		c.note(admin.Event{At: after(4), Kind: admin.KindJoined, Subject: "broker-1"})
		c.see(seen(after(5), true, 2, 2, 1))
		if c.over == nil {
			t.Fatalf("%s: not over", name)
		}
		c.recovered()
		if len(book.events) != 1 || book.events[0].Kind != cluster.KindRecovered || book.events[0].New != "5.0 s" || len(c.faults) != 0 {
			t.Errorf("%s: %+v", name, book.events)
		}
	}
}

// TestTwoFaultsAreOverEachAtItsTime: both brokers of a partition of three are killed one after the other, and come back in
// the other order.
func TestTwoFaultsAreOverEachAtItsTime(t *testing.T) {
	at := time.Unix(1000, 0)
	after := func(s int) time.Time { return at.Add(time.Duration(s) * time.Second) }
	look := func(s int, registered []int32, leader int32, isr ...int32) *admin.Snapshot {
		now := &admin.Snapshot{At: after(s), Controller: 3, Topics: []*admin.Topic{{Name: "orders", Partitions: []admin.Partition{{Leader: leader, Replicas: []int32{1, 2, 3}, ISR: isr}}}}}
		for id := range int32(3) {
			now.Brokers = append(now.Brokers, admin.Broker{ID: id + 1, Registered: slices.Contains(registered, id+1)})
		}
		return now
	}
	book := &notebook{}
	c := &chronicle{supervisor: book, log: slog.New(slog.DiscardHandler)}
	c.see(look(-1, []int32{1, 2, 3}, 1, 1, 2, 3))
	c.note(admin.Event{At: at, Kind: admin.KindFault, Subject: "broker-1", New: "kill"})
	c.note(admin.Event{At: after(1), Kind: admin.KindSession, Subject: "broker-1"})
	c.note(admin.Event{At: after(1), Kind: admin.KindLeader, Subject: "orders/0", Old: "broker-1", New: "broker-2"})
	c.see(look(1, []int32{2, 3}, 2, 2, 3))
	c.note(admin.Event{At: after(2), Kind: admin.KindFault, Subject: "broker-2", New: "kill"})
	c.note(admin.Event{At: after(3), Kind: admin.KindSession, Subject: "broker-2"})
	c.note(admin.Event{At: after(3), Kind: admin.KindLeader, Subject: "orders/0", Old: "broker-2", New: "broker-3"})
	c.see(look(3, []int32{3}, 3, 3))
	if len(c.faults) != 2 || c.over != nil {
		t.Fatalf("%d faults open, over %v", len(c.faults), c.over != nil)
	}
	c.note(admin.Event{At: after(4), Kind: admin.KindJoined, Subject: "broker-2"})
	c.see(look(5, []int32{2, 3}, 3, 3, 2))
	if c.over != nil {
		t.Fatal("over while broker-1 is away: the partition is not whole")
	}
	c.note(admin.Event{At: after(6), Kind: admin.KindJoined, Subject: "broker-1"})
	c.see(look(7, []int32{1, 2, 3}, 3, 3, 2, 1))
	if c.over == nil {
		t.Fatal("not over")
	}
	c.recovered()
	said := map[string]string{}
	for _, e := range book.events {
		said[e.Subject] = e.New
	}
	if len(book.events) != 2 || said["broker-1"] != "7.0 s" || said["broker-2"] != "5.0 s" || len(c.faults) != 0 {
		t.Errorf("%+v", book.events)
	}
}

func TestTheSupervisorKnowsOverWhichSessionItsProgramObserves(t *testing.T) {
	n := &notebook{}
	c := &chronicle{supervisor: n, log: slog.New(slog.DiscardHandler)}
	for _, session := range []int64{0, 5, 5, 7, 0} {
		s := seen(time.Unix(1000, 0), true, 1, 1, 2)
		s.OwnSession = session
		c.see(s)
	}
	if want := []int64{5, 7, 0}; !slices.Equal(n.sessions, want) {
		t.Errorf("told %v, want %v", n.sessions, want)
	}
}
