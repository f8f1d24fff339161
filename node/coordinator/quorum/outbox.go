package quorum

import (
	"encoding/binary"
	"errors"
	"sync"
	"time"
)

// origin is the place that the log has reached in one node's proposals. A node starts a new life whenever it begins to
// serve; what an earlier life still had under way is void.
type origin struct {
	life int64
	seq  uint64
}

// accepts says whether an entry is the next of its node, and notes it.
func (o *origin) accepts(life int64, seq uint64) bool {
	if life > o.life {
		*o = origin{life: life}
	}
	if life != o.life || seq != o.seq+1 {
		return false
	}
	o.seq = seq
	return true
}

// envelope is the head of each entry: node | life | seq, unsigned varints but for life, 8 bytes.
func seal(node uint64, life int64, seq uint64, payload []byte) []byte {
	b := make([]byte, 0, len(payload)+8+2*binary.MaxVarintLen64)
	b = binary.AppendUvarint(b, node)
	b = binary.BigEndian.AppendUint64(b, uint64(life))
	b = binary.AppendUvarint(b, seq)
	return append(b, payload...)
}

var errEnvelope = errors.New("unreadable log entry")

func unseal(b []byte) (node uint64, life int64, seq uint64, payload []byte, err error) {
	node, n := binary.Uvarint(b)
	if n <= 0 || len(b) < n+8 {
		return 0, 0, 0, nil, errEnvelope
	}
	life = int64(binary.BigEndian.Uint64(b[n:]))
	b = b[n+8:]
	if seq, n = binary.Uvarint(b); n <= 0 {
		return 0, 0, 0, nil, errEnvelope
	}
	return node, life, seq, b[n:], nil
}

// outbox holds this node's proposals until they are applied here.
type outbox struct {
	node uint64

	mu    sync.Mutex
	life  int64 // 0 while closed: proposals are refused
	next  uint64
	items []proposal // ascending, without gaps
	sent  int        // how many of them went to raft since the last resend
	since time.Time  // when the first item became the first, or was last sent again
}

type proposal struct {
	seq   uint64
	data  []byte // sealed
	token any
}

// open starts a new life.
func (o *outbox) open(life int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.life, o.next, o.items, o.sent = life, 1, nil, 0
}

// close ends the life: nobody waits for what is under way any more.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.life, o.items, o.sent = 0, nil, 0
}

// add takes a proposal; false if the outbox is closed.
func (o *outbox) add(payload []byte, token any) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.life == 0 {
		return false
	}
	if len(o.items) == 0 {
		o.since = time.Now()
	}
	o.items = append(o.items, proposal{o.next, seal(o.node, o.life, o.next, payload), token})
	o.next++
	return true
}

// unsent returns what has not gone to raft yet, at most limit bytes but one item if there is any, and the number of
// the last one.
func (o *outbox) unsent(limit int) (data [][]byte, last uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	size := 0
	for _, p := range o.items[o.sent:] {
		if size += len(p.data); size > limit && len(data) > 0 {
			break
		}
		data, last = append(data, p.data), p.seq
	}
	return data, last
}

// delivered notes that everything up to last went to raft.
func (o *outbox) delivered(last uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.items) > 0 && last >= o.items[0].seq {
		o.sent = min(int(last-o.items[0].seq)+1, len(o.items))
	}
}

// resend makes everything unsent again.
func (o *outbox) resend() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sent = 0
	o.since = time.Now()
}

// overdue says whether the first item has been waiting for longer than d since it was last sent.
func (o *outbox) overdue(d time.Duration) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.sent > 0 && time.Since(o.since) > d
}

// applied takes out the proposal that was applied; nil if it is of another life.
func (o *outbox) applied(life int64, seq uint64) any {
	o.mu.Lock()
	defer o.mu.Unlock()
	if life != o.life || len(o.items) == 0 || o.items[0].seq != seq {
		return nil
	}
	token := o.items[0].token
	o.items[0] = proposal{}
	o.items = o.items[1:]
	o.sent = max(0, o.sent-1)
	o.since = time.Now()
	return token
}

// skip takes out what a snapshot says is applied: nobody will be told what became of it.
func (o *outbox) skip(at origin) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if at.life != o.life {
		return
	}
	for len(o.items) > 0 && o.items[0].seq <= at.seq {
		o.items = o.items[1:]
		o.sent = max(0, o.sent-1)
	}
}
