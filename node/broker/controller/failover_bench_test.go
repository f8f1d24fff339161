package controller

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/layout"
)

const (
	benchTopics     = 1000
	benchPartitions = 3
)

// loaded starts three brokers and topics whose partitions are spread over all of them.
func loaded(b *testing.B) (*cluster, map[int32]*node) {
	c, nodes := three(b)
	start := time.Now()
	_ = parallel(benchTopics, func(i int) error {
		first := int32(i % 3)
		var replicas [][]int32
		for p := range int32(benchPartitions) {
			replicas = append(replicas, []int32{(first+p)%3 + 1, (first+p+1)%3 + 1, (first+p+2)%3 + 1})
		}
		c.createTopic(fmt.Sprintf("t%d", i), replicas...)
		return nil
	})
	for _, n := range nodes {
		n.await(b, "all partitions", func(all []kmsg.Request) bool {
			return count(all, func(int32) bool { return true }) == benchTopics*benchPartitions
		})
	}
	b.Logf("%d topics created and known after %v", benchTopics, time.Since(start).Round(time.Millisecond))
	return c, nodes
}

// count counts the partitions whose leader, by the newest metadata, fits.
func count(requests []kmsg.Request, fits func(leader int32) bool) int {
	leaders := map[layout.TopicPartition]int32{}
	for _, req := range requests {
		if update, ok := req.(*kmsg.UpdateMetadataRequest); ok {
			for _, t := range update.TopicStates {
				for _, p := range t.PartitionStates {
					leaders[layout.TopicPartition{Topic: t.Topic, Partition: p.Partition}] = p.Leader
				}
			}
		}
	}
	n := 0
	for _, leader := range leaders {
		if fits(leader) {
			n++
		}
	}
	return n
}

// BenchmarkBrokerFailure is the time from the end of a broker's session until every other broker knows that all of its
// partitions are led by somebody else.
func BenchmarkBrokerFailure(b *testing.B) { benchmarkFailure(b, 3) }

// BenchmarkControllerFailure is the same for the broker that is the controller: another one must be elected and read
// everything first.
func BenchmarkControllerFailure(b *testing.B) { benchmarkFailure(b, 1) }

func benchmarkFailure(b *testing.B, dying int32) {
	for b.Loop() {
		b.StopTimer()
		c, nodes := loaded(b)
		for _, n := range nodes {
			n.forget()
		}
		b.StartTimer()
		c.kill(nodes[dying])
		for id, n := range nodes {
			if id != dying {
				n.await(b, "new leaders", func(all []kmsg.Request) bool {
					return count(all, func(leader int32) bool { return leader != dying && leader != layout.NoLeader }) == benchTopics*benchPartitions
				})
			}
		}
		b.StopTimer()
		for _, n := range nodes {
			c.kill(n)
		}
		b.StartTimer()
	}
}
