package broker

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// throttled moves a partition first so slowly that it does not arrive, then fast; the tool takes the throttles back.
func (s *tooled) throttled(t *testing.T) {
	const topic, size, count = "slow", 100_000, 40 // several times replica.fetch.max.bytes
	client := s.client(t, kgo.DefaultProduceTopic(topic), kgo.ProducerBatchCompression(kgo.NoCompression()))
	admin, one := kadm.NewClient(client), "1"
	if made, err := admin.CreateTopic(t.Context(), 1, 1, map[string]*string{"min.insync.replicas": &one}, topic); err != nil || made.Err != nil {
		t.Fatal(err, made.Err)
	}
	s.awaitPartitions(t, topic, 1)
	for range count {
		client.Produce(t.Context(), kgo.SliceRecord(bytes.Repeat([]byte("x"), size)), nil)
	}
	if err := client.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	from := s.partition(t, topic, 0).Leader
	plan := s.file(t, fmt.Sprintf(`{"version":1,"partitions":[{"topic":%q,"partition":0,"replicas":[%d,%d]}]}`, topic, from, from%3+1))
	rates := func() (found []string) {
		described, err := admin.DescribeBrokerConfigs(t.Context(), 1, 2, 3)
		if err != nil {
			t.Fatal(err)
		}
		for _, broker := range described {
			for _, e := range broker.Configs {
				if e.Key == "leader.replication.throttled.rate" || e.Key == "follower.replication.throttled.rate" {
					found = append(found, e.MaybeValue())
				}
			}
		}
		return found
	}

	says(t, s.tool(reassignTool, "--execute", "--reassignment-json-file", plan, "--throttle", "1"),
		"The inter-broker throttle limit was set to 1 B/s", "Successfully started partition reassignment for slow-0")
	if got := rates(); len(got) == 0 || got[0] != "1" {
		t.Errorf("throttles %v", got)
	}
	says(t, s.tool(reassignTool, "--verify", "--reassignment-json-file", plan), "Reassignment of partition slow-0 is still in progress.")
	if isr := s.partition(t, topic, 0).ISR; len(isr) != 1 {
		t.Errorf("at a byte a second the isr is %v", isr)
	}
	says(t, s.tool(reassignTool, "--execute", "--additional", "--reassignment-json-file", plan, "--throttle", "100000000"),
		"The inter-broker throttle limit was set to 100000000 B/s")
	s.awaitISR(t, topic, 2)
	s.eventually("the throttles are taken back", func() bool {
		s.tool(reassignTool, "--verify", "--reassignment-json-file", plan)
		return len(rates()) == 0
	})
}
