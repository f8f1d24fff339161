package group

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"kdrill/node/log"
)

// save stores a group that nobody waits for.
func (c *Coordinator) save(g *group) {
	g.turn.Lock()
	defer g.turn.Unlock()
	g.mu.Lock()
	if g.fsm.state != empty && g.fsm.state != stable {
		g.mu.Unlock()
		return // a rebalance has begun, it stores what comes of it
	}
	r := g.fsm.record(time.Now())
	g.mu.Unlock()
	if err := c.append(g, r); err != nil && !errors.Is(err, kerr.NotCoordinator) {
		c.cfg.Log.Warn("group not stored", "group", g.fsm.id, "err", err)
	}
}

// append writes records for a group, whose turn it is, and waits until they are committed.
func (c *Coordinator) append(g *group, records ...log.Record) error {
	_, err := c.appendBatch(g, log.EncodeBatch(records...), c.cfg.Store.Append)
	return err
}

func (c *Coordinator) appendBatch(g *group, batch log.Batch, to Append) (at int64, err error) {
	ctx, cancel := context.WithTimeout(g.partition.Ctx, c.cfg.Settings.CommitTimeout)
	defer cancel()
	at, err = to(ctx, g.partition.Number, g.partition.Epoch(), batch)
	switch {
	case err == nil:
		return at, nil
	case g.partition.Ctx.Err() != nil:
		return -1, kerr.NotCoordinator
	case errors.Is(err, context.DeadlineExceeded):
		return -1, kerr.RequestTimedOut
	}
	return -1, err
}

// commitError is what a client is told when the store refused.
func commitError(err error) error {
	for _, m := range []struct {
		from []error
		to   error
	}{
		{[]error{kerr.UnknownTopicOrPartition, kerr.NotEnoughReplicas, kerr.NotEnoughReplicasAfterAppend, kerr.RequestTimedOut}, kerr.CoordinatorNotAvailable},
		{[]error{kerr.NotLeaderForPartition, kerr.FencedLeaderEpoch, kerr.KafkaStorageError, kerr.NotCoordinator}, kerr.NotCoordinator},
		{[]error{kerr.MessageTooLarge, kerr.RecordListTooLarge}, kerr.InvalidCommitOffsetSize},
	} {
		for _, from := range m.from {
			if errors.Is(err, from) {
				return m.to
			}
		}
	}
	return err
}

// verifyError is what a client is told when its transaction's coordinator had something against it. What may pass makes
// it try again.
func verifyError(err error, version int16) error {
	for _, e := range []*kerr.Error{kerr.TransactionAbortable, kerr.InvalidTxnState, kerr.InvalidProducerIDMapping, kerr.InvalidProducerEpoch, kerr.ProducerFenced} {
		switch {
		case !errors.Is(err, e):
		case e == kerr.TransactionAbortable && version < 4:
			return kerr.InvalidTxnState
		case e == kerr.ProducerFenced:
			return kerr.InvalidProducerEpoch
		default:
			return e
		}
	}
	if to := commitError(err); errors.Is(to, kerr.NotCoordinator) && !errors.Is(err, kerr.NotCoordinator) {
		return to // this broker does not lead the partition any more
	}
	return kerr.CoordinatorLoadInProgress
}

// syncError is the same for SyncGroup: what may pass makes the members join again.
func syncError(err error) error {
	switch {
	case errors.Is(err, kerr.RequestTimedOut):
		return kerr.RebalanceInProgress
	case errors.Is(err, kerr.MessageTooLarge), errors.Is(err, kerr.RecordListTooLarge):
		return kerr.UnknownServerError
	}
	return commitError(err)
}

// code is an error as the protocol numbers it.
func code(err error) int16 {
	if err == nil {
		return 0
	}
	var k *kerr.Error
	if errors.As(err, &k) {
		return k.Code
	}
	return kerr.UnknownServerError.Code
}
