package controller

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/go-zookeeper/zk"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/layout"
)

// A reassignment (KIP-455) moves a partition to other replicas in two phases, both of which the topic's znode tells:
// first the partition has its old and its new replicas (adding and removing say which is which), and the new
// ones follow the leader; once all that stay are in sync, the others leave the ISR, one that stays leads, and the
// replicas that left are deleted. Every step can be done again, which a new controller does.

// placement is where a partition's replicas are, and are to be.
type placement struct{ replicas, adding, removing []int32 }

func (p *partition) placement() placement { return placement{p.replicas, p.adding, p.removing} }

func (p *partition) takePlace(to placement) {
	p.replicas, p.adding, p.removing = to.replicas, to.adding, to.removing
}

func (a placement) moving() bool { return len(a.adding) > 0 || len(a.removing) > 0 }

// origin is where the replicas were before, target where they go.
func (a placement) origin() []int32 { return without(a.replicas, a.adding) }
func (a placement) target() []int32 { return without(a.replicas, a.removing) }

// towards is the first phase of a move to target; the replicas of the target come first.
func (a placement) towards(target []int32) placement {
	origin := a.origin()
	return placement{
		replicas: slices.Concat(target, without(origin, target)),
		adding:   without(target, origin), removing: without(origin, target),
	}
}

func without(ids, others []int32) []int32 {
	return only(ids, func(id int32) bool { return !slices.Contains(others, id) })
}

// arrived is the state of a partition whose replicas are where they are to be: the leader stays if it may, others
// leave the ISR. It returns false if not all of the target are in sync yet, or none of them can lead.
func arrived(target []int32, s layout.PartitionState, live among) (layout.PartitionState, bool) {
	for _, id := range target {
		if !slices.Contains(s.ISR, id) {
			return s, false
		}
	}
	leader := s.Leader
	if !slices.Contains(target, leader) || !live(leader) {
		ok := false
		if leader, ok = first(target, live); !ok {
			return s, false
		}
	}
	return led(s, leader, only(s.ISR, func(id int32) bool { return slices.Contains(target, id) })), true
}

// AlterPartitionAssignments starts reassignments, changes where they go, or cancels them. Version 0.
func (c *Controller) AlterPartitionAssignments(ctx context.Context, req *kmsg.AlterPartitionAssignmentsRequest) *kmsg.AlterPartitionAssignmentsResponse {
	resp, ok := ask(ctx, c, "AlterPartitionReassignments", func(t *term) (*kmsg.AlterPartitionAssignmentsResponse, error) {
		return t.alterAssignments(req)
	})
	if !ok {
		resp = req.ResponseKind().(*kmsg.AlterPartitionAssignmentsResponse)
		resp.ErrorCode = kerr.NotController.Code
	}
	return resp
}

func (t *term) alterAssignments(req *kmsg.AlterPartitionAssignmentsRequest) (*kmsg.AlterPartitionAssignmentsResponse, error) {
	resp := req.ResponseKind().(*kmsg.AlterPartitionAssignmentsResponse)
	for _, asked := range req.Topics {
		topic := kmsg.NewAlterPartitionAssignmentsResponseTopic()
		topic.Topic = asked.Topic
		for _, wish := range asked.Partitions {
			p := kmsg.NewAlterPartitionAssignmentsResponseTopicPartition()
			p.Partition = wish.Partition
			code, err := t.reassign(t.view.partition(asked.Topic, wish.Partition), wish.Replicas)
			if err != nil {
				return nil, err
			}
			if p.ErrorCode = code; code != 0 {
				text := errorText(code)
				p.ErrorMessage = &text
			}
			topic.Partitions = append(topic.Partitions, p)
		}
		resp.Topics = append(resp.Topics, topic)
	}
	return resp, nil
}

// ListPartitionReassignments tells what is moving. Version 0.
func (c *Controller) ListPartitionReassignments(ctx context.Context, req *kmsg.ListPartitionReassignmentsRequest) *kmsg.ListPartitionReassignmentsResponse {
	resp, ok := ask(ctx, c, "ListPartitionReassignments", func(t *term) (*kmsg.ListPartitionReassignmentsResponse, error) {
		return t.view.reassignments(req), nil
	})
	if !ok {
		resp = req.ResponseKind().(*kmsg.ListPartitionReassignmentsResponse)
		resp.ErrorCode = kerr.NotController.Code
	}
	return resp
}

func (v *view) reassignments(req *kmsg.ListPartitionReassignmentsRequest) *kmsg.ListPartitionReassignmentsResponse {
	resp := req.ResponseKind().(*kmsg.ListPartitionReassignmentsResponse)
	asked := map[layout.TopicPartition]bool{}
	for _, t := range req.Topics {
		for _, id := range t.Partitions {
			asked[layout.TopicPartition{Topic: t.Topic, Partition: id}] = true
		}
	}
	for p := range v.partitions() {
		if !p.placement().moving() || req.Topics != nil && !asked[p.TopicPartition] {
			continue
		}
		if n := len(resp.Topics); n == 0 || resp.Topics[n-1].Topic != p.Topic {
			topic := kmsg.NewListPartitionReassignmentsResponseTopic()
			topic.Topic = p.Topic
			resp.Topics = append(resp.Topics, topic)
		}
		topic := &resp.Topics[len(resp.Topics)-1]
		part := kmsg.NewListPartitionReassignmentsResponseTopicPartition()
		part.Partition, part.Replicas = p.Partition, slices.Clone(p.replicas)
		part.AddingReplicas, part.RemovingReplicas = slices.Clone(p.adding), slices.Clone(p.removing)
		topic.Partitions = append(topic.Partitions, part)
	}
	return resp
}

