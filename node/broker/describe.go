package broker

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/broker/metadata"
	"kdrill/node/wire"
)

// Internal topics.
const (
	offsetsTopic      = "__consumer_offsets"
	transactionsTopic = "__transaction_state"
)

func isInternal(topic string) bool { return topic == offsetsTopic || topic == transactionsTopic }

// noOperations says that authorized operations were not asked for; without an authorizer all are allowed.
const noOperations = -1 << 31

// Bits of the operations that clients may be allowed, by KIP-430.
const (
	topicOperations   = 1<<3 | 1<<4 | 1<<5 | 1<<6 | 1<<7 | 1<<8 | 1<<10 | 1<<11
	clusterOperations = 1<<5 | 1<<7 | 1<<8 | 1<<9 | 1<<10 | 1<<11 | 1<<12
)

// metadata serves Metadata, versions 0 to 12.
func (b *Broker) metadata(ctx context.Context, r *wire.Request, req *kmsg.MetadataRequest) *kmsg.MetadataResponse {
	cluster := b.cache.Current()
	response := kmsg.NewPtrMetadataResponse()
	response.ClusterID = &b.clusterID
	response.ControllerID = controllerOf(cluster)
	response.AuthorizedOperations = noOperations
	if req.IncludeClusterAuthorizedOperations {
		response.AuthorizedOperations = clusterOperations
	}
	for _, id := range slices.Sorted(maps.Keys(cluster.Brokers)) {
		if e, ok := cluster.Endpoint(id, r.Conn.Listener); ok {
			answer := kmsg.NewMetadataResponseBroker()
			answer.NodeID, answer.Host, answer.Port, answer.Rack = id, e.Host, e.Port, cluster.Brokers[id].Rack
			response.Brokers = append(response.Brokers, answer)
		}
	}
	operations := int32(noOperations)
	if req.IncludeTopicAuthorizedOperations {
		operations = topicOperations
	}
	if req.Topics == nil || req.Version == 0 && len(req.Topics) == 0 {
		for _, name := range slices.Sorted(maps.Keys(cluster.Topics)) {
			response.Topics = append(response.Topics, describeTopic(cluster, r.Conn.Listener, cluster.Topics[name]))
		}
	}
	mayCreate := (req.AllowAutoTopicCreation || req.Version < 4) && b.settings.Bool("auto.create.topics.enable")
	for _, t := range req.Topics {
		response.Topics = append(response.Topics, b.describeAsked(ctx, cluster, r.Conn.Listener, t, mayCreate))
	}
	for i := range response.Topics {
		if response.Topics[i].ErrorCode == 0 {
			response.Topics[i].AuthorizedOperations = operations
		}
	}
	return response
}

// describeAsked answers about one topic by name or id. One that does not exist may be created.
func (b *Broker) describeAsked(ctx context.Context, cluster *metadata.Cluster, listener string, t kmsg.MetadataRequestTopic, mayCreate bool) kmsg.MetadataResponseTopic {
	answer := kmsg.NewMetadataResponseTopic()
	answer.Topic, answer.TopicID = t.Topic, t.TopicID
	if t.Topic == nil {
		name, ok := cluster.TopicName(t.TopicID)
		if !ok {
			answer.ErrorCode = kerr.UnknownTopicID.Code
			return answer
		}
		return describeTopic(cluster, listener, cluster.Topics[name])
	}
	answer.TopicID = [16]byte{}
	answer.IsInternal = isInternal(*t.Topic)
	topic := cluster.Topics[*t.Topic]
	switch {
	case topic != nil:
		return describeTopic(cluster, listener, topic)
	case checkTopicName(*t.Topic) != nil:
		answer.ErrorCode = kerr.InvalidTopicException.Code
	case mayCreate:
		answer.ErrorCode = codeOf(b.autoCreate(ctx, *t.Topic))
	default:
		answer.ErrorCode = kerr.UnknownTopicOrPartition.Code
	}
	return answer
}

func describeTopic(cluster *metadata.Cluster, listener string, t *metadata.Topic) kmsg.MetadataResponseTopic {
	answer := kmsg.NewMetadataResponseTopic()
	answer.Topic, answer.TopicID, answer.IsInternal = &t.Name, t.ID, isInternal(t.Name)
	for _, id := range slices.Sorted(maps.Keys(t.Partitions)) {
		p := t.Partitions[id]
		partition := kmsg.NewMetadataResponseTopicPartition()
		partition.Partition, partition.Leader, partition.LeaderEpoch = id, p.Leader, p.LeaderEpoch
		partition.Replicas, partition.ISR, partition.OfflineReplicas = p.Replicas, p.ISR, cluster.OfflineReplicas(p)
		if !cluster.Alive(p.Leader) {
			partition.Leader, partition.ErrorCode = -1, kerr.LeaderNotAvailable.Code
		} else if _, ok := cluster.Endpoint(p.Leader, listener); !ok {
			partition.Leader, partition.ErrorCode = -1, kerr.ListenerNotFound.Code
		}
		answer.Partitions = append(answer.Partitions, partition)
	}
	return answer
}

// controllerOf returns the controller's id, -1 if it is not alive as far as we know.
func controllerOf(cluster *metadata.Cluster) int32 {
	if !cluster.Alive(cluster.ControllerID) {
		return -1
	}
	return cluster.ControllerID
}

// describeCluster serves DescribeCluster, versions 0 and 1.
func (b *Broker) describeCluster(_ context.Context, r *wire.Request, req *kmsg.DescribeClusterRequest) *kmsg.DescribeClusterResponse {
	const brokers = 1
	response := kmsg.NewPtrDescribeClusterResponse()
	response.ClusterAuthorizedOperations = noOperations
	if req.Version >= 1 && req.EndpointType != brokers {
		err := refuse(kerr.UnsupportedEndpointType, "only endpoints of brokers are known here")
		response.ErrorCode, response.ErrorMessage = codeOf(err), textOf(err)
		return response
	}
	cluster := b.cache.Current()
	response.ClusterID, response.ControllerID, response.EndpointType = b.clusterID, controllerOf(cluster), brokers
	if req.IncludeClusterAuthorizedOperations {
		response.ClusterAuthorizedOperations = clusterOperations
	}
	for id, broker := range cluster.Brokers {
		if e, ok := cluster.Endpoint(id, r.Conn.Listener); ok {
			answer := kmsg.NewDescribeClusterResponseBroker()
			answer.NodeID, answer.Host, answer.Port, answer.Rack = id, e.Host, e.Port, broker.Rack
			response.Brokers = append(response.Brokers, answer)
		}
	}
	slices.SortFunc(response.Brokers, func(a, b kmsg.DescribeClusterResponseBroker) int { return cmp.Compare(a.NodeID, b.NodeID) })
	return response
}

// awaitLed waits until a topic has count partitions that all have a leader, as this broker sees it.
func (b *Broker) awaitLed(ctx context.Context, topic string, count int) error {
	return b.cache.Wait(ctx, func(c *metadata.Cluster) bool { return c.Led(topic, count) })
}
