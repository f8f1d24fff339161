package uitest

import (
	"fmt"
	"math"
	"time"

	"kdrill/admin"
	"kdrill/cluster"
	"kdrill/tui/ui"
)

// Now is the time of all fixtures.
var Now = time.Date(2026, 3, 14, 12, 4, 31, 870e6, time.UTC)

// Empty is a console that has heard nothing yet.
func Empty() ui.Data {
	return ui.Data{Now: Now, Interval: time.Second, Page: 12, Rates: map[string][]float64{}, Location: time.UTC}
}

// Healthy is a cluster of three and three, with topics, groups and a past.
func Healthy() ui.Data {
	d := Empty()
	d.Snapshot, d.Status, d.Events = Snapshot(), Status(), Events()
	d.Health = admin.Check(d.Snapshot)
	for i := range 60 {
		v := 1200 + 700*math.Sin(float64(i)/6)
		d.Rates[""] = append(d.Rates[""], v)
		d.Rates["orders"] = append(d.Rates["orders"], v/2)
	}
	return d
}

// Failed is the same cluster after broker-2 was killed, five seconds ago.
func Failed() ui.Data {
	d := Healthy()
	s := *d.Snapshot
	s.Controller, s.ControllerEpoch = 1, 5
	s.Brokers = append([]admin.Broker(nil), s.Brokers...)
	s.Brokers[1].Registered, s.Brokers[1].Error = false, "connection refused"
	s.Brokers[1].Answered = Now.Add(-5 * time.Second)
	s.Topics = append([]*admin.Topic(nil), s.Topics...)
	for i := range s.Topics {
		t := new(*s.Topics[i])
		s.Topics[i] = t
		t.Partitions = append([]admin.Partition(nil), t.Partitions...)
		for j := range t.Partitions {
			without(&t.Partitions[j], 2)
		}
	}
	d.Snapshot, d.Health = &s, admin.Check(&s)
	status := *d.Status
	status.Nodes = append([]cluster.NodeStatus(nil), status.Nodes...)
	n := &status.Nodes[1]
	n.State, n.PID, n.RSS, n.Exit, n.Since = cluster.Exited, 0, 0, "signal 9", Now.Add(-5*time.Second)
	d.Status = &status
	d.Events = append(append([]admin.Event(nil), d.Events...), Fault()...)
	return d
}

// Fault are the events of a killed broker.
func Fault() []admin.Event {
	start := Now.Add(-5 * time.Second)
	var events []admin.Event
	add := func(after time.Duration, e admin.Event) {
		e.At, e.Fault, e.Since = start.Add(after), "f1", after
		events = append(events, e)
	}
	add(0, admin.Event{Kind: admin.KindFault, Subject: "broker-2", New: "kill", Note: "kdrill kill broker-2"})
	add(3*time.Millisecond, admin.Event{Kind: admin.KindExit, Subject: "broker-2", New: "signal 9"})
	add(2021*time.Millisecond, admin.Event{Kind: admin.KindSession, Subject: "broker-2"})
	add(2052*time.Millisecond, admin.Event{Kind: admin.KindController, Subject: "controller", Old: "broker-2", New: "broker-1", OldEpoch: 4, NewEpoch: 5})
	add(2101*time.Millisecond, admin.Event{Kind: admin.KindLeader, Subject: "orders/0", Old: "broker-2", New: "broker-3", OldEpoch: 3, NewEpoch: 4})
	add(2104*time.Millisecond, admin.Event{Kind: admin.KindISR, Subject: "orders/1", Old: "1,3,2", New: "1,3"})
	add(2170*time.Millisecond, admin.Event{Kind: admin.KindGroup, Subject: "billing", Old: "Stable", New: "PreparingRebalance"})
	return events
}

