package replica

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func (c *cluster) fetch(from int32, req *kmsg.FetchRequest) *kmsg.FetchResponse {
	in := recode(req).(*kmsg.FetchRequest)
	resp := c.brokers[from].Fetch(c.t.Context(), in)
	out := req.ResponseKind().(*kmsg.FetchResponse)
	if err := out.ReadFrom(resp.AppendTo(nil)); err != nil {
		c.t.Fatal(err)
	}
	return out
}

func TestAConsumersFetchWaitsForWhatIsCommitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2)
		k := c.create("orders", 0, 1, 2)
		c.settle()
		req := consumerFetch(k, 0)
		req.MaxWaitMillis = 5000
		began := time.Now()
		if resp := c.fetch(1, req); len(resp.Topics[0].Partitions[0].RecordBatches) != 0 || time.Since(began) != 5*time.Second {
			t.Errorf("empty partition: %+v after %v", resp.Topics[0], time.Since(began))
		}
		c.hang(1, true)
		answered := make(chan *kmsg.FetchResponse, 1)
		go func() { answered <- c.fetch(1, req) }()
		synctest.Wait()
		c.mustProduce(1, k, 1, "a")
		synctest.Wait()
		if len(answered) != 0 {
			t.Fatal("a consumer was answered before its record was committed")
		}
		c.hang(1, false)
		began = time.Now()
		if resp := <-answered; string(valuesOf(t, resp.Topics[0].Partitions[0].RecordBatches)[0]) != "a" {
			t.Error("wrong record")
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("woken %v after it could be", took)
		}
		req.MinBytes = 1 << 20
		go func() { answered <- c.fetch(1, req) }()
		synctest.Wait()
		c.mustProduce(1, k, 1, "b")
		time.Sleep(4999 * time.Millisecond)
		synctest.Wait()
		if len(answered) != 0 {
			t.Fatal("answered with less than min.bytes before max.wait")
		}
		if got := valuesOf(t, (<-answered).Topics[0].Partitions[0].RecordBatches); !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("at max.wait: %q", got)
		}
	})
}

func TestFetchByteLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1)
		a, b := c.create("orders", 0, 1), c.create("orders", 1, 1)
		big := strings.Repeat("x", 1000)
		for _, k := range []key{a, b} {
			c.mustProduce(1, k, 1, big)
			c.mustProduce(1, k, 1, big)
		}
		sizes := func(maxBytes, perPartition int32) (counts []int) {
			req := consumerFetch(a, 0)
			req.MaxBytes = maxBytes
			second := req.Topics[0].Partitions[0]
			second.Partition = 1
			req.Topics[0].Partitions = append(req.Topics[0].Partitions, second)
			for i := range req.Topics[0].Partitions {
				req.Topics[0].Partitions[i].PartitionMaxBytes = perPartition
			}
			for _, p := range c.fetch(1, req).Topics[0].Partitions {
				counts = append(counts, len(valuesOf(t, p.RecordBatches)))
			}
			return counts
		}
		for _, test := range []struct {
			maxBytes, perPartition int32
			want                   []int
		}{
			{1, 1, []int{1, 0}}, // the first batch always comes whole
			{1 << 20, 1100, []int{1, 1}},
			{1 << 20, 1 << 20, []int{2, 2}},
			{2200, 1 << 20, []int{2, 0}},
			{3300, 1 << 20, []int{2, 1}},
		} {
			if got := sizes(test.maxBytes, test.perPartition); !slices.Equal(got, test.want) {
				t.Errorf("max.bytes %d, %d a partition: %v records, want %v", test.maxBytes, test.perPartition, got, test.want)
			}
		}
	})
}

func TestFetchRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2)
		k := c.create("orders", 0, 1, 2)
		c.mustProduce(1, k, -1, "a", "b")
		c.elect(k, 1, 1, 2)
		type change func(*kmsg.FetchRequest, *kmsg.FetchRequestTopicPartition)
		for _, test := range []struct {
			name string
			from int32
			do   change
			want *kerr.Error
		}{
			{"a consumer that knows leaders only, of a follower", 2, func(r *kmsg.FetchRequest, _ *kmsg.FetchRequestTopicPartition) { r.Version = 10 }, notLeader},
			{"a follower's end is the end for its readers", 2, func(_ *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) { p.FetchOffset = 3 }, kerr.OffsetOutOfRange},
			{"older epoch of a follower", 2, func(_ *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) { p.CurrentLeaderEpoch = 0 }, kerr.FencedLeaderEpoch},
			{"a follower, of a follower", 2, func(r *kmsg.FetchRequest, _ *kmsg.FetchRequestTopicPartition) { r.ReplicaID = 1 }, notLeader},
			{"older epoch", 1, func(_ *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) { p.CurrentLeaderEpoch = 0 }, kerr.FencedLeaderEpoch},
			{"newer epoch", 1, func(_ *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) { p.CurrentLeaderEpoch = 2 }, kerr.UnknownLeaderEpoch},
			{"beyond the end", 1, func(_ *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) { p.FetchOffset = 3 }, kerr.OffsetOutOfRange},
			{"before the start", 1, func(_ *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) { p.FetchOffset = -1 }, kerr.OffsetOutOfRange},
			{"no such partition", 1, func(_ *kmsg.FetchRequest, p *kmsg.FetchRequestTopicPartition) { p.Partition = 4 }, kerr.UnknownTopicOrPartition},
			{"a stranger as follower", 1, func(r *kmsg.FetchRequest, _ *kmsg.FetchRequestTopicPartition) { r.ReplicaID = 9 }, kerr.UnknownLeaderEpoch},
			{"unknown topic id", 1, func(r *kmsg.FetchRequest, _ *kmsg.FetchRequestTopicPartition) {
				r.Version = 13
				r.Topics[0].TopicID[0] = 9
			}, kerr.UnknownTopicID},
		} {
			req := consumerFetch(k, 0)
			req.MaxWaitMillis = 60_000
			test.do(req, &req.Topics[0].Partitions[0])
			if got := c.fetch(test.from, req).Topics[0].Partitions[0].ErrorCode; got != test.want.Code {
				t.Errorf("%s: %v, want %v", test.name, kerr.ErrorForCode(got), test.want)
			}
		}
	})
}

func TestFetchSaysWhereHistoriesPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1)
		k := c.create("orders", 0, 1)
		c.mustProduce(1, k, 1, "epoch 0")
		c.elect(k, 1, 1)
		c.elect(k, 1, 1)
		c.mustProduce(1, k, 1, "epoch 2")
		for _, test := range []struct {
			offset    int64
			lastEpoch int32
			epoch     int32
			end       int64
		}{
			{offset: 1, lastEpoch: 0, epoch: -1, end: -1},
			{offset: 2, lastEpoch: 0, epoch: 0, end: 1},
			{offset: 2, lastEpoch: 1, epoch: 0, end: 1},
			{offset: 2, lastEpoch: 2, epoch: -1, end: -1},
		} {
			req := consumerFetch(k, test.offset)
			req.Topics[0].Partitions[0].LastFetchedEpoch = test.lastEpoch
			got := c.fetch(1, req).Topics[0].Partitions[0].DivergingEpoch
			if got.Epoch != test.epoch || got.EndOffset != test.end {
				t.Errorf("offset %d after epoch %d: %d ends at %d", test.offset, test.lastEpoch, got.Epoch, got.EndOffset)
			}
		}
		for asked, want := range map[int32][2]int64{0: {0, 1}, 1: {0, 1}, 2: {2, 2}, 3: {-1, -1}} {
			req := kmsg.NewPtrOffsetForLeaderEpochRequest()
			req.Version = 4
			topic := kmsg.NewOffsetForLeaderEpochRequestTopic()
			topic.Topic = "orders"
			part := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
			part.LeaderEpoch = asked
			topic.Partitions = append(topic.Partitions, part)
			req.Topics = append(req.Topics, topic)
			got := c.brokers[1].OffsetForLeaderEpoch(t.Context(), req).Topics[0].Partitions[0]
			if got.ErrorCode != 0 || int64(got.LeaderEpoch) != want[0] || got.EndOffset != want[1] {
				t.Errorf("epoch %d: %d ends at %d, want %v", asked, got.LeaderEpoch, got.EndOffset, want)
			}
		}
	})
}

func TestAConsumerIsSentToTheReplicaInItsRackAndWaitsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3)
		k := c.create("orders", 0, 1, 2, 3)
		c.mustProduce(1, k, -1, "a")
		c.settle()
		req := consumerFetch(k, 0)
		req.Rack, req.MaxWaitMillis = "even", 60_000
		if part := c.fetch(1, req).Topics[0].Partitions[0]; part.PreferredReadReplica != 2 || len(part.RecordBatches) != 0 || part.HighWatermark != 1 {
			t.Errorf("the leader answers %+v", part)
		}
		part := c.fetch(2, req).Topics[0].Partitions[0]
		if got := valuesOf(t, part.RecordBatches); len(got) != 1 || part.PreferredReadReplica != -1 {
			t.Errorf("the follower answers %+v", part)
		}
		req.Rack = "odd"
		if part := c.fetch(1, req).Topics[0].Partitions[0]; part.PreferredReadReplica != -1 || len(part.RecordBatches) == 0 {
			t.Errorf("without a replica in the rack: %+v", part)
		}
		answered := make(chan *kmsg.FetchResponse, 1)
		req = consumerFetch(k, 1)
		req.Rack, req.MaxWaitMillis = "even", 60_000
		go func() { answered <- c.fetch(2, req) }()
		synctest.Wait()
		began := time.Now()
		c.mustProduce(1, k, -1, "b")
		if got := valuesOf(t, (<-answered).Topics[0].Partitions[0].RecordBatches); len(got) != 1 || got[0] != "b" || time.Since(began) > time.Second {
			t.Errorf("after %v: %q", time.Since(began), got)
		}
	})
}
