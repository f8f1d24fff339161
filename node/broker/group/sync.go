package group

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// A syncing member asks for its assignment; the leader brings everybody's.
type syncing struct {
	memberID, instance     string
	generation             int32
	protocolType, protocol *string // v5+
	assignments            map[string][]byte
	answer                 chan<- synced
}

// sync handles SyncGroup. When it returns true the leader's assignments are there: they have to be stored, then assigned
// is called.
func (g *fsm) sync(s syncing, now time.Time) (store bool) {
	if err := g.checkSync(s); err != nil {
		s.answer <- synced{err: err}
		return false
	}
	m := g.members[s.memberID]
	m.heard(now)
	delete(g.unsynced, m.id)
	if g.state == stable {
		s.answer <- g.assignment(m)
		return false
	}
	m.answerSync(synced{err: kerr.RebalanceInProgress}) // it asked before, on another connection
	m.sync = s.answer
	if m.id != g.leader {
		return false
	}
	for id, m := range g.members {
		m.assignment = s.assignments[id]
	}
	return true
}

func (g *fsm) checkSync(s syncing) error {
	if g.state == dead {
		return kerr.CoordinatorNotAvailable
	}
	if err := g.check(s.memberID, s.instance); err != nil {
		return err
	}
	switch {
	case s.generation != g.generation:
		return kerr.IllegalGeneration
	case s.protocolType != nil && *s.protocolType != g.protocolType, s.protocol != nil && *s.protocol != g.protocol:
		return kerr.InconsistentGroupProtocol
	case g.state == empty:
		return kerr.UnknownMemberID
	case g.state == preparing:
		return kerr.RebalanceInProgress
	}
	return nil
}

func (g *fsm) assignment(m *member) synced {
	return synced{assignment: m.assignment, protocolType: g.protocolType, protocol: g.protocol}
}

// assigned is called when the assignments of a generation were stored, or could not be.
func (g *fsm) assigned(generation int32, err error, now time.Time) {
	if g.state != completing || g.generation != generation {
		return // overtaken by another rebalance, whose members know already
	}
	if err != nil {
		for _, m := range g.members {
			m.assignment = nil
			m.heard(now)
			m.answerSync(synced{err: err})
		}
		g.rebalance(now)
		return
	}
	g.become(stable, now)
	for _, m := range g.members {
		if m.sync != nil {
			m.heard(now)
			m.answerSync(g.assignment(m))
		}
	}
}

// heartbeat handles Heartbeat.
func (g *fsm) heartbeat(memberID, instance string, generation int32, now time.Time) error {
	if g.state == dead {
		return kerr.CoordinatorNotAvailable
	}
	if err := g.check(memberID, instance); err != nil {
		return err
	}
	if generation != g.generation {
		return kerr.IllegalGeneration
	}
	if g.state == empty {
		return kerr.UnknownMemberID
	}
	g.members[memberID].heard(now)
	if g.state == preparing {
		return kerr.RebalanceInProgress
	}
	return nil
}

// leave handles one member's LeaveGroup; a static member may be named by its instance alone.
func (g *fsm) leave(memberID, instance string, now time.Time) error {
	if g.state == dead {
		return kerr.CoordinatorNotAvailable
	}
	if instance != "" && memberID == "" {
		memberID = g.static[instance]
	}
	if _, ok := g.pending[memberID]; ok && instance == "" {
		delete(g.pending, memberID)
		g.rebalanceIfWaiting(now)
		return nil
	}
	if err := g.check(memberID, instance); err != nil {
		return err
	}
	g.remove(g.members[memberID], now)
	return nil
}

// rebalanceIfWaiting ends PreparingRebalance if only a pending member was missing.
func (g *fsm) rebalanceIfWaiting(now time.Time) {
	if g.state == preparing {
		g.rebalance(now)
	}
}

// mayCommit validates who commits offsets.
func (g *fsm) mayCommit(memberID, instance string, generation int32, now time.Time) error {
	if g.state == dead {
		return kerr.CoordinatorNotAvailable
	}
	if generation < 0 && g.state == empty {
		return nil // not a member of anything: a tool, or a consumer that assigns by itself
	}
	if err := g.check(memberID, instance); err != nil {
		return err
	}
	if generation != g.generation {
		return kerr.IllegalGeneration
	}
	if g.state == completing {
		return kerr.RebalanceInProgress
	}
	if m := g.members[memberID]; m != nil {
		m.heard(now)
	}
	return nil
}

// tick does what is due: sessions that ended, ids that were never used, waits that are over.
func (g *fsm) tick(now time.Time) {
	due := func(t time.Time) bool { return !t.IsZero() && !t.After(now) }
	for id, lapses := range g.pending {
		if due(lapses) {
			delete(g.pending, id)
			g.rebalanceIfWaiting(now)
		}
	}
	for _, m := range g.members {
		if g.members[m.id] == m && !m.waiting() && due(m.expires) {
			g.remove(m, now)
		}
	}
	if g.state == preparing && due(g.joinBy) {
		if g.initial && g.more && g.remaining > 0 {
			wait := min(g.delay, g.remaining)
			g.more, g.remaining, g.joinBy = false, g.remaining-wait, now.Add(wait)
		} else {
			g.initial = false
			g.completeJoin(now)
		}
	}
	if g.awaitsSyncs() && due(g.syncBy) {
		for id := range g.unsynced {
			g.drop(g.members[id])
		}
		g.rebalance(now)
	}
}

// awaitsSyncs: members of this generation that do not ask for their assignment will be out.
func (g *fsm) awaitsSyncs() bool {
	return len(g.unsynced) > 0 && (g.state == completing || g.state == stable)
}

// deadline is when tick has to be called next, zero for never.
func (g *fsm) deadline() (next time.Time) {
	consider := func(t time.Time) {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	for _, lapses := range g.pending {
		consider(lapses)
	}
	for _, m := range g.members {
		if !m.waiting() {
			consider(m.expires)
		}
	}
	switch {
	case g.state == preparing:
		consider(g.joinBy)
	case g.awaitsSyncs():
		consider(g.syncBy)
	}
	return next
}

// end makes the group Dead; who waits is told why.
func (g *fsm) end(err error, now time.Time) {
	for _, m := range g.members {
		m.answerJoin(joined{err: err, generation: -1})
		m.answerSync(synced{err: err})
	}
	g.become(dead, now)
}
