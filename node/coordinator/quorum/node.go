package quorum

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"go.etcd.io/raft/v3/tracker"
	"golang.org/x/sync/errgroup"

	"kdrill/node/coordinator/store"
)

// Config describes one node of an ensemble.
type Config struct {
	ID       uint64
	Addr     string       // where the other nodes reach this one
	Members  Members      // of the ensemble, as far as this node's configuration knows; its store may know better
	Listener net.Listener // for the other nodes; nil if there are none
	Store    *store.Store
	Applier  Applier
	Log      *slog.Logger

	Tick          time.Duration // Raft's unit of time; a heartbeat every two
	ElectionTicks int           // silence of the leader before an election: from this to twice this
	SnapshotCount uint64        // entries between snapshots
	SnapshotBytes int           // or so many bytes, whatever comes first; but not before a part of the state, see maybeSnapshot
}

// Applier is the replicated state machine. All its methods are called from one goroutine.
type Applier interface {
	// Apply carries out entries of the log, in its order.
	Apply(entries []Entry)
	// Freeze returns the whole state as it is now, to be written by another goroutine while this one goes on; Restore
	// is the inverse and replaces the state. Tokens of proposals that the new state holds already are forgotten.
	Freeze() io.WriterTo
	Restore(snapshot io.Reader) error
	// Up says that this node serves, in this role; Down that it does not any more, since it found no leader.
	Up(Role)
	Down()
	// Heard passes on which sessions were alive at another node.
	Heard(sessions []int64)
}

// Entry is a committed proposal.
type Entry struct {
	Term    uint64
	Node    uint64 // who proposed it
	Payload []byte // nil for the entry that begins a term
	Token   any    // what this node gave to Submit; nil if it was another one, or before a restart
}

// Role is a node's place in the ensemble.
type Role struct{ ID, Leader, Term uint64 }

// Leading says whether the node is the leader.
func (r Role) Leading() bool { return r.ID == r.Leader }

// Node replicates.
type Node struct {
	cfg       Config
	transport *transport
	inbox     *mailbox[func()] // for the next turn
	writes    *mailbox[*raftpb.Message]
	applies   *mailbox[task]
	outbox    outbox
	applier   applier
	status    atomic.Pointer[Status]
	turns     turns
	running   atomic.Bool     // turns are taken
	life      context.Context // of what a turn starts
	calm      atomic.Bool     // see notice
	hurry     chan struct{}   // calm is over
	failed    chan error      // why a turn could not be taken
	left      chan struct{}   // closed when another node leads, after leaving was set

	// The rest belongs to who takes the turn.
	rn         *raft.RawNode
	lead       uint64
	term       uint64
	state      raft.StateType
	ticks      int
	lostAt     int  // tick at which there was no leader any more
	serving    bool // the applier is up, or about to be
	catchingUp bool
	due        int             // ticks that have passed and are not counted yet, see pass
	behind     []mark          // what has to be read before they are
	campaignAt int             // tick of an election ahead of time, 0 for none
	heldBack   int             // until which tick such an election waits for another one
	connected  map[uint64]bool // peers that this node has a connection to
	reads      reads
	heard      map[uint64]int  // tick of the last message of each peer
	change     change          // of the members
	forsaken   uint64          // a peer that only another leader can bring up to date
	shipping   map[uint64]bool // peers that a snapshot is on its way to
	arrived    []string        // snapshots that have come, for this turn's Raft to take or not
	held       []*raftpb.Entry // what others proposed to this leader since its last batch
	syncing    int             // batches of entries that are on their way to this node's disk
	writing    bool            // there is something to be written, since this turn
	leaving    bool
}

// Status is what a node knows of its ensemble.
type Status struct {
	Role
	Voters    int // while members change, those before and after
	Synced    int // followers in step; only the leader knows
	Listening int // nodes in step that have no vote
}

// New makes a node from what its store holds. The applier gets the newest snapshot, if there is one.
func New(cfg Config) (*Node, error) {
	n := &Node{
		cfg: cfg, inbox: newMailbox[func()](), writes: newMailbox[*raftpb.Message](), applies: newMailbox[task](),
		outbox: outbox{node: cfg.ID}, failed: make(chan error, 1), hurry: make(chan struct{}, 1), left: make(chan struct{}),
		connected: map[uint64]bool{}, heard: map[uint64]int{}, shipping: map[uint64]bool{},
		reads: reads{question: uint64(time.Now().UnixNano())},
	}
	n.status.Store(&Status{Role: Role{ID: cfg.ID}, Voters: len(cfg.Members.Voters)})
	_, conf, err := cfg.Store.InitialState()
	if err != nil {
		return nil, err
	}
	n.applier = applier{node: n, origins: map[uint64]*origin{}, conf: conf}
	n.turns.turn, n.turns.after = n.safeTurn, n.applier.wake
	n.applier.turns.turn, n.applier.turns.after = n.applier.turn, func() {}
	index := cfg.Store.Latest()
	if index > 0 {
		if err := n.applier.restore(index); err != nil {
			return nil, err
		}
	}
	n.rn, err = raft.NewRawNode(&raft.Config{
		ID: cfg.ID, ElectionTick: cfg.ElectionTicks, HeartbeatTick: heartbeatTicks, Storage: cfg.Store, Applied: index,
		AsyncStorageWrites: true, MaxSizePerMsg: 1 << 20, MaxInflightMsgs: 256, MaxUncommittedEntriesSize: 64 << 20,
		CheckQuorum: true, PreVote: true, StepDownOnRemoval: true, Logger: raftLogger{cfg.Log},
	})
	if err != nil {
		return nil, err
	}
	n.transport = newTransport(cfg.ID, cfg.Addr, cfg.Listener, n, cfg.Log)
	n.transport.members(cfg.Members.Addrs())
	return n, nil
}

