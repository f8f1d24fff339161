package cmd

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// ledger holds what a producer was promised: per partition the acknowledged values, in the order of sending.
type ledger struct {
	mu    sync.Mutex
	acked map[int32][]int
	lost  []error
}

func (l *ledger) note(r *kgo.Record, value int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.lost = append(l.lost, err)
		return
	}
	l.acked[r.Partition] = append(l.acked[r.Partition], value)
}

// count is how many records were acknowledged so far.
func (l *ledger) count() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, values := range l.acked {
		n += len(values)
	}
	return n
}

// TestNoAcknowledgedRecordIsLost kills one broker after another with SIGKILL while a producer with acks=all and
// idempotence writes to a topic with min.insync.replicas=2. What was acknowledged is read back once and in order.
func TestNoAcknowledgedRecordIsLost(t *testing.T) {
	t.Parallel()
	rounds := 20
	if testing.Short() {
		rounds = 3
	}
	const partitions = 3
	c := startLocal(t)
	bootstrap := c.Status().Bootstrap
	c.Run("topic", "create", "ledger", "--partitions", strconv.Itoa(partitions), "--replication-factor", "3", "--config", "min.insync.replicas=2")

	producer, err := kgo.NewClient(
		kgo.SeedBrokers(bootstrap...), kgo.DefaultProduceTopic("ledger"),
		kgo.RequiredAcks(kgo.AllISRAcks()), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		// A few thousand records a second: enough to have some under way at every kill.
		kgo.MaxBufferedRecords(60), kgo.ProducerLinger(10*time.Millisecond),
	)
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	admin := kadm.NewClient(producer)

	promised := &ledger{acked: map[int32][]int{}}
	ctx, stop := context.WithCancel(t.Context())
	var sending sync.WaitGroup
	sending.Go(func() {
		for value := 0; ctx.Err() == nil; value++ {
			r := &kgo.Record{Partition: int32(value % partitions), Value: []byte(strconv.Itoa(value))}
			// Not ctx: a record that was handed over is always brought to an end.
			producer.Produce(context.Background(), r, func(r *kgo.Record, err error) { promised.note(r, value, err) })
		}
	})
	defer stop()

	chance := rand.New(rand.NewPCG(1, uint64(rounds)))
	for round := range rounds {
		victim := fmt.Sprintf("broker-%d", 1+chance.IntN(3))
		before := promised.count()
		eventually(t, "records are acknowledged", func() bool { return promised.count() > before+100 })
		c.Run("kill", victim, "--yes")
		before = promised.count()
		eventually(t, "records are acknowledged without "+victim, func() bool { return promised.count() > before+100 })
		c.Run("restart", victim, "--yes")
		eventually(t, fmt.Sprintf("round %d: every replica of ledger is in sync again after %s", round, victim), func() bool {
			return inSync(ctx, admin, "ledger", partitions, 3)
		})
	}
	stop()
	sending.Wait()
	if err := producer.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(promised.lost) > 0 {
		t.Errorf("%d records were refused, first: %v", len(promised.lost), promised.lost[0])
	}
	t.Logf("%d records acknowledged over %d kills", promised.count(), rounds)
	compare(t, promised, readAll(t, bootstrap, "ledger", partitions))
}

func inSync(ctx context.Context, admin *kadm.Client, topic string, partitions, replicas int) bool {
	topics, err := admin.ListTopics(ctx, topic)
	if err != nil || len(topics[topic].Partitions) != partitions {
		return false
	}
	for _, p := range topics[topic].Partitions {
		if len(p.ISR) != replicas || p.Leader < 0 {
			return false
		}
	}
	return true
}

// readAll reads every partition from its start to the end it has when reading starts.
func readAll(t *testing.T, bootstrap []string, topic string, partitions int32) map[int32][]int {
	t.Helper()
	consumer, err := kgo.NewClient(
		kgo.SeedBrokers(bootstrap...), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	)
	if err != nil {
		t.Fatal(err)
	}
	defer consumer.Close()
	ends, err := kadm.NewClient(consumer).ListEndOffsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	read, next := map[int32][]int{}, map[int32]int64{}
	done := func() bool {
		for p := range partitions {
			if end, _ := ends.Lookup(topic, p); next[p] < end.Offset {
				return false
			}
		}
		return true
	}
	for !done() {
		fetches := consumer.PollFetches(t.Context())
		if err := fetches.Err0(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			value, err := strconv.Atoi(string(r.Value))
			if err != nil {
				t.Errorf("ledger/%d offset %d: %q was never written", r.Partition, r.Offset, r.Value)
			}
			read[r.Partition] = append(read[r.Partition], value)
			next[r.Partition] = r.Offset + 1
		})
	}
	return read
}

func compare(t *testing.T, promised *ledger, read map[int32][]int) {
	t.Helper()
	for p, acked := range promised.acked {
		got := read[p]
		for i := 1; i < len(got); i++ {
			if got[i] <= got[i-1] {
				t.Fatalf("ledger/%d: %d was read after %d: duplicated or out of order\n%s", p, got[i], got[i-1], around(got, i))
			}
		}
		i := 0
		for _, want := range acked {
			for i < len(got) && got[i] < want {
				i++
			}
			if i == len(got) || got[i] != want {
				t.Fatalf("ledger/%d: %d was acknowledged and is lost\n%s", p, want, around(got, i))
			}
		}
	}
}

func around(values []int, i int) string {
	var text strings.Builder
	for _, v := range values[max(0, i-5):min(len(values), i+5)] {
		fmt.Fprintf(&text, "%d ", v)
	}
	return text.String()
}
