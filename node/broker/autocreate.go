package broker

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/wire"
)

// autoCreate creates a topic that somebody asked about. Its result is what to tell about the topic right now: that
// its leaders are not known yet, or why it cannot be created.
func (b *Broker) autoCreate(ctx context.Context, name string) error {
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = name, -1, -1
	switch name {
	case offsetsTopic:
		t.NumPartitions = int32(b.settings.Int("offsets.topic.num.partitions"))
		t.ReplicationFactor = int16(b.settings.Int("offsets.topic.replication.factor"))
		t.Configs = configured(map[string]string{
			"cleanup.policy": "compact", "compression.type": "producer", "segment.bytes": b.settings.Text("offsets.topic.segment.bytes"),
		})
	case transactionsTopic:
		t.NumPartitions = int32(b.settings.Int("transaction.state.log.num.partitions"))
		t.ReplicationFactor = int16(b.settings.Int("transaction.state.log.replication.factor"))
		t.Configs = configured(map[string]string{
			"cleanup.policy": "compact", "compression.type": "uncompressed", "segment.bytes": b.settings.Text("transaction.state.log.segment.bytes"),
			"unclean.leader.election.enable": "false", "min.insync.replicas": b.settings.Text("transaction.state.log.min.isr"),
		})
	}
	_, err := b.createTopic(ctx, 7, t, false)
	switch {
	case err == nil, errors.Is(err, kerr.TopicAlreadyExists):
		return kerr.LeaderNotAvailable
	case errors.Is(err, kerr.InvalidTopicException), errors.Is(err, kerr.InvalidReplicationFactor):
		b.log.Warn("topic not created", "topic", name, "err", err)
		return err
	}
	b.log.Error("topic not created", "topic", name, "err", err)
	return kerr.UnknownTopicOrPartition
}

func configured(configs map[string]string) (list []kmsg.CreateTopicsRequestTopicConfig) {
	for key, value := range configs {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = key, &value
		list = append(list, c)
	}
	return list
}

// Kinds of coordinators.
const (
	groupCoordinator       = 0
	transactionCoordinator = 1
)

// findCoordinator serves FindCoordinator, versions 0 to 6.
func (b *Broker) findCoordinator(ctx context.Context, r *wire.Request, req *kmsg.FindCoordinatorRequest) *kmsg.FindCoordinatorResponse {
	response := kmsg.NewPtrFindCoordinatorResponse()
	keys := req.CoordinatorKeys
	if req.Version < 4 {
		keys = []string{req.CoordinatorKey}
	}
	for _, key := range keys {
		answer := kmsg.NewFindCoordinatorResponseCoordinator()
		answer.Key, answer.NodeID, answer.Port = key, -1, -1
		id, host, port, err := b.coordinator(ctx, r.Conn.Listener, req.CoordinatorType, key)
		if err == nil {
			answer.NodeID, answer.Host, answer.Port = id, host, port
		}
		answer.ErrorCode, answer.ErrorMessage = codeOf(err), textOf(err)
		if req.Version < 4 {
			response.NodeID, response.Host, response.Port = answer.NodeID, answer.Host, answer.Port
			response.ErrorCode, response.ErrorMessage = answer.ErrorCode, answer.ErrorMessage
			return response
		}
		response.Coordinators = append(response.Coordinators, answer)
	}
	return response
}

// coordinator finds the broker that leads a group's partition of the offsets topic, or a transactional id's of the
// transactions topic.
func (b *Broker) coordinator(ctx context.Context, listener string, kind int8, key string) (id int32, host string, port int32, err error) {
	name := offsetsTopic
	switch {
	case kind == transactionCoordinator && key == "":
		return -1, "", -1, refuse(kerr.InvalidRequest, "a transactional id cannot be empty")
	case kind == transactionCoordinator:
		name = transactionsTopic
	case kind != groupCoordinator:
		return -1, "", -1, refuse(kerr.InvalidRequest, "coordinators of kind %d are not known", kind)
	}
	cluster := b.cache.Current()
	topic := cluster.Topics[name]
	if topic == nil {
		if err := b.autoCreate(ctx, name); errors.Is(err, kerr.InvalidReplicationFactor) {
			return -1, "", -1, refuse(kerr.CoordinatorNotAvailable, "%s cannot be created: %v", name, err)
		}
		return -1, "", -1, refuse(kerr.CoordinatorNotAvailable, "%s is being created", name)
	}
	p, ok := topic.Partitions[b.internals.PartitionFor(name, key)]
	if !ok {
		return -1, "", -1, kerr.CoordinatorNotAvailable
	}
	e, ok := cluster.Endpoint(p.Leader, listener)
	if !ok {
		return -1, "", -1, kerr.CoordinatorNotAvailable
	}
	return p.Leader, e.Host, e.Port, nil
}
