package group

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// JoinGroup (key 11, versions 0-9) waits until the group's next generation is complete, or for what the client has to do
// first. A context that ends (the connection is gone) ends the wait, not the membership.
func (c *Coordinator) JoinGroup(ctx context.Context, clientID, clientHost string, req *kmsg.JoinGroupRequest) *kmsg.JoinGroupResponse {
	j := c.join(ctx, clientID, clientHost, req)
	resp := req.ResponseKind().(*kmsg.JoinGroupResponse)
	resp.ErrorCode, resp.MemberID, resp.LeaderID, resp.Generation = code(j.err), j.memberID, j.leader, j.generation
	resp.Members, resp.SkipAssignment = j.members, j.skipAssignment
	if j.err == nil {
		resp.ProtocolType, resp.Protocol = &j.protocolType, &j.protocol
	}
	return resp
}

func (c *Coordinator) join(ctx context.Context, clientID, clientHost string, req *kmsg.JoinGroupRequest) joined {
	fail := func(err error) joined { return joined{err: err, memberID: req.MemberID, generation: -1} }
	if req.Group == "" {
		return fail(kerr.InvalidGroupID)
	}
	session := time.Duration(req.SessionTimeoutMillis) * time.Millisecond
	rebalance := time.Duration(req.RebalanceTimeoutMillis) * time.Millisecond
	if req.Version == 0 || rebalance < 0 {
		rebalance = session
	}
	if s := c.cfg.Settings; session < s.MinSessionTimeout || session > s.MaxSessionTimeout {
		return fail(kerr.InvalidSessionTimeout)
	}
	g, err := c.find(req.Group, req.MemberID == "")
	if err == nil && g == nil {
		err = kerr.UnknownMemberID
	}
	if err != nil {
		return fail(err)
	}
	answer := make(chan joined, 1)
	who := candidate{
		memberID: req.MemberID, clientID: clientID, clientHost: clientHost, session: session, rebalance: rebalance,
		protocolType: req.ProtocolType, needsID: req.Version >= 4, canSkip: req.Version >= 9, maxSize: c.cfg.Settings.MaxSize, answer: answer,
	}
	if req.InstanceID != nil {
		who.instance = *req.InstanceID
	}
	for _, p := range req.Protocols {
		who.protocols = append(who.protocols, protocol{p.Name, p.Metadata})
	}
	who.newID = newMemberID(clientID, who.instance)
	c.change(g, func(now time.Time) { g.fsm.join(who, now) })
	select {
	case j := <-answer:
		return j
	case <-ctx.Done():
		return fail(kerr.RebalanceInProgress)
	}
}

