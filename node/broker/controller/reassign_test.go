package controller

import (
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/layout"
	"kdrill/testdata/stage"
)

func TestWhereAPartitionMoves(t *testing.T) {
	for _, c := range []struct {
		what         string
		from, want   placement
		target, back []int32
	}{
		{"one replica", placement{replicas: []int32{1, 2}}, placement{[]int32{1, 3, 2}, []int32{3}, []int32{2}}, []int32{1, 3}, []int32{1, 2}},
		{"all", placement{replicas: []int32{1, 2}}, placement{[]int32{3, 4, 1, 2}, []int32{3, 4}, []int32{1, 2}}, []int32{3, 4}, []int32{1, 2}},
		{"another order", placement{replicas: []int32{1, 2}}, placement{[]int32{2, 1}, nil, nil}, []int32{2, 1}, []int32{2, 1}},
		{"what stays takes the target's order", placement{replicas: []int32{1, 2, 3}}, placement{[]int32{4, 3, 1, 2}, []int32{4}, []int32{2}}, []int32{4, 3, 1}, []int32{3, 1, 2}}, // and keeps it when that is cancelled, as with Kafka
		{"elsewhere on the way", placement{[]int32{3, 1, 2}, []int32{3}, []int32{2}}, placement{[]int32{4, 1, 2}, []int32{4}, []int32{2}}, []int32{4, 1}, []int32{1, 2}},
	} {
		got := c.from.towards(c.target)
		if !slices.Equal(got.replicas, c.want.replicas) || !slices.Equal(got.adding, c.want.adding) || !slices.Equal(got.removing, c.want.removing) {
			t.Errorf("%s: %v, want %v", c.what, got, c.want)
		}
		if !slices.Equal(got.target(), c.target) || !slices.Equal(got.origin(), c.back) {
			t.Errorf("%s: target %v, origin %v", c.what, got.target(), got.origin())
		}
	}
}

func TestWhenAMoveHasArrived(t *testing.T) {
	for _, c := range []struct {
		what        string
		target, isr []int32
		leader      int32
		dead        int32
		want        int32
		wantISR     []int32
	}{
		{"a new replica lags", []int32{3, 4}, []int32{1, 2, 3}, 1, 0, layout.NoLeader, nil},
		{"the leader stays", []int32{3, 1}, []int32{1, 2, 3}, 1, 0, 1, []int32{1, 3}},
		{"the leader goes", []int32{3, 4}, []int32{1, 3, 4}, 1, 0, 3, []int32{3, 4}},
		{"the first of the target is dead", []int32{3, 4}, []int32{1, 3, 4}, 1, 3, 4, []int32{3, 4}},
	} {
		s := layout.PartitionState{Leader: c.leader, LeaderEpoch: 7, ISR: c.isr}
		next, ok := arrived(c.target, s, func(id int32) bool { return id != c.dead })
		if ok != (c.want >= 0) || ok && (next.Leader != c.want || !slices.Equal(next.ISR, c.wantISR) || next.LeaderEpoch != 8) {
			t.Errorf("%s: %v %+v", c.what, ok, next)
		}
	}
}

func (c *cluster) reassign(n *node, topic string, replicas []int32) int16 {
	req := kmsg.NewPtrAlterPartitionAssignmentsRequest()
	asked := kmsg.NewAlterPartitionAssignmentsRequestTopic()
	asked.Topic = topic
	p := kmsg.NewAlterPartitionAssignmentsRequestTopicPartition()
	p.Replicas = replicas
	asked.Partitions = append(asked.Partitions, p)
	req.Topics = append(req.Topics, asked)
	resp := n.AlterPartitionAssignments(c.t.Context(), req)
	if resp.ErrorCode != 0 {
		return resp.ErrorCode
	}
	return resp.Topics[0].Partitions[0].ErrorCode
}

func moving(t *testing.T, n *node) (list []kmsg.ListPartitionReassignmentsResponseTopicPartition) {
	resp := n.ListPartitionReassignments(t.Context(), kmsg.NewPtrListPartitionReassignmentsRequest())
	for _, topic := range resp.Topics {
		list = append(list, topic.Partitions...)
	}
	return list
}

