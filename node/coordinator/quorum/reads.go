package quorum

import (
	"bytes"
	"encoding/binary"

	"go.etcd.io/raft/v3"
)

// reads are those who wait for this node to have caught up. All who wait at the same time share one question to the
// leader (ReadIndex). It is put again, the same, if no answer comes: an answer that is late is as good as one that is
// not, so a slow ensemble gets on. It belongs to the raft loop.
type reads struct {
	waiting  []func()
	asked    []func()
	question uint64 // of those in asked; no life of a node has one of another's
	askedAt  int
}

func (r *reads) add(done func()) { r.waiting = append(r.waiting, done) }

// ask asks for those who wait, one question at a time.
func (r *reads) ask(n *Node) {
	if len(r.waiting) == 0 || len(r.asked) > 0 || n.lead == 0 {
		return
	}
	r.asked, r.waiting = r.waiting, nil
	r.question++
	r.again(n)
}

// again puts the question, once more if it was put before.
func (r *reads) again(n *Node) {
	if len(r.asked) > 0 && n.lead != 0 {
		r.askedAt = n.ticks
		n.rn.ReadIndex(r.context(n))
	}
}

// context tells the leader's answers apart, among nodes too.
func (r *reads) context(n *Node) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, n.cfg.ID), r.question)
}

func (r *reads) tick(n *Node) {
	if n.ticks-r.askedAt > n.cfg.ElectionTicks {
		r.again(n)
	}
}

func (r *reads) confirmed(n *Node, s raft.ReadState) {
	if len(r.asked) == 0 || !bytes.Equal(s.RequestCtx, r.context(n)) {
		return
	}
	n.applier.put(task{barrier: s.Index, done: r.asked})
	r.asked = nil
}
