package replica

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

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

func TestADiskThatDoesNotTakeSealedSegmentsFailsThePartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1, func(s *Settings) { s.Topic.SegmentBytes = 200 })
		k := c.create("orders", 0, 1)
		for range 3 {
			c.mustProduce(1, k, 1, "fills most of a segment, so that the next one begins another")
		}
		b := c.brokers[1]
		failed := make(chan string, 1)
		b.cfg.OnFailure = func(dir string, _ int, _ error) { failed <- dir }
		dir := b.lookup(k).log.Dir().Path()
		folder := filepath.Join(dir, "orders-0")
		if err := os.Rename(folder, folder+"-gone"); err != nil {
			t.Fatal(err)
		}
		b.checkpoint(time.Now())
		if got := <-failed; got != dir {
			t.Errorf("failed: %s", got)
		}
		if got := c.produce(1, k, 1, time.Second, records("x")).ErrorCode; got != kerr.KafkaStorageError.Code {
			t.Errorf("afterwards: %v", kerr.ErrorForCode(got))
		}
	})
}
