package broker

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

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
