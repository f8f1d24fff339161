package records

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// cluster is a Kafka cluster in this process with the topic orders, two partitions.
func cluster(t testing.TB) (*kfake.Cluster, kgo.Opt) {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.SeedTopics(2, "orders"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, kgo.SeedBrokers(c.ListenAddrs()...)
}

// send produces records one by one: their order in time is that of the list.
func send(t testing.TB, seeds kgo.Opt, list ...*kgo.Record) {
	t.Helper()
	client, err := kgo.NewClient(seeds, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DefaultProduceTopic("orders"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.ProduceSync(t.Context(), list...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

var day = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// numbered is a list of records, one a minute, over both partitions.
func numbered(from, to int) []*kgo.Record {
	var list []*kgo.Record
	for i := from; i < to; i++ {
		list = append(list, &kgo.Record{
			Partition: int32(i % 2), Timestamp: day.Add(time.Duration(i) * time.Minute),
			Key: fmt.Appendf(nil, "key-%d", i%5), Value: fmt.Appendf(nil, "value-%d", i),
			Headers: []kgo.RecordHeader{{Key: "n", Value: fmt.Append(nil, i)}},
		})
	}
	return list
}

// collect tails until the end or until max records.
func collect(t *testing.T, spec Spec, seeds kgo.Opt) []Record {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	var got []Record
	err := NewTail(spec, seeds).Each(ctx, func(r Record) error {
		got = append(got, r)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}
