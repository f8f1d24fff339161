package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/log"
	"kdrill/node/wire"
)

// topicGuards are those of requests that concern topics, and of those that look for coordinators. Metadata and Fetch
// ask the rules themselves: they know topics that are not in the request.
func topicGuards() map[int16]guard {
	return map[int16]guard{
		0:  guardProduce,
		2:  guarded(guardListOffsets),
		10: guarded(guardFindCoordinator),
		19: guarded(guardCreateTopics),
		21: guarded(guardDeleteRecords),
		23: guarded(guardOffsetForLeaderEpoch),
		32: guarded(guardDescribeConfigs),
		33: guarded(guardAlterConfigs),
		37: guarded(guardCreatePartitions),
		44: guarded(guardIncrementalAlterConfigs),
		61: guarded(guardDescribeProducers),
	}
}

// guardProduce is no rule of [guarded]: the answer to acks=0 is none.
func guardProduce(b *Broker, next handler) handler {
	return func(ctx context.Context, r *wire.Request) kmsg.Response {
		a, req := b.asker(r), r.Body.(*kmsg.ProduceRequest)
		code := topicDenied
		yes, no := split(req.Topics, func(t *kmsg.ProduceRequestTopic) bool { return a.topic(toWrite, t.Topic) })
		if isTransactional(req) && (req.TransactionID == nil || !a.transaction(toWrite, *req.TransactionID)) {
			yes, no, code = nil, req.Topics, transactionDenied
		}
		if len(no) == 0 {
			return next(ctx, r)
		}
		if req.Acks == 0 {
			r.HangUp(errNotTaken)
		}
		var resp kmsg.Response
		if len(yes) > 0 {
			req.Topics = yes
			resp = next(ctx, r)
		} else if req.Acks != 0 {
			resp = answerOf[*kmsg.ProduceResponse](req)
		}
		return r.Amend(resp, func(resp kmsg.Response) { refuseProduce(resp.(*kmsg.ProduceResponse), no, code) })
	}
}

func refuseProduce(resp *kmsg.ProduceResponse, topics []kmsg.ProduceRequestTopic, code int16) {
	for _, t := range topics {
		topic := kmsg.NewProduceResponseTopic()
		topic.Topic = t.Topic
		for _, p := range t.Partitions {
			part := kmsg.NewProduceResponseTopicPartition()
			part.Partition, part.ErrorCode, part.BaseOffset = p.Partition, code, -1
			topic.Partitions = append(topic.Partitions, part)
		}
		resp.Topics = append(resp.Topics, topic)
	}
}

// isTransactional says whether any batch belongs to a transaction.
func isTransactional(req *kmsg.ProduceRequest) bool {
	const transactional = 1 << 4
	for i := range req.Topics {
		for j := range req.Topics[i].Partitions {
			for batch, err := range log.Batches(req.Topics[i].Partitions[j].Records) {
				if err != nil {
					break // is refused as a whole later
				}
				if batch.Attributes()&transactional != 0 {
					return true
				}
			}
		}
	}
	return false
}

// mayFetch returns what a request may read: followers everything, if the asker is a broker. Nil is everything.
func (b *Broker) mayFetch(r *wire.Request, req *kmsg.FetchRequest) func(topic string) bool {
	a := b.asker(r)
	if a.rules == nil {
		return nil
	}
	follower := req.ReplicaID >= 0
	if req.Version >= 15 {
		follower = req.ReplicaState.ID >= 0
	}
	if follower {
		if a.cluster(toActForCluster) {
			return nil
		}
		return func(string) bool { return false }
	}
	return func(topic string) bool { return a.topic(toRead, topic) }
}

func guardListOffsets(a asker, req *kmsg.ListOffsetsRequest, serve func() *kmsg.ListOffsetsResponse) *kmsg.ListOffsetsResponse {
	yes, no := split(req.Topics, func(t *kmsg.ListOffsetsRequestTopic) bool { return a.topic(toDescribe, t.Topic) })
	req.Topics = yes
	resp := serve()
	for _, t := range no {
		topic := kmsg.NewListOffsetsResponseTopic()
		topic.Topic = t.Topic
		for _, p := range t.Partitions {
			part := kmsg.NewListOffsetsResponseTopicPartition()
			part.Partition, part.ErrorCode, part.OldStyleOffsets = p.Partition, topicDenied, []int64{}
			topic.Partitions = append(topic.Partitions, part)
		}
		resp.Topics = append(resp.Topics, topic)
	}
	return resp
}

