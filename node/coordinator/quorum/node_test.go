package quorum

import (
	"bytes"
	"io"
	"log/slog"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"kdrill/node/coordinator/store"
)

// silentApplier is a state machine that holds nothing.
type silentApplier struct{}

func (silentApplier) Apply([]Entry)           {}
func (silentApplier) Restore(io.Reader) error { return nil }
func (silentApplier) Freeze() io.WriterTo     { return bytes.NewReader(nil) }
func (silentApplier) Up(Role)                 {}
func (silentApplier) Down()                   {}
func (silentApplier) Heard([]int64)           {}

var trio = Members{Voters: map[uint64]string{1: "one", 2: "two", 3: "three"}}

// member is node id of three, which takes turns only when the test says so.
func member(t *testing.T, id uint64) *Node {
	t.Helper()
	dir, log := t.TempDir(), slog.New(slog.DiscardHandler)
	s, _, err := store.Open(store.Config{LogDir: dir, SnapshotDir: dir, SegmentBytes: 1 << 20, Trailing: 5, Snapshots: 1, Log: log}, trio.Genesis())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	n, err := New(Config{
		ID: id, Members: trio, Store: s, Applier: silentApplier{}, Log: log,
		Tick: 25 * time.Millisecond, ElectionTicks: 12, SnapshotCount: 1000, SnapshotBytes: 1 << 20,
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func heartbeat(from, to, term uint64) *raftpb.Message {
	return &raftpb.Message{Type: raftpb.MsgHeartbeat.Enum(), From: &from, To: &to, Term: &term}
}

// The end of a connection makes a follower forget its leader. If the leader is heard before Raft is asked what is
// new, Raft says that nothing is.
func TestALeaderThatIsForgottenAndHeardAtOnceIsFollowed(t *testing.T) {
	n := member(t, 2)
	n.received(heartbeat(1, 2, 1))
	n.turn(t.Context())
	if n.lead != 1 {
		t.Fatalf("leader %d after a heartbeat of 1", n.lead)
	}
	n.peerDown(1)
	n.received(heartbeat(1, 2, 1))
	n.turn(t.Context())
	if n.lead != 1 || n.Status().Leader != 1 {
		t.Errorf("leader %d, by the status %d: Raft follows 1", n.lead, n.Status().Leader)
	}
	n.peerDown(1)
	n.turn(t.Context())
	if n.lead != 0 || n.Status().Leader != 0 {
		t.Errorf("leader %d, by the status %d, after its connection has ended", n.lead, n.Status().Leader)
	}
	n.received(heartbeat(1, 2, 2))
	n.received(heartbeat(3, 2, 3))
	n.turn(t.Context())
	if n.lead != 3 || n.Status().Term != 3 {
		t.Errorf("leader %d of term %d, 3 leads term 3", n.lead, n.Status().Term)
	}
}

// How long a node has been without a leader is counted from the loss, whatever it tries meanwhile.
func TestCandidaciesDoNotProlongTheGrace(t *testing.T) {
	n := member(t, 2)
	n.received(heartbeat(1, 2, 1))
	n.turn(t.Context())
	n.serving = true
	n.peerDown(1)
	n.turn(t.Context())
	for range 2*n.cfg.ElectionTicks + 1 {
		n.tick()
		n.rn.Campaign()
		n.turn(t.Context())
	}
	if n.serving {
		t.Error("serves without a leader")
	}
}

// A node serves once the leader has told what is committed. The question is put again and again; an answer to any of the
// times it was put counts.
func TestALateAnswerOfTheLeaderIsAsGoodAsOneInTime(t *testing.T) {
	n := member(t, 2)
	n.received(heartbeat(1, 2, 1))
	n.turn(t.Context())
	asked := n.reads.context(n)
	for range 3 * n.cfg.ElectionTicks {
		n.received(heartbeat(1, 2, 1))
		n.tick()
		n.turn(t.Context())
	}
	n.received(&raftpb.Message{
		Type: raftpb.MsgReadIndexResp.Enum(), From: new(uint64(1)), To: new(uint64(2)), Term: new(uint64(1)), Index: new(uint64(0)),
		Entries: []*raftpb.Entry{{Data: asked}},
	})
	n.turn(t.Context())
	for _, task := range n.applies.take() {
		if err := n.applier.do(task); err != nil {
			t.Fatal(err)
		}
	}
	n.turn(t.Context())
	if !n.serving {
		t.Error("the answer was ignored")
	}
	if string(member(t, 2).reads.context(n)) == string(asked) {
		t.Error("another life of the node would take the answer for its own")
	}
}