// Crowded is a cluster in which a broker that led many partitions has died.
func Crowded() ui.Data {
	d := Failed()
	at := func(kind admin.Kind, partition int, after time.Duration) admin.Event {
		return admin.Event{
			At: Now.Add(after - 5*time.Second), Kind: kind, Subject: fmt.Sprintf("%s/%d", []string{"shipments", "invoices"}[partition%3/2], partition),
			Fault: "f1", Since: after,
		}
	}
	for i := range 40 {
		e := at(admin.KindLeader, i, 2400*time.Millisecond)
		e.Old, e.New, e.OldEpoch, e.NewEpoch = "broker-2", []string{"broker-1", "broker-3"}[i%5/4], 1, 2
		d.Events = append(d.Events, e)
	}
	for i := range 80 {
		e := at(admin.KindISR, i, 2401*time.Millisecond)
		e.Old, e.New, e.Note = "1,2,3", "1,3", "broker-2 is out of sync"
		d.Events = append(d.Events, e)
	}
	return d
}

// Second are the events of a broker that is paused beside the one that was killed.
func Second() []admin.Event {
	at := Now.Add(-time.Second)
	return []admin.Event{
		{At: at, Kind: admin.KindFault, Subject: "broker-3", New: "pause", Note: "kdrill pause broker-3", Fault: "f2"},
		{At: at.Add(time.Millisecond), Kind: admin.KindPaused, Subject: "broker-3", Fault: "f2", Since: time.Millisecond},
	}
}

// Resumed is the event of its going on, and the cluster that did not notice.
func Resumed() ui.Data {
	d := Failed()
	d.Events = []admin.Event{{At: Now.Add(-200 * time.Millisecond), Kind: admin.KindResumed, Subject: "broker-3", Fault: "f2", Since: 800 * time.Millisecond}}
	s := *d.Snapshot
	s.Brokers = append([]admin.Broker(nil), s.Brokers...)
	s.Brokers[2].Answered = Now.Add(time.Second)
	s.At = Now.Add(time.Second)
	d.Snapshot = &s
	return d
}

func without(p *admin.Partition, id int32) {
	var isr []int32
	for _, r := range p.ISR {
		if r != id {
			isr = append(isr, r)
		}
	}
	p.ISR = isr
	if p.Leader == id {
		p.Leader = -1
		if len(isr) > 0 {
			p.Leader = isr[0]
			p.LeaderEpoch++
		}
	}
}

// Snapshot is a healthy cluster.
func Snapshot() *admin.Snapshot {
	s := &admin.Snapshot{
		At: Now.Add(-200 * time.Millisecond), ClusterID: "4L6g3nShT-eMCtK--X86sw", Mode: admin.ModeZooKeeper,
		Controller: 2, ControllerEpoch: 4, TopicsAt: Now.Add(-200 * time.Millisecond), GroupsAt: Now.Add(-200 * time.Millisecond),
	}
	for id := int32(1); id <= 3; id++ {
		s.Brokers = append(s.Brokers, admin.Broker{
			ID: id, Host: "127.0.0.1", Port: 9091 + id, Registered: true, Epoch: 100 + int64(id), SessionID: sessionOf(id), Answered: s.At, LogBytes: 18_400_000, LogBytesAt: s.At,
		})
		role := "follower"
		details := &admin.CoordinatorDetails{LatencyMax: 12, Received: 1207, Sent: 1209, Learners: -1, Synced: -1, Watches: 14, Ephemerals: 4, DataBytes: 21_400, Uptime: 252 * time.Second}
		if id == 2 {
			role = "leader"
			details.Learners, details.Synced = 2, 2
		}
		s.Coordinators = append(s.Coordinators, admin.Coordinator{
			Address: fmt.Sprintf("127.0.0.1:%d", 2180+id), Role: role, Zxid: 0x100000042, Connections: 2, Znodes: 131, LatencyAvg: 0.4, Answered: s.At, Version: "3.9.0", Details: details,
		})
	}
	s.Topics = []*admin.Topic{
		Topic("__consumer_offsets", 17, 3, true), Topic("orders", 3, 3, false), Topic("payments", 4, 3, false), Topic("주문-내역", 2, 3, false),
	}
	s.Sessions = Sessions()
	s.Groups = []admin.Group{group("billing", "orders", 3, 118), group("reports", "payments", 4, 0)}
	return s
}