// Submit proposes payload. Once it is applied, here and on all nodes in the order in which this node proposed, the
// applier gets token with it. It is false if this node does not serve. If it stops to serve meanwhile, the token is
// forgotten; nobody knows what becomes of the payload then.
func (n *Node) Submit(payload []byte, token any) bool {
	if !n.outbox.add(payload, token) {
		return false
	}
	n.wake()
	return true
}

// Sync calls done, on the applier's goroutine, once everything is applied here that was committed anywhere when Sync
// was called. If the node stops to serve before, done is forgotten.
func (n *Node) Sync(done func()) { n.do(func() { n.reads.add(done) }) }

// Touched tells the leader which sessions were alive here.
func (n *Node) Touched(leader uint64, sessions []int64) { n.transport.touch(leader, sessions) }

// Status may be called from anywhere.
func (n *Node) Status() Status { return *n.status.Load() }

// Run replicates until ctx is done, then hands leadership over if it has it. An error says why the node cannot go on.
func (n *Node) Run(ctx context.Context) error {
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	g, life := errgroup.WithContext(life)
	n.life, n.applier.ended = life, life.Done()
	n.running.Store(true)
	defer n.running.Store(false)
	g.Go(func() error { defer end(); return n.loop(ctx, life) })
	g.Go(func() error { return n.write(life) })
	g.Go(func() error { return n.applier.run(life) })
	g.Go(func() error { n.transport.run(life); return nil })
	err := g.Wait()
	return errors.Join(err, n.cfg.Store.Close())
}

// heartbeatTicks is how many ticks are between two heartbeats.
const heartbeatTicks = 2

// batchBytes is how much of what waits is proposed at once.
const batchBytes = 1 << 20

// handOver is how long a leader that stops waits for another one to take over.
const handOver = 500 * time.Millisecond

// loop is what happens by itself: time passes, and the end comes.
func (n *Node) loop(ctx, life context.Context) error {
	timer := time.NewTimer(n.cfg.Tick)
	defer timer.Stop()
	ticks := 1
	n.do(func() {
		if n.voters() == 1 {
			n.rn.Campaign()
		}
	})
	leave := ctx.Done()
	var patience <-chan time.Time
	for {
		select {
		case <-timer.C:
			passed := ticks
			n.do(func() { n.pass(passed) })
			ticks = n.pause()
			timer.Reset(time.Duration(ticks) * n.cfg.Tick)
		case <-n.hurry:
			ticks = 1
			timer.Reset(n.cfg.Tick / 2) // as long as the rest of a tick is on average
		case <-leave:
			leave, patience = nil, time.After(handOver)
			n.do(n.leave)
		case err := <-n.failed:
			return err
		case <-n.left:
			return nil
		case <-patience:
			return nil
		case <-life.Done():
			return nil
		}
	}
}

// pause is how many ticks go by at once: a node that is led needs none between two heartbeats. It is hurried as soon as
// that is not so any more.
func (n *Node) pause() int {
	if n.calm.Load() {
		return heartbeatTicks
	}
	return 1
}

// notice notes whether ticks may go by several at once.
func (n *Node) notice() {
	calm := n.serving && n.lead != 0 && n.campaignAt == 0 && n.ticks-n.heard[n.lead] <= 2*heartbeatTicks
	if n.lead == n.cfg.ID {
		calm = n.serving
	}
	if was := n.calm.Swap(calm); was && !calm {
		select {
		case n.hurry <- struct{}{}:
		default:
		}
	}
}

// leave hands leadership over, if this node has it and there is somebody to take it.
func (n *Node) leave() {
	if !n.transfer(0) {
		close(n.left)
		return
	}
	n.leaving = true
}

// do has event happen in the next turn.
func (n *Node) do(event func()) {
	n.inbox.leave(event)
	n.wake()
}

// later is do for callers that may hold locks.
func (n *Node) later(event func()) {
	n.inbox.leave(event)
	go n.wake()
}

// wake has a turn taken for what was brought, and then applies what that committed, all on the caller's goroutine if
// nobody else is at it. So the caller must not hold a lock that the Applier takes.
func (n *Node) wake() {
	if !n.running.Load() {
		return
	}
	n.turns.take()
}

