package quorum

import (
	"context"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"

	"kdrill/node/coordinator/store"
)

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
