package quorum

import (
	"net"
	"testing"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
)

func vote(kind raftpb.MessageType, from, to, term uint64) *raftpb.Message {
	return &raftpb.Message{Type: kind.Enum(), From: &from, To: &to, Term: &term, Index: new(uint64(0)), LogTerm: new(uint64(0))}
}

// Nodes that start together all want to stand for election. Who has given its vote, or has said that it would, does
// not stand as long as that election may take, even if its own is due.
func TestWhoHasVotedLetsTheElectionEnd(t *testing.T) {
	for name, asked := range map[string][]*raftpb.Message{
		"a vote":                 {vote(raftpb.MsgVote, 2, 1, 1)},
		"the promise of one":     {vote(raftpb.MsgPreVote, 2, 1, 1)},
		"the promise and a vote": {vote(raftpb.MsgPreVote, 2, 1, 1), vote(raftpb.MsgVote, 2, 1, 1)},
	} {
		t.Run(name, func(t *testing.T) {
			n := member(t, 1)
			n.peerUp(2)
			for _, m := range asked {
				n.received(m)
			}
			n.turn(t.Context())
			if n.campaignAt == 0 {
				t.Fatal("the node would never have stood: nothing is tested")
			}
			patience := n.cfg.ElectionTicks
			for range patience - 1 {
				n.pass(1)
				n.turn(t.Context())
				if n.state != raft.StateFollower {
					t.Fatalf("%v after %d ticks", n.state, n.ticks)
				}
			}
			n.pass(1)
			n.turn(t.Context())
			if n.state != raft.StatePreCandidate {
				t.Errorf("%v after %d ticks without a leader", n.state, n.ticks)
			}
		})
	}
}

// The vote and the time to stand may come in the same turn.
func TestAVoteCountsBeforeTheTickThatCameWithIt(t *testing.T) {
	n := member(t, 1)
	n.peerUp(2)
	n.turn(t.Context())
	n.pass(1)
	n.received(vote(raftpb.MsgPreVote, 2, 1, 1))
	n.received(vote(raftpb.MsgVote, 2, 1, 1))
	n.due, n.behind = 1, nil
	n.turn(t.Context())
	if n.ticks == 0 || n.state != raft.StateFollower || n.term != 1 {
		t.Errorf("%v of term %d after %d ticks", n.state, n.term, n.ticks)
	}
}

// A refusal is none: a node whose log is older cannot be elected, and nobody waits for it.
func TestWhoRefusesItsVoteStandsAtOnce(t *testing.T) {
	n := member(t, 1)
	n.received(heartbeat(3, 1, 5))
	n.turn(t.Context())
	n.peerUp(2)
	n.peerDown(3)
	n.received(vote(raftpb.MsgPreVote, 2, 1, 1)) // of a term that is over
	n.turn(t.Context())
	n.pass(1)
	n.turn(t.Context())
	if n.state != raft.StatePreCandidate {
		t.Errorf("%v one tick after the leader was lost", n.state)
	}
}

// A candidate does not start over because one more node has come.
func TestACandidacyIsNotInterrupted(t *testing.T) {
	n := member(t, 1)
	n.peerUp(2)
	n.turn(t.Context())
	n.pass(1)
	n.turn(t.Context())
	n.received(&raftpb.Message{Type: raftpb.MsgPreVoteResp.Enum(), From: new(uint64(2)), To: new(uint64(1)), Term: new(uint64(1))})
	n.turn(t.Context())
	n.rn.Step(&raftpb.Message{Type: raftpb.MsgPreVoteResp.Enum(), From: new(uint64(1)), To: new(uint64(1)), Term: new(uint64(1))})
	n.turn(t.Context())
	if n.state != raft.StateCandidate {
		t.Fatalf("%v with the promises of a majority", n.state)
	}
	n.peerUp(3)
	n.turn(t.Context())
	n.pass(2)
	n.turn(t.Context())
	if n.state != raft.StateCandidate || n.term != 1 {
		t.Errorf("%v of term %d", n.state, n.term)
	}
}

// waiting is a connection of a peer to a node, with bytes that the node has not read. The reader is the test.
func waiting(t *testing.T, n *Node) *inbound {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	peer, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { peer.Close() })
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	in := n.transport.come(conn)
	if marks := n.transport.unread(); len(marks) > 0 || !allRead(marks) {
		t.Fatal("something is to be read of a silent peer")
	}
	if _, err := peer.Write([]byte("heartbeat")); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); !in.waits(); {
		if time.Now().After(deadline) {
			t.Fatal("nothing comes")
		}
	}
	return in
}

// A process that was paused finds its timer and what came meanwhile at the same time.
func TestWhatCameDuringAPauseIsHandledBeforeTimePasses(t *testing.T) {
	n := member(t, 2)
	n.received(heartbeat(1, 2, 1))
	n.turn(t.Context())
	in := waiting(t, n)
	before := n.ticks
	n.pass(heartbeatTicks)
	n.turn(t.Context())
	if n.ticks != before {
		t.Fatal("time has passed before the leader was heard")
	}
	n.received(heartbeat(1, 2, 1))
	in.pause()
	n.turn(t.Context())
	if n.ticks != before+heartbeatTicks || n.heard[1] != before {
		t.Errorf("%d ticks counted, the leader heard at %d of them", n.ticks-before, n.heard[1]-before)
	}
}

// Who does not get to reading at all notices the silence all the same, and what has passed is not made up for at once.
func TestTimePassesIfNothingIsRead(t *testing.T) {
	n := member(t, 2)
	n.received(heartbeat(1, 2, 1))
	n.turn(t.Context())
	waiting(t, n)
	for passed := 1; passed <= 3*n.cfg.ElectionTicks; passed++ {
		n.pass(1)
		n.turn(t.Context())
		if behind := passed - n.ticks; behind < 0 || behind > 1 {
			t.Fatalf("%d ticks counted of %d", n.ticks, passed)
		}
	}
	if n.state == raft.StateFollower {
		t.Error("the leader is not missed")
	}
}

// A connection that has ended holds up nothing.
func TestWhatCannotBeReadAnyMoreIsNotWaitedFor(t *testing.T) {
	n := member(t, 2)
	in := waiting(t, n)
	n.pass(1)
	n.turn(t.Context())
	n.transport.left(in)
	n.turn(t.Context())
	if n.ticks != 1 {
		t.Errorf("%d ticks counted", n.ticks)
	}
}