func (n *Node) safeTurn() {
	defer func() {
		if p := recover(); p != nil { // the library panics when what it reads cannot be
			n.fail(fmt.Errorf("raft: %v", p))
		}
	}()
	n.turn(n.life)
}

// fail ends Run with an error. No turn is taken any more.
func (n *Node) fail(err error) {
	n.running.Store(false)
	select {
	case n.failed <- err:
	default:
	}
}

// turn carries out what came in and hands out what follows from it.
func (n *Node) turn(life context.Context) {
	for _, event := range n.inbox.take() {
		event()
	}
	if n.due > 0 && allRead(n.behind) {
		n.ready(life) // what this turn has promised to others is noted before time passes
		n.count()
	}
	n.follow()
	n.propose()
	n.reads.ask(n)
	n.ready(life)
	for _, name := range n.arrived {
		n.cfg.Store.Discard(name)
	}
	n.arrived = nil
	n.notice()
	n.transport.flush() // before the disk is busy: the others write at the same time
	if n.writing {
		n.writing = false
		n.writes.call()
	}
}

// tick is the passing of time: Raft's own, an early election, the end of a grace.
func (n *Node) tick() {
	n.ticks++
	n.rn.Tick()
	n.campaign()
	if n.serving && n.lead == 0 && n.ticks-n.lostAt > 2*n.cfg.ElectionTicks {
		n.stopServing()
	}
	if n.outbox.overdue(time.Second) {
		n.outbox.resend()
	}
	n.reads.tick(n)
	if n.forsaken != 0 {
		n.transfer(n.forsaken)
	}
	n.listen()
	n.reconcile()
	n.publish()
}

// publish says how the quorum stands. It runs with every tick: Raft's own Status would copy what is in flight to each follower.
func (n *Node) publish() {
	s := Status{Role: n.role()}
	n.rn.WithProgress(func(id uint64, kind raft.ProgressType, _ tracker.Progress) {
		inStep := n.state == raft.StateLeader && id != n.cfg.ID && n.active(id)
		switch {
		case kind == raft.ProgressTypePeer:
			s.Voters++
			if inStep {
				s.Synced++
			}
		case inStep:
			s.Listening++
		}
	})
	if s != *n.status.Load() {
		n.status.Store(&s)
	}
}

func (n *Node) role() Role { return Role{ID: n.cfg.ID, Leader: n.lead, Term: n.term} }

// propose gives Raft what is in the outbox and, if this node leads, what others have sent. What Raft does not take now is
// offered again with the next tick, by the node that it is from.
//
// A leader whose disk is busy waits until it is done: what comes meanwhile makes one batch, for its disk and for the
// others', which are busy just as long.
func (n *Node) propose() {
	if n.lead != n.cfg.ID {
		n.held = nil
	} else if n.syncing > 0 {
		return
	}
	for n.lead != 0 {
		data, last := n.outbox.unsent(batchBytes)
		entries := n.held
		n.held = nil
		for _, d := range data {
			entries = append(entries, &raftpb.Entry{Data: d})
		}
		if len(entries) == 0 {
			return
		}
		m := &raftpb.Message{Type: raftpb.MsgProp.Enum(), From: &n.cfg.ID, Entries: entries}
		if n.rn.Step(m) != nil {
			return
		}
		if len(data) > 0 {
			n.outbox.delivered(last)
		}
	}
}

// ready hands out what follows from what Raft was told.
func (n *Node) ready(life context.Context) {
	for n.rn.HasReady() {
		n.dispatch(life, n.rn.Ready())
	}
}

// dispatch hands out what Raft wants to be done.
func (n *Node) dispatch(life context.Context, rd raft.Ready) {
	n.follow()
	for _, r := range rd.ReadStates {
		n.reads.confirmed(n, r)
	}
	for _, m := range rd.Messages {
		switch {
		case m.GetTo() == raft.LocalAppendThread:
			n.append(m)
		case m.GetTo() == raft.LocalApplyThread:
			n.applier.put(task{entries: m.GetEntries(), responses: m.GetResponses()})
		case m.GetType() == raftpb.MsgSnap:
			n.ship(life, m)
		default:
			n.granted(m)
			n.transport.message(m)
		}
	}
}

// append has a message written. A commit index alone, for whose writing nobody waits, waits for the next one.
func (n *Node) append(m *raftpb.Message) {
	n.writes.leave(m)
	for _, response := range m.GetResponses() {
		n.granted(response)
	}
	if len(m.GetEntries()) > 0 {
		n.syncing++
	}
	if snap := m.GetSnapshot(); !raft.IsEmptySnap(snap) {
		n.arrived = slices.DeleteFunc(n.arrived, func(name string) bool { return name == string(snap.GetData()) })
	}
	if len(m.GetEntries()) > 0 || len(m.GetResponses()) > 0 || m.GetSnapshot() != nil {
		n.writing = true
	}
}
