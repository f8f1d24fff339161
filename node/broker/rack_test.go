package broker

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// testRack has a consumer read from a follower in its rack, and finds that in that broker's metrics.
func (c *testCluster) testRack(t *testing.T) {
	c.create(t, "near", 1, nil)
	produce(t, c.client(t), "near", 0, 50)
	c.awaitISR(t, "near", 3)
	p := c.partition(t, "near", 0)
	follower := p.Replicas[0]
	if follower == p.Leader {
		follower = p.Replicas[1]
	}
	out := func(id int32) float64 {
		return c.scrape(t, c.brokers[id])[`kafka_server_brokertopicmetrics_bytesout_total{topic="near"}`]
	}
	client := c.client(t, kgo.ConsumeTopics("near"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.Rack(fmt.Sprint("r", follower)))
	read := func(n int) {
		for n > 0 {
			fetches := client.PollFetches(t.Context())
			if err := fetches.Err(); err != nil {
				t.Fatal(err)
			}
			n -= fetches.NumRecords()
		}
	}
	read(50)
	if near, far := out(follower), out(p.Leader); near == 0 || far != 0 {
		t.Errorf("%v bytes from the follower, %v from the leader", near, far)
	}
	produce(t, c.client(t), "near", 50, 100) // a fetch waits at the follower meanwhile
	read(50)
}
