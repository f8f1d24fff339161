package group

import (
	"testing"
	"testing/synctest"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const producerID = 7

// commitInTransaction commits an offset as producer 7 with transactional id "id".
func (k *consumer) commitInTransaction(version int16, offset int64) error {
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.Version, req.TransactionalID, req.Group, req.ProducerID = version, "id", k.group, producerID
	topic := kmsg.NewTxnOffsetCommitRequestTopic()
	topic.Topic = "orders"
	part := kmsg.NewTxnOffsetCommitRequestTopicPartition()
	part.Offset = offset
	topic.Partitions = append(topic.Partitions, part)
	req.Topics = append(req.Topics, topic)
	resp := k.c.TxnOffsetCommit(k.t.Context(), k.name, "/host", req)
	return kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode)
}

// decide ends the producer's transaction.
func (k *consumer) decide(committed bool) {
	k.t.Helper()
	must(k.t, k.c.Decide(k.t.Context(), k.c.PartitionFor(k.group), producerID, committed))
}

func (k *consumer) expectPosition(want int64) {
	k.t.Helper()
	if got, err := k.position(0); got != want || err != nil {
		k.t.Errorf("position %d, want %d: %v", got, want, err)
	}
}

func TestOffsetsInATransactionCountOnceItIsCommitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newConsumer(t, coordinate(t, newDisk()), "a")
		must(t, k.commitInTransaction(3, 5))
		k.expectPosition(-1)
		k.decide(true)
		k.expectPosition(5)
		must(t, k.commitInTransaction(3, 6))
		k.decide(false)
		k.expectPosition(5)
	})
}

func TestARefusedCommitLeavesTheOneBeforeInTheTransaction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		k := newConsumer(t, coordinate(t, d), "a")
		must(t, k.commitInTransaction(3, 5))
		d.set(func() { d.refuse = kerr.NotEnoughReplicas })
		wants(t, kerr.CoordinatorNotAvailable, k.commitInTransaction(3, 6))
		d.set(func() { d.refuse = nil })
		k.decide(true)
		k.expectPosition(5)
	})
}

// The commit of a producer that was aborted meanwhile must not begin a transaction that nobody would end.
func TestOffsetsAreNotStoredForATransactionThatTheyAreNoPartOf(t *testing.T) {
	for _, c := range []struct {
		verdict error
		version int16
		want    error
	}{
		{kerr.TransactionAbortable, 4, kerr.TransactionAbortable},
		{kerr.TransactionAbortable, 3, kerr.InvalidTxnState},
		{kerr.InvalidProducerIDMapping, 3, kerr.InvalidProducerIDMapping},
		{kerr.ProducerFenced, 3, kerr.InvalidProducerEpoch},
		{kerr.ConcurrentTransactions, 3, kerr.CoordinatorLoadInProgress},
		{kerr.CoordinatorNotAvailable, 3, kerr.CoordinatorLoadInProgress},
		{kerr.NotCoordinator, 3, kerr.CoordinatorLoadInProgress}, // the transaction's, not this one
		{kerr.NotLeaderForPartition, 3, kerr.NotCoordinator},
	} {
		t.Run(c.verdict.(*kerr.Error).Message, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDisk()
				k := newConsumer(t, coordinate(t, d), "a")
				d.verdict = func(partition int32, by Producer) error {
					if partition != k.c.PartitionFor(k.group) || by != (Producer{TransactionalID: "id", ID: producerID}) {
						t.Errorf("asked about %d for %+v", partition, by)
					}
					return c.verdict
				}
				wants(t, c.want, k.commitInTransaction(c.version, 5))
				if n := len(d.batches[k.c.PartitionFor(k.group)]); n != 0 {
					t.Errorf("%d batches stored", n)
				}
			})
		})
	}
}