func guardFindCoordinator(a asker, req *kmsg.FindCoordinatorRequest, serve func() *kmsg.FindCoordinatorResponse) *kmsg.FindCoordinatorResponse {
	may := func(key *string) bool { return a.group(toDescribe, *key) }
	code := groupDenied
	if req.CoordinatorType == transactionCoordinator {
		may = func(key *string) bool { return a.transaction(toDescribe, *key) }
		code = transactionDenied
	}
	if req.Version < 4 {
		if may(&req.CoordinatorKey) {
			return serve()
		}
		resp := answerOf[*kmsg.FindCoordinatorResponse](req)
		resp.NodeID, resp.Port, resp.ErrorCode = -1, -1, code
		return resp
	}
	yes, no := split(req.CoordinatorKeys, may)
	req.CoordinatorKeys = yes
	resp := serve()
	for _, key := range no {
		resp.Coordinators = append(resp.Coordinators, kmsg.FindCoordinatorResponseCoordinator{Key: key, NodeID: -1, Port: -1, ErrorCode: code})
	}
	return resp
}

// guardCreateTopics lets who may create any topic create them all. Configurations are told to those only who may
// describe them.
func guardCreateTopics(a asker, req *kmsg.CreateTopicsRequest, serve func() *kmsg.CreateTopicsResponse) *kmsg.CreateTopicsResponse {
	all := a.quiet().cluster(toCreate)
	yes, no := split(req.Topics, func(t *kmsg.CreateTopicsRequestTopic) bool { return all || a.topic(toCreate, t.Topic) })
	req.Topics = yes
	resp := serve()
	for i := range resp.Topics {
		if t := &resp.Topics[i]; t.ErrorCode == 0 && !a.quiet().topic(toDescribeConfigs, t.Topic) {
			t.Configs, t.NumPartitions, t.ReplicationFactor, t.ConfigErrorCode = []kmsg.CreateTopicsResponseTopicConfig{}, -1, -1, topicDenied
		}
	}
	for _, t := range no {
		topic := kmsg.NewCreateTopicsResponseTopic()
		topic.Topic, topic.ErrorCode, topic.NumPartitions, topic.ReplicationFactor = t.Topic, topicDenied, -1, -1
		topic.ErrorMessage = kmsg.StringPtr("Authorization failed.")
		resp.Topics = append(resp.Topics, topic)
	}
	return resp
}

// mayDelete says why an asker may not delete a topic, nil if it may. The name of a topic that is given by its id is told
// to those only who may describe it.
func (a asker) mayDelete(name string) (err error, nameless bool) {
	switch {
	case a.topic(toDelete, name):
		return nil, false
	case !a.quiet().topic(toDescribe, name):
		return kerr.TopicAuthorizationFailed, true
	}
	return kerr.TopicAuthorizationFailed, false
}

func guardDeleteRecords(a asker, req *kmsg.DeleteRecordsRequest, serve func() *kmsg.DeleteRecordsResponse) *kmsg.DeleteRecordsResponse {
	yes, no := split(req.Topics, func(t *kmsg.DeleteRecordsRequestTopic) bool { return a.topic(toDelete, t.Topic) })
	req.Topics = yes
	resp := serve()
	for _, t := range no {
		topic := kmsg.NewDeleteRecordsResponseTopic()
		topic.Topic = t.Topic
		for _, p := range t.Partitions {
			topic.Partitions = append(topic.Partitions, kmsg.DeleteRecordsResponseTopicPartition{Partition: p.Partition, LowWatermark: -1, ErrorCode: topicDenied})
		}
		resp.Topics = append(resp.Topics, topic)
	}
	return resp
}

func guardOffsetForLeaderEpoch(a asker, req *kmsg.OffsetForLeaderEpochRequest, serve func() *kmsg.OffsetForLeaderEpochResponse) *kmsg.OffsetForLeaderEpochResponse {
	if a.quiet().cluster(toActForCluster) {
		return serve()
	}
	yes, no := split(req.Topics, func(t *kmsg.OffsetForLeaderEpochRequestTopic) bool { return a.topic(toDescribe, t.Topic) })
	req.Topics = yes
	resp := serve()
	for _, t := range no {
		topic := kmsg.NewOffsetForLeaderEpochResponseTopic()
		topic.Topic = t.Topic
		for _, p := range t.Partitions {
			topic.Partitions = append(topic.Partitions, kmsg.OffsetForLeaderEpochResponseTopicPartition{
				Partition: p.Partition, LeaderEpoch: -1, EndOffset: -1, ErrorCode: topicDenied,
			})
		}
		resp.Topics = append(resp.Topics, topic)
	}
	return resp
}

