package quorum

import (
	"bytes"
	"encoding/binary"

	"go.etcd.io/raft/v3"
)

// reads are those who wait for this node to have caught up. All who wait at the same time share one question to the
// leader (ReadIndex); it is asked again if no answer comes. It belongs to the raft loop.
type reads struct {
	waiting  []func()
	asked    []func()
	question uint64 // of those in asked
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
	r.askedAt = n.ticks
	n.rn.ReadIndex(r.context(n))
}

// context tells the leader's answers apart, among nodes too.
func (r *reads) context(n *Node) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, n.cfg.ID), r.question)
}

// again makes all wait for a new question, since the leader has changed.
func (r *reads) again() {
	r.waiting = append(r.asked, r.waiting...)
	r.asked = nil
}

func (r *reads) tick(n *Node) {
	if len(r.asked) > 0 && n.ticks-r.askedAt > n.cfg.ElectionTicks {
		r.again()
	}
}

func (r *reads) confirmed(n *Node, s raft.ReadState) {
	if len(r.asked) == 0 || !bytes.Equal(s.RequestCtx, r.context(n)) {
		return
	}
	n.applies.put(task{barrier: s.Index, done: r.asked})
	r.asked = nil
}
