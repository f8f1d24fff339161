package broker

import (
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
)

func TestAPartitionMovesToOtherBrokersWithItsRecords(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	t.Parallel()
	c := startCluster(t, 1, 3)
	const topic = "moving"
	client := c.client(t)
	admin := kadm.NewClient(client)
	one := "1"
	if answer, err := admin.CreateTopic(t.Context(), 1, 1, map[string]*string{"min.insync.replicas": &one}, topic); err != nil || answer.Err != nil {
		t.Fatalf("create: %v %v", err, answer.Err)
	}
	c.awaitPartitions(t, topic, 1)
	produce(t, client, topic, 0, 500)
	from := c.partition(t, topic, 0).Leader
	to := []int32{from%3 + 1, (from+1)%3 + 1}

	var req kadm.AlterPartitionAssignmentsReq
	req.Assign(topic, 0, to)
	answers, err := admin.AlterPartitionAssignments(t.Context(), req)
	if err != nil || answers[topic][0].Err != nil {
		t.Fatalf("reassign: %+v %v", answers, err)
	}
	c.eventually("the move is over", func() bool {
		left, err := admin.ListPartitionReassignments(t.Context(), nil)
		p := c.partition(t, topic, 0)
		return err == nil && len(left) == 0 && slices.Equal(p.Replicas, to) && slices.Contains(to, p.Leader) && len(p.ISR) == 2
	})
	produce(t, client, topic, 500, 600)
	logs, err := admin.DescribeAllLogDirs(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for id, dirs := range logs {
		for _, dir := range dirs {
			if _, has := dir.Topics[topic]; has == (id == from) {
				t.Errorf("broker %d has a replica: %v", id, has)
			}
		}
	}
	ends, err := admin.ListEndOffsets(t.Context(), topic)
	if end, _ := ends.Lookup(topic, 0); err != nil || end.Offset != 600 {
		t.Errorf("%d records, %v", end.Offset, err)
	}
}
