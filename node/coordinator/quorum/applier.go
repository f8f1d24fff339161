package quorum

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// task is work for the applier's goroutine; one group of fields is set.
type task struct {
	entries   []*raftpb.Entry // committed
	responses []*raftpb.Message

	snapshot *raftpb.Snapshot // from the leader, already on disk

	barrier uint64 // call done when this index is applied
	done    []func()

	call func()
}

// applier feeds the Applier: it drops entries that came twice and takes snapshots.
type applier struct {
	node     *Node
	origins  map[uint64]*origin
	applied  uint64
	barriers []task

	conf    *raftpb.ConfState // Raft's members at applied
	changed bool              // since the last snapshot
	ended   <-chan struct{}   // closed when the node stops

	snapshotAt uint64       // index of the last snapshot
	grown      int64        // bytes applied since
	size       atomic.Int64 // bytes of the last snapshot
	saving     atomic.Bool

	turns   turns
	weight  atomic.Int64 // of the tasks that wait
	unheard int          // bytes applied since Raft was last woken for that
}

// hearBytes is how many bytes are applied before Raft is woken only to be told. It has to be less than what Raft gives out
// before it hears.
const hearBytes = 256 << 10

func size(entries []*raftpb.Entry) int {
	n := 0
	for _, e := range entries {
		n += len(e.GetData())
	}
	return n
}

// put takes a task, which is done with the next wake.
func (a *applier) put(t task) {
	a.weight.Add(t.weight())
	a.node.applies.leave(t)
}

// weight is roughly how many small entries take as long as the task.
func (t task) weight() int64 {
	if t.snapshot != nil {
		return int64(light) + 1
	}
	w := 1 + len(t.entries)
	for _, e := range t.entries {
		w += len(e.GetData()) / 4096
	}
	return int64(w)
}

// light is what is done at once by whoever brings it; what is heavier is left to the applier's goroutine.
const light = 16

// wake has what was put done.
func (a *applier) wake() {
	switch w := a.weight.Load(); {
	case w == 0:
	case w <= light:
		a.turns.take()
	default:
		a.node.applies.call()
	}
}

// run does the heavy tasks.
func (a *applier) run(life context.Context) error {
	for {
		select {
		case <-life.Done():
			return nil
		case <-a.node.applies.wake:
		}
		a.turns.take()
	}
}

func (a *applier) turn() {
	if !a.node.running.Load() {
		return
	}
	for _, t := range a.node.applies.take() {
		a.weight.Add(-t.weight())
		if err := a.do(t); err != nil {
			a.node.fail(err)
			return
		}
	}
	a.maybeSnapshot()
}

func (a *applier) do(t task) error {
	switch {
	case t.call != nil:
		t.call()
	case t.snapshot != nil:
		m := t.snapshot.GetMetadata()
		if err := a.restore(m.GetIndex()); err != nil {
			return err
		}
		a.conf, a.changed = m.GetConfState(), false
		a.node.cfg.Log.Info("state restored from the leader's snapshot", "index", m.GetIndex(), "bytes", a.size.Load())
	case t.done != nil:
		a.barriers = append(a.barriers, t)
	default:
		if err := a.apply(t.entries); err != nil {
			return err
		}
		a.node.answer(t.responses)
		if a.unheard += size(t.entries); a.unheard > hearBytes { // else Raft need not know at once
			a.unheard = 0
			a.node.wake()
		}
	}
	a.barriers = slices.DeleteFunc(a.barriers, func(b task) bool {
		if b.barrier > a.applied {
			return false
		}
		for _, done := range b.done {
			done()
		}
		return true
	})
	return nil
}

func (a *applier) apply(entries []*raftpb.Entry) error {
	batch := make([]Entry, 0, len(entries))
	for _, e := range entries {
		a.applied = e.GetIndex()
		a.grown += int64(len(e.GetData()))
		if e.GetType() == raftpb.EntryConfChangeV2 {
			a.node.cfg.Applier.Apply(batch) // which may be why there is a change
			batch = nil
			if err := a.changeMembers(e.GetData()); err != nil {
				return fmt.Errorf("log entry %d: %w", e.GetIndex(), err)
			}
			continue
		}
		if len(e.GetData()) == 0 {
			batch = append(batch, Entry{Term: e.GetTerm()})
			continue
		}
		node, life, seq, payload, err := unseal(e.GetData())
		if err != nil {
			return fmt.Errorf("log entry %d: %w", e.GetIndex(), err)
		}
		o := a.origins[node]
		if o == nil {
			o = &origin{}
			a.origins[node] = o
		}
		if !o.accepts(life, seq) {
			continue
		}
		entry := Entry{Term: e.GetTerm(), Node: node, Payload: payload}
		if node == a.node.cfg.ID {
			entry.Token = a.node.outbox.applied(life, seq)
		}
		batch = append(batch, entry)
	}
	a.node.cfg.Applier.Apply(batch)
	return nil
}

