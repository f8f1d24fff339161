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

// noOperations says that authorized operations were not asked for.
const noOperations = -1 << 31

// metadata serves Metadata, versions 0 to 12.
func (b *Broker) metadata(ctx context.Context, r *wire.Request, req *kmsg.MetadataRequest) *kmsg.MetadataResponse {
	cluster, a := b.cache.Current(), b.asker(r)
	response := kmsg.NewPtrMetadataResponse()
	response.ClusterID = &b.clusterID
	response.ControllerID = controllerOf(cluster)
	response.AuthorizedOperations = noOperations
	if req.IncludeClusterAuthorizedOperations {
		response.AuthorizedOperations = a.clusterOperations()
	}
	for _, id := range slices.Sorted(maps.Keys(cluster.Brokers)) {
		if e, ok := cluster.Endpoint(id, r.Conn.Listener); ok {
			answer := kmsg.NewMetadataResponseBroker()
			answer.NodeID, answer.Host, answer.Port, answer.Rack = id, e.Host, e.Port, cluster.Brokers[id].Rack
			response.Brokers = append(response.Brokers, answer)
		}
	}
	if req.Topics == nil || req.Version == 0 && len(req.Topics) == 0 {
		for _, name := range slices.Sorted(maps.Keys(cluster.Topics)) {
			if a.quiet().topic(toDescribe, name) {
				response.Topics = append(response.Topics, describeTopic(cluster, r.Conn.Listener, cluster.Topics[name]))
			}
		}
	}
	mayCreate := (req.AllowAutoTopicCreation || req.Version < 4) && b.settings.Bool("auto.create.topics.enable")
	for _, t := range req.Topics {
		response.Topics = append(response.Topics, b.describeAsked(ctx, a, cluster, r.Conn.Listener, t, mayCreate))
	}
	for i := range response.Topics {
		if t := &response.Topics[i]; req.IncludeTopicAuthorizedOperations && t.ErrorCode == 0 {
			t.AuthorizedOperations = a.topicOperations(*t.Topic)
		}
	}
	return response
}

// describeAsked answers about one topic by name or id. One that does not exist may be created. Who may not describe a
// topic learns no more than was in the question.
func (b *Broker) describeAsked(ctx context.Context, a asker, cluster *metadata.Cluster, listener string, t kmsg.MetadataRequestTopic, mayCreate bool) kmsg.MetadataResponseTopic {
	answer := kmsg.NewMetadataResponseTopic()
	answer.Topic, answer.TopicID = t.Topic, t.TopicID
	if t.Topic == nil {
		name, ok := cluster.TopicName(t.TopicID)
		if !ok {
			answer.ErrorCode = kerr.UnknownTopicID.Code
			return answer
		}
		if !a.topic(toDescribe, name) {
			answer.ErrorCode = topicDenied
			return answer
		}
		return describeTopic(cluster, listener, cluster.Topics[name])
	}
	answer.TopicID = [16]byte{}
	if !a.topic(toDescribe, *t.Topic) {
		answer.ErrorCode = topicDenied
		return answer
	}
	answer.IsInternal = isInternal(*t.Topic)
	topic := cluster.Topics[*t.Topic]
	switch {
	case topic != nil:
		return describeTopic(cluster, listener, topic)
	case checkTopicName(*t.Topic) != nil:
		answer.ErrorCode = kerr.InvalidTopicException.Code
	case mayCreate && !a.quiet().cluster(toCreate) && !a.topic(toCreate, *t.Topic):
		answer.ErrorCode = topicDenied
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
		response.ClusterAuthorizedOperations = b.asker(r).clusterOperations()
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