func TestAPartitionMovesOnceItsNewReplicasAreInSync(t *testing.T) {
	c, nodes := three(t)
	c.createTopic("t1", []int32{1, 2})
	c.awaitState("t1", 0, seen{1, 0, []int32{1, 2}})
	for target, want := range map[int32]int16{9: kerr.InvalidReplicaAssignment.Code, 2: kerr.InvalidReplicaAssignment.Code} {
		if code := c.reassign(nodes[1], "t1", []int32{2, target}); code != want {
			t.Errorf("to 2 and %d: code %d", target, code)
		}
	}
	if code := c.reassign(nodes[1], "t1", nil); code != kerr.NoReassignmentInProgress.Code {
		t.Errorf("cancelled nothing: code %d", code)
	}
	if code := c.reassign(nodes[1], "t1", []int32{3, 2}); code != 0 {
		t.Fatalf("code %d", code)
	}
	c.awaitState("t1", 0, seen{1, 1, []int32{1, 2}})
	list := moving(t, nodes[1])
	if len(list) != 1 || !slices.Equal(list[0].Replicas, []int32{3, 2, 1}) || !slices.Equal(list[0].AddingReplicas, []int32{3}) || !slices.Equal(list[0].RemovingReplicas, []int32{1}) {
		t.Errorf("on its way: %+v", list)
	}
	nodes[3].await(t, "its replica", func(all []kmsg.Request) bool { return lastLead(all, "t1", 0) != nil })
	c.alter(nodes, 1, "t1", 0, []int32{1, 2, 3}, 1)
	c.awaitState("t1", 0, seen{3, 2, []int32{2, 3}})
	nodes[1].await(t, "the end of its replica", func(all []kmsg.Request) bool {
		return slices.ContainsFunc(all, func(req kmsg.Request) bool {
			stop, ok := req.(*kmsg.StopReplicaRequest)
			return ok && deletes(stop)[layout.TopicPartition{Topic: "t1", Partition: 0}]
		})
	})
	if list := moving(t, nodes[1]); len(list) != 0 {
		t.Errorf("at its end: %+v", list)
	}
}

func TestAMoveCanBeCancelled(t *testing.T) {
	c, nodes := three(t)
	c.createTopic("t1", []int32{1, 2})
	c.awaitState("t1", 0, seen{1, 0, []int32{1, 2}})
	if code := c.reassign(nodes[1], "t1", []int32{1, 3}); code != 0 {
		t.Fatalf("code %d", code)
	}
	if code := c.reassign(nodes[1], "t1", nil); code != 0 {
		t.Fatalf("cancel: code %d", code)
	}
	if list := moving(t, nodes[1]); len(list) != 0 {
		t.Errorf("after it was cancelled: %+v", list)
	}
	nodes[3].await(t, "the end of its replica", func(all []kmsg.Request) bool {
		return slices.ContainsFunc(all, func(req kmsg.Request) bool {
			stop, ok := req.(*kmsg.StopReplicaRequest)
			return ok && deletes(stop)[layout.TopicPartition{Topic: "t1", Partition: 0}]
		})
	})
	c.awaitState("t1", 0, seen{1, 2, []int32{1, 2}})
}

func TestTheNextControllerGoesOnWithAMove(t *testing.T) {
	c, nodes := three(t)
	c.createTopic("t1", []int32{2, 1})
	c.awaitState("t1", 0, seen{2, 0, []int32{2, 1}})
	if code := c.reassign(nodes[1], "t1", []int32{2, 3}); code != 0 {
		t.Fatalf("code %d", code)
	}
	c.awaitState("t1", 0, seen{2, 1, []int32{2, 1}})
	c.kill(nodes[1])
	c.await(layout.State("t1", 0), "the next epoch", func(data []byte) bool {
		s, err := layout.Decode[layout.PartitionState]("", data)
		return err == nil && s.LeaderEpoch > 1
	})
	stage.Eventually(t, ample, "the next controller has the move", func() bool { // it may write before it answers
		return slices.ContainsFunc([]int32{2, 3}, func(id int32) bool { return nodes[id].Active() && len(moving(t, nodes[id])) == 1 })
	})
}
