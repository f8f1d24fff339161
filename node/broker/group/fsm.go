package group

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A state of a group:
//
//	Empty -> PreparingRebalance     somebody joins
//	PreparingRebalance -> CompletingRebalance   all (re)joined, or the time for it is over; generation+1
//	CompletingRebalance -> Stable   the leader's assignment is stored
//	Stable, CompletingRebalance -> PreparingRebalance   a member joins, leaves, expires or changes
//	PreparingRebalance -> Empty     nobody is left
//	any -> Dead                     deleted, or coordinated elsewhere
type state int8

const (
	empty state = iota
	preparing
	completing
	stable
	dead
)

func (s state) String() string {
	return [...]string{"Empty", "PreparingRebalance", "CompletingRebalance", "Stable", "Dead"}[s]
}

// fsm is the state machine of a group. Who calls it holds the group's lock and tells the time.
type fsm struct {
	id           string
	state        state
	since        time.Time // of the state
	generation   int32
	protocolType string // empty until somebody joins
	protocol     string // chosen for the generation
	leader       string // member id
	members      map[string]*member
	static       map[string]string    // instance id -> member id
	pending      map[string]time.Time // ids given out (MEMBER_ID_REQUIRED) and not used yet, and when they lapse

	joinBy    time.Time     // end of PreparingRebalance
	initial   bool          // first rebalance of an empty group: wait for more members
	more      bool          // somebody joined during that wait
	remaining time.Duration // by which that wait may still be extended
	syncBy    time.Time     // end of CompletingRebalance for members that did not sync
	unsynced  map[string]bool

	delay   time.Duration // group.initial.rebalance.delay.ms
	unsaved bool          // the group became Empty or a static member changed: the log should know
}

func newFSM(id string, delay time.Duration, now time.Time) fsm {
	return fsm{
		id: id, since: now, delay: delay,
		members: map[string]*member{}, static: map[string]string{}, pending: map[string]time.Time{}, unsynced: map[string]bool{},
	}
}

func (g *fsm) become(s state, now time.Time) { g.state, g.since = s, now }

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
	case known == nil && len(g.members)+len(g.pending) >= c.maxSize && !pending && g.static[c.instance] == "":
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

// rebalance begins one, or lets the one that waits for joins end if everybody is there.
func (g *fsm) rebalance(now time.Time) {
	switch g.state {
	case stable, completing:
		for _, m := range g.members {
			m.assignment = nil
			if m.sync != nil {
				m.heard(now)
				m.answerSync(synced{err: kerr.RebalanceInProgress})
			}
		}
		clear(g.unsynced)
		g.initial, g.joinBy = false, now.Add(g.patience())
		g.become(preparing, now)
	case empty:
		g.initial, g.more = true, false
		g.remaining = max(0, g.patience()-g.delay)
		g.joinBy = now.Add(g.delay)
		g.become(preparing, now)
	}
	if g.state == preparing && !g.initial && g.allJoined() {
		g.completeJoin(now)
	}
}

// patience is how long the slowest member may take to rejoin.
func (g *fsm) patience() (longest time.Duration) {
	for _, m := range g.members {
		longest = max(longest, m.rebalanceTimeout)
	}
	return longest
}

func (g *fsm) allJoined() bool {
	for _, m := range g.members {
		if m.join == nil {
			return false
		}
	}
	return len(g.pending) == 0
}

// completeJoin ends PreparingRebalance: dynamic members that did not come back are out, the others form the next
// generation.
func (g *fsm) completeJoin(now time.Time) {
	for _, m := range g.members {
		if m.join == nil && m.instance == "" {
			g.drop(m)
		}
	}
	if len(g.members) > 0 && !g.electLeader() {
		g.joinBy = now.Add(g.patience()) // only static members that are away: they may return until their sessions end
		return
	}
	g.generation++
	g.joinBy = time.Time{}
	if len(g.members) == 0 {
		g.protocol, g.unsaved = "", true
		g.become(empty, now)
		return
	}
	g.protocol = g.choose()
	g.become(completing, now)
	g.syncBy = now.Add(g.patience())
	for _, m := range g.members {
		g.unsynced[m.id] = true
		m.heard(now)
		m.answerJoin(g.current(m))
	}
}

// electLeader keeps the leader if it joined, otherwise picks one that did.
func (g *fsm) electLeader() bool {
	if m := g.members[g.leader]; m != nil && m.join != nil {
		return true
	}
	for _, id := range slices.Sorted(maps.Keys(g.members)) {
		if g.members[id].join != nil {
			g.leader = id
			return true
		}
	}
	return false
}

// choose votes for a protocol: each member for the first of its list that all support.
func (g *fsm) choose() (winner string) {
	votes := map[string]int{}
	for _, m := range g.members {
		for _, p := range m.protocols {
			if g.allSupport(p.name) {
				votes[p.name]++
				break
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(votes)) {
		if votes[name] > votes[winner] {
			winner = name
		}
	}
	return winner
}

func (g *fsm) allSupport(name string) bool {
	for _, m := range g.members {
		if !m.supports(name) {
			return false
		}
	}
	return true
}

func (g *fsm) drop(m *member) {
	m.answerJoin(joined{err: kerr.UnknownMemberID, generation: -1})
	m.answerSync(synced{err: kerr.UnknownMemberID})
	delete(g.members, m.id)
	delete(g.unsynced, m.id)
	if m.instance != "" {
		delete(g.static, m.instance)
	}
	if g.leader == m.id {
		g.leader = ""
		for _, id := range slices.Sorted(maps.Keys(g.members)) {
			g.leader = id
			break
		}
	}
}

// remove takes a member out, which the others notice by a rebalance.
func (g *fsm) remove(m *member, now time.Time) {
	g.drop(m)
	g.rebalance(now)
}
