package replica

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/log"
)

func TestProduceRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2)
		c.topics["small"] = map[string]string{"max.message.bytes": "100"}
		k, small, elsewhere := c.create("orders", 0, 1, 2), c.create("small", 0, 1), c.create("elsewhere", 0, 2)
		corrupt := records("x")
		corrupt[len(corrupt)-1] ^= 1
		old := records("x")
		old[16] = 1 // magic
		for _, test := range []struct {
			name    string
			to      int32
			k       key
			acks    int16
			records []byte
			want    *kerr.Error
		}{
			{"acks=2", 1, k, 2, records("x"), kerr.InvalidRequiredAcks},
			{"follower", 2, k, 1, records("x"), notLeader},
			{"unknown partition", 1, key{Topic: "orders", Partition: 9}, 1, records("x"), kerr.UnknownTopicOrPartition},
			{"partition of another broker", 1, elsewhere, 1, records("x"), kerr.UnknownTopicOrPartition},
			{"corrupt", 1, k, 1, corrupt, kerr.CorruptMessage},
			{"message format 1", 1, k, 1, old, kerr.UnsupportedForMessageFormat},
			{"too large", 1, small, 1, records(strings.Repeat("x", 200)), kerr.MessageTooLarge},
		} {
			got := c.produce(test.to, test.k, test.acks, time.Second, test.records)
			if got.ErrorCode != test.want.Code || got.BaseOffset != -1 {
				t.Errorf("%s: %v at %d, want %v", test.name, kerr.ErrorForCode(got.ErrorCode), got.BaseOffset, test.want)
			}
		}
		if resp := c.brokers[1].Produce(t.Context(), produceRequest(k, 0, time.Second, records("unacknowledged"))); resp != nil {
			t.Errorf("acks=0 answered: %+v", resp)
		}
		c.settle()
		if got := c.consume(1, k); !slices.Equal(got, []string{"unacknowledged"}) {
			t.Errorf("consumed %q", got)
		}
	})
}

func TestLogAppendTimeIsTheLeadersClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1)
		k := c.create("orders", 0, 1)
		if got := c.produce(1, k, 1, time.Second, records("x")); got.LogAppendTime != -1 {
			t.Errorf("with CreateTime: %d", got.LogAppendTime)
		}
		c.topics["orders"] = map[string]string{"message.timestamp.type": "LogAppendTime"}
		c.brokers[1].ConfigChanged("orders")
		if got := c.produce(1, k, 1, time.Second, records("x")); got.LogAppendTime != time.Now().UnixMilli() {
			t.Errorf("with LogAppendTime: %d", got.LogAppendTime)
		}
	})
}

func TestAProducersNextRequestIsAppendedBeforeTheFirstIsAcked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2)
		k := c.create("orders", 0, 1, 2)
		c.settle()
		c.hang(1, true)
		var answers []func() *kmsg.ProduceResponse
		for i := range 5 {
			answers = append(answers, c.brokers[1].Append(t.Context(), produceRequest(k, -1, time.Minute, records(fmt.Sprint(i)))))
		}
		if end, hw := c.marks(1, k); end != 5 || hw != 0 {
			t.Fatalf("end %d, high watermark %d", end, hw)
		}
		c.hang(1, false)
		for i, answer := range answers {
			if got := answer().Topics[0].Partitions[0]; got.ErrorCode != 0 || got.BaseOffset != int64(i) {
				t.Errorf("answer %d: %+v", i, got)
			}
		}
	})
}

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
			{"follower", 2, func(*kmsg.FetchRequest, *kmsg.FetchRequestTopicPartition) {}, notLeader},
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
			{"format before records", 1, func(r *kmsg.FetchRequest, _ *kmsg.FetchRequestTopicPartition) { r.Version = 3 }, kerr.UnsupportedForMessageFormat},
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

