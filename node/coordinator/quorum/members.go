package quorum

import (
	"maps"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"
	"google.golang.org/protobuf/proto"
)

// Members are the nodes of an ensemble and where the others reach them.
type Members struct {
	Voters, Observers map[uint64]string // by their numbers
}

// Addrs are the addresses of all.
func (m Members) Addrs() map[uint64]string {
	all := map[uint64]string{}
	maps.Copy(all, m.Observers)
	maps.Copy(all, m.Voters)
	return all
}

// Genesis is how Raft is told of the members of a fresh ensemble.
func (m Members) Genesis() *raftpb.ConfState {
	conf := &raftpb.ConfState{}
	for id := range m.Voters {
		conf.Voters = append(conf.Voters, id)
	}
	for id := range m.Observers {
		conf.Learners = append(conf.Learners, id)
	}
	return conf
}

// change is what the leader has to make of the members. It belongs to the raft loop.
//
// Raft's configuration follows the one of the state machine, in joint steps. A node that the configuration does not name
// but that is here listens: it gets the log and serves, without a vote. So a new node has caught up before it may vote,
// and one that was removed serves until it is stopped.
type change struct {
	want    *Members      // nil: leave everything as it is
	verdict func(ok bool) // of a trial; nil if want is settled
	since   int           // tick at which the trial began
	begun   bool
	absent  map[uint64]int // since which tick a node that only listens is not here
}

// Meet tells who the members are, after each change of them. Who leads sees to it that Raft knows.
func (n *Node) Meet(m Members) {
	n.transport.members(m.Addrs())
	n.later(func() {
		if n.state == raft.StateLeader {
			n.change.want, n.change.verdict, n.change.begun = &m, nil, false
		}
	})
}

// Try makes others the members, if this node leads. The verdict comes on the raft loop: true when they are; false if no
// majority of them is here and in step, and then nothing has changed, or will be as before. Without a verdict, the next
// leader has to try.
func (n *Node) Try(m Members, verdict func(ok bool)) {
	n.later(func() {
		if n.state == raft.StateLeader {
			n.change.want, n.change.verdict, n.change.since, n.change.begun = &m, verdict, n.ticks, false
		}
	})
}

// voters counts those who have a vote.
func (n *Node) voters() int { return len(n.rn.Status().Config.Voters[0]) }

// knows says whether a node may ask for votes: not one that has only just come.
func (n *Node) knows(id uint64) bool {
	now := n.rn.Status().Config
	_, votes := now.Voters.IDs()[id]
	_, listens := now.Learners[id]
	_, will := now.LearnersNext[id]
	return votes || listens || will
}

// listen makes a node without a vote, which never stands for election, notice that its leader is silent.
func (n *Node) listen() {
	if n.lead == 0 || n.lead == n.cfg.ID || n.ticks-n.heard[n.lead] <= 2*n.cfg.ElectionTicks {
		return
	}
	if _, votes := n.rn.Status().Config.Voters.IDs()[n.cfg.ID]; !votes {
		n.rn.ForgetLeader()
		n.follow()
	}
}

// reconcile proposes the next step from the members that Raft has to those that are wanted.
func (n *Node) reconcile() {
	if n.state != raft.StateLeader || n.change.want == nil {
		return
	}
	status := n.rn.Status()
	if len(status.Config.Voters[1]) > 0 {
		return // Raft leaves a joint configuration by itself
	}
	step, done := n.step(status.Config)
	switch {
	case done && n.change.verdict != nil:
		verdict := n.change.verdict
		n.change.verdict = nil
		verdict(true)
	case n.change.verdict != nil && !n.change.begun && !n.inStep(status):
		if n.ticks-n.change.since <= 4*n.cfg.ElectionTicks {
			return // a leader that has only just begun does not know yet who is there
		}
		verdict := n.change.verdict
		n.change.want, n.change.verdict = nil, nil
		verdict(false)
		return
	}
	if len(step) == 0 {
		return
	}
	if heir := n.successor(status); heir != 0 {
		n.rn.TransferLeader(heir)
		return
	}
	n.change.begun = true
	if err := n.rn.ProposeConfChange(&raftpb.ConfChangeV2{Changes: step}); err != nil {
		n.cfg.Log.Debug("change of members", "err", err)
	}
}

// step are the changes from what Raft has now; done says that the voters and observers are those that are wanted.
func (n *Node) step(now tracker.Config) (step []*raftpb.ConfChangeSingle, done bool) {
	want, voters := n.change.want, now.Voters[0]
	add := func(kind raftpb.ConfChangeType, id uint64) {
		step = append(step, &raftpb.ConfChangeSingle{Type: &kind, NodeId: &id})
	}
	staying := 0
	for id := range want.Voters {
		if _, votes := voters[id]; votes {
			staying++
		} else {
			add(raftpb.ConfChangeAddNode, id)
		}
	}
	for id := range want.Observers {
		if _, listens := now.Learners[id]; !listens {
			add(raftpb.ConfChangeAddLearnerNode, id)
		}
	}
	for id := range voters {
		_, stays := want.Voters[id]
		_, listens := want.Observers[id]
		if stays || listens {
			continue
		}
		if staying > 0 { // else nobody stays who could lead on: first all vote, then the old ones go
			add(raftpb.ConfChangeAddLearnerNode, id)
		}
	}
	done = len(step) == 0
	return append(step, n.guests(now)...), done
}

// guests are the changes for nodes that are no members: those that are here listen, others do not for long.
func (n *Node) guests(now tracker.Config) (step []*raftpb.ConfChangeSingle) {
	want, here := n.change.want.Addrs(), n.transport.present()
	for id := range here {
		if _, listens := now.Learners[id]; want[id] == "" && !listens {
			if _, votes := now.Voters[0][id]; !votes {
				step = append(step, &raftpb.ConfChangeSingle{Type: raftpb.ConfChangeAddLearnerNode.Enum(), NodeId: proto.Uint64(id)})
			}
		}
	}
	if n.change.absent == nil {
		n.change.absent = map[uint64]int{}
	}
	for id := range now.Learners {
		switch since, absent := n.change.absent[id]; {
		case want[id] != "" || here[id] || id == n.cfg.ID:
			delete(n.change.absent, id)
		case !absent:
			n.change.absent[id] = n.ticks
		case n.ticks-since > 20*n.cfg.ElectionTicks:
			delete(n.change.absent, id)
			step = append(step, &raftpb.ConfChangeSingle{Type: raftpb.ConfChangeRemoveNode.Enum(), NodeId: proto.Uint64(id)})
		}
	}
	return step
}

// inStep says whether a majority of the voters that are wanted is here and has the log.
func (n *Node) inStep(status raft.Status) bool {
	count := 0
	for id := range n.change.want.Voters {
		p, known := status.Progress[id]
		if id == n.cfg.ID || known && n.active(id) && p.Match > 0 {
			count++
		}
	}
	return count > len(n.change.want.Voters)/2
}

// successor is who takes over from a leader that will have no vote; 0 if it goes on leading.
func (n *Node) successor(status raft.Status) uint64 {
	if _, stays := n.change.want.Voters[n.cfg.ID]; stays {
		return 0
	}
	var heir, match uint64
	for id := range n.change.want.Voters {
		_, votes := status.Config.Voters[0][id]
		if p := status.Progress[id]; votes && n.active(id) && p.Match > match {
			heir, match = id, p.Match
		}
	}
	return heir
}
