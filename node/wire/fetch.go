package wire

import (
	"encoding/binary"
	"net"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// inline is up to which size records are copied into the frame: a piece of its own costs more than that.
const inline = 4 << 10

// A pieces frame is written from several places in memory, so that records need not be copied next to what is around them.
type pieces struct {
	text []byte // all but the large records
	cuts []int  // where in text the large records go
	big  [][]byte
}

// records appends one partition's records, without their length.
func (p *pieces) records(b []byte) {
	if len(b) <= inline {
		p.text = append(p.text, b...)
		return
	}
	p.cuts, p.big = append(p.cuts, len(p.text)), append(p.big, b)
}

// buffers fills in the frame's size and lists its pieces in order.
func (p *pieces) buffers() net.Buffers {
	size := len(p.text) - 4
	out := make(net.Buffers, 0, 2*len(p.big)+1)
	from := 0
	for i, b := range p.big {
		out = append(out, p.text[from:p.cuts[i]], b)
		from = p.cuts[i]
		size += len(b)
	}
	binary.BigEndian.PutUint32(p.text, uint32(size))
	return append(out, p.text[from:])
}

// appendFetch appends a fetch response as [kmsg.FetchResponse.AppendTo] does, the records by reference.
func (p *pieces) appendFetch(r *kmsg.FetchResponse) {
	v, flexible := r.Version, r.Version >= 12
	if v >= 1 {
		p.int32(r.ThrottleMillis)
	}
	if v >= 7 {
		p.int16(r.ErrorCode)
		p.int32(r.SessionID)
	}
	p.length(len(r.Topics), flexible)
	for i := range r.Topics {
		t := &r.Topics[i]
		if v >= 13 {
			p.text = append(p.text, t.TopicID[:]...)
		} else {
			p.string(t.Topic, flexible)
		}
		p.length(len(t.Partitions), flexible)
		for j := range t.Partitions {
			p.partition(&t.Partitions[j], v)
		}
		p.tags(flexible, 0)
	}
	if !flexible {
		return
	}
	if v < 16 || len(r.Brokers) == 0 {
		p.tags(true, 0)
		return
	}
	p.tags(true, 1)
	p.tag(0, appendNodes(nil, r.Brokers))
}

func (p *pieces) partition(q *kmsg.FetchResponseTopicPartition, v int16) {
	flexible := v >= 12
	p.int32(q.Partition)
	p.int16(q.ErrorCode)
	p.int64(q.HighWatermark)
	if v >= 4 {
		p.int64(q.LastStableOffset)
		if v >= 5 {
			p.int64(q.LogStartOffset)
		}
		if q.AbortedTransactions == nil {
			p.length(-1, flexible)
		} else {
			p.length(len(q.AbortedTransactions), flexible)
		}
		for _, a := range q.AbortedTransactions {
			p.int64(a.ProducerID)
			p.int64(a.FirstOffset)
			p.tags(flexible, 0)
		}
	}
	if v >= 11 {
		p.int32(q.PreferredReadReplica)
	}
	if q.RecordBatches == nil {
		p.length(-1, flexible)
	} else {
		p.length(len(q.RecordBatches), flexible)
		p.records(q.RecordBatches)
	}
	if !flexible {
		return
	}
	d, l := q.DivergingEpoch, q.CurrentLeader
	diverges, led := d.Epoch != -1 || d.EndOffset != -1, l.LeaderID != -1 || l.LeaderEpoch != -1
	count := 0
	for _, there := range []bool{diverges, led} {
		if there {
			count++
		}
	}
	p.tags(true, count)
	if diverges {
		p.tag(0, append(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(nil, uint32(d.Epoch)), uint64(d.EndOffset)), 0))
	}
	if led {
		p.tag(1, append(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, uint32(l.LeaderID)), uint32(l.LeaderEpoch)), 0))
	}
}

// appendNodes encodes where leaders are reached (KIP-951).
func appendNodes(dst []byte, nodes []kmsg.FetchResponseBroker) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(nodes))+1)
	for _, n := range nodes {
		dst = binary.BigEndian.AppendUint32(dst, uint32(n.NodeID))
		dst = append(binary.AppendUvarint(dst, uint64(len(n.Host))+1), n.Host...)
		dst = binary.BigEndian.AppendUint32(dst, uint32(n.Port))
		if n.Rack == nil {
			dst = append(dst, 0)
		} else {
			dst = append(binary.AppendUvarint(dst, uint64(len(*n.Rack))+1), *n.Rack...)
		}
		dst = append(dst, 0)
	}
	return dst
}

func (p *pieces) int16(v int16) { p.text = binary.BigEndian.AppendUint16(p.text, uint16(v)) }
func (p *pieces) int32(v int32) { p.text = binary.BigEndian.AppendUint32(p.text, uint32(v)) }
func (p *pieces) int64(v int64) { p.text = binary.BigEndian.AppendUint64(p.text, uint64(v)) }

// length is that of an array or of bytes; -1 is null.
func (p *pieces) length(n int, flexible bool) {
	if flexible {
		p.text = binary.AppendUvarint(p.text, uint64(n+1))
		return
	}
	p.int32(int32(n))
}

func (p *pieces) string(s string, flexible bool) {
	if flexible {
		p.text = binary.AppendUvarint(p.text, uint64(len(s)+1))
	} else {
		p.int16(int16(len(s)))
	}
	p.text = append(p.text, s...)
}

// tags begins a section of that many tagged fields, which only flexible versions have.
func (p *pieces) tags(flexible bool, count int) {
	if flexible {
		p.text = binary.AppendUvarint(p.text, uint64(count))
	}
}

func (p *pieces) tag(key uint64, value []byte) {
	p.text = binary.AppendUvarint(p.text, key)
	p.text = binary.AppendUvarint(p.text, uint64(len(value)))
	p.text = append(p.text, value...)
}
