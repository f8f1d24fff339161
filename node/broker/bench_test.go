package broker

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// BenchmarkProduce measures records of 1 KiB through three brokers, each replicated three times.
func BenchmarkProduce(b *testing.B) {
	c := startCluster(b, 1, 3)
	for _, acks := range []struct {
		name string
		opt  kgo.Opt
	}{{"acks=all", kgo.RequiredAcks(kgo.AllISRAcks())}, {"acks=1", kgo.RequiredAcks(kgo.LeaderAck())}} {
		topic := "bench-" + acks.name[5:]
		c.create(b, topic, 6, nil)
		b.Run(acks.name, func(b *testing.B) {
			client := c.client(b, acks.opt, kgo.DefaultProduceTopic(topic), kgo.DisableIdempotentWrite(), kgo.ProducerBatchCompression(kgo.NoCompression()))
			value := make([]byte, 1024)
			b.SetBytes(int64(len(value)))
			b.ResetTimer()
			var failed atomic.Int64
			for range b.N {
				client.Produce(context.Background(), &kgo.Record{Value: value}, func(_ *kgo.Record, err error) {
					if err != nil {
						failed.Add(1)
					}
				})
			}
			if err := client.Flush(context.Background()); err != nil || failed.Load() > 0 {
				b.Fatal(err, failed.Load())
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}

// BenchmarkRoundTrip measures how long one small record takes from producer to all replicas and back.
func BenchmarkRoundTrip(b *testing.B) {
	c := startCluster(b, 1, 3)
	c.create(b, "round", 1, nil)
	client := c.client(b, kgo.DefaultProduceTopic("round"), kgo.ProducerLinger(0))
	start := time.Now()
	for b.Loop() {
		if err := client.ProduceSync(context.Background(), kgo.StringRecord("x")).FirstErr(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(time.Since(start).Microseconds())/float64(b.N), "µs/record")
}
