package txn

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// AddPartitionsToTxn (key 24, versions 0-5) makes partitions part of a transaction. From version 4 on brokers ask it, for
// several transactions, some only to learn whether partitions are part of it (KIP-890).
func (c *Coordinator) AddPartitionsToTxn(_ context.Context, req *kmsg.AddPartitionsToTxnRequest) *kmsg.AddPartitionsToTxnResponse {
	resp := req.ResponseKind().(*kmsg.AddPartitionsToTxnResponse)
	if req.Version >= 4 {
		for i := range req.Transactions {
			out := kmsg.NewAddPartitionsToTxnResponseTransaction()
			out.TransactionalID, out.Topics = req.Transactions[i].TransactionalID, c.addTo(&req.Transactions[i], req.Version)
			resp.Transactions = append(resp.Transactions, out)
		}
		return resp
	}
	one := kmsg.NewAddPartitionsToTxnRequestTransaction()
	one.TransactionalID, one.ProducerID, one.ProducerEpoch = req.TransactionalID, req.ProducerID, req.ProducerEpoch
	for _, t := range req.Topics {
		topic := kmsg.NewAddPartitionsToTxnRequestTransactionTopic()
		topic.Topic, topic.Partitions = t.Topic, t.Partitions
		one.Topics = append(one.Topics, topic)
	}
	for _, t := range c.addTo(&one, req.Version) {
		topic := kmsg.NewAddPartitionsToTxnResponseTopic()
		topic.Topic = t.Topic
		for _, p := range t.Partitions {
			part := kmsg.NewAddPartitionsToTxnResponseTopicPartition()
			part.Partition, part.ErrorCode = p.Partition, p.ErrorCode
			topic.Partitions = append(topic.Partitions, part)
		}
		resp.Topics = append(resp.Topics, topic)
	}
	return resp
}

// addTo handles one transaction: all partitions are added, or none.
func (c *Coordinator) addTo(req *kmsg.AddPartitionsToTxnRequestTransaction, version int16) (topics []kmsg.AddPartitionsToTxnResponseTransactionTopic) {
	verdicts, by := map[place]error{}, producer{req.ProducerID, req.ProducerEpoch}
	var places []place
	missing := false
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			at := place{t.Topic, p}
			places = append(places, at)
			if _, known := c.cfg.Leader(t.Topic, p); !known {
				verdicts[at], missing = kerr.UnknownTopicOrPartition, true
			}
		}
	}
	var all error
	switch {
	case missing:
		all = kerr.OperationNotAttempted
	case req.VerifyOnly:
		all = c.verify(req.TransactionalID, by, places, version, verdicts)
	default:
		all = c.add(req.TransactionalID, by, places)
	}
	for _, t := range req.Topics {
		topic := kmsg.NewAddPartitionsToTxnResponseTransactionTopic()
		topic.Topic = t.Topic
		for _, p := range t.Partitions {
			part := kmsg.NewAddPartitionsToTxnResponseTransactionTopicPartition()
			part.Partition, part.ErrorCode = p, code(fenced(all, version >= 2))
			if err := verdicts[place{t.Topic, p}]; err != nil {
				part.ErrorCode = code(err)
			}
			topic.Partitions = append(topic.Partitions, part)
		}
		topics = append(topics, topic)
	}
	return topics
}

// verify tells which of some partitions are not part of a transaction.
func (c *Coordinator) verify(id string, by producer, places []place, version int16, verdicts map[place]error) error {
	t, err := c.known(id)
	if err != nil {
		return err
	}
	m := t.now()
	if err := m.check(by); err != nil {
		return err
	}
	if m.preparing() {
		return kerr.ConcurrentTransactions
	}
	for _, at := range places {
		if _, ok := m.partitions[at]; ok {
			continue
		}
		if verdicts[at] = kerr.TransactionAbortable; version < 5 {
			verdicts[at] = kerr.InvalidTxnState
		}
	}
	return nil
}
