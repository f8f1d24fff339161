package quorum

import (
	"context"
	"errors"
	"io"
	"os"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
)

// ship sends a snapshot aside.
func (n *Node) ship(life context.Context, m *raftpb.Message) {
	if n.shipping[m.GetTo()] {
		return
	}
	n.shipping[m.GetTo()] = true
	go n.transport.snapshot(life, m)
}

// active says whether a peer is there. Raft has a notion of that too, but forgets it at intervals.
func (n *Node) active(id uint64) bool {
	at, ever := n.heard[id]
	return ever && n.connected[id] && n.ticks-at <= 2*n.cfg.ElectionTicks
}

func (n *Node) openSnapshot(index uint64) (*os.File, int64, error) {
	return n.cfg.Store.OpenSnapshot(index)
}

func (n *Node) receive(r io.Reader, size int64) (name string, err error) {
	return n.cfg.Store.Receive(r, size)
}

func (n *Node) lastIndex() uint64 {
	last, _ := n.cfg.Store.LastIndex()
	return last
}

// greeted checks that a peer still has what it acknowledged. A leader sends nobody what he has acknowledged before, so
// if a peer's disk was emptied another leader, which knows nothing of that, has to bring it up to date.
func (n *Node) greeted(from, lastIndex uint64) {
	n.do(func() {
		if n.state != raft.StateLeader || n.rn.Status().Progress[from].Match <= lastIndex {
			return
		}
		n.cfg.Log.Warn("a coordinator has lost its log, handing leadership over so that it gets a copy", "peer", from, "last", lastIndex)
		n.forsaken = from
	})
}

// received is followed by a wake once all has been read that came together.
func (n *Node) received(m *raftpb.Message) {
	n.inbox.leave(func() {
		n.heard[m.GetFrom()] = n.ticks
		if m.GetType() == raftpb.MsgSnap {
			n.arrived = append(n.arrived, string(m.GetSnapshot().GetData()))
		}
		if m.GetType() == raftpb.MsgProp && n.state == raft.StateLeader {
			n.held = append(n.held, m.GetEntries()...)
			return
		}
		if m.GetType() == raftpb.MsgHeartbeat { // the leader may not know yet that this log was emptied
			m.Commit = new(min(m.GetCommit(), n.lastIndex()))
		}
		if (m.GetType() == raftpb.MsgVote || m.GetType() == raftpb.MsgPreVote) && !n.knows(m.GetFrom()) {
			return
		}
		if err := n.rn.Step(m); err != nil && !errors.Is(err, raft.ErrProposalDropped) {
			n.cfg.Log.Debug("raft message", "type", m.GetType(), "from", m.GetFrom(), "err", err)
		}
	})
}

func (n *Node) touched(sessions []int64) {
	n.applier.put(task{call: func() { n.cfg.Applier.Heard(sessions) }})
}

func (n *Node) peerUp(id uint64) {
	n.do(func() {
		n.connected[id] = true
		n.early(0)
		if id == n.lead {
			n.outbox.resend()
		}
	})
}

// peerLost: the connection to a peer has ended, and what was on its way may be lost.
func (n *Node) peerLost(id uint64) {
	n.do(func() {
		delete(n.connected, id)
		n.rn.ReportUnreachable(id)
	})
	n.peerDown(id)
}

// peerDown: a connection of a killed process ends long before its silence would be noticed.
func (n *Node) peerDown(id uint64) {
	n.do(func() {
		if id == n.lead && n.state == raft.StateFollower {
			n.rn.ForgetLeader()
			n.follow()
			n.early(id)
		}
	})
}

func (n *Node) unreachable(id uint64) { n.do(func() { n.rn.ReportUnreachable(id) }) }

func (n *Node) snapshotSent(id uint64, status raft.SnapshotStatus) {
	n.do(func() {
		delete(n.shipping, id)
		n.rn.ReportSnapshot(id, status)
	})
}
