package quorum

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"go.etcd.io/raft/v3"
	raftquorum "go.etcd.io/raft/v3/quorum"
	"go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"
)

// members reads "1 2 3 observers 4".
func listed(text string) (voters, observers []uint64) {
	to := &voters
	for word := range strings.FieldsSeq(text) {
		if word == "observers" {
			to = &observers
			continue
		}
		var id uint64
		fmt.Sscan(word, &id)
		*to = append(*to, id)
	}
	return voters, observers
}

func wanted(text string) *Members {
	m := Members{Voters: map[uint64]string{}, Observers: map[uint64]string{}}
	voters, observers := listed(text)
	for _, id := range voters {
		m.Voters[id] = fmt.Sprint("voter ", id)
	}
	for _, id := range observers {
		m.Observers[id] = fmt.Sprint("observer ", id)
	}
	return &m
}

// what Raft has: observers are its learners, and so are guests.
func configured(text string) tracker.Config {
	voters, learners := listed(text)
	now := tracker.Config{Voters: raftquorum.JointConfig{{}, {}}, Learners: map[uint64]struct{}{}}
	for _, id := range voters {
		now.Voters[0][id] = struct{}{}
	}
	for _, id := range learners {
		now.Learners[id] = struct{}{}
	}
	return now
}

// visited makes nodes have a connection to n.
func (n *Node) visited(ids ...uint64) {
	for _, id := range ids {
		inbound := &atomic.Int32{}
		inbound.Store(1)
		n.transport.peers[id] = &peer{id: id, inbound: inbound}
	}
}

// shown writes changes as "vote 4, listen 2, go 3".
func shown(changes []*raftpb.ConfChangeSingle) string {
	verbs := map[raftpb.ConfChangeType]string{raftpb.ConfChangeAddNode: "vote", raftpb.ConfChangeAddLearnerNode: "listen", raftpb.ConfChangeRemoveNode: "go"}
	var words []string
	for _, c := range changes {
		words = append(words, fmt.Sprintf("%s %d", verbs[c.GetType()], c.GetNodeId()))
	}
	slices.Sort(words)
	return strings.Join(words, ", ")
}

func TestTheNextStepToOtherMembers(t *testing.T) {
	for _, c := range []struct {
		name, has, want string
		here            []uint64 // beside the members
		step            string
		done            bool
	}{
		{"nothing to do", "1 2 3", "1 2 3", nil, "", true},
		{"one joins", "1 2 3 observers 4", "1 2 3 4", nil, "vote 4", false},
		{"one leaves, and listens on", "1 2 3 4", "1 2 3", nil, "listen 4", false},
		{"one has left, and is still here", "1 2 3 observers 4", "1 2 3", []uint64{4}, "", true},
		{"a voter becomes an observer", "1 2 3", "1 2 observers 3", nil, "listen 3", false},
		{"an observer becomes a voter", "1 2 observers 3", "1 2 3", nil, "vote 3", false},
		{"one is replaced by another", "1 2 3 observers 4", "1 2 4", nil, "listen 3, vote 4", false},
		{"all are replaced: first all vote", "1 2 3 observers 4 5 6", "4 5 6", nil, "vote 4, vote 5, vote 6", false},
		{"all are replaced: then the old ones go", "1 2 3 4 5 6", "4 5 6", nil, "listen 1, listen 2, listen 3", false},
		{"an observer joins", "1 2 3", "1 2 3 observers 4", nil, "listen 4", false},
		{"a guest has come", "1 2 3", "1 2 3", []uint64{7}, "listen 7", true},
		{"a guest is here already", "1 2 3 observers 7", "1 2 3", []uint64{7}, "", true},
		{"a guest has just gone", "1 2 3 observers 7", "1 2 3", nil, "", true},
		{"a member that is away stays", "1 2 3 observers 4", "1 2 3 observers 4", nil, "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := member(t, 1)
			n.change.want = wanted(c.want)
			n.visited(c.here...)
			step, done := n.step(configured(c.has))
			if shown(step) != c.step || done != c.done {
				t.Errorf("%q, done %v; want %q, %v", shown(step), done, c.step, c.done)
			}
		})
	}
}

// Who only listened and has been away for long is forgotten; coming back in time begins the wait anew.
func TestAGuestThatStaysAwayIsForgotten(t *testing.T) {
	n := member(t, 1)
	n.change.want = wanted("1 2 3")
	pass := func(ticks int) string {
		n.ticks += ticks
		step, _ := n.step(configured("1 2 3 observers 7"))
		return shown(step)
	}
	long := 20 * n.cfg.ElectionTicks
	if got := pass(0) + pass(long); got != "" {
		t.Errorf("too early: %s", got)
	}
	n.visited(7)
	if got := pass(long); got != "" {
		t.Errorf("while it is here: %s", got)
	}
	delete(n.transport.peers, 7)
	if got := pass(1) + pass(long); got != "" {
		t.Errorf("too early after it has come back: %s", got)
	}
	if got := pass(1); got != "go 7" {
		t.Errorf("%q", got)
	}
}

