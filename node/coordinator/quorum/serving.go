package quorum

import (
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/tracker"
)

// follow notes who leads. Raft is asked, since its Ready tells only what differs from the Ready before: not that a
// leader was forgotten and then heard again.
func (n *Node) follow() {
	now := n.rn.BasicStatus()
	if now.Lead == n.lead && now.RaftState == n.state && now.GetTerm() == n.term {
		return
	}
	if n.lead != 0 && now.Lead == 0 {
		n.lostAt = n.ticks
	}
	n.lead, n.state, n.term = now.Lead, now.RaftState, now.GetTerm()
	if n.leaving && n.lead != 0 && n.lead != n.cfg.ID {
		n.leaving = false
		close(n.left)
	}
	n.ledBy()
}

// ledBy follows a change of leader, role or term.
func (n *Node) ledBy() {
	n.publish()
	if n.lead == 0 {
		return
	}
	n.campaignAt = 0
	if n.lead != n.cfg.ID {
		n.forsaken, n.change = 0, change{}
	}
	n.heard[n.lead] = n.ticks
	n.outbox.resend()
	n.reads.again(n)
	switch {
	case n.serving:
		role := n.role()
		n.applier.put(task{call: func() { n.cfg.Applier.Up(role) }})
	case !n.catchingUp:
		n.catchingUp = true
		n.reads.add(func() { n.do(n.startServing) })
	}
}

// startServing runs once the node has caught up with a leader.
func (n *Node) startServing() {
	n.catchingUp = false
	if n.serving || n.lead == 0 {
		return
	}
	n.serving = true
	role := n.role()
	n.applier.put(task{call: func() {
		life := time.Now().UnixNano()
		if o := n.applier.origins[n.cfg.ID]; o != nil {
			life = max(life, o.life+1) // a clock may have been set back
		}
		n.outbox.open(life)
		n.cfg.Applier.Up(role)
	}})
}

func (n *Node) stopServing() {
	n.serving, n.catchingUp = false, false
	n.reads = reads{question: n.reads.question}
	n.applier.put(task{call: func() {
		n.outbox.close()
		n.applier.barriers = nil
		n.cfg.Applier.Down()
	}})
}

// transfer asks the follower that has the most, one excepted, to take over; false if there is nobody to ask.
func (n *Node) transfer(except uint64) bool {
	if n.state != raft.StateLeader {
		return false
	}
	var heir, match uint64
	n.rn.WithProgress(func(id uint64, kind raft.ProgressType, p tracker.Progress) {
		if id != n.cfg.ID && id != except && kind == raft.ProgressTypePeer && n.active(id) && p.Match > match {
			heir, match = id, p.Match
		}
	})
	if heir == 0 {
		return false
	}
	n.rn.TransferLeader(heir)
	return true
}
