package broker

import (
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/log"
)

// testRefusals sends what no client should send. The errors are those that Kafka 3.9.1 was seen to answer.
func (c *testCluster) testRefusals(t *testing.T) {
	c.create(t, "refusing", 1, nil)
	client := c.client(t)
	wants := func(what string, code int16, want *kerr.Error) {
		if code != want.Code {
			t.Errorf("%s: %v, want %v", what, kerr.ErrorForCode(code), want)
		}
	}

	deletion := kmsg.NewPtrDeleteTopicsRequest() // the id may be another topic's
	deletion.TimeoutMillis = 60_000
	both, unknown := kmsg.NewDeleteTopicsRequestTopic(), kmsg.NewDeleteTopicsRequestTopic()
	both.Topic, both.TopicID, unknown.Topic = kmsg.StringPtr("refusing"), [16]byte{1}, kmsg.StringPtr("never-made")
	deletion.Topics = append(deletion.Topics, both, unknown)
	for _, topic := range request[*kmsg.DeleteTopicsResponse](t, client, deletion).Topics {
		wants("deletion by name and id", topic.ErrorCode, kerr.InvalidRequest)
	}

	growth := kmsg.NewPtrCreatePartitionsRequest()
	growth.TimeoutMillis = 60_000
	more := kmsg.NewCreatePartitionsRequestTopic()
	more.Topic, more.Count = "refusing", 3
	growth.Topics = append(growth.Topics, more, more)
	for _, topic := range request[*kmsg.CreatePartitionsResponse](t, client, growth).Topics {
		wants("partitions twice", topic.ErrorCode, kerr.InvalidRequest)
	}
	if topics, err := c.admin(t).ListTopics(t.Context(), "refusing"); err != nil || len(topics["refusing"].Partitions) != 1 {
		t.Errorf("after all that was refused: %v, %v", topics, err)
	}

	creation := kmsg.NewPtrCreateTopicsRequest()
	creation.TimeoutMillis = 60_000
	raft, valueless := kmsg.NewCreateTopicsRequestTopic(), kmsg.NewCreateTopicsRequestTopic()
	raft.Topic, raft.NumPartitions, raft.ReplicationFactor = raftTopic, 1, 1
	valueless.Topic, valueless.NumPartitions, valueless.ReplicationFactor = "valueless", 1, 1
	valueless.Configs = append(valueless.Configs, kmsg.CreateTopicsRequestTopicConfig{Name: "retention.ms"})
	creation.Topics = append(creation.Topics, raft, valueless)
	made := request[*kmsg.CreateTopicsResponse](t, client, creation).Topics
	slices.SortFunc(made, func(a, b kmsg.CreateTopicsResponseTopic) int { return len(b.Topic) - len(a.Topic) })
	wants(made[0].Topic, made[0].ErrorCode, kerr.InvalidRequest)
	wants(made[1].Topic, made[1].ErrorCode, kerr.InvalidConfig)

	removal := kmsg.NewPtrDeleteRecordsRequest()
	removal.Version, removal.TimeoutMillis = 2, 60_000
	internal := kmsg.NewDeleteRecordsRequestTopic()
	internal.Topic, internal.Partitions = offsetsTopic, append(internal.Partitions, kmsg.NewDeleteRecordsRequestTopicPartition())
	removal.Topics = append(removal.Topics, internal)
	wants("records of an internal topic", c.ask(t, 1, removal).(*kmsg.DeleteRecordsResponse).Topics[0].Partitions[0].ErrorCode, kerr.InvalidTopicException)

	batch := log.Batch(log.EncodeBatch(log.Record{Value: []byte("x")}))
	batch.SetTransactional()
	produce := kmsg.NewPtrProduceRequest()
	produce.Version, produce.Acks, produce.TimeoutMillis = 9, -1, 60_000
	to := kmsg.NewProduceRequestTopic()
	to.Topic, to.Partitions = "refusing", append(to.Partitions, kmsg.ProduceRequestTopicPartition{Records: batch})
	produce.Topics = append(produce.Topics, to)
	leader := c.partition(t, "refusing", 0).Leader
	wants("a transaction without id", c.ask(t, leader, produce).(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode, kerr.TransactionalIDAuthorizationFailed)

	commit := kmsg.NewPtrOffsetCommitRequest()
	commit.Group, commit.Generation = "refused", -1
	nowhere := kmsg.NewOffsetCommitRequestTopic()
	nowhere.Topic, nowhere.Partitions = "refusing", append(nowhere.Partitions, kmsg.OffsetCommitRequestTopicPartition{Partition: 7})
	commit.Topics = append(commit.Topics, nowhere)
	wants("an offset of no partition", request[*kmsg.OffsetCommitResponse](t, client, commit).Topics[0].Partitions[0].ErrorCode, kerr.UnknownTopicOrPartition)
}

// request asks whoever a client finds responsible.
func request[R kmsg.Response](t *testing.T, client *kgo.Client, req kmsg.Request) R {
	t.Helper()
	resp, err := client.Request(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return resp.(R)
}
