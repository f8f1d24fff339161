package txn

import (
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

// delivery is a decided transaction on its way to the partitions that it wrote to.
type delivery struct {
	m metadata
	p *partition

	mu   sync.Mutex
	left map[place]struct{} // without a marker
	done chan struct{}      // closed once nothing is left
}

func newDelivery(p *partition, m metadata) *delivery {
	d := &delivery{m: m, p: p, left: map[place]struct{}{}, done: make(chan struct{})}
	for at := range m.partitions {
		d.left[at] = struct{}{}
	}
	if len(d.left) == 0 {
		close(d.done)
	}
	return d
}

// settle takes out a partition that has its marker, or is gone.
func (d *delivery) settle(at place) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, open := d.left[at]; !open {
		return
	}
	delete(d.left, at)
	if len(d.left) == 0 {
		close(d.done)
	}
}

// unsettled are those of some places that are left.
func (d *delivery) unsettled(some []place) (left []place) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, at := range some {
		if _, open := d.left[at]; open {
			left = append(left, at)
		}
	}
	return left
}

// finish brings a decided transaction to its end: markers everywhere, then the last record. It goes on until
// that is done, or another broker coordinates the id.
func (c *Coordinator) finish(t *transaction) {
	p := t.partition
	d := newDelivery(p, t.now())
	c.route(d, sorted(d.m.partitions), firstPause)
	select {
	case <-d.done:
	case <-p.Ctx.Done():
		return
	}
	for pause := firstPause; ; pause = slower(pause) {
		t.turn.Lock()
		err := c.store(t, d.m.complete(time.Now()))
		t.turn.Unlock()
		if err == nil || !p.Rest(pause) {
			return
		}
	}
}

func slower(pause time.Duration) time.Duration { return min(2*pause, maxPause) }

// settleAnswer takes out what a marker's answer settles. A partition that refuses a marker as too old belongs to a newer
// transaction, coordinated elsewhere.
func (c *Coordinator) settleAnswer(d *delivery, answer kmsg.WriteTxnMarkersResponseMarker) {
	for _, t := range answer.Topics {
		for _, part := range t.Partitions {
			switch part.ErrorCode {
			case 0:
				d.settle(place{t.Topic, part.Partition})
			case kerr.InvalidProducerEpoch.Code, kerr.TransactionCoordinatorFenced.Code:
				c.cfg.Log.Warn("marker refused as too old", "topic", t.Topic, "partition", part.Partition, "producer", answer.ProducerID, "err", kerr.ErrorForCode(part.ErrorCode))
				d.settle(place{t.Topic, part.Partition})
			default:
				c.cfg.Log.Debug("marker not written, trying again", "topic", t.Topic, "partition", part.Partition, "err", kerr.ErrorForCode(part.ErrorCode))
			}
		}
	}
}

// abortOverdue aborts the transactions that take too long, and fences their producers off.
func (c *Coordinator) abortOverdue(now time.Time) {
	ids, _ := c.led.All()
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
	ids, _ := c.led.All()
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
	t.partition.Mu.Lock()
	defer t.partition.Mu.Unlock()
	delete(t.partition.Items, t.id)
}
