package quorum

import "go.etcd.io/raft/v3/raftpb"

// pass has ticks counted that have gone by: once everything is handled that had come from the others before, but at the
// latest with the next ones. A process that was not run for a while, or whose machine is busy, finds its timer and the
// leader's heartbeats at the same time, and must not take the leader for silent. What went by while it was not
// run does not count at all.
func (n *Node) pass(ticks int) {
	if n.behind = nil; n.due == 0 {
		n.behind = n.transport.unread()
	}
	n.due += ticks
}

// count counts the ticks that are due.
func (n *Node) count() {
	passed := n.due
	n.due, n.behind = 0, nil
	for range passed {
		n.tick()
	}
}

// early makes this node stand for election soon if there is no leader then. The nodes take turns, so that they do
// not split the vote.
func (n *Node) early(except uint64) {
	if n.campaignAt > 0 || n.lead != 0 {
		return
	}
	voters, rank, reached := n.rn.Status().Config.Voters.IDs(), 0, 1
	for id := range n.connected {
		if _, votes := voters[id]; !votes {
			continue
		}
		reached++
		if id < n.cfg.ID && id != except {
			rank++
		}
	}
	if _, votes := voters[n.cfg.ID]; !votes || reached <= len(voters)/2 {
		return
	}
	n.campaignAt = n.ticks + 1 + 2*rank
}

// campaign stands for the election that is due.
func (n *Node) campaign() {
	if n.campaignAt == 0 || n.ticks < max(n.campaignAt, n.heldBack) {
		return
	}
	n.campaignAt = 0
	if n.lead == 0 {
		n.rn.Campaign()
	}
}

// granted notes that this node gives its vote, to itself or to another one, or says that it would. The election that is
// under way is given the time to end: another one could be won, since who did not take part in the first may vote in
// the second, and would take away the leader that has only just begun.
func (n *Node) granted(m *raftpb.Message) {
	switch {
	case m.GetReject():
	case m.GetType() == raftpb.MsgVoteResp, m.GetType() == raftpb.MsgPreVoteResp && m.GetTo() != n.cfg.ID:
		n.heldBack = n.ticks + n.cfg.ElectionTicks
	}
}
