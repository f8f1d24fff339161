package broker

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// transactionGuards are those of requests that concern transactions and idempotent producers.
func transactionGuards() map[int16]guard {
	return map[int16]guard{
		22: guarded(guardInitProducerID),
		24: guarded(guardAddPartitions),
		25: guarded(guardAddOffsets),
		26: guarded(guardEndTxn),
		27: guarded(guardMarkers),
		28: guarded(guardTxnOffsetCommit),
		65: guarded(guardDescribeTransactions),
		66: guarded(guardListTransactions),
	}
}

// guardInitProducerID lets who may write to any topic be idempotent (KIP-679).
func guardInitProducerID(a asker, req *kmsg.InitProducerIDRequest, serve func() *kmsg.InitProducerIDResponse) *kmsg.InitProducerIDResponse {
	code := int16(0)
	switch {
	case req.TransactionalID != nil:
		if !a.transaction(toWrite, *req.TransactionalID) {
			code = transactionDenied
		}
	case !a.quiet().cluster(toWriteIdempotent) && !a.rules.AllowedAny(a.who, toWrite, kmsg.ACLResourceTypeTopic):
		code = clusterDenied
	}
	if code == 0 {
		return serve()
	}
	resp := answerOf[*kmsg.InitProducerIDResponse](req)
	resp.ErrorCode, resp.ProducerID, resp.ProducerEpoch = code, -1, -1
	return resp
}

// guardAddPartitions adds all topics or none. From version 4 on only brokers ask, for producers that they serve.
func guardAddPartitions(a asker, req *kmsg.AddPartitionsToTxnRequest, serve func() *kmsg.AddPartitionsToTxnResponse) *kmsg.AddPartitionsToTxnResponse {
	if req.Version >= 4 {
		if a.cluster(toActForCluster) {
			return serve()
		}
		resp := answerOf[*kmsg.AddPartitionsToTxnResponse](req)
		resp.ErrorCode = clusterDenied
		return resp
	}
	known := a.transaction(toWrite, req.TransactionalID)
	_, no := split(req.Topics, func(t *kmsg.AddPartitionsToTxnRequestTopic) bool { return a.topic(toWrite, t.Topic) })
	if known && len(no) == 0 {
		return serve()
	}
	resp := answerOf[*kmsg.AddPartitionsToTxnResponse](req)
	for _, t := range req.Topics {
		code := kerr.OperationNotAttempted.Code
		switch {
		case !known:
			code = transactionDenied
		case !a.topic(toWrite, t.Topic):
			code = topicDenied
		}
		topic := kmsg.NewAddPartitionsToTxnResponseTopic()
		topic.Topic = t.Topic
		for _, p := range t.Partitions {
			topic.Partitions = append(topic.Partitions, kmsg.AddPartitionsToTxnResponseTopicPartition{Partition: p, ErrorCode: code})
		}
		resp.Topics = append(resp.Topics, topic)
	}
	return resp
}

func guardAddOffsets(a asker, req *kmsg.AddOffsetsToTxnRequest, serve func() *kmsg.AddOffsetsToTxnResponse) *kmsg.AddOffsetsToTxnResponse {
	resp := answerOf[*kmsg.AddOffsetsToTxnResponse](req)
	switch {
	case !a.transaction(toWrite, req.TransactionalID):
		resp.ErrorCode = transactionDenied
	case !a.group(toRead, req.Group):
		resp.ErrorCode = groupDenied
	default:
		return serve()
	}
	return resp
}

func guardEndTxn(a asker, req *kmsg.EndTxnRequest, serve func() *kmsg.EndTxnResponse) *kmsg.EndTxnResponse {
	if a.transaction(toWrite, req.TransactionalID) {
		return serve()
	}
	resp := answerOf[*kmsg.EndTxnResponse](req)
	resp.ErrorCode = transactionDenied
	return resp
}

