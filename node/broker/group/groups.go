package group

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeGroups (key 15, versions 0-5). A group that does not exist is Dead.
func (c *Coordinator) DescribeGroups(_ context.Context, _, _ string, req *kmsg.DescribeGroupsRequest) *kmsg.DescribeGroupsResponse {
	resp := req.ResponseKind().(*kmsg.DescribeGroupsResponse)
	for _, id := range req.Groups {
		d := kmsg.NewDescribeGroupsResponseGroup()
		d.Group = id
		switch g, err := c.find(id, false); {
		case err != nil:
			d.ErrorCode = code(err)
		case g == nil:
			d.State = dead.String()
		default:
			g.mu.Lock()
			g.fsm.describe(&d)
			g.mu.Unlock()
		}
		resp.Groups = append(resp.Groups, d)
	}
	return resp
}

// describe tells metadata and assignments only of a stable group: elsewhere they are of no generation.
func (g *fsm) describe(d *kmsg.DescribeGroupsResponseGroup) {
	d.State, d.ProtocolType = g.state.String(), g.protocolType
	if g.state == stable {
		d.Protocol = g.protocol
	}
	for _, id := range slices.Sorted(maps.Keys(g.members)) {
		m := g.members[id]
		dm := kmsg.NewDescribeGroupsResponseGroupMember()
		dm.MemberID, dm.InstanceID, dm.ClientID, dm.ClientHost = id, optional(m.instance), m.clientID, m.clientHost
		if g.state == stable {
			dm.ProtocolMetadata, dm.MemberAssignment = m.metadata(g.protocol), m.assignment
		}
		d.Members = append(d.Members, dm)
	}
}

// classic is the type of all groups here, as ListGroups calls it (KIP-848).
const classic = "classic"

// ListGroups (key 16, versions 0-5): those that this broker coordinates, of states and types that are wanted.
func (c *Coordinator) ListGroups(_ context.Context, _, _ string, req *kmsg.ListGroupsRequest) *kmsg.ListGroupsResponse {
	resp := req.ResponseKind().(*kmsg.ListGroupsResponse)
	groups, loading := c.led.All()
	if loading {
		resp.ErrorCode = kerr.CoordinatorLoadInProgress.Code
	}
	for _, g := range groups {
		g.mu.Lock()
		l := kmsg.NewListGroupsResponseGroup()
		l.Group, l.ProtocolType, l.GroupState = g.fsm.id, g.fsm.protocolType, g.fsm.state.String()
		l.GroupType = classic
		g.mu.Unlock()
		if wanted(req.StatesFilter, l.GroupState) && wanted(req.TypesFilter, l.GroupType) {
			resp.Groups = append(resp.Groups, l)
		}
	}
	slices.SortFunc(resp.Groups, func(a, b kmsg.ListGroupsResponseGroup) int { return strings.Compare(a.Group, b.Group) })
	return resp
}

// wanted tells whether a filter lets something pass; an empty one lets all.
func wanted(filter []string, what string) bool {
	return len(filter) == 0 || slices.ContainsFunc(filter, func(s string) bool { return strings.EqualFold(s, what) })
}

// DeleteGroups (key 42, versions 0-2) deletes groups without members, with their offsets.
func (c *Coordinator) DeleteGroups(_ context.Context, _, _ string, req *kmsg.DeleteGroupsRequest) *kmsg.DeleteGroupsResponse {
	resp := req.ResponseKind().(*kmsg.DeleteGroupsResponse)
	for _, id := range req.Groups {
		d := kmsg.NewDeleteGroupsResponseGroup()
		d.Group, d.ErrorCode = id, code(c.deleteGroup(id))
		resp.Groups = append(resp.Groups, d)
	}
	return resp
}

func (c *Coordinator) deleteGroup(id string) error {
	g, err := c.find(id, false)
	if err != nil {
		return err
	}
	if g == nil {
		return kerr.GroupIDNotFound
	}
	return c.forget(g, func() ([]place, error) {
		switch {
		case g.fsm.state == dead:
			return nil, kerr.GroupIDNotFound
		case g.fsm.state != empty || len(g.fsm.pending) > 0:
			return nil, kerr.NonEmptyGroup
		}
		return slices.Collect(maps.Keys(g.offsets)), nil
	}, true)
}

// OffsetDelete (key 47, version 0) deletes offsets of topics that no member of the group subscribes to. A group without members
// goes with its last offset.
func (c *Coordinator) OffsetDelete(_ context.Context, _, _ string, req *kmsg.OffsetDeleteRequest) *kmsg.OffsetDeleteResponse {
	resp := req.ResponseKind().(*kmsg.OffsetDeleteResponse)
	subscribed, err := c.deleteOffsets(req)
	resp.ErrorCode = code(err)
	if err != nil {
		return resp
	}
	for _, t := range req.Topics {
		rt := kmsg.NewOffsetDeleteResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			rp := kmsg.NewOffsetDeleteResponseTopicPartition()
			rp.Partition = p.Partition
			switch {
			case !c.cfg.Known(t.Topic, p.Partition):
				rp.ErrorCode = kerr.UnknownTopicOrPartition.Code
			case subscribed[t.Topic]:
				rp.ErrorCode = kerr.GroupSubscribedToTopic.Code
			}
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

func (c *Coordinator) deleteOffsets(req *kmsg.OffsetDeleteRequest) (subscribed map[string]bool, err error) {
	if req.Group == "" {
		return nil, kerr.InvalidGroupID
	}
	g, err := c.find(req.Group, false)
	if err != nil {
		return nil, err
	}
	if g == nil {
		return nil, kerr.GroupIDNotFound
	}
	known := func(t kmsg.OffsetDeleteRequestTopic) bool {
		return slices.ContainsFunc(t.Partitions, func(p kmsg.OffsetDeleteRequestTopicPartition) bool { return c.cfg.Known(t.Topic, p.Partition) })
	}
	err = c.forget(g, func() (gone []place, err error) {
		if g.fsm.state == dead {
			return nil, kerr.GroupIDNotFound
		}
		known := true
		if subscribed, known = g.fsm.subscribed(); !known {
			return nil, kerr.NonEmptyGroup
		}
		for _, t := range req.Topics {
			for _, p := range t.Partitions {
				at := place{t.Topic, p.Partition}
				if _, ok := g.offsets[at]; ok && !subscribed[t.Topic] && c.cfg.Known(t.Topic, p.Partition) {
					gone = append(gone, at)
				}
			}
		}
		return gone, nil
	}, slices.ContainsFunc(req.Topics, known))
	return subscribed, err
}

// subscribed are the topics that members say they consume; known is false when there are members that do not say.
func (g *fsm) subscribed() (topics map[string]bool, known bool) {
	topics = map[string]bool{}
	if len(g.members) > 0 && g.protocolType != "consumer" {
		return nil, false
	}
	for _, m := range g.members {
		for _, p := range m.protocols {
			var s kmsg.ConsumerMemberMetadata
			if err := s.ReadFrom(p.metadata); err != nil {
				return nil, false
			}
			for _, t := range s.Topics {
				topics[t] = true
			}
		}
	}
	return topics, true
}
