package replica

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The benchmarks produce batches of 1 KB records; "records/s" is what a topic would take. Requests and the followers'
// fetches are encoded and decoded, sockets are left out.

func BenchmarkProduceAcksLeader(b *testing.B) {
	for _, perBatch := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("batch=%d", perBatch), func(b *testing.B) { benchmarkProduce(b, 1, 1, perBatch, 1) })
	}
}

func BenchmarkProduceAcksAllThreeReplicas(b *testing.B) {
	for _, perBatch := range []int{1, 16, 256} {
		for _, producers := range []int{1, 8} {
			b.Run(fmt.Sprintf("batch=%d/producers=%d", perBatch, producers), func(b *testing.B) {
				benchmarkProduce(b, 3, -1, perBatch, producers)
			})
		}
	}
}

// benchmarkProduce lets producers write to a partition each, led by the brokers in turn.
func benchmarkProduce(b *testing.B, brokers int32, acks int16, perBatch, producers int) {
	c := newCluster(b, brokers, func(s *Settings) {
		s.Topic.SegmentBytes = 64 << 20
		s.Topic.RetentionBytes = 64 << 20
		s.RetentionCheck = time.Second
	})
	values := slices.Repeat([]string{strings.Repeat("x", 1024)}, perBatch)
	var requests []*kmsg.ProduceRequest
	for i := range producers {
		replicas := make([]int32, brokers)
		for j := range replicas {
			replicas[j] = (int32(i)+int32(j))%brokers + 1
		}
		k := c.create("bench", int32(i), replicas...)
		requests = append(requests, produceRequest(k, acks, 10*time.Second, records(values...)))
	}
	b.SetBytes(int64(perBatch) * 1024)
	b.ResetTimer()
	var next atomic.Int64
	var work sync.WaitGroup
	for i, req := range requests {
		leader := c.brokers[int32(i)%brokers+1]
		work.Go(func() {
			buf := []byte(nil)
			for next.Add(1) <= int64(b.N) {
				buf = req.AppendTo(buf[:0])
				in := kmsg.NewPtrProduceRequest()
				in.Version = req.Version
				if err := in.ReadFrom(buf); err != nil {
					b.Error(err)
					return
				}
				resp := leader.Produce(b.Context(), in)
				if e := resp.Topics[0].Partitions[0].ErrorCode; e != 0 {
					b.Error(kerr.ErrorForCode(e))
					return
				}
			}
		})
	}
	work.Wait()
	b.ReportMetric(float64(b.N)*float64(perBatch)/b.Elapsed().Seconds(), "records/s")
}