func TestListOffsets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2)
		k := c.create("orders", 0, 1, 2)
		var times []int64
		for i := range 3 {
			time.Sleep(time.Second)
			times = append(times, time.Now().UnixMilli())
			c.mustProduce(1, k, -1, fmt.Sprint(i))
		}
		c.settle()
		c.hang(1, true)
		time.Sleep(time.Second)
		uncommitted := time.Now().UnixMilli()
		c.mustProduce(1, k, 1, "not committed")
		ask := func(replica, epoch int32, timestamp int64) kmsg.ListOffsetsResponseTopicPartition {
			req := kmsg.NewPtrListOffsetsRequest()
			req.Version, req.ReplicaID = 8, replica
			topic := kmsg.NewListOffsetsRequestTopic()
			topic.Topic = "orders"
			part := kmsg.NewListOffsetsRequestTopicPartition()
			part.Timestamp, part.CurrentLeaderEpoch = timestamp, epoch
			topic.Partitions = append(topic.Partitions, part)
			req.Topics = append(req.Topics, topic)
			return c.brokers[1].ListOffsets(t.Context(), recode(req).(*kmsg.ListOffsetsRequest)).Topics[0].Partitions[0]
		}
		for _, test := range []struct {
			name      string
			replica   int32
			timestamp int64
			want      int64
		}{
			{"latest, for a consumer", -1, latest, 3},
			{"latest, for a follower", 2, latest, 4},
			{"earliest", -1, earliest, 0},
			{"earliest local", -1, earliestLocal, 0},
			{"by time", -1, times[1], 1},
			{"between two", -1, times[1] + 1, 2},
			{"before all", -1, 0, 0},
			{"after all", -1, math.MaxInt64, -1},
			{"not committed", -1, uncommitted, -1},
			{"largest timestamp, for a follower", 2, maxTimestamp, 3},
		} {
			if got := ask(test.replica, -1, test.timestamp); got.Offset != test.want || got.ErrorCode != 0 {
				t.Errorf("%s: %d with code %d, want %d", test.name, got.Offset, got.ErrorCode, test.want)
			}
		}
		if got := ask(-1, 5, latest).ErrorCode; got != kerr.UnknownLeaderEpoch.Code {
			t.Errorf("with a newer epoch: %v", kerr.ErrorForCode(got))
		}
		c.brokers[1].lookup(k).mu.Lock()
		c.brokers[1].lookup(k).lead.epochStart = 4 // as if elected with a record that is not known to be committed
		c.brokers[1].lookup(k).mu.Unlock()
		if got := ask(-1, -1, latest).ErrorCode; got != kerr.OffsetNotAvailable.Code {
			t.Errorf("young leader: %v", kerr.ErrorForCode(got))
		}
	})
}

func TestDeleteRecordsWaitsForTheFollowers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2)
		c.topics["compacted"] = map[string]string{"cleanup.policy": "compact"}
		k, compacted := c.create("orders", 0, 1, 2), c.create("compacted", 0, 1)
		for i := range 5 {
			c.mustProduce(1, k, -1, fmt.Sprint(i))
		}
		remove := func(k key, offset int64) kmsg.DeleteRecordsResponseTopicPartition {
			req := kmsg.NewPtrDeleteRecordsRequest()
			req.Version, req.TimeoutMillis = 2, 5000
			topic := kmsg.NewDeleteRecordsRequestTopic()
			topic.Topic = k.Topic
			part := kmsg.NewDeleteRecordsRequestTopicPartition()
			part.Partition, part.Offset = k.Partition, offset
			topic.Partitions = append(topic.Partitions, part)
			req.Topics = append(req.Topics, topic)
			return c.brokers[1].DeleteRecords(t.Context(), recode(req).(*kmsg.DeleteRecordsRequest)).Topics[0].Partitions[0]
		}
		if got := remove(k, 3); got.ErrorCode != 0 || got.LowWatermark != 3 {
			t.Fatalf("delete below 3: %+v", got)
		}
		if start := c.brokers[2].lookup(k).log.Start(); start != 3 {
			t.Errorf("the follower's log starts at %d", start)
		}
		if got := remove(k, 9).ErrorCode; got != kerr.OffsetOutOfRange.Code {
			t.Errorf("beyond the high watermark: %v", kerr.ErrorForCode(got))
		}
		if got := remove(compacted, 0).ErrorCode; got != kerr.PolicyViolation.Code {
			t.Errorf("a compacted topic: %v", kerr.ErrorForCode(got))
		}
		c.hang(1, true)
		if got := remove(k, -1); got.ErrorCode != kerr.RequestTimedOut.Code {
			t.Errorf("without the follower: %+v", got)
		}
	})
}