// configs says whether an asker may do something with the configuration of a resource, and the code if not.
func (a asker) configs(op kmsg.ACLOperation, kind kmsg.ConfigResourceType, name string) (may bool, code int16) {
	switch kind {
	case kmsg.ConfigResourceTypeTopic:
		return a.topic(op, name), topicDenied
	case kmsg.ConfigResourceTypeGroupConfig:
		return a.group(op, name), groupDenied
	}
	return a.cluster(op), clusterDenied
}

func guardDescribeConfigs(a asker, req *kmsg.DescribeConfigsRequest, serve func() *kmsg.DescribeConfigsResponse) *kmsg.DescribeConfigsResponse {
	yes, no := split(req.Resources, func(r *kmsg.DescribeConfigsRequestResource) bool {
		may, _ := a.configs(toDescribeConfigs, r.ResourceType, r.ResourceName)
		return may
	})
	req.Resources = yes
	resp := serve()
	for _, r := range no {
		answer := kmsg.NewDescribeConfigsResponseResource()
		answer.ResourceType, answer.ResourceName = r.ResourceType, r.ResourceName
		_, answer.ErrorCode = a.configs(toDescribeConfigs, r.ResourceType, r.ResourceName)
		resp.Resources = append(resp.Resources, answer)
	}
	return resp
}

func guardAlterConfigs(a asker, req *kmsg.AlterConfigsRequest, serve func() *kmsg.AlterConfigsResponse) *kmsg.AlterConfigsResponse {
	yes, no := split(req.Resources, func(r *kmsg.AlterConfigsRequestResource) bool {
		may, _ := a.configs(toAlterConfigs, r.ResourceType, r.ResourceName)
		return may
	})
	req.Resources = yes
	resp := serve()
	for _, r := range no {
		answer := kmsg.NewAlterConfigsResponseResource()
		answer.ResourceType, answer.ResourceName = r.ResourceType, r.ResourceName
		_, answer.ErrorCode = a.configs(toAlterConfigs, r.ResourceType, r.ResourceName)
		resp.Resources = append(resp.Resources, answer)
	}
	return resp
}

func guardIncrementalAlterConfigs(a asker, req *kmsg.IncrementalAlterConfigsRequest, serve func() *kmsg.IncrementalAlterConfigsResponse) *kmsg.IncrementalAlterConfigsResponse {
	yes, no := split(req.Resources, func(r *kmsg.IncrementalAlterConfigsRequestResource) bool {
		may, _ := a.configs(toAlterConfigs, r.ResourceType, r.ResourceName)
		return may
	})
	req.Resources = yes
	resp := serve()
	for _, r := range no {
		answer := kmsg.NewIncrementalAlterConfigsResponseResource()
		answer.ResourceType, answer.ResourceName = r.ResourceType, r.ResourceName
		_, answer.ErrorCode = a.configs(toAlterConfigs, r.ResourceType, r.ResourceName)
		resp.Resources = append(resp.Resources, answer)
	}
	return resp
}

func guardCreatePartitions(a asker, req *kmsg.CreatePartitionsRequest, serve func() *kmsg.CreatePartitionsResponse) *kmsg.CreatePartitionsResponse {
	yes, no := split(req.Topics, func(t *kmsg.CreatePartitionsRequestTopic) bool { return a.topic(toAlter, t.Topic) })
	req.Topics = yes
	resp := serve()
	for _, t := range no {
		resp.Topics = append(resp.Topics, kmsg.CreatePartitionsResponseTopic{Topic: t.Topic, ErrorCode: topicDenied})
	}
	return resp
}

func guardDescribeProducers(a asker, req *kmsg.DescribeProducersRequest, serve func() *kmsg.DescribeProducersResponse) *kmsg.DescribeProducersResponse {
	yes, no := split(req.Topics, func(t *kmsg.DescribeProducersRequestTopic) bool { return a.topic(toRead, t.Topic) })
	req.Topics = yes
	resp := serve()
	for _, t := range no {
		topic := kmsg.NewDescribeProducersResponseTopic()
		topic.Topic = t.Topic
		for _, p := range t.Partitions {
			topic.Partitions = append(topic.Partitions, kmsg.DescribeProducersResponseTopicPartition{Partition: p, ErrorCode: topicDenied})
		}
		resp.Topics = append(resp.Topics, topic)
	}
	return resp
}
