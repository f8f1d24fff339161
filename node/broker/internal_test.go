package broker

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/broker/metadata"
)

func TestOnlyATopicThatIsKnownToBeGoneNeedsNoMarkers(t *testing.T) {
	topic := func(name string, leader int32) *metadata.Topic {
		return &metadata.Topic{Name: name, Partitions: map[int32]metadata.Partition{0: {Leader: leader}}}
	}
	told := &metadata.Cluster{Topics: map[string]*metadata.Topic{
		transactionsTopic: topic(transactionsTopic, 1), "orders": topic("orders", 2), "offline": topic("offline", -1),
	}}
	for _, c := range []struct {
		name    string
		cluster *metadata.Cluster
		topic   string
		leader  int32
		known   bool
	}{
		{"led", told, "orders", 2, true},
		{"offline", told, "offline", -1, true},
		{"deleted", told, "former", -1, false},
		{"not told of topics yet", &metadata.Cluster{}, "orders", -1, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if leader, known := leaderIn(c.cluster, c.topic, 0); leader != c.leader || known != c.known {
				t.Errorf("leader %d, known %v", leader, known)
			}
		})
	}
}

func TestOnlyCoordinatorsWriteToInternalTopics(t *testing.T) {
	request := func() *kmsg.ProduceRequest {
		req := kmsg.NewPtrProduceRequest()
		for _, name := range []string{"orders", offsetsTopic, transactionsTopic} {
			topic := kmsg.NewProduceRequestTopic()
			topic.Topic, topic.Partitions = name, []kmsg.ProduceRequestTopicPartition{kmsg.NewProduceRequestTopicPartition()}
			req.Topics = append(req.Topics, topic)
		}
		return req
	}
	req := request()
	refused := takeInternal(req, "producer-1")
	if len(req.Topics) != 1 || req.Topics[0].Topic != "orders" || len(refused) != 2 || refused[0].Partitions[0].ErrorCode != kerr.InvalidTopicException.Code {
		t.Errorf("left %v, refused %v", req.Topics, refused)
	}
	req = request()
	if refused := takeInternal(req, internalClient); len(req.Topics) != 3 || refused != nil {
		t.Errorf("an internal client: left %v, refused %v", req.Topics, refused)
	}
}
