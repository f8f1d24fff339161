package replica

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The timestamps in ListOffsets that are none.
const (
	latest        = -1
	earliest      = -2
	maxTimestamp  = -3 // v7
	earliestLocal = -4 // v8; all that is kept is local
	latestTiered  = -5 // v9; nothing is tiered
)

// ListOffsets finds offsets by time. Consumers see what is committed, by transactions too if they ask so, followers the
// whole log. Versions 0 to 9.
func (r *Replicas) ListOffsets(_ context.Context, req *kmsg.ListOffsetsRequest) *kmsg.ListOffsetsResponse {
	resp := req.ResponseKind().(*kmsg.ListOffsetsResponse)
	for i := range req.Topics {
		t := &req.Topics[i]
		out := kmsg.NewListOffsetsResponseTopic()
		out.Topic = t.Topic
		for j := range t.Partitions {
			out.Partitions = append(out.Partitions, r.listOffset(req, key{Topic: t.Topic, Partition: t.Partitions[j].Partition}, &t.Partitions[j]))
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp
}

func (r *Replicas) listOffset(req *kmsg.ListOffsetsRequest, k key, q *kmsg.ListOffsetsRequestTopicPartition) kmsg.ListOffsetsResponseTopicPartition {
	out := kmsg.NewListOffsetsResponseTopicPartition()
	out.Partition = k.Partition
	if req.Version < 4 {
		q.CurrentLeaderEpoch = noEpoch
	}
	p := r.lookup(k)
	if p == nil {
		out.ErrorCode = r.missing(k).Code
		return out
	}
	at, err := p.offsetFor(q.Timestamp, q.CurrentLeaderEpoch, reader{id: req.ReplicaID, isolated: req.IsolationLevel == readCommitted}, req.Version)
	if err != nil {
		out.ErrorCode = code(err)
		return out
	}
	out.Offset, out.Timestamp, out.LeaderEpoch = at.offset, at.timestamp, at.epoch
	if req.Version == 0 {
		out.Timestamp, out.OldStyleOffsets = -1, []int64{}
		if at.offset >= 0 && q.MaxNumOffsets > 0 {
			out.OldStyleOffsets = []int64{at.offset}
		}
	}
	return out
}

// position is an offset with the time and the leader epoch of its record; -1 unknown.
type position struct {
	offset, timestamp int64
	epoch             int32
}

func (p *partition) offsetFor(timestamp int64, epoch int32, by reader, version int16) (position, error) {
	none := position{-1, -1, -1}
	p.mu.Lock()
	if err := p.leads(epoch); err != nil {
		p.mu.Unlock()
		return none, err
	}
	current, limit, young := p.leaderEpoch, p.end, false
	if !by.follows() {
		limit = p.hw
		if by.isolated {
			limit = p.log.Stable(p.hw)
		}
		young = p.hw < p.lead.epochStart // what the previous leader had committed may be more (KIP-207)
	}
	p.mu.Unlock()
	notYet := kerr.OffsetNotAvailable
	if version < 5 {
		notYet = kerr.LeaderNotAvailable
	}
	switch {
	case timestamp == latest && young:
		return none, notYet
	case timestamp == latest:
		return position{limit, -1, current}, nil
	case timestamp == earliest, timestamp == earliestLocal && version >= 8:
		start := p.log.Start()
		return position{start, -1, p.log.EpochAt(start)}, nil
	case timestamp == maxTimestamp && version >= 7:
		offset, at, e, ok, err := p.log.MaxTimestamp()
		if err != nil || !ok || offset >= limit {
			return none, err
		}
		return position{offset, at, e}, nil
	case timestamp == latestTiered && version >= 9:
		return none, nil
	case timestamp < 0:
		return none, kerr.UnsupportedVersion
	}
	offset, at, e, ok, err := p.log.OffsetForTime(timestamp)
	switch {
	case err != nil:
		return none, p.readError(err)
	case ok && offset < limit:
		return position{offset, at, e}, nil
	case young:
		return none, notYet
	}
	return none, nil
}

// OffsetForLeaderEpoch tells where the largest leader epoch up to a given one ends in this leader's log. Versions 0 to 4.
func (r *Replicas) OffsetForLeaderEpoch(_ context.Context, req *kmsg.OffsetForLeaderEpochRequest) *kmsg.OffsetForLeaderEpochResponse {
	resp := req.ResponseKind().(*kmsg.OffsetForLeaderEpochResponse)
	for i := range req.Topics {
		t := &req.Topics[i]
		out := kmsg.NewOffsetForLeaderEpochResponseTopic()
		out.Topic = t.Topic
		for _, q := range t.Partitions {
			if req.Version < 2 {
				q.CurrentLeaderEpoch = noEpoch
			}
			part := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
			part.Partition = q.Partition
			found, end, err := r.endOfEpoch(key{Topic: t.Topic, Partition: q.Partition}, q.LeaderEpoch, q.CurrentLeaderEpoch)
			if part.ErrorCode = code(err); err == nil {
				part.LeaderEpoch, part.EndOffset = found, end
			}
			out.Partitions = append(out.Partitions, part)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp
}

func (r *Replicas) endOfEpoch(k key, epoch, current int32) (found int32, end int64, err error) {
	p := r.lookup(k)
	if p == nil {
		return -1, -1, r.missing(k)
	}
	p.mu.Lock()
	s, err := standing{epoch: p.leaderEpoch, end: p.end}, p.leads(current)
	p.mu.Unlock()
	if err != nil {
		return -1, -1, err
	}
	found, end = p.endOfEpoch(epoch, s)
	return found, end, nil
}