func TestAFollowerWhoseLogEndsBeforeTheLeadersStartStartsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2)
		k := c.create("orders", 0, 1, 2)
		c.mustProduce(1, k, -1, "0")
		c.settle()
		c.brokers[2].kill()
		c.elect(k, 1, 1)
		for i := range 9 {
			c.mustProduce(1, k, -1, fmt.Sprint(i+1))
		}
		if _, err := c.brokers[1].lookup(k).deleteRecords(6); err != nil {
			t.Fatal(err)
		}
		c.brokers[2].start()
		c.publish(k, 2)
		c.settle()
		if start, end := c.brokers[2].lookup(k).log.Start(), c.brokers[2].lookup(k).log.End(); start != 6 || end != 10 {
			t.Errorf("follower has %d to %d", start, end)
		}
		if got := c.state(k).isr; !slices.Equal(got, []int32{1, 2}) {
			t.Errorf("isr %v", got)
		}
	})
}

func TestStopReplicaStopsAndDeletes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2)
		k := c.create("orders", 0, 1, 2)
		c.mustProduce(1, k, -1, "a")
		c.elect(k, 1, 1, 2)
		stop := func(id int32, k key, epoch int32, remove bool) int16 {
			req := kmsg.NewPtrStopReplicaRequest()
			req.Version, req.ControllerEpoch, req.BrokerEpoch = 4, 1, c.brokers[id].epoch
			topic := kmsg.NewStopReplicaRequestTopic()
			topic.Topic = k.Topic
			part := kmsg.NewStopReplicaRequestTopicPartitionState()
			part.Partition, part.LeaderEpoch, part.Delete = k.Partition, epoch, remove
			topic.PartitionStates = append(topic.PartitionStates, part)
			req.Topics = append(req.Topics, topic)
			resp := c.brokers[id].StopReplica(t.Context(), recode(req).(*kmsg.StopReplicaRequest))
			if resp.ErrorCode != 0 {
				return resp.ErrorCode
			}
			return resp.Partitions[0].ErrorCode
		}
		if got := stop(2, k, 0, true); got != kerr.FencedLeaderEpoch.Code {
			t.Errorf("an older epoch: %v", kerr.ErrorForCode(got))
		}
		if got := stop(2, key{Topic: "nowhere"}, 0, true); got != 0 {
			t.Errorf("a partition that is not here: %v", kerr.ErrorForCode(got))
		}
		if got := stop(2, k, 1, false); got != 0 {
			t.Errorf("stop: %v", kerr.ErrorForCode(got))
		}
		c.mustProduce(1, k, 1, "b")
		c.settle()
		if end, _ := c.marks(2, k); end != 1 {
			t.Errorf("a stopped follower still fetches: its log ends at %d", end)
		}
		for id := range int32(2) {
			if got := stop(id+1, k, epochDuringDelete, true); got != 0 {
				t.Errorf("delete on %d: %v", id+1, kerr.ErrorForCode(got))
			}
			if got := c.brokers[id+1].dir.Existing(); len(got) != 0 {
				t.Errorf("broker %d still has %v", id+1, got)
			}
		}
		c.create("orders", 0, 2, 1) // a new topic of the same name starts empty
		if got := c.consume(2, k); len(got) != 0 {
			t.Errorf("records of a deleted topic: %q", got)
		}
	})
}

func TestRequestsOfAnOlderControllerAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1)
		k := c.create("orders", 0, 1)
		b := c.brokers[1]
		req := c.leaderAndISR(k, c.state(k), b)
		req.ControllerEpoch = 0
		if got := b.LeaderAndISR(t.Context(), req).ErrorCode; got != kerr.StaleControllerEpoch.Code {
			t.Errorf("older controller: %v", kerr.ErrorForCode(got))
		}
		req.ControllerEpoch, req.BrokerEpoch = 1, 0
		if got := b.LeaderAndISR(t.Context(), req).ErrorCode; got != kerr.StaleBrokerEpoch.Code {
			t.Errorf("meant for an earlier life: %v", kerr.ErrorForCode(got))
		}
		for version := range int16(8) {
			req := c.leaderAndISR(k, c.state(k), b)
			if req.Version = version; version < 2 {
				req.PartitionStates = req.TopicStates[0].PartitionStates
				req.PartitionStates[0].Topic, req.TopicStates = "orders", nil
			}
			resp := b.LeaderAndISR(t.Context(), recode(req).(*kmsg.LeaderAndISRRequest))
			got := append(slices.Clone(resp.Partitions), flattenAnswers(resp.Topics)...)
			if resp.ErrorCode != 0 || len(got) != 1 || got[0].ErrorCode != kerr.StaleControllerEpoch.Code {
				t.Errorf("v%d, the same epoch again: %+v", version, resp)
			}
		}
	})
}

