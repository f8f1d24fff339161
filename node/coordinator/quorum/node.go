package quorum

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
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

// write makes durable what Raft wants to be durable, all that is waiting with one sync, and lets the answers go.
func (n *Node) write(life context.Context) error {
	for {
		select {
		case <-life.Done():
			return nil
		case <-n.writes.wake:
		}
		messages := n.writes.take()
		if err := n.cfg.Store.Append(batches(messages)); err != nil {
			return err
		}
		for _, m := range messages {
			if !raft.IsEmptySnap(m.GetSnapshot()) {
				n.applier.put(task{snapshot: m.GetSnapshot()})
			}
			n.answer(m.GetResponses())
			if len(m.GetEntries()) > 0 {
				n.inbox.leave(func() { n.syncing-- })
			}
		}
		n.transport.flush()
		n.wake()
	}
}

// batches are what messages of Raft want to be durable.
func batches(messages []*raftpb.Message) []store.Batch {
	batches := make([]store.Batch, len(messages))
	for i, m := range messages {
		batches[i] = store.Batch{Entries: m.GetEntries(), Snapshot: m.GetSnapshot()}
		if m.Term != nil {
			batches[i].State = &raftpb.HardState{Term: m.Term, Vote: m.Vote, Commit: m.Commit}
		}
	}
	return batches
}

// answer delivers what Raft said to tell when a local write or an application is done: to this node with its next turn.
func (n *Node) answer(responses []*raftpb.Message) {
	for _, m := range responses {
		if m.GetTo() != n.cfg.ID {
			n.transport.message(m)
			continue
		}
		n.inbox.leave(func() { n.rn.Step(m) })
	}
}