// guardMarkers lets brokers write markers, and operators that may alter the cluster abort a hanging transaction.
func guardMarkers(a asker, req *kmsg.WriteTxnMarkersRequest, serve func() *kmsg.WriteTxnMarkersResponse) *kmsg.WriteTxnMarkersResponse {
	if a.quiet().cluster(toAlter) || a.cluster(toActForCluster) {
		return serve()
	}
	resp := answerOf[*kmsg.WriteTxnMarkersResponse](req)
	for _, m := range req.Markers {
		marker := kmsg.NewWriteTxnMarkersResponseMarker()
		marker.ProducerID = m.ProducerID
		for _, t := range m.Topics {
			topic := kmsg.NewWriteTxnMarkersResponseMarkerTopic()
			topic.Topic = t.Topic
			for _, p := range t.Partitions {
				topic.Partitions = append(topic.Partitions, kmsg.WriteTxnMarkersResponseMarkerTopicPartition{Partition: p, ErrorCode: clusterDenied})
			}
			marker.Topics = append(marker.Topics, topic)
		}
		resp.Markers = append(resp.Markers, marker)
	}
	return resp
}

func guardTxnOffsetCommit(a asker, req *kmsg.TxnOffsetCommitRequest, serve func() *kmsg.TxnOffsetCommitResponse) *kmsg.TxnOffsetCommitResponse {
	refuse := func(resp *kmsg.TxnOffsetCommitResponse, topics []kmsg.TxnOffsetCommitRequestTopic, code int16) *kmsg.TxnOffsetCommitResponse {
		for _, t := range topics {
			topic := kmsg.NewTxnOffsetCommitResponseTopic()
			topic.Topic = t.Topic
			for _, p := range t.Partitions {
				topic.Partitions = append(topic.Partitions, kmsg.TxnOffsetCommitResponseTopicPartition{Partition: p.Partition, ErrorCode: code})
			}
			resp.Topics = append(resp.Topics, topic)
		}
		return resp
	}
	none := answerOf[*kmsg.TxnOffsetCommitResponse](req)
	switch {
	case !a.transaction(toWrite, req.TransactionalID):
		return refuse(none, req.Topics, transactionDenied)
	case !a.group(toRead, req.Group):
		return refuse(none, req.Topics, groupDenied)
	}
	yes, no := split(req.Topics, func(t *kmsg.TxnOffsetCommitRequestTopic) bool { return a.topic(toRead, t.Topic) })
	if len(yes) == 0 && len(no) > 0 {
		return refuse(none, no, topicDenied)
	}
	req.Topics = yes
	return refuse(serve(), no, topicDenied)
}

// guardDescribeTransactions hides the topics that the asker may not describe.
func guardDescribeTransactions(a asker, req *kmsg.DescribeTransactionsRequest, serve func() *kmsg.DescribeTransactionsResponse) *kmsg.DescribeTransactionsResponse {
	yes, no := split(req.TransactionalIDs, func(id *string) bool { return a.transaction(toDescribe, *id) })
	req.TransactionalIDs = yes
	resp := serve()
	for i := range resp.TransactionStates {
		s := &resp.TransactionStates[i]
		s.Topics, _ = split(s.Topics, func(t *kmsg.DescribeTransactionsResponseTransactionStateTopic) bool {
			return a.quiet().topic(toDescribe, t.Topic)
		})
	}
	for _, id := range no {
		s := kmsg.NewDescribeTransactionsResponseTransactionState()
		s.TransactionalID, s.ErrorCode = id, transactionDenied
		resp.TransactionStates = append(resp.TransactionStates, s)
	}
	return resp
}

func guardListTransactions(a asker, _ *kmsg.ListTransactionsRequest, serve func() *kmsg.ListTransactionsResponse) *kmsg.ListTransactionsResponse {
	resp := serve()
	resp.TransactionStates, _ = split(resp.TransactionStates, func(s *kmsg.ListTransactionsResponseTransactionState) bool {
		return a.quiet().transaction(toDescribe, s.TransactionalID)
	})
	return resp
}
