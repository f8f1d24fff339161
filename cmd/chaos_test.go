package cmd

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"kdrill/testdata/ledger"
)

// TestNoAcknowledgedRecordIsLost kills one broker after another with SIGKILL while a producer with acks=all and
// idempotence writes to a topic with min.insync.replicas=2. What was acknowledged is read back once and in order.
// Every other broker comes back while its session lasts, as if nothing had been.
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

	brisk := []kgo.Opt{
		kgo.SeedBrokers(bootstrap...), kgo.MetadataMinAge(50 * time.Millisecond), kgo.DefaultProduceTopic("ledger"),
		kgo.RequiredAcks(kgo.AllISRAcks()), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		// A few thousand records a second: enough to have some under way at every kill.
		kgo.MaxBufferedRecords(60), kgo.ProducerLinger(10 * time.Millisecond),
	}
	producer, err := kgo.NewClient(brisk...)
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	admin := kadm.NewClient(producer)

	var promises ledger.Promises
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var sending sync.WaitGroup
	sending.Go(func() { promises.Write(ctx, producer, partitions) })

	chance := rand.New(rand.NewPCG(1, uint64(rounds)))
	for round := range rounds {
		victim := fmt.Sprintf("broker-%d", 1+chance.IntN(3))
		before := promises.Count()
		eventually(t, "records are acknowledged", func() bool { return promises.Count() > before+100 })
		c.Run("kill", victim, "--yes")
		if round%2 == 0 {
			before = promises.Count()
			eventually(t, "records are acknowledged without "+victim, func() bool { return promises.Count() > before+100 })
		}
		c.Run("restart", victim, "--yes")
		eventually(t, fmt.Sprintf("round %d: every replica of ledger is in sync again after %s", round, victim), func() bool {
			return inSync(ctx, admin, "ledger", partitions, 3)
		})
	}
	stop()
	sending.Wait()
	t.Logf("%d records acknowledged over %d kills", promises.Count(), rounds)
	reader, err := kgo.NewClient(kgo.SeedBrokers(bootstrap...), kgo.ConsumeTopics("ledger"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	held, err := ledger.ReadAll(t.Context(), reader, "ledger", false)
	if err != nil {
		t.Fatal(err)
	}
	for _, broken := range promises.Broken(held) {
		t.Error(broken)
	}
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