// changeMembers makes Raft change its members, and waits until it has.
func (a *applier) changeMembers(data []byte) error {
	cc := &raftpb.ConfChangeV2{}
	if err := proto.Unmarshal(data, cc); err != nil {
		return err
	}
	now := make(chan *raftpb.ConfState, 1)
	a.node.do(func() { now <- a.node.rn.ApplyConfChange(cc) })
	select {
	case a.conf = <-now:
	case <-a.ended:
	}
	a.changed = true
	a.node.cfg.Log.Info("members changed", "voters", a.conf.GetVoters(), "before", a.conf.GetVotersOutgoing(), "without vote", a.conf.GetLearners())
	return nil
}

// stateShare is the part of a large state that has to change, in bytes of log, before it is written again. The log since
// the last snapshot is in memory, and is read at a restart; a smaller part would be more writing.
const stateShare = 4

// maybeSnapshot takes a snapshot if it is time and the last one is written.
func (a *applier) maybeSnapshot() {
	cfg := &a.node.cfg
	due := a.changed || a.grown >= int64(cfg.SnapshotBytes) || a.applied-a.snapshotAt >= cfg.SnapshotCount
	if large := a.size.Load(); large > int64(cfg.SnapshotBytes) {
		due = a.changed || a.grown >= large/stateShare
	}
	if !due || a.applied == a.snapshotAt || !a.saving.CompareAndSwap(false, true) {
		return
	}
	frozen := &frozen{origins: a.encodeOrigins(), state: a.node.cfg.Applier.Freeze()}
	index, conf, whole, began := a.applied, a.conf, a.changed, time.Now()
	a.snapshotAt, a.grown, a.changed = index, 0, false
	go func() {
		defer a.saving.Store(false)
		if err := cfg.Store.SaveSnapshot(index, conf, frozen, whole); err != nil {
			a.node.fail(err)
			return
		}
		a.size.Store(frozen.size)
		cfg.Log.Info("snapshot taken", "index", index, "bytes", frozen.size, "took", time.Since(began).Round(time.Millisecond))
	}()
}

// frozen is everything that is applied at one time:
//
//	uvarint count | count x (uvarint node, 8 bytes life, uvarint seq) | the Applier's own
type frozen struct {
	origins []byte
	state   io.WriterTo
	size    int64 // once it is written
}

// WriteTo implements io.WriterTo.
func (f *frozen) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(f.origins)
	f.size = int64(n)
	if err != nil {
		return f.size, err
	}
	more, err := f.state.WriteTo(w)
	f.size += more
	return f.size, err
}

func (a *applier) encodeOrigins() []byte {
	b := binary.AppendUvarint(nil, uint64(len(a.origins)))
	for _, node := range slices.Sorted(maps.Keys(a.origins)) {
		o := a.origins[node]
		b = binary.AppendUvarint(b, node)
		b = binary.BigEndian.AppendUint64(b, uint64(o.life))
		b = binary.AppendUvarint(b, o.seq)
	}
	return b
}

// restore makes a snapshot that is on disk what is applied.
func (a *applier) restore(index uint64) error {
	state, size, err := a.node.cfg.Store.State(index)
	if err != nil {
		return err
	}
	defer state.Close()
	r := bufio.NewReaderSize(state, 256<<10)
	origins, err := readOrigins(r)
	if err == nil {
		err = a.node.cfg.Applier.Restore(r)
	}
	if err != nil {
		return fmt.Errorf("snapshot at %d: %w", index, err)
	}
	a.origins, a.applied, a.snapshotAt, a.grown = origins, index, index, 0
	a.size.Store(size)
	if own := origins[a.node.cfg.ID]; own != nil {
		a.node.outbox.skip(*own)
	}
	return nil
}

func readOrigins(r *bufio.Reader) (map[uint64]*origin, error) {
	count, err := binary.ReadUvarint(r)
	if err != nil {
		return nil, errSnapshot
	}
	origins := map[uint64]*origin{}
	for range count {
		node, err := binary.ReadUvarint(r)
		if err != nil {
			return nil, errSnapshot
		}
		var life [8]byte
		if _, err := io.ReadFull(r, life[:]); err != nil {
			return nil, errSnapshot
		}
		seq, err := binary.ReadUvarint(r)
		if err != nil {
			return nil, errSnapshot
		}
		origins[node] = &origin{int64(binary.BigEndian.Uint64(life[:])), seq}
	}
	return origins, nil
}

var errSnapshot = errors.New("unreadable snapshot")
