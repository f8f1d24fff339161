package group

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/log"
)

// OffsetCommit (key 8, versions 0-9). Offsets are there for readers once they are committed to the log.
func (c *Coordinator) OffsetCommit(_ context.Context, _, _ string, req *kmsg.OffsetCommitRequest) *kmsg.OffsetCommitResponse {
	commits, refused := c.commits(req, time.Now())
	var err error
	if len(commits) > 0 || len(refused) == 0 {
		err = c.commit(req, commits)
	}
	resp := req.ResponseKind().(*kmsg.OffsetCommitResponse)
	for _, t := range req.Topics {
		rt := kmsg.NewOffsetCommitResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			rp := kmsg.NewOffsetCommitResponseTopicPartition()
			rp.Partition, rp.ErrorCode = p.Partition, code(cmp.Or(refused[place{t.Topic, p.Partition}], err))
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

// refusal says why nothing can be committed at a place, whoever asks.
func (c *Coordinator) refusal(at place, v commit) error {
	switch {
	case !c.cfg.Known(at.topic, at.partition):
		return kerr.UnknownTopicOrPartition
	case len(v.metadata) > c.cfg.Settings.MetadataMaxBytes:
		return kerr.OffsetMetadataTooLarge
	}
	return nil
}

// commits reads a request; what is refused is left out.
func (c *Coordinator) commits(req *kmsg.OffsetCommitRequest, now time.Time) (commits map[place]commit, refused map[place]error) {
	commits, refused = map[place]commit{}, map[place]error{}
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			at := place{t.Topic, p.Partition}
			v := commit{offset: p.Offset, leaderEpoch: -1, at: now}
			if req.Version >= 6 {
				v.leaderEpoch = p.LeaderEpoch
			}
			if req.Version == 1 && p.Timestamp >= 0 {
				v.at = time.UnixMilli(p.Timestamp)
			}
			if req.Version >= 2 && req.Version <= 4 && req.RetentionTimeMillis >= 0 {
				v.expires = now.Add(time.Duration(req.RetentionTimeMillis) * time.Millisecond)
			}
			if p.Metadata != nil {
				v.metadata = *p.Metadata
			}
			if err := c.refusal(at, v); err != nil {
				refused[at] = err
			} else {
				commits[at] = v
			}
		}
	}
	return commits, refused
}

