package group

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/log"
)

// Offsets that a producer commits in a transaction are in the log at once, and count from when the marker of the
// transaction says so; until then they are undecided.

// undecided are offsets by producer id.
type undecided map[int64]map[place]commit

func (u undecided) put(producerID int64, commits map[place]commit) {
	if u[producerID] == nil {
		u[producerID] = map[place]commit{}
	}
	maps.Copy(u[producerID], commits)
}

// restore takes back what a producer committed since it had that.
func (u undecided) restore(producerID int64, before map[place]commit) {
	if u[producerID] = before; len(before) == 0 {
		delete(u, producerID)
	}
}

// decide moves what a producer committed to the offsets, or forgets it. Offsets that were committed later stay.
func (u undecided) decide(producerID int64, committed bool, offsets map[place]commit) {
	if committed {
		for at, v := range u[producerID] {
			if old, ok := offsets[at]; !ok || !old.at.After(v.at) {
				offsets[at] = v
			}
		}
	}
	delete(u, producerID)
}

// TxnOffsetCommit (key 28, versions 0-4).
func (c *Coordinator) TxnOffsetCommit(ctx context.Context, _, _ string, req *kmsg.TxnOffsetCommitRequest) *kmsg.TxnOffsetCommitResponse {
	commits, refused := map[place]commit{}, map[place]error{}
	now := time.Now()
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			v, at := commit{offset: p.Offset, leaderEpoch: -1, at: now}, place{t.Topic, p.Partition}
			if req.Version >= 2 {
				v.leaderEpoch = p.LeaderEpoch
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
	var err error
	if len(commits) > 0 || len(refused) == 0 {
		err = c.commitInTransaction(ctx, req, commits)
	}
	resp := req.ResponseKind().(*kmsg.TxnOffsetCommitResponse)
	for _, t := range req.Topics {
		rt := kmsg.NewTxnOffsetCommitResponseTopic()
		rt.Topic = t.Topic
		for _, p := range t.Partitions {
			rp := kmsg.NewTxnOffsetCommitResponseTopicPartition()
			rp.Partition, rp.ErrorCode = p.Partition, code(cmp.Or(refused[place{t.Topic, p.Partition}], err))
			rt.Partitions = append(rt.Partitions, rp)
		}
		resp.Topics = append(resp.Topics, rt)
	}
	return resp
}

func (c *Coordinator) commitInTransaction(ctx context.Context, req *kmsg.TxnOffsetCommitRequest, commits map[place]commit) error {
	member, generation, instance := "", int32(-1), ""
	if req.Version >= 3 {
		member, generation = req.MemberID, req.Generation
		if req.InstanceID != nil {
			instance = *req.InstanceID
		}
	}
	if req.Group == "" {
		return kerr.InvalidGroupID
	}
	g, err := c.find(req.Group, generation < 0)
	if err == nil && g == nil {
		err = kerr.IllegalGeneration
	}
	if err != nil {
		return err
	}
	store, err := c.cfg.Store.Verify(ctx, g.partition.Number, Producer{req.TransactionalID, req.ProducerID, req.ProducerEpoch})
	if err != nil {
		return verifyError(err, req.Version)
	}
	g.turn.Lock()
	defer g.turn.Unlock()
	c.change(g, func(time.Time) { err = g.fsm.mayCommitInTransaction(member, instance, generation) })
	if err != nil || len(commits) == 0 {
		return err
	}
	records := make([]log.Record, 0, len(commits))
	for _, at := range sorted(commits) {
		records = append(records, commits[at].record(g.fsm.id, at))
	}
	batch := log.EncodeBatch(records...)
	batch.SetProducer(req.ProducerID, req.ProducerEpoch, -1)
	batch.SetTransactional()
	// Undecided even if the append is not acknowledged: it may be in the log.
	g.mu.Lock()
	before := maps.Clone(g.undecided[req.ProducerID])
	g.undecided.put(req.ProducerID, commits)
	g.mu.Unlock()
	if _, err := c.appendBatch(g, batch, store); err != nil {
		if !errors.Is(err, kerr.RequestTimedOut) && !errors.Is(err, kerr.NotEnoughReplicasAfterAppend) {
			g.mu.Lock()
			g.undecided.restore(req.ProducerID, before)
			g.mu.Unlock()
		}
		return commitError(err)
	}
	return nil
}

// mayCommitInTransaction validates who commits; producers older than KIP-447 do not say.
func (g *fsm) mayCommitInTransaction(memberID, instance string, generation int32) error {
	switch {
	case g.state == dead:
		return kerr.CoordinatorNotAvailable
	case generation < 0 && memberID == "" && instance == "":
		return nil
	}
	if err := g.check(memberID, instance); err != nil {
		return err
	}
	if generation != g.generation {
		return kerr.IllegalGeneration
	}
	return nil
}

// Decide ends a producer's transaction for the groups of a partition: its marker is in the log. While they are
// being loaded it waits.
func (c *Coordinator) Decide(ctx context.Context, number int32, producerID int64, committed bool) error {
	p := c.led.Find(number)
	if p == nil {
		return nil // whoever leads it next finds the marker
	}
	if err := p.Await(ctx); err != nil {
		return err
	}
	p.Mu.Lock()
	var groups []*group
	for _, g := range p.Items {
		g.mu.Lock()
		if _, ok := g.undecided[producerID]; ok {
			groups = append(groups, g)
		}
		g.mu.Unlock()
	}
	p.Mu.Unlock()
	for _, g := range groups {
		g.turn.Lock()
		g.mu.Lock()
		g.undecided.decide(producerID, committed, g.offsets)
		g.mu.Unlock()
		g.turn.Unlock()
	}
	return nil
}
