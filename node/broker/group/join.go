package group

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A candidate is who asks to join.
type candidate struct {
	memberID, instance   string
	newID                string // given if it has none yet
	clientID, clientHost string
	session, rebalance   time.Duration
	protocolType         string
	protocols            []protocol
	needsID              bool // JoinGroup v4+: come back with the id
	canSkip              bool // JoinGroup v9+: understands SkipAssignment
	maxSize              int
	answer               chan<- joined
}

// join handles JoinGroup. The answer comes through the candidate's channel, now or later.
func (g *fsm) join(c candidate, now time.Time) {
	if j, done := g.tryJoin(c, now); done {
		j.memberID = cmp.Or(j.memberID, c.memberID)
		c.answer <- j
	}
}

func refused(err error) (joined, bool) { return joined{err: err, generation: -1}, true }

func (g *fsm) tryJoin(c candidate, now time.Time) (j joined, done bool) {
	_, pending := g.pending[c.memberID]
	known := g.members[c.memberID]
	switch {
	case g.state == dead:
		return refused(kerr.CoordinatorNotAvailable)
	case !g.compatible(c):
		return refused(kerr.InconsistentGroupProtocol)
	case !g.hasRoom(c, known):
		if known != nil {
			g.remove(known, now)
		}
		return refused(kerr.GroupMaxSizeReached)
	case c.memberID == "":
		return g.joinNew(c, now)
	case pending && c.instance == "":
		delete(g.pending, c.memberID)
		g.admit(c, c.memberID, now)
		return j, false
	}
	if err := g.check(c.memberID, c.instance); err != nil {
		return refused(err)
	}
	known.heard(now)
	switch {
	case g.state == empty:
		return refused(kerr.UnknownMemberID)
	case g.state == completing && known.same(c.protocols),
		g.state == stable && known.same(c.protocols) && g.leader != known.id:
		return g.current(known), true // its answer was lost
	}
	g.update(known, c, now)
	g.rebalance(now)
	return j, false
}

// hasRoom goes by who has joined already while a group rebalances: one that is larger than it may be, since the limit was
// lowered, loses those who come last. A static member that restarts is a stranger until it has its new id, as in Kafka:
// a full group refuses it until its session ends.
func (g *fsm) hasRoom(c candidate, known *member) bool {
	switch g.state {
	case empty:
		return true
	case preparing:
		return known != nil && known.join != nil || g.joining() < c.maxSize
	}
	return known != nil || len(g.members) < c.maxSize
}

// joining is how many members wait for the next generation.
func (g *fsm) joining() (n int) {
	for _, m := range g.members {
		if m.join != nil {
			n++
		}
	}
	return n
}

func (g *fsm) joinNew(c candidate, now time.Time) (j joined, done bool) {
	if old := g.static[c.instance]; c.instance != "" && old != "" {
		return g.replace(g.members[old], c, now)
	}
	if c.needsID && c.instance == "" {
		g.pending[c.newID] = now.Add(c.session)
		return joined{err: kerr.MemberIDRequired, memberID: c.newID, generation: -1}, true
	}
	g.admit(c, c.newID, now)
	return j, false
}

// compatible: a candidate speaks the group's protocol type and one protocol that all members support.
func (g *fsm) compatible(c candidate) bool {
	if c.protocolType == "" || len(c.protocols) == 0 {
		return false
	}
	if len(g.members) == 0 {
		return true
	}
	return c.protocolType == g.protocolType && slices.ContainsFunc(c.protocols, func(p protocol) bool {
		for _, m := range g.members {
			if m.id != c.memberID && !m.supports(p.name) {
				return false
			}
		}
		return true
	})
}

// check validates who a request claims to come from.
func (g *fsm) check(memberID, instance string) error {
	if instance != "" {
		switch id, ok := g.static[instance]; {
		case !ok:
			return kerr.UnknownMemberID
		case id != memberID:
			return kerr.FencedInstanceID
		}
	}
	if g.members[memberID] == nil {
		return kerr.UnknownMemberID
	}
	return nil
}

// admit adds a member, which waits for the rebalance that its arrival begins.
func (g *fsm) admit(c candidate, id string, now time.Time) {
	m := &member{id: id, instance: c.instance}
	if len(g.members) == 0 {
		g.protocolType = c.protocolType
	}
	g.members[id] = m
	if c.instance != "" {
		g.static[c.instance] = id
	}
	if g.leader == "" {
		g.leader = id
	}
	g.update(m, c, now)
	g.more = true
	g.rebalance(now)
}

func (g *fsm) update(m *member, c candidate, now time.Time) {
	m.answerJoin(joined{err: kerr.RebalanceInProgress, generation: -1}) // it asked before, on another connection
	m.clientID, m.clientHost = c.clientID, c.clientHost
	m.sessionTimeout, m.rebalanceTimeout = c.session, c.rebalance
	m.protocols, m.join = c.protocols, c.answer
	m.heard(now)
}

// replace lets a static member that restarted take its old place (KIP-345): without rebalance if nothing changed.
func (g *fsm) replace(m *member, c candidate, now time.Time) (j joined, done bool) {
	oldID, oldLeader := m.id, g.leader
	m.answerJoin(joined{err: kerr.FencedInstanceID, generation: -1})
	m.answerSync(synced{err: kerr.FencedInstanceID})
	delete(g.members, oldID)
	delete(g.unsynced, oldID)
	m.id = c.newID
	g.members[m.id], g.static[m.instance] = m, m.id
	if g.leader == oldID {
		g.leader = m.id
	}
	g.update(m, c, now)
	if g.state != stable || g.choose() != g.protocol {
		g.rebalance(now)
		return j, false
	}
	m.join = nil
	g.unsaved = true
	j = g.current(m)
	if g.leader == m.id {
		j.skipAssignment = c.canSkip
		if !c.canSkip {
			j.leader, j.members = oldLeader, nil // so that it does not assign
		}
	}
	return j, true
}

// current is the answer to a member that joined this generation before.
func (g *fsm) current(m *member) joined {
	j := joined{memberID: m.id, leader: g.leader, generation: g.generation, protocolType: g.protocolType, protocol: g.protocol}
	if m.id == g.leader {
		j.members = g.list()
	}
	return j
}

func (g *fsm) list() []kmsg.JoinGroupResponseMember {
	var all []kmsg.JoinGroupResponseMember
	for _, id := range slices.Sorted(maps.Keys(g.members)) {
		m := g.members[id]
		all = append(all, kmsg.JoinGroupResponseMember{MemberID: id, InstanceID: optional(m.instance), ProtocolMetadata: m.metadata(g.protocol)})
	}
	return all
}
