package broker

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// outcome is what a producer knows of one of its transactions.
type outcome int8

const (
	unknown outcome = iota
	committed
	aborted
)

const spread = 3 // partitions that each transaction writes to

// transact writes numbered transactions, one record to each partition, until ctx ends; every fourth is aborted on purpose.
// A producer that got into trouble is replaced, which settles what it left open.
func (c *testCluster) transact(ctx context.Context, t *testing.T, topic string) (outcomes []outcome) {
	var client *kgo.Client
	defer func() {
		if client != nil {
			client.Close()
		}
	}()
	for ctx.Err() == nil {
		if client == nil {
			var err error
			client, err = kgo.NewClient(
				kgo.SeedBrokers(c.seeds()...), kgo.TransactionalID(topic), kgo.TransactionTimeout(10*time.Second), kgo.DefaultProduceTopic(topic),
				kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MetadataMinAge(50*time.Millisecond), kgo.RetryTimeout(ample),
				kgo.RequestTimeoutOverhead(time.Second), kgo.ProduceRequestTimeout(2*time.Second), kgo.RecordDeliveryTimeout(ample),
			)
			if err != nil {
				t.Error(err)
				return outcomes
			}
		}
		is, err := transaction(client, len(outcomes))
		outcomes = append(outcomes, is)
		if err != nil {
			client.Close()
			client = nil
		}
	}
	return outcomes
}

func transaction(client *kgo.Client, i int) (outcome, error) {
	ctx, cancel := context.WithTimeout(context.Background(), ample)
	defer cancel()
	if err := client.BeginTransaction(); err != nil {
		return aborted, err
	}
	var records []*kgo.Record
	for p := range int32(spread) {
		records = append(records, &kgo.Record{Partition: p, Value: strconv.AppendInt(nil, int64(i), 10)})
	}
	err := client.ProduceSync(ctx, records...).FirstErr()
	commit := err == nil && i%4 != 0
	if end := client.EndTransaction(ctx, kgo.TransactionEndTry(commit)); end != nil {
		if !commit {
			return aborted, end // nobody asked for a commit
		}
		return unknown, end
	}
	if commit {
		return committed, nil
	}
	return aborted, err
}

// readCommitted reads all of a topic that is committed: how often each number is in each partition.
func (c *testCluster) readCommitted(t *testing.T, topic string) map[int][spread]int {
	t.Helper()
	ends := c.lastStable(t, topic)
	client := c.client(t, kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.KeepControlRecords())
	seen, next := map[int][spread]int{}, [spread]int64{}
	ctx, cancel := context.WithTimeout(t.Context(), ample)
	defer cancel()
	for p := range spread {
		for next[p] < ends[p] {
			fetches := client.PollFetches(ctx)
			if ctx.Err() != nil {
				t.Fatalf("read up to %v of %v", next, ends)
			}
			fetches.EachRecord(func(r *kgo.Record) {
				next[r.Partition] = r.Offset + 1
				if r.Attrs.IsControl() {
					return
				}
				i, err := strconv.Atoi(string(r.Value))
				if err != nil {
					t.Errorf("record %q", r.Value)
				}
				counts := seen[i]
				counts[r.Partition]++
				seen[i] = counts
			})
		}
	}
	return seen
}

// lastStable waits until no transaction is open and returns the ends of the partitions.
func (c *testCluster) lastStable(t *testing.T, topic string) (ends [spread]int64) {
	t.Helper()
	admin := c.admin(t)
	c.eventually("all transactions are decided", func() bool {
		all, err1 := admin.ListEndOffsets(t.Context(), topic)
		stable, err2 := admin.ListCommittedOffsets(t.Context(), topic)
		if err1 != nil || err2 != nil || all.Error() != nil || stable.Error() != nil {
			return false
		}
		for p := range int32(spread) {
			end, _ := all.Lookup(topic, p)
			s, _ := stable.Lookup(topic, p)
			if ends[p] = s.Offset; s.Offset != end.Offset {
				return false
			}
		}
		return true
	})
	return ends
}

// transactionCoordinator is who coordinates a transactional id.
func (c *testCluster) transactionCoordinator(t *testing.T, id string) (broker int32) {
	t.Helper()
	c.eventually("a coordinator of "+id, func() bool {
		found := c.admin(t).FindTxnCoordinators(t.Context(), id)[id]
		broker = found.NodeID
		return found.Err == nil && broker > 0
	})
	return broker
}

func TestTransactionsAreAtomicWhateverIsKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes and kills them")
	}
	t.Parallel()
	c := startCluster(t, 1, 3)
	const topic = "ledger"
	c.create(t, topic, spread, nil)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var outcomes []outcome
	var work sync.WaitGroup
	work.Go(func() { outcomes = c.transact(ctx, t, topic) })

	some := func(atLeast int64) { // transactions have ended since
		before := c.lastOffset(t, topic)
		c.eventually("transactions go on", func() bool { return c.lastOffset(t, topic) >= before+atLeast })
	}
	some(20)
	for _, victim := range []func() int32{
		func() int32 { return c.transactionCoordinator(t, topic) },
		func() int32 { return c.partition(t, topic, 0).Leader },
	} {
		broker := victim()
		c.kill(c.brokers[broker])
		some(10)
		c.start(c.brokers[broker])
		c.awaitISR(t, topic, 3)
		c.awaitISR(t, transactionsTopic, 3)
	}
	some(10)
	stop()
	work.Wait()

	seen, counts := c.readCommitted(t, topic), map[outcome]int{}
	for i, is := range outcomes {
		counts[is]++
		none, once := seen[i] == [spread]int{}, seen[i] == [spread]int{1, 1, 1}
		if is == committed && !once || is == aborted && !none || !once && !none {
			t.Errorf("transaction %d (outcome %d) is in the partitions %v times", i, is, seen[i])
		}
	}
	t.Logf("%d committed, %d aborted, %d unknown to their producer", counts[committed], counts[aborted], counts[unknown])
	if counts[committed] == 0 || counts[aborted] == 0 {
		t.Error("the test shows nothing")
	}
	c.testDescribeTransactions(t, topic)
}

// A transaction whose outcome is stored, but not told to its partitions, is completed by whoever coordinates it next:
// also by one that learns of its partitions of the transactions topic before it learns of any other topic.
func TestADecidedTransactionGetsItsMarkersAfterARestartOfAllBrokers(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes and kills them")
	}
	t.Parallel()
	c := startCluster(t, 1, 3)
	const topic = "ledger"
	admin := c.admin(t)
	if answer, err := admin.CreateTopic(t.Context(), 1, 1, map[string]*string{"min.insync.replicas": kadm.StringPtr("1")}, topic); err != nil || answer.Err != nil {
		t.Fatal(err, answer.Err)
	}
	c.awaitPartitions(t, topic, 1)
	leader := c.partition(t, topic, 0).Leader
	id, coordinator := "", leader
	for i := 0; coordinator == leader; i++ {
		id = fmt.Sprint("id-", i)
		coordinator = c.transactionCoordinator(t, id)
	}
	c.awaitISR(t, transactionsTopic, 3)
	client := c.client(t, kgo.TransactionalID(id), kgo.DefaultProduceTopic(topic))
	ctx, cancel := context.WithTimeout(t.Context(), ample)
	defer cancel()
	if err := client.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := client.ProduceSync(ctx, kgo.StringRecord("in doubt")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	c.kill(c.brokers[leader]) // the marker cannot be written while it is away
	c.eventually("the partition has no leader", func() bool {
		meta, err := admin.Metadata(t.Context(), topic)
		return err == nil && meta.Topics[topic].Partitions[0].Leader < 0
	})
	if err := client.EndTransaction(ctx, kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	for id, b := range c.brokers {
		if id != leader {
			c.kill(b)
		}
	}
	for _, b := range c.brokers {
		c.start(b)
	}
	c.awaitBrokers(3)
	admin = c.admin(t)
	c.eventually("the marker is there", func() bool {
		stable, err := admin.ListCommittedOffsets(t.Context(), topic)
		s, _ := stable.Lookup(topic, 0)
		return err == nil && s.Err == nil && s.Offset == 2
	})
}

// lastOffset is the high watermark of a topic's first partition, 0 while nobody can tell.
func (c *testCluster) lastOffset(t *testing.T, topic string) int64 {
	ends, err := c.admin(t).ListEndOffsets(t.Context(), topic)
	if err != nil {
		return 0
	}
	end, _ := ends.Lookup(topic, 0)
	return max(end.Offset, 0)
}

func (c *testCluster) testDescribeTransactions(t *testing.T, id string) {
	admin := c.admin(t)
	c.eventually("the last one is described as complete", func() bool { // its markers are there before that is noted
		all, err := admin.DescribeTransactions(t.Context(), id)
		return err == nil && all[id].Err == nil && strings.HasPrefix(all[id].State, "Complete")
	})
	if all, err := admin.DescribeTransactions(t.Context(), "nobody"); !errors.Is(errors.Join(err, all["nobody"].Err), kerr.TransactionalIDNotFound) {
		t.Errorf("describe nobody: %+v %v", all, err)
	}
	listed, err := admin.ListTransactions(t.Context(), nil, nil)
	if err != nil || listed[id].TxnID != id {
		t.Errorf("list: %+v %v", listed, err)
	}
	producers, err := admin.DescribeProducers(t.Context(), kadm.TopicsSet{id: {0: {}}})
	if err != nil || fmt.Sprint(producers[id].Partitions[0].Err) != "<nil>" || len(producers[id].Partitions[0].ActiveProducers) == 0 {
		t.Errorf("producers: %+v %v", producers, err)
	}
}