// reassign begins to move a partition to target, or back to where it was if that is nil. The code says why it cannot.
func (t *term) reassign(p *partition, target []int32) (code int16, err error) {
	switch {
	case p == nil || p.topic.deletion != nil || p.state == nil:
		return kerr.UnknownTopicOrPartition.Code, nil
	case target == nil && !p.placement().moving():
		return kerr.NoReassignmentInProgress.Code, nil
	case target == nil:
		target = p.placement().origin()
	case !t.acceptable(p, target):
		return kerr.InvalidReplicaAssignment.Code, nil
	}
	next := p.placement().towards(target)
	gone := without(p.replicas, next.replicas) // on their way to where they need not go any more
	if out, err := t.evict(p, next.replicas, gone); !out || err != nil {
		return kerr.InvalidReplicaAssignment.Code, err
	}
	if err := t.place(p, next); err != nil {
		if conflicts(err) {
			return kerr.InvalidReplicaAssignment.Code, nil // somebody else changes the topic
		}
		return 0, err
	}
	t.log.Info("reassignment", "partition", p.String(), "replicas", target, "adding", p.adding, "removing", p.removing)
	for _, id := range gone {
		t.batch.sendStop(id, p, true)
	}
	if arrived, err := t.arrive(p); arrived || err != nil {
		return 0, err
	}
	return 0, t.announce(p)
}

// evict takes replicas that are given up out of the ISR, and the leadership from them. It returns false if no other
// could lead.
func (t *term) evict(p *partition, replicas, gone []int32) (bool, error) {
	if len(without(gone, p.state.ISR)) == len(gone) && !slices.Contains(gone, p.state.Leader) {
		return true, nil
	}
	made, err := t.decide([]*partition{p}, func(p *partition) (layout.PartitionState, bool) {
		isr, leader, ok := without(p.state.ISR, gone), p.state.Leader, true
		if slices.Contains(gone, leader) {
			leader, ok = first(replicas, func(id int32) bool { return t.view.live(id) && slices.Contains(isr, id) })
		}
		return led(p.state.PartitionState, leader, isr), ok && len(isr) > 0
	})
	return len(made) > 0, err
}

// acceptable says whether a partition can move to target: different brokers, new ones among them alive.
func (t *term) acceptable(p *partition, target []int32) bool {
	for i, id := range target {
		if id < 0 || slices.Contains(target[:i], id) || !p.hosts(id) && !t.view.live(id) {
			return false
		}
	}
	return len(target) > 0
}

// announce makes old and new replicas follow: the leader learns of them by a new leader epoch.
func (t *term) announce(p *partition) error {
	made, err := t.decide([]*partition{p}, func(p *partition) (layout.PartitionState, bool) {
		return led(p.state.PartitionState, p.state.Leader, p.state.ISR), true
	})
	for _, c := range made {
		for _, id := range p.replicas {
			if t.view.live(id) {
				t.batch.sendLead(id, c.partition, slices.Contains(p.adding, id))
			}
		}
		t.batch.metadata[p] = true
	}
	return err
}

// arrive ends a reassignment if its replicas are in sync.
func (t *term) arrive(p *partition) (bool, error) {
	if p.state == nil || p.topic.deletion != nil || !p.placement().moving() {
		return false, nil
	}
	target, gone := p.placement().target(), p.removing
	made, err := t.decide([]*partition{p}, func(p *partition) (layout.PartitionState, bool) {
		return arrived(target, p.state.PartitionState, t.view.live)
	})
	if len(made) == 0 || err != nil {
		return false, err
	}
	// Replicas are removed before the znode forgets them: a controller that comes after would not know of them.
	before := p.placement()
	p.takePlace(placement{replicas: target})
	t.tell(p, false)
	for _, id := range gone {
		t.batch.sendStop(id, p, true)
	}
	t.flush()
	if err := t.place(p, placement{replicas: target}); err != nil {
		p.takePlace(before)
		if conflicts(err) {
			t.after(retryPause, "reassignment", func() error { _, err := t.arrive(p); return err })
			return true, nil
		}
		return false, err
	}
	t.log.Info("reassignment complete", "partition", p.String(), "replicas", target, "leader", p.state.Leader, "epoch", p.state.LeaderEpoch)
	return true, nil
}

// place writes a placement into the topic's znode, and takes it over.
func (t *term) place(p *partition, to placement) error {
	path, key := layout.Topic(p.Topic), strconv.Itoa(int(p.Partition))
	for attempts := 3; ; attempts-- {
		data, stat, err := t.store.get(path)
		if err != nil {
			return err
		}
		a, err := layout.Decode[layout.TopicAssignment](path, data)
		if err != nil {
			return err
		}
		a.Partitions[key] = to.replicas
		for lists, ids := range map[*map[string][]int32][]int32{&a.Adding: to.adding, &a.Removing: to.removing} {
			if *lists == nil {
				*lists = map[string][]int32{}
			}
			if delete(*lists, key); len(ids) > 0 {
				(*lists)[key] = ids
			}
		}
		_, err = t.store.write(&zk.SetDataRequest{Path: path, Data: layout.Encode(a), Version: stat.Version})
		if errors.Is(err, zk.ErrBadVersion) && attempts > 1 {
			continue
		}
		if err == nil {
			p.takePlace(to)
		}
		return err
	}
}

// resumeReassignments goes on with what the controller before began.
func (t *term) resumeReassignments() error {
	for _, p := range t.view.where(func(p *partition) bool { return p.state != nil && p.placement().moving() }) {
		if arrived, err := t.arrive(p); err != nil {
			return err
		} else if !arrived {
			if err := t.announce(p); err != nil {
				return err
			}
		}
	}
	return nil
}
