package group

import (
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
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