// settle carries out what Raft wants, as the goroutines of a node that runs do.
func (n *Node) settle(t *testing.T) {
	t.Helper()
	for range 10 {
		n.turn(t.Context())
		for _, m := range n.writes.take() {
			n.syncing = 0
			if err := n.cfg.Store.Append(batches([]*raftpb.Message{m})); err != nil {
				t.Fatal(err)
			}
			n.answer(m.GetResponses())
		}
		for _, task := range n.applies.take() {
			if err := n.applier.do(task); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// leading is node 1 of three that leads, with the others as far as itself if they are in step.
func leading(t *testing.T, inStep ...uint64) *Node {
	t.Helper()
	n := member(t, 1)
	term := uint64(1)
	hear := func(from uint64, kind raftpb.MessageType, index uint64) {
		n.received(&raftpb.Message{Type: kind.Enum(), From: &from, To: new(uint64(1)), Term: &term, Index: &index})
		n.settle(t)
	}
	n.rn.Campaign()
	n.settle(t)
	hear(2, raftpb.MsgPreVoteResp, 0)
	hear(2, raftpb.MsgVoteResp, 0)
	if n.state != raft.StateLeader {
		t.Fatalf("it is %v", n.state)
	}
	last, err := n.cfg.Store.LastIndex()
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range inStep {
		n.connected[id] = true
		hear(id, raftpb.MsgAppResp, last)
	}
	return n
}

// proposed says whether a change of the members is the last entry of the log.
func (n *Node) proposed(t *testing.T) bool {
	t.Helper()
	n.settle(t)
	last, _ := n.cfg.Store.LastIndex()
	entries, err := n.cfg.Store.Entries(last, last+1, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return entries[0].GetType() == raftpb.EntryConfChangeV2
}

func TestALeaderReconcilesTheMembers(t *testing.T) {
	const undecided, yes, no = "undecided", "they are", "they cannot be"
	for _, c := range []struct {
		name, want string
		inStep     []uint64
		ticks      int // that pass first, in election times
		verdict    string
		proposed   bool
		heir       uint64
	}{
		{"they are what they are", "1 2 3", []uint64{2, 3}, 0, yes, false, 0},
		{"one leaves, the others are in step", "1 2", []uint64{2}, 0, undecided, true, 0},
		{"one leaves, and nobody is in step yet", "1 2", nil, 1, undecided, false, 0},
		{"one leaves, and nobody comes into step", "1 2", nil, 5, no, false, 0},
		{"strangers that are not here", "1 4 5", []uint64{2, 3}, 5, no, false, 0},
		{"the leader goes: it hands over first", "2 3", []uint64{2, 3}, 0, undecided, false, 2},
		{"the leader observes: it hands over first", "2 3 observers 1", []uint64{3, 2}, 0, undecided, false, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := leading(t, c.inStep...)
			got := undecided
			n.Try(*wanted(c.want), func(ok bool) { got = map[bool]string{true: yes, false: no}[ok] })
			for _, event := range n.inbox.take() {
				event()
			}
			n.ticks += c.ticks * n.cfg.ElectionTicks
			for _, id := range c.inStep {
				n.heard[id] = n.ticks
			}
			n.reconcile()
			heir := n.rn.BasicStatus().LeadTransferee
			if c.heir != 0 && heir != 0 {
				c.heir = heir // whoever of those in step
				if !slices.Contains(c.inStep, heir) {
					t.Errorf("it hands over to %d, which is not in step", heir)
				}
			}
			if proposed := n.proposed(t); got != c.verdict || proposed != c.proposed || heir != c.heir {
				t.Errorf("%s, proposed %v, heir %d; want %s, %v, %d", got, proposed, heir, c.verdict, c.proposed, c.heir)
			}
			if c.verdict == no && n.change.want != nil {
				t.Error("it goes on trying")
			}
		})
	}
}

// Only a leader changes members, and only when it has been told to.
func TestAFollowerLeavesTheMembersAlone(t *testing.T) {
	n := member(t, 2)
	n.received(heartbeat(1, 2, 1))
	n.settle(t)
	n.Try(*wanted("1 2"), func(bool) { t.Error("a follower decides") })
	for range 10 * n.cfg.ElectionTicks {
		n.ticks++
		n.settle(t)
		n.reconcile()
	}
	if n.change.want != nil {
		t.Error("a follower wants other members")
	}
	n = leading(t, 2, 3)
	before := maps.Clone(n.rn.Status().Config.Voters.IDs())
	n.reconcile()
	if n.proposed(t) || !maps.Equal(before, n.rn.Status().Config.Voters.IDs()) {
		t.Error("a leader changes members unasked")
	}
}
