package broker

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/broker/metadata"
	"kdrill/node/broker/replica"
	"kdrill/node/broker/settings"
	"kdrill/node/broker/txn"
	"kdrill/node/log"
)

// Transactional ids live in the partitions of the transactions topic that this broker leads.

func (b *Broker) newTransactions() *txn.Coordinator {
	return txn.New(txn.Config{
		PartitionFor: func(id string) int32 { return b.internals.PartitionFor(transactionsTopic, id) },
		Store:        transactionsStore{b.replicas},
		ProducerID:   b.producerIDs.take,
		Leader: func(topic string, partition int32) (int32, bool) {
			return leaderIn(b.cache.Current(), topic, partition)
		},
		GroupPartition: func(id string) (at int32, ok bool) {
			at = b.internals.PartitionFor(offsetsTopic, id)
			return at, at >= 0
		},
		Mark:     b.mark,
		Settings: transactionSettings(b.settings.Values),
		Log:      b.loggers.named(transactionLogger),
	})
}

// leaderIn is who leads a partition, -1 if nobody does or it cannot be told yet; known is false if there is no such
// partition. A broker that coordinates transactions and has not heard of their topic was not told of any topic yet:
// LeaderAndIsr comes first.
func leaderIn(c *metadata.Cluster, topic string, partition int32) (id int32, known bool) {
	if p, ok := c.Partition(topic, partition); ok {
		return p.Leader, true
	}
	return -1, c.Topics[transactionsTopic] == nil
}

// transactionsStore keeps what transaction coordinators remember.
type transactionsStore struct{ replicas *replica.Replicas }

func (s transactionsStore) Append(ctx context.Context, partition, epoch int32, batch []byte) error {
	_, err := s.replicas.AppendInternal(ctx, transactionsTopic, partition, epoch, batch, nil)
	return err
}

func (s transactionsStore) Read(partition int32) iter.Seq2[[]byte, error] {
	return s.replicas.ReadInternal(transactionsTopic, partition)
}

// mark sends markers to a broker, which may be this one.
func (b *Broker) mark(ctx context.Context, to int32, req *kmsg.WriteTxnMarkersRequest) (*kmsg.WriteTxnMarkersResponse, error) {
	if to == b.settings.BrokerID {
		return b.replicas.WriteTxnMarkers(ctx, req), nil
	}
	answer, err := b.askBroker(ctx, b.markerPeers, to, req)
	if err != nil {
		return nil, err
	}
	return answer.(*kmsg.WriteTxnMarkersResponse), nil
}

// askBroker asks another broker about transactions. Markers have connections of their own: they wait for replicas, and
// neither what replicas ask of the controller nor producers that are verified must wait behind them. A broker that hangs
// is given up once its session has ended.
func (b *Broker) askBroker(ctx context.Context, by *peers, id int32, req kmsg.Request) (kmsg.Response, error) {
	address, ok := b.endpoint(id)
	if !ok {
		return nil, fmt.Errorf("%s: broker %d is not alive", kmsg.NameForKey(req.Key()), id)
	}
	gone := fmt.Errorf("%s: broker %d left", kmsg.NameForKey(req.Key()), id)
	ctx, cancel := b.cache.While(ctx, func(c *metadata.Cluster) bool { return c.Alive(id) }, gone)
	defer cancel()
	return by.request(ctx, address, req)
}

// marked tells group coordinators that offsets in a transaction are decided.
func (b *Broker) marked(ctx context.Context, topic string, partition int32, producerID int64, committed bool) error {
	if topic != offsetsTopic {
		return nil
	}
	return b.groups.Decide(ctx, partition, producerID, committed)
}

// verifyTimeout bounds how long a producer waits for its transaction's coordinator.
const verifyTimeout = 5 * time.Second

// verify asks a transaction's coordinator about partitions (KIP-890).
func (b *Broker) verify(ctx context.Context, v replica.Verification) map[log.TopicPartition]error {
	if !b.values().Bool("transaction.partition.verification.enable") {
		return nil
	}
	answer, err := b.askVerification(ctx, v)
	wrong := map[log.TopicPartition]error{}
	for _, at := range v.Partitions {
		if err != nil {
			wrong[at] = err
		} else if e := answer[at]; e != nil {
			wrong[at] = e
		}
	}
	return wrong
}

func (b *Broker) askVerification(ctx context.Context, v replica.Verification) (map[log.TopicPartition]error, error) {
	req := kmsg.NewPtrAddPartitionsToTxnRequest()
	req.Version = 5
	t := kmsg.NewAddPartitionsToTxnRequestTransaction()
	t.TransactionalID, t.ProducerID, t.ProducerEpoch, t.VerifyOnly = v.TransactionalID, v.ProducerID, v.ProducerEpoch, true
	for _, at := range v.Partitions {
		topic := kmsg.NewAddPartitionsToTxnRequestTransactionTopic()
		topic.Topic, topic.Partitions = at.Topic, []int32{at.Partition}
		t.Topics = append(t.Topics, topic)
	}
	req.Transactions = append(req.Transactions, t)
	leader, ok := b.cache.Current().Partition(transactionsTopic, b.internals.PartitionFor(transactionsTopic, v.TransactionalID))
	if !ok {
		return nil, kerr.CoordinatorNotAvailable
	}
	var resp *kmsg.AddPartitionsToTxnResponse
	if leader.Leader == b.settings.BrokerID {
		resp = b.transactions.AddPartitionsToTxn(ctx, req)
	} else {
		limit, cancel := context.WithTimeout(ctx, verifyTimeout)
		defer cancel()
		answer, err := b.askBroker(limit, b.verifyPeers, leader.Leader, req)
		if err != nil {
			b.log.Debug("transaction not verified", "transactional_id", v.TransactionalID, "err", err)
			return nil, kerr.CoordinatorNotAvailable
		}
		resp = answer.(*kmsg.AddPartitionsToTxnResponse)
	}
	if resp.ErrorCode != 0 {
		return nil, kerr.ErrorForCode(resp.ErrorCode)
	}
	verdicts := map[log.TopicPartition]error{}
	for _, t := range resp.Transactions {
		for _, topic := range t.Topics {
			for _, p := range topic.Partitions {
				verdicts[log.TopicPartition{Topic: topic.Topic, Partition: p.Partition}] = kerr.ErrorForCode(p.ErrorCode)
			}
		}
	}
	return verdicts, nil
}

func (b *Broker) routeTransactions(routes map[int16]handler) {
	routes[22] = on(b.transactions.InitProducerID)
	routes[24] = on(b.transactions.AddPartitionsToTxn)
	routes[25] = on(b.transactions.AddOffsetsToTxn)
	routes[26] = on(b.transactions.EndTxn)
	routes[27] = on(b.replicas.WriteTxnMarkers)
	routes[28] = onGroup(b.groups.TxnOffsetCommit)
	routes[61] = on(b.replicas.DescribeProducers)
	routes[65] = on(b.transactions.DescribeTransactions)
	routes[66] = on(b.transactions.ListTransactions)
}

// transactionSettings picks what transaction coordinators follow.
func transactionSettings(v settings.Values) txn.Settings {
	s := txn.DefaultSettings()
	s.MaxTimeout = v.Millis("transaction.max.timeout.ms")
	s.AbortInterval = v.Millis("transaction.abort.timed.out.transaction.cleanup.interval.ms")
	s.ExpireInterval = v.Millis("transaction.remove.expired.transaction.cleanup.interval.ms")
	s.IDExpiration = v.Millis("transactional.id.expiration.ms")
	return s
}
