package replica

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

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
			req.Version, req.ReplicaID = 9, replica
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
			{"latest tiered", -1, latestTiered, -1},
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

func TestDescribeLogDirs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1)
		a, b := c.create("orders", 0, 1), c.create("payments", 0, 1)
		batch := records("a")
		c.produce(1, a, 1, time.Second, batch)
		req := kmsg.NewPtrDescribeLogDirsRequest()
		req.Version = 4
		all := c.brokers[1].DescribeLogDirs(t.Context(), req).Dirs
		if len(all) != 2 || len(all[1].Topics) != 1 { // the second partition went where none was
			t.Fatalf("%+v", all)
		}
		got := all[0]
		if got.Dir != c.brokers[1].path+"/a" || got.TotalBytes <= 0 || len(got.Topics) != 1 || got.Topics[0].Partitions[0].Size != int64(len(batch)) {
			t.Errorf("all: %+v", got)
		}
		req.Topics = []kmsg.DescribeLogDirsRequestTopic{{Topic: b.Topic, Partitions: []int32{0, 1}}}
		if got := c.brokers[1].DescribeLogDirs(t.Context(), req).Dirs; len(got[0].Topics) != 0 || len(got[1].Topics) != 1 || got[1].Topics[0].Topic != "payments" {
			t.Errorf("one: %+v", got)
		}
	})
}