func flattenAnswers(topics []kmsg.LeaderAndISRResponseTopic) (all []kmsg.LeaderAndISRResponseTopicPartition) {
	for _, t := range topics {
		all = append(all, t.Partitions...)
	}
	return all
}

func TestCoordinatorsWriteAndReadTheirPartitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2)
		k := c.create("__consumer_offsets", 3, 1, 2)
		b := c.brokers[1]
		for i := range 4 {
			if err := b.AppendInternal(t.Context(), k.Topic, k.Partition, 0, records(fmt.Sprint(i))); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.AppendInternal(t.Context(), k.Topic, k.Partition, 1, records("x")); !errors.Is(err, kerr.UnknownLeaderEpoch) {
			t.Errorf("in an epoch to come: %v", err)
		}
		c.hang(1, true)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := b.AppendInternal(ctx, k.Topic, k.Partition, 0, records("4")); !errors.Is(err, kerr.RequestTimedOut) {
			t.Errorf("not committed in time: %v", err)
		}
		var values []string
		for batches, err := range b.ReadInternal(k.Topic, k.Partition) {
			if err != nil {
				t.Fatal(err)
			}
			values = append(values, valuesOf(t, batches)...)
		}
		if !slices.Equal(values, []string{"0", "1", "2", "3", "4"}) {
			t.Errorf("read %q", values)
		}
		for _, err := range c.brokers[2].ReadInternal(k.Topic, k.Partition) {
			if !errors.Is(err, notLeader) {
				t.Errorf("on the follower: %v", err)
			}
		}
	})
}

func TestDescribeLogDirs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1)
		a, b := c.create("orders", 0, 1), c.create("payments", 0, 1)
		batch := records("a")
		c.produce(1, a, 1, time.Second, batch)
		req := kmsg.NewPtrDescribeLogDirsRequest()
		req.Version = 4
		got := c.brokers[1].DescribeLogDirs(t.Context(), req).Dirs[0]
		if got.Dir != c.brokers[1].path || got.TotalBytes <= 0 || len(got.Topics) != 2 || got.Topics[0].Partitions[0].Size != int64(len(batch)) {
			t.Errorf("all: %+v", got)
		}
		req.Topics = []kmsg.DescribeLogDirsRequestTopic{{Topic: b.Topic, Partitions: []int32{0, 1}}}
		if got := c.brokers[1].DescribeLogDirs(t.Context(), req).Dirs[0]; len(got.Topics) != 1 || got.Topics[0].Topic != "payments" {
			t.Errorf("one: %+v", got)
		}
	})
}

func TestAFailedPartitionAnswersStorageErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1)
		bad, good := c.create("bad", 0, 1), c.create("good", 0, 1)
		var told []string
		c.brokers[1].cfg.OnFailure = func(topic string, p int32, err error) { told = append(told, fmt.Sprint(topic, "/", p, ": ", err)) }
		p := c.brokers[1].lookup(bad)
		for range 2 {
			p.writer.Lock()
			p.fail(fmt.Errorf("%w: disk full", log.ErrStorage))
			p.writer.Unlock()
		}
		if len(told) != 1 || !strings.Contains(told[0], "bad/0") {
			t.Errorf("told %q", told)
		}
		want := kerr.KafkaStorageError.Code
		if got := c.produce(1, bad, 1, time.Second, records("x")).ErrorCode; got != want {
			t.Errorf("produce: %v", kerr.ErrorForCode(got))
		}
		if got := c.fetch(1, consumerFetch(bad, 0)).Topics[0].Partitions[0].ErrorCode; got != want {
			t.Errorf("fetch: %v", kerr.ErrorForCode(got))
		}
		c.mustProduce(1, good, 1, "the others work")
	})
}
