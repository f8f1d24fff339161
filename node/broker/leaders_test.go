package broker

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/broker/metadata"
	"kdrill/node/broker/replica"
	"kdrill/node/log"
	"kdrill/node/wire"
)

func TestProduceRequestsDoNotWaitForEachOthersAcks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dirs, err := log.OpenDirs([]string{t.TempDir()}, log.Identity{ClusterID: "test", BrokerID: 1}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		defer dirs.Close(false, nil)
		b := &Broker{cache: metadata.New(), replicas: replica.New(replica.Config{
			BrokerID: 1, BrokerEpoch: func() int64 { return 1 }, Dirs: dirs, Settings: replica.DefaultSettings(),
			Alive: func(int32) bool { return true },
		})}
		lead := kmsg.NewPtrLeaderAndISRRequest()
		lead.Version, lead.BrokerEpoch = 4, 1
		state := kmsg.NewLeaderAndISRRequestTopicPartition()
		state.Leader, state.Replicas, state.ISR, state.IsNew = 1, []int32{1, 2}, []int32{1, 2}, true // 2 never fetches
		topic := kmsg.NewLeaderAndISRRequestTopicState()
		topic.Topic, topic.PartitionStates = "orders", append(topic.PartitionStates, state)
		lead.TopicStates = append(lead.TopicStates, topic)
		if resp := b.replicas.LeaderAndISR(t.Context(), lead); resp.ErrorCode != 0 {
			t.Fatalf("%+v", resp)
		}
		began := time.Now()
		for i := range 3 {
			req := kmsg.NewPtrProduceRequest()
			req.Version, req.Acks, req.TimeoutMillis = 9, -1, 30_000
			part := kmsg.NewProduceRequestTopicPartition()
			part.Records = log.EncodeBatch(log.Record{Timestamp: began.UnixMilli(), Value: []byte("x")})
			to := kmsg.NewProduceRequestTopic()
			to.Topic, to.Partitions = "orders", append(to.Partitions, part)
			req.Topics = append(req.Topics, to)
			if resp := b.produce(t.Context(), &wire.Request{Body: req, Conn: new(wire.ConnInfo)}); resp != nil {
				t.Errorf("request %d was answered without acks: %+v", i, resp)
			}
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("took %v", took)
		}
	})
}
