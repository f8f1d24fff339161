package admin

import (
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// described is an answer to DescribeQuorum: who leads, and the log end of each voter; a time is that of its last fetch.
func described(leader, epoch int32, voters ...kmsg.DescribeQuorumResponseTopicPartitionReplicaState) *kmsg.DescribeQuorumResponse {
	resp := kmsg.NewPtrDescribeQuorumResponse()
	p := kmsg.NewDescribeQuorumResponseTopicPartition()
	p.LeaderID, p.LeaderEpoch, p.CurrentVoters = leader, epoch, voters
	t := kmsg.NewDescribeQuorumResponseTopic()
	t.Partitions = append(t.Partitions, p)
	resp.Topics = append(resp.Topics, t)
	for _, v := range voters {
		n := kmsg.NewDescribeQuorumResponseNode()
		n.NodeID = v.ReplicaID
		l := kmsg.NewDescribeQuorumResponseNodeListener()
		l.Host, l.Port = "127.0.0.1", uint16(19000+v.ReplicaID)
		n.Listeners = append(n.Listeners, l)
		resp.Nodes = append(resp.Nodes, n)
	}
	return resp
}

func voter(id int32, end int64, fetched time.Time) kmsg.DescribeQuorumResponseTopicPartitionReplicaState {
	v := kmsg.NewDescribeQuorumResponseTopicPartitionReplicaState()
	v.ReplicaID, v.LogEndOffset = id, end
	if !fetched.IsZero() {
		v.LastFetchTimestamp = fetched.UnixMilli()
	}
	return v
}

func TestTheQuorumOfKRaftStandsWhereCoordinatorsStand(t *testing.T) {
	now := time.Now()
	w := newWorld(Config{Mode: ModeKRaft})
	w.applyQuorum(described(102, 5, voter(103, 70, now.Add(-time.Minute)), voter(101, 90, now), voter(102, 100, time.Time{})), now)
	s := w.snapshot(now)
	if s.Controller != 102 || s.ControllerEpoch != 5 || s.ControllerName() != "controller-102" {
		t.Errorf("controller %d %s, epoch %d", s.Controller, s.ControllerName(), s.ControllerEpoch)
	}
	want := []Coordinator{
		{ID: 101, Lag: 10, Address: "127.0.0.1:19101", Role: "follower", Zxid: 90, Answered: now},
		{ID: 102, Address: "127.0.0.1:19102", Role: "leader", Zxid: 100, Answered: now},
	}
	if !slices.Equal(s.Coordinators[:2], want) {
		t.Errorf("%+v, want %+v", s.Coordinators[:2], want)
	}
	if silent := s.Coordinators[2]; silent.Role != "" || silent.Error != "has not fetched for 1m0s" {
		t.Errorf("%+v", silent)
	}
	if b := CoordinatorBlast(s, "127.0.0.1:19102"); !b.Quorum.Leader || b.Quorum.Serving != 1 || b.Quorum.Holds() {
		t.Errorf("%+v", b.Quorum)
	}
	w.applyQuorum(described(101, 4, voter(101, 10, now)), now)
	if w.controller != 102 {
		t.Error("an answer of an older epoch was taken in")
	}
}

func TestTheQuorumOfKRaftHasEvents(t *testing.T) {
	now := time.Now()
	w := newWorld(Config{Mode: ModeKRaft})
	look := func(resp *kmsg.DescribeQuorumResponse) *Snapshot {
		w.applyQuorum(resp, now)
		return w.snapshot(now)
	}
	first := look(described(101, 5, voter(101, 100, time.Time{}), voter(102, 100, now), voter(103, 100, now)))
	silent := look(described(101, 5, voter(101, 110, time.Time{}), voter(102, 110, now), voter(103, 100, now.Add(-10*time.Second))))
	moved := look(described(102, 6, voter(102, 120, time.Time{}), voter(103, 120, now)))
	events := append(Diff(first, silent), Diff(silent, moved)...)
	var got []string
	for _, e := range events {
		got = append(got, e.Kind+" "+e.Subject+" "+e.Old+" "+e.New)
	}
	want := []string{
		"quorum controller-103 follower silent",
		"quorum controller-103 silent follower", "quorum controller-101 leader no voter", "controller controller controller-101 controller-102",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if last := events[len(events)-1]; last.OldEpoch != 5 || last.NewEpoch != 6 {
		t.Errorf("%+v", last)
	}
}

// Brokers follow the controllers before they are registered; that is no change of the quorum.
func TestObserversOfTheQuorumHaveNoVote(t *testing.T) {
	now := time.Now()
	w := newWorld(Config{Mode: ModeKRaft})
	look := func(observers ...kmsg.DescribeQuorumResponseTopicPartitionReplicaState) *Snapshot {
		resp := described(101, 5, voter(101, 100, time.Time{}), voter(102, 98, now))
		resp.Topics[0].Partitions[0].Observers = observers
		w.applyQuorum(resp, now)
		return w.snapshot(now)
	}
	before, after := look(), look(voter(4, 90, now), voter(1, 100, now.Add(-time.Minute)))
	if events := Diff(before, after); len(events) > 0 {
		t.Errorf("%+v", events)
	}
	if Check(after).Level == Broken || len(after.Coordinators) != 2 {
		t.Errorf("%+v %+v", Check(after), after.Coordinators)
	}
	for id, want := range map[int32]string{
		101: "leads in epoch 5, log end 100; 2 voters, 2 observers",
		102: "follower in epoch 5, lag 2; 2 voters, 2 observers",
		4:   "observer in epoch 5, lag 10; 2 voters, 2 observers",
		1:   "has not fetched for 1m0s; epoch 5, 2 voters, 2 observers",
		7:   "",
	} {
		if got := after.Standing(id); got != want {
			t.Errorf("%d: %q, want %q", id, got, want)
		}
	}
}

func TestAQuorumThatMayNotBeSeenLeavesTheControllerToMetadata(t *testing.T) {
	w := newWorld(Config{Mode: ModeKRaft})
	resp := kmsg.NewPtrMetadataResponse()
	b := kmsg.NewMetadataResponseBroker()
	b.NodeID = 2
	resp.Brokers, resp.ControllerID = append(resp.Brokers, b), 2
	w.applyMetadata(resp, time.Now())
	if w.controller != -1 {
		t.Errorf("controller %d: brokers of KRaft name any of them", w.controller)
	}
	w.missQuorum(kerr.ClusterAuthorizationFailed)
	w.applyMetadata(resp, time.Now())
	if w.controller != 2 {
		t.Errorf("controller %d", w.controller)
	}
}

func TestWhatANodeHasNotCaughtUpWith(t *testing.T) {
	m := kmsg.NewPtrMetadataResponse()
	topic := kmsg.NewMetadataResponseTopic()
	topic.Topic = kmsg.StringPtr("orders")
	for id, isr := range [][]int32{{1, 2}, {2}, {2, 3}} {
		p := kmsg.NewMetadataResponseTopicPartition()
		p.Partition, p.Replicas, p.ISR = int32(id), []int32{1, 2, 3}[:2], isr
		topic.Partitions = append(topic.Partitions, p)
	}
	m.Topics = append(m.Topics, topic)
	for broker, want := range map[int32][]string{1: {"orders/1", "orders/2"}, 2: nil, 3: nil} {
		got, holds := behindIn(m, broker)
		if !slices.Equal(got, want) || holds != (broker < 3) {
			t.Errorf("broker %d: %v %v, want %v", broker, got, holds, want)
		}
	}
}