// Topic makes a topic whose replicas are spread over three brokers.
func Topic(name string, partitions, factor int, internal bool) *admin.Topic {
	t := &admin.Topic{Name: name, ID: "mZ0bBRXfQ9-x1z_nJc2q0A", Internal: internal, MinISR: 2, PerSecond: 412}
	for i := range int32(partitions) {
		p := admin.Partition{
			ID: i, LeaderEpoch: 3 + i, ControllerEpoch: 4, PartitionEpoch: 7, Start: 0, End: 40112 + int64(i)*89, OffsetsAt: Now, Size: 6_133_000, SizeAt: Now,
			PerSecond: 137, ChangedAt: Now.Add(-time.Hour),
		}
		for r := range int32(factor) {
			p.Replicas = append(p.Replicas, (i+r)%3+1)
		}
		p.Leader, p.ISR = p.Replicas[0], p.Replicas
		t.Partitions = append(t.Partitions, p)
	}
	return t
}

func group(id, topic string, partitions int, lag int64) admin.Group {
	g := admin.Group{ID: id, State: "Stable", Protocol: "range", Coordinator: 2, Lag: lag, At: Now, PerSecond: 390}
	for i := range int32(partitions) {
		member := fmt.Sprintf("%s-%d-8c1f", id, i+1)
		g.Members = append(g.Members, admin.Member{ID: member, ClientID: fmt.Sprintf("%s-%d", id, i+1), Host: "/127.0.0.1", Assigned: map[string][]int32{topic: {i}}})
		l := int64(0)
		if i == 0 {
			l = lag
		}
		end := 40112 + int64(i)*89
		g.Partitions = append(g.Partitions, admin.GroupLag{Topic: topic, Partition: i, Committed: end - l, End: end, Lag: l, Member: member, PerSecond: 130})
	}
	return g
}

// Status is what the supervisor says of the healthy cluster.
func Status() *cluster.Status {
	s := &cluster.Status{Name: "default", Engine: "embedded", Timing: cluster.Brisk, PID: 41200, At: Now}
	node := func(role cluster.Role, id, pid, port int, rss int64) {
		s.Nodes = append(s.Nodes, cluster.NodeStatus{
			Name: fmt.Sprintf("%s-%d", role, id), Role: role, ID: id, Engine: "embedded", State: cluster.Serving, PID: pid,
			Address: fmt.Sprintf("127.0.0.1:%d", port), Since: Now.Add(-4 * time.Minute), Started: Now.Add(-252 * time.Second), RSS: rss, Session: 2 * time.Second,
		})
	}
	for id := 1; id <= 3; id++ {
		node(cluster.Broker, id, 41209+id, 9091+id, int64(36+id)<<20)
	}
	for id := 1; id <= 3; id++ {
		node(cluster.Coordinator, id, 41200+id, 2180+id, int64(18+id)<<20)
	}
	return s
}

// Events are a quiet past.
func Events() []admin.Event {
	at := func(before time.Duration) time.Time { return Now.Add(-before) }
	return []admin.Event{
		{At: at(4 * time.Minute), Kind: admin.KindTopicCreated, Subject: "orders", New: "3 partitions"},
		{At: at(80 * time.Second), Kind: admin.KindController, Subject: "controller", Old: "broker-1", New: "broker-2", OldEpoch: 3, NewEpoch: 4},
		{At: at(71 * time.Second), Kind: admin.KindJoined, Subject: "broker-2", Note: "after 9.4 s away"},
		{At: at(70 * time.Second), Kind: admin.KindISR, Subject: "orders/2", Old: "3,1", New: "3,1,2", Note: "broker-2 is back in sync"},
	}
}
