package replica

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// fetchSession is a follower's side of KIP-227: what the leader knows it is asked for. At epoch 0 the next request
// is full, begins a new session and closes the one with this id.
type fetchSession struct {
	id, epoch int32
	byID      bool
	asked     map[wantKey]*pursuit // by the names that answers use
	round     int                  // counts requests; what was asked for in the last one is what the leader knows
}

// request asks for the partitions that are due; within a session only for those whose wants have changed.
func (s *fetchSession) request(r *Replicas, due []*pursuit) *kmsg.FetchRequest {
	byID := !slices.ContainsFunc(due, func(q *pursuit) bool { return q.topicID == [16]byte{} })
	if s.asked == nil || s.byID != byID {
		s.reset()
		s.byID, s.asked = byID, map[wantKey]*pursuit{}
	}
	s.round++
	req := newFetchRequest(r, byID)
	req.SessionID, req.SessionEpoch = s.id, s.epoch
	for _, q := range due {
		at := q.progress()
		known := q.round == s.round-1 && q.asked == at
		q.asked, q.round = at, s.round
		if known {
			continue
		}
		k := wantKey{topic: q.p.Topic, partition: q.p.Partition}
		if byID {
			k = wantKey{id: q.topicID, partition: q.p.Partition}
		}
		s.asked[k] = q
		if n := len(req.Topics); n == 0 || req.Topics[n-1].Topic != k.topic || req.Topics[n-1].TopicID != k.id {
			t := kmsg.NewFetchRequestTopic()
			t.Topic, t.TopicID = k.topic, k.id
			req.Topics = append(req.Topics, t)
		}
		t := &req.Topics[len(req.Topics)-1]
		t.Partitions = append(t.Partitions, at.fetch(k.partition, r.cfg.Settings.FetchPartitionBytes))
	}
	if len(s.asked) > len(due) {
		s.forget(req)
	}
	return req
}

// forget takes out of the session what is not due.
func (s *fetchSession) forget(req *kmsg.FetchRequest) {
	for k, q := range s.asked {
		if q.round != s.round {
			delete(s.asked, k)
			t := kmsg.NewFetchRequestForgottenTopic()
			t.Topic, t.TopicID, t.Partitions = k.topic, k.id, []int32{k.partition}
			req.ForgottenTopics = append(req.ForgottenTopics, t)
		}
	}
}

// reset gives the session up.
func (s *fetchSession) reset() {
	s.epoch, s.asked = newSession, nil
	s.round++ // no round before this one counts
}

// answered takes over the session that the leader began or continued.
func (s *fetchSession) answered(resp *kmsg.FetchResponse) {
	s.id = resp.SessionID
	if s.id == 0 { // the leader keeps none
		s.reset()
		return
	}
	s.epoch = nextEpoch(s.epoch)
}

// progress is how far a follower has come.
type progress struct {
	leaderEpoch int32
	end         int64
	lastEpoch   int32
	start       int64
}

func (q *pursuit) progress() progress {
	start, end, lastEpoch := q.p.log.Reach()
	return progress{q.epoch, end, lastEpoch, start}
}

func (at progress) fetch(id, maxBytes int32) kmsg.FetchRequestTopicPartition {
	part := kmsg.NewFetchRequestTopicPartition()
	part.Partition, part.PartitionMaxBytes = id, maxBytes
	part.CurrentLeaderEpoch, part.FetchOffset, part.LastFetchedEpoch, part.LogStartOffset = at.leaderEpoch, at.end, at.lastEpoch, at.start
	return part
}

// newFetchRequest names topics by id where all have one, and then says which life of this broker asks (KIP-903).
func newFetchRequest(r *Replicas, byID bool) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.Version = 12
	if byID {
		req.Version = 15
	}
	req.ReplicaID = r.cfg.BrokerID
	req.ReplicaState.ID, req.ReplicaState.Epoch = r.cfg.BrokerID, r.cfg.BrokerEpoch()
	req.MinBytes, req.MaxBytes = r.cfg.Settings.FetchMinBytes, r.cfg.Settings.FetchResponseBytes
	return req
}
