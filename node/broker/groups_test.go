package broker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// owners notes which member has which partition, as the members' callbacks tell.
type owners struct {
	mu      sync.Mutex
	of      map[int32]string
	taken   map[string]int // how often a member lost partitions it had, each counted
	trouble []string
}

func (o *owners) gain(member string, partitions []int32) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, p := range partitions {
		if other := o.of[p]; other != "" {
			o.trouble = append(o.trouble, fmt.Sprintf("%s gets %d, which %s still has", member, p, other))
		}
		o.of[p] = member
	}
}

func (o *owners) lose(member string, partitions []int32) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, p := range partitions {
		if owner := o.of[p]; owner != member {
			o.trouble = append(o.trouble, fmt.Sprintf("%s gives up %d, which %q has", member, p, owner))
		}
		delete(o.of, p)
	}
	o.taken[member] += len(partitions)
}

// given is how many partitions a member has lost.
func (o *owners) given(member string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.taken[member]
}

// counts is how many partitions each member has.
func (o *owners) counts() map[string]int {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := map[string]int{}
	for _, member := range o.of {
		n[member]++
	}
	return n
}

// testCooperative has members come and go whose partitions move one by one (KIP-429): who keeps a partition is not
// interrupted, and no two have the same.
func (c *testCluster) testCooperative(t *testing.T) {
	const topic, partitions = "cooperative", 6
	c.create(t, topic, partitions, nil)
	o := &owners{of: map[int32]string{}, taken: map[string]int{}}
	member := func(name string) *kgo.Client {
		told := func(tell func(string, []int32)) func(context.Context, *kgo.Client, map[string][]int32) {
			return func(_ context.Context, _ *kgo.Client, moved map[string][]int32) { tell(name, moved[topic]) }
		}
		client := c.client(t, kgo.ConsumerGroup("cooperating"), kgo.ConsumeTopics(topic), kgo.Balancers(kgo.CooperativeStickyBalancer()),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.HeartbeatInterval(100*time.Millisecond), kgo.SessionTimeout(30*time.Second),
			kgo.OnPartitionsAssigned(told(o.gain)), kgo.OnPartitionsRevoked(told(o.lose)), kgo.OnPartitionsLost(told(o.lose)))
		return client
	}
	settled := func(want map[string]int) {
		t.Helper()
		c.eventually(fmt.Sprintf("partitions are shared as %v", want), func() bool { return fmt.Sprint(o.counts()) == fmt.Sprint(want) })
	}
	first := member("first")
	settled(map[string]int{"first": 6})
	produce(t, c.client(t), topic, 0, 100)
	read := poll(t, first, 100)
	checkOnce(t, read, 100)
	if err := first.CommitRecords(t.Context(), read...); err != nil {
		t.Fatal(err)
	}
	second := member("second")
	settled(map[string]int{"first": 3, "second": 3})
	third := member("third")
	settled(map[string]int{"first": 2, "second": 2, "third": 2})
	if o.given("first") != 4 || o.given("second") != 1 || o.given("third") != 0 {
		t.Errorf("partitions given up: %d, %d, %d, want those that moved", o.given("first"), o.given("second"), o.given("third"))
	}
	produce(t, c.client(t), topic, 100, 200)
	var records []*kgo.Record
	ctx, cancel := context.WithTimeout(t.Context(), ample)
	defer cancel()
	for len(records) < 100 && ctx.Err() == nil {
		for _, client := range []*kgo.Client{first, second, third} {
			turn, end := context.WithTimeout(ctx, 100*time.Millisecond)
			records = append(records, client.PollFetches(turn).Records()...)
			end()
		}
	}
	checkOnce(t, records, 100)
	described, err := c.admin(t).DescribeGroups(t.Context(), "cooperating")
	if g := described["cooperating"]; err != nil || g.Protocol != "cooperative-sticky" || len(g.Members) != 3 || g.State != "Stable" {
		t.Errorf("described as %+v %v", g, err)
	}
	second.Close()
	settled(map[string]int{"first": 3, "third": 3})
	if o.given("first") != 4 || o.given("third") != 0 {
		t.Errorf("partitions given up: %d, %d, though nobody came", o.given("first"), o.given("third"))
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, what := range o.trouble {
		t.Error(what)
	}
}

// A group of real clients has room for as many as group.max.size says.
func TestAGroupIsFull(t *testing.T) {
	if testing.Short() {
		t.Skip("starts two processes")
	}
	c := startClusterWith(t, 1, 1, func(_ *testCluster, _ int32, properties string) string {
		return strings.NewReplacer("default.replication.factor=3", "default.replication.factor=1", "min.insync.replicas=2", "min.insync.replicas=1").Replace(properties) +
			"offsets.topic.replication.factor=1\ngroup.max.size=1\n"
	})
	if _, err := c.admin(t).CreateTopic(t.Context(), 2, 1, nil, "full"); err != nil {
		t.Fatal(err)
	}
	c.awaitPartitions(t, "full", 2)
	member := func() *kgo.Client {
		return c.client(t, kgo.ConsumerGroup("g"), kgo.ConsumeTopics("full"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.HeartbeatInterval(100*time.Millisecond))
	}
	first := member()
	produce(t, c.client(t), "full", 0, 10)
	checkOnce(t, poll(t, first, 10), 10)
	second := member()
	ctx, cancel := context.WithTimeout(t.Context(), ample)
	defer cancel()
	if err := second.PollFetches(ctx).Err(); !errors.Is(err, kerr.GroupMaxSizeReached) {
		t.Errorf("the second of one: %v", err)
	}
	first.Close()
	produce(t, c.client(t), "full", 10, 20)
	if got := poll(t, second, 10); len(got) < 10 {
		t.Errorf("once there is room, %d records are read", len(got))
	}
}
