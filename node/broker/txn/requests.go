package txn

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// InitProducerID (key 22, versions 0-5) gives a producer its id and epoch. Earlier producers with the same
// transactional id are fenced off, and what they left open is aborted first: until then the answer is
// CONCURRENT_TRANSACTIONS.
func (c *Coordinator) InitProducerID(ctx context.Context, req *kmsg.InitProducerIDRequest) *kmsg.InitProducerIDResponse {
	resp := req.ResponseKind().(*kmsg.InitProducerIDResponse)
	given := nobody
	if req.Version >= 3 {
		given = producer{req.ProducerID, req.ProducerEpoch}
	}
	p, err := nobody, error(nil)
	if req.TransactionalID == nil {
		p.epoch = 0
		p.id, err = c.take(ctx)
	} else {
		p, err = c.initiate(ctx, *req.TransactionalID, given, time.Duration(req.TransactionTimeoutMillis)*time.Millisecond)
	}
	if err != nil {
		p = nobody
	}
	resp.ProducerID, resp.ProducerEpoch, resp.ErrorCode = p.id, p.epoch, code(fenced(err, req.Version >= 4))
	return resp
}

// fenced spells PRODUCER_FENCED as clients know it that are older than it.
func fenced(err error, known bool) error {
	if !known && errors.Is(err, kerr.ProducerFenced) {
		return kerr.InvalidProducerEpoch
	}
	return err
}

// take gets a new producer id.
func (c *Coordinator) take(ctx context.Context) (int64, error) {
	id, err := c.cfg.ProducerID(ctx)
	if err != nil {
		c.cfg.Log.Error("producer got no id", "err", err)
		return -1, kerr.CoordinatorNotAvailable
	}
	return id, nil
}

func (c *Coordinator) initiate(ctx context.Context, id string, given producer, timeout time.Duration) (producer, error) {
	if id == "" || (given.id < 0) != (given.epoch < 0) {
		return nobody, kerr.InvalidRequest
	}
	if timeout <= 0 || timeout > c.cfg.Settings.MaxTimeout {
		return nobody, kerr.InvalidTransactionTimeout
	}
	t, err := c.open(id)
	if err != nil {
		return nobody, err
	}
	t.turn.Lock()
	defer t.turn.Unlock()
	m := t.now()
	if m.id < 0 {
		if m.id, err = c.take(ctx); err != nil {
			return nobody, err
		}
	}
	next, what, err := m.initiate(given, timeout, time.Now())
	switch {
	case err != nil:
		return nobody, err
	case what == repeated:
		return m.producer, nil
	case what == fence:
		if err := c.decide(t, m.abort(time.Now())); err != nil {
			return nobody, err
		}
		return nobody, kerr.ConcurrentTransactions
	case what == rotate:
		if next.id, err = c.take(ctx); err != nil {
			return nobody, err
		}
	}
	return next.producer, c.store(t, next)
}

// EndTxn (key 26, versions 0-4) decides a transaction. It is answered once the decision is in the log; markers
// follow.
func (c *Coordinator) EndTxn(_ context.Context, req *kmsg.EndTxnRequest) *kmsg.EndTxnResponse {
	resp := req.ResponseKind().(*kmsg.EndTxnResponse)
	err := c.endTransaction(req.TransactionalID, producer{req.ProducerID, req.ProducerEpoch}, req.Commit)
	resp.ErrorCode = code(fenced(err, req.Version >= 2))
	return resp
}

func (c *Coordinator) endTransaction(id string, p producer, commit bool) error {
	t, err := c.known(id)
	if err != nil {
		return err
	}
	t.turn.Lock()
	defer t.turn.Unlock()
	next, changed, err := t.now().end(p, commit, time.Now())
	if err != nil || !changed {
		return err
	}
	return c.decide(t, next)
}

// decide stores the outcome of a transaction and sees to its markers. Needs turn.
func (c *Coordinator) decide(t *transaction, next metadata) error {
	if err := c.store(t, next); err != nil {
		return err
	}
	c.led.Spawn(func() { c.finish(t) })
	return nil
}

// AddOffsetsToTxn (key 25, versions 0-4) makes a group's offsets part of a transaction.
func (c *Coordinator) AddOffsetsToTxn(_ context.Context, req *kmsg.AddOffsetsToTxnRequest) *kmsg.AddOffsetsToTxnResponse {
	resp := req.ResponseKind().(*kmsg.AddOffsetsToTxnResponse)
	at, ok := c.cfg.GroupPartition(req.Group)
	err := error(kerr.CoordinatorNotAvailable)
	if ok {
		err = c.add(req.TransactionalID, producer{req.ProducerID, req.ProducerEpoch}, []place{{OffsetsTopic, at}})
	}
	resp.ErrorCode = code(fenced(err, req.Version >= 2))
	return resp
}

func (c *Coordinator) add(id string, p producer, places []place) error {
	t, err := c.known(id)
	if err != nil {
		return err
	}
	t.turn.Lock()
	defer t.turn.Unlock()
	next, changed, err := t.now().add(p, places, time.Now())
	if err != nil || !changed {
		return err
	}
	return c.store(t, next)
}