// newMemberID is the client's (or instance's) name and a random UUID.
func newMemberID(clientID, instance string) string {
	if instance != "" {
		clientID = instance
	}
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%s-%x-%x-%x-%x-%x", clientID, b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// SyncGroup (key 14, versions 0-5) waits until the leader's assignment is stored.
func (c *Coordinator) SyncGroup(ctx context.Context, _, _ string, req *kmsg.SyncGroupRequest) *kmsg.SyncGroupResponse {
	s := c.sync(ctx, req)
	resp := req.ResponseKind().(*kmsg.SyncGroupResponse)
	resp.ErrorCode, resp.MemberAssignment = code(s.err), s.assignment
	if s.err == nil {
		resp.ProtocolType, resp.Protocol = &s.protocolType, &s.protocol
	}
	return resp
}

func (c *Coordinator) sync(ctx context.Context, req *kmsg.SyncGroupRequest) synced {
	if req.Group == "" {
		return synced{err: kerr.InvalidGroupID}
	}
	if req.Version >= 5 && (req.ProtocolType == nil || req.Protocol == nil) {
		return synced{err: kerr.InconsistentGroupProtocol}
	}
	g, err := c.find(req.Group, false)
	switch {
	case errors.Is(err, kerr.CoordinatorLoadInProgress):
		return synced{err: kerr.RebalanceInProgress} // the rebalance it belongs to is lost
	case err != nil:
		return synced{err: err}
	case g == nil:
		return synced{err: kerr.UnknownMemberID}
	}
	answer := make(chan synced, 1)
	who := syncing{
		memberID: req.MemberID, generation: req.Generation, protocolType: req.ProtocolType, protocol: req.Protocol,
		assignments: make(map[string][]byte, len(req.GroupAssignment)), answer: answer,
	}
	if req.InstanceID != nil {
		who.instance = *req.InstanceID
	}
	for _, a := range req.GroupAssignment {
		who.assignments[a.MemberID] = a.MemberAssignment
	}
	store := false
	c.change(g, func(now time.Time) { store = g.fsm.sync(who, now) })
	if store {
		c.assign(g, req.Generation)
	}
	select {
	case s := <-answer:
		return s
	case <-ctx.Done():
		return synced{err: kerr.RebalanceInProgress}
	}
}

// assign stores the leader's assignments, then lets the members have them. It does not depend on the leader's
// connection.
func (c *Coordinator) assign(g *group, generation int32) {
	g.turn.Lock()
	defer g.turn.Unlock()
	g.mu.Lock()
	if g.fsm.state != completing || g.fsm.generation != generation {
		g.mu.Unlock()
		return
	}
	r := g.fsm.record(time.Now())
	g.mu.Unlock()
	err := c.append(g, r)
	if err != nil {
		c.cfg.Log.Warn("assignment not stored", "group", g.fsm.id, "generation", generation, "err", err)
		err = syncError(err)
	}
	c.change(g, func(now time.Time) { g.fsm.assigned(generation, err, now) })
}

// Heartbeat (key 12, versions 0-4).
func (c *Coordinator) Heartbeat(_ context.Context, _, _ string, req *kmsg.HeartbeatRequest) *kmsg.HeartbeatResponse {
	resp := req.ResponseKind().(*kmsg.HeartbeatResponse)
	resp.ErrorCode = code(c.heartbeat(req))
	return resp
}

func (c *Coordinator) heartbeat(req *kmsg.HeartbeatRequest) error {
	if req.Group == "" {
		return kerr.InvalidGroupID
	}
	g, err := c.find(req.Group, false)
	switch {
	case errors.Is(err, kerr.CoordinatorLoadInProgress):
		return nil // its session begins anew once the group is there
	case err != nil:
		return err
	case g == nil:
		return kerr.UnknownMemberID
	}
	var instance string
	if req.InstanceID != nil {
		instance = *req.InstanceID
	}
	g.mu.Lock() // a heartbeat only moves deadlines away: the timer may stay as it is
	defer g.mu.Unlock()
	return g.fsm.heartbeat(req.MemberID, instance, req.Generation, time.Now())
}

// LeaveGroup (key 13, versions 0-5); from version 3 on for several members.
func (c *Coordinator) LeaveGroup(_ context.Context, _, _ string, req *kmsg.LeaveGroupRequest) *kmsg.LeaveGroupResponse {
	resp := req.ResponseKind().(*kmsg.LeaveGroupResponse)
	members := req.Members
	if req.Version < 3 {
		members = []kmsg.LeaveGroupRequestMember{{MemberID: req.MemberID}}
	}
	errs, err := c.leave(req.Group, members)
	resp.ErrorCode = code(err)
	for i, err := range errs {
		if req.Version < 3 {
			resp.ErrorCode = code(err)
			break
		}
		m := kmsg.NewLeaveGroupResponseMember()
		m.MemberID, m.InstanceID, m.ErrorCode = members[i].MemberID, members[i].InstanceID, code(err)
		resp.Members = append(resp.Members, m)
	}
	return resp
}

func (c *Coordinator) leave(id string, members []kmsg.LeaveGroupRequestMember) (each []error, err error) {
	if id == "" {
		return nil, kerr.InvalidGroupID
	}
	g, err := c.find(id, false)
	if err != nil {
		return nil, err
	}
	for _, m := range members {
		if g == nil {
			each = append(each, kerr.UnknownMemberID)
			continue
		}
		var instance string
		if m.InstanceID != nil {
			instance = *m.InstanceID
		}
		c.change(g, func(now time.Time) { each = append(each, g.fsm.leave(m.MemberID, instance, now)) })
	}
	return each, nil
}