func (c *Coordinator) commit(req *kmsg.OffsetCommitRequest, commits map[place]commit) error {
	member, generation, instance := req.MemberID, req.Generation, ""
	if req.Version == 0 {
		member, generation = "", -1
	}
	if req.InstanceID != nil {
		instance = *req.InstanceID
	}
	g, err := c.find(req.Group, generation < 0)
	if err != nil {
		return err
	}
	if g == nil {
		return kerr.IllegalGeneration
	}
	g.turn.RLock()
	defer g.turn.RUnlock()
	c.change(g, func(now time.Time) { err = g.fsm.mayCommit(member, instance, generation, now) })
	if err != nil || len(commits) == 0 {
		return err
	}
	records := make([]log.Record, 0, len(commits))
	for _, at := range sorted(commits) {
		records = append(records, commits[at].record(g.fsm.id, at))
	}
	stored, err := c.appendBatch(g, log.EncodeBatch(records...), c.cfg.Store.Append)
	if err != nil {
		c.cfg.Log.Debug("offsets not committed", "group", g.fsm.id, "err", err)
		return commitError(err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for at, v := range commits {
		if v.stored = stored; g.offsets[at].stored <= stored {
			g.offsets[at] = v
		}
	}
	return nil
}

func sorted[V any](places map[place]V) []place {
	return slices.SortedFunc(maps.Keys(places), func(a, b place) int {
		return cmp.Or(cmp.Compare(a.topic, b.topic), cmp.Compare(a.partition, b.partition))
	})
}

// committed answers for some places of a group, or all of them if ask is nil. unstable are those among them where a
// transaction is not decided.
func (c *Coordinator) committed(id string, ask []place) (answer map[place]commit, unstable map[place]bool, err error) {
	g, err := c.find(id, false)
	if err != nil {
		return nil, nil, err
	}
	answer, unstable = map[place]commit{}, map[place]bool{}
	if g != nil {
		g.mu.Lock()
		defer g.mu.Unlock()
		for _, commits := range g.undecided {
			for at := range commits {
				unstable[at] = true
			}
		}
		if ask == nil {
			return maps.Clone(g.offsets), unstable, nil
		}
	}
	for _, at := range ask {
		answer[at] = commit{offset: -1, leaderEpoch: -1}
		if g != nil {
			if v, ok := g.offsets[at]; ok {
				answer[at] = v
			}
		}
	}
	return answer, unstable, nil
}

// OffsetFetch (key 9, versions 0-8); from version 8 on for several groups.
func (c *Coordinator) OffsetFetch(_ context.Context, _, _ string, req *kmsg.OffsetFetchRequest) *kmsg.OffsetFetchResponse {
	resp := req.ResponseKind().(*kmsg.OffsetFetchResponse)
	if req.Version >= 8 {
		for _, g := range req.Groups {
			resp.Groups = append(resp.Groups, c.fetchGroup(g, req.RequireStable))
		}
		return resp
	}
	one := kmsg.NewOffsetFetchRequestGroup()
	one.Group = req.Group
	if req.Topics != nil {
		one.Topics = []kmsg.OffsetFetchRequestGroupTopic{}
	}
	for _, t := range req.Topics {
		gt := kmsg.NewOffsetFetchRequestGroupTopic()
		gt.Topic, gt.Partitions = t.Topic, t.Partitions
		one.Topics = append(one.Topics, gt)
	}
	g := c.fetchGroup(one, req.RequireStable && req.Version >= 7)
	resp.ErrorCode = g.ErrorCode
	if g.ErrorCode != 0 && req.Version < 2 {
		g.Topics = failed(one.Topics, g.ErrorCode)
	}
	for _, t := range g.Topics {
		rt := kmsg.NewOffsetFetchResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			rp := kmsg.NewOffsetFetchResponseTopicPartition()
			rp.Partition, rp.Offset, rp.LeaderEpoch, rp.Metadata, rp.ErrorCode = p.Partition, p.Offset, p.LeaderEpoch, p.Metadata, p.ErrorCode
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

// failed is an answer for clients that look for errors at each partition only.
func failed(topics []kmsg.OffsetFetchRequestGroupTopic, code int16) (answer []kmsg.OffsetFetchResponseGroupTopic) {
	for _, t := range topics {
		rt := kmsg.NewOffsetFetchResponseGroupTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			rp := kmsg.NewOffsetFetchResponseGroupTopicPartition()
			rp.Partition, rp.Offset, rp.LeaderEpoch, rp.Metadata, rp.ErrorCode = p, -1, -1, new(string), code
			rt.Partitions = append(rt.Partitions, rp)
		}
		answer = append(answer, rt)
	}
	return answer
}

func (c *Coordinator) fetchGroup(req kmsg.OffsetFetchRequestGroup, stable bool) kmsg.OffsetFetchResponseGroup {
	resp := kmsg.NewOffsetFetchResponseGroup()
	resp.Group = req.Group
	var ask []place
	if req.Topics != nil {
		ask = []place{}
	}
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			ask = append(ask, place{t.Topic, p})
		}
	}
	offsets, unstable, err := c.committed(req.Group, ask)
	if err != nil {
		resp.ErrorCode = code(err)
		return resp
	}
	for _, at := range sorted(offsets) {
		if n := len(resp.Topics); n == 0 || resp.Topics[n-1].Topic != at.topic {
			t := kmsg.NewOffsetFetchResponseGroupTopic()
			t.Topic = at.topic
			resp.Topics = append(resp.Topics, t)
		}
		t := &resp.Topics[len(resp.Topics)-1]
		v := offsets[at]
		p := kmsg.NewOffsetFetchResponseGroupTopicPartition()
		p.Partition, p.Offset, p.LeaderEpoch, p.Metadata = at.partition, v.offset, v.leaderEpoch, &v.metadata
		if stable && unstable[at] {
			p.Offset, p.LeaderEpoch, p.Metadata, p.ErrorCode = -1, -1, new(string), kerr.UnstableOffsetCommit.Code
		}
		t.Partitions = append(t.Partitions, p)
	}
	return resp
}
