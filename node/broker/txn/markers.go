package txn

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/log"
)

// Attempts to write markers follow each other ever more slowly.
const (
	firstPause = 10 * time.Millisecond
	maxPause   = 500 * time.Millisecond
)

// finish brings a decided transaction to its end: markers everywhere, then the last record. It goes on until
// that is done, or another broker coordinates the id.
func (c *Coordinator) finish(t *transaction) {
	m, p := t.now(), t.partition
	left := maps.Clone(m.partitions)
	pause := firstPause
	wait := func() bool {
		defer func() { pause = min(2*pause, maxPause) }()
		select {
		case <-p.ctx.Done():
			return false
		case <-time.After(pause):
			return true
		}
	}
	for c.mark(p, m, left); len(left) > 0; c.mark(p, m, left) {
		if !wait() {
			return
		}
	}
	for {
		t.turn.Lock()
		err := c.store(t, m.complete(time.Now()))
		t.turn.Unlock()
		if err == nil || !wait() {
			return
		}
	}
}

// mark makes one attempt to write the markers that are left, and takes out what has its marker, or is gone.
func (c *Coordinator) mark(p *partition, m metadata, left map[place]struct{}) {
	if p.ctx.Err() != nil {
		return
	}
	requests := map[int32]*kmsg.WriteTxnMarkersRequest{}
	for _, at := range sorted(left) {
		leader, known := c.cfg.Leader(at.topic, at.partition)
		switch {
		case !known: // the topic was deleted
			delete(left, at)
			continue
		case leader < 0:
			continue
		case requests[leader] == nil:
			marker := kmsg.NewWriteTxnMarkersRequestMarker()
			marker.ProducerID, marker.ProducerEpoch, marker.Committed, marker.CoordinatorEpoch = m.id, m.epoch, m.state == prepareCommit, p.epoch.Load()
			r := kmsg.NewPtrWriteTxnMarkersRequest()
			r.Version, r.Markers = 1, append(r.Markers, marker)
			requests[leader] = r
		}
		marker := &requests[leader].Markers[0]
		if n := len(marker.Topics); n == 0 || marker.Topics[n-1].Topic != at.topic {
			topic := kmsg.NewWriteTxnMarkersRequestMarkerTopic()
			topic.Topic = at.topic
			marker.Topics = append(marker.Topics, topic)
		}
		topic := &marker.Topics[len(marker.Topics)-1]
		topic.Partitions = append(topic.Partitions, at.partition)
	}
	ctx, cancel := context.WithTimeout(p.ctx, c.cfg.Settings.MarkerTimeout)
	defer cancel()
	var work sync.WaitGroup
	var mu sync.Mutex // guards left
	for leader, r := range requests {
		work.Go(func() {
			resp, err := c.cfg.Mark(ctx, leader, r)
			if err != nil {
				c.cfg.Log.Debug("markers not written, trying again", "broker", leader, "err", err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			c.marked(resp, left)
		})
	}
	work.Wait()
}

// marked takes out what an answer settles. A partition that refuses a marker as too old belongs to a newer transaction,
// coordinated elsewhere.
func (c *Coordinator) marked(resp *kmsg.WriteTxnMarkersResponse, left map[place]struct{}) {
	for _, marker := range resp.Markers {
		for _, t := range marker.Topics {
			for _, part := range t.Partitions {
				switch part.ErrorCode {
				case 0:
					delete(left, place{t.Topic, part.Partition})
				case kerr.InvalidProducerEpoch.Code, kerr.TransactionCoordinatorFenced.Code:
					c.cfg.Log.Warn("marker refused as too old", "topic", t.Topic, "partition", part.Partition, "producer", marker.ProducerID, "err", kerr.ErrorForCode(part.ErrorCode))
					delete(left, place{t.Topic, part.Partition})
				default:
					c.cfg.Log.Debug("marker not written, trying again", "topic", t.Topic, "partition", part.Partition, "err", kerr.ErrorForCode(part.ErrorCode))
				}
			}
		}
	}
}

// abortOverdue aborts the transactions that take too long, and fences their producers off.
func (c *Coordinator) abortOverdue(now time.Time) {
	ids, _ := c.all()
	for _, t := range ids {
		if !t.now().overdue(now) {
			continue
		}
		t.turn.Lock()
		if m := t.now(); m.overdue(now) {
			err := c.decide(t, m.abort(now))
			c.cfg.Log.Info("transaction aborted: it took too long", "transactional_id", t.id, "producer", m.id, "epoch", m.epoch, "timeout", m.timeout, "err", err)
		}
		t.turn.Unlock()
	}
}

// expire forgets transactional ids that nobody used for long.
func (c *Coordinator) expire(now time.Time) {
	ids, _ := c.all()
	for _, t := range ids {
		if t.now().expired(now, c.cfg.Settings.IDExpiration) {
			c.forget(t, now)
		}
	}
}

func (c *Coordinator) forget(t *transaction, now time.Time) {
	t.turn.Lock()
	defer t.turn.Unlock()
	m := t.now()
	if !m.expired(now, c.cfg.Settings.IDExpiration) {
		return
	}
	if m.epoch >= 0 && c.append(t, log.Record{Timestamp: now.UnixMilli(), Key: keyOf(t.id)}) != nil {
		return // at the next occasion
	}
	t.partition.mu.Lock()
	defer t.partition.mu.Unlock()
	delete(t.partition.ids, t.id)
}
