package broker

import (
	"context"
	"errors"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/broker/metadata"
	"kdrill/node/wire"
)

// errNotTaken ends a connection.
var errNotTaken = errors.New("records that want no acknowledgement were not taken")

// produce appends records. A client that asked a former leader is told where the leader is (KIP-951), so that it can go
// on without asking for metadata first. One that wants no acks is told nothing: its connection ends, so that it asks anew.
//
// The connection's next request does not wait for the acks of all replicas (acks=-1).
func (b *Broker) produce(ctx context.Context, r *wire.Request) kmsg.Response {
	req := r.Body.(*kmsg.ProduceRequest)
	refused := takeInternal(req, r.ClientID)
	var nameless []kmsg.ProduceRequestTopic
	if req.TransactionID == nil && isTransactional(req) { // nobody could be asked whether that transaction is open
		nameless, req.Topics = req.Topics, nil
	}
	answer := b.replicas.Append(ctx, req)
	if req.Acks == 0 {
		if answer() != nil || len(refused)+len(nameless) > 0 {
			r.HangUp(errNotTaken)
		}
		return nil
	}
	finish := func() kmsg.Response {
		resp := answer()
		resp.Topics = append(resp.Topics, refused...)
		refuseProduce(resp, nameless, transactionDenied)
		b.hint(resp, r.Conn.Listener)
		return resp
	}
	if req.Acks == -1 {
		r.Later(finish)
		return nil
	}
	return finish()
}

// hint adds where the leaders are that an answer names.
func (b *Broker) hint(resp *kmsg.ProduceResponse, listener string) {
	var leaders []int32
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if id := p.CurrentLeader.LeaderID; id >= 0 {
				leaders = append(leaders, id)
			}
		}
	}
	for id, e := range b.reached(leaders, listener) {
		resp.Brokers = append(resp.Brokers, kmsg.ProduceResponseBroker{NodeID: id, Host: e.Host, Port: e.Port, Rack: b.cache.Current().Brokers[id].Rack})
	}
}

// internalClient may write to internal topics, by an agreement among Kafka's tools.
const internalClient = "__admin_client"

// takeInternal takes internal topics out of a request: only coordinators write there.
func takeInternal(req *kmsg.ProduceRequest, clientID string) (refused []kmsg.ProduceResponseTopic) {
	if clientID == internalClient {
		return nil
	}
	req.Topics = slices.DeleteFunc(req.Topics, func(t kmsg.ProduceRequestTopic) bool {
		if !isInternal(t.Topic) {
			return false
		}
		topic := kmsg.NewProduceResponseTopic()
		topic.Topic = t.Topic
		for _, p := range t.Partitions {
			part := kmsg.NewProduceResponseTopicPartition()
			part.Partition, part.ErrorCode, part.BaseOffset = p.Partition, kerr.InvalidTopicException.Code, -1
			topic.Partitions = append(topic.Partitions, part)
		}
		refused = append(refused, topic)
		return true
	})
	return refused
}

// deleteRecords serves DeleteRecords, versions 0 to 2. What coordinators remember is theirs.
func (b *Broker) deleteRecords(ctx context.Context, req *kmsg.DeleteRecordsRequest) *kmsg.DeleteRecordsResponse {
	internal, others := split(req.Topics, func(t *kmsg.DeleteRecordsRequestTopic) bool { return isInternal(t.Topic) })
	req.Topics = others
	resp := b.replicas.DeleteRecords(ctx, req)
	for _, t := range internal {
		refused := kmsg.NewDeleteRecordsResponseTopic()
		refused.Topic = t.Topic
		for _, p := range t.Partitions {
			part := kmsg.NewDeleteRecordsResponseTopicPartition()
			part.Partition, part.LowWatermark, part.ErrorCode = p.Partition, -1, kerr.InvalidTopicException.Code
			refused.Partitions = append(refused.Partitions, part)
		}
		resp.Topics = append(resp.Topics, refused)
	}
	return resp
}

// fetch reads records, with the same hint.
func (b *Broker) fetch(ctx context.Context, r *wire.Request) kmsg.Response {
	req := r.Body.(*kmsg.FetchRequest)
	resp, waited, done := b.replicas.FetchLent(ctx, req, b.mayFetch(r, req))
	r.Waited = waited
	r.Written(func(kmsg.Response) { done() })
	var leaders []int32
	for i := range resp.Topics {
		for j := range resp.Topics[i].Partitions {
			if id := resp.Topics[i].Partitions[j].CurrentLeader.LeaderID; id >= 0 {
				leaders = append(leaders, id)
			}
		}
	}
	for id, e := range b.reached(leaders, r.Conn.Listener) {
		resp.Brokers = append(resp.Brokers, kmsg.FetchResponseBroker{NodeID: id, Host: e.Host, Port: e.Port, Rack: b.cache.Current().Brokers[id].Rack})
	}
	return resp
}

// reached finds where clients of a listener reach these brokers, which is rarely any. Those not alive are left out.
func (b *Broker) reached(ids []int32, listener string) map[int32]metadata.Endpoint {
	if len(ids) == 0 {
		return nil
	}
	found := map[int32]metadata.Endpoint{}
	for _, id := range ids {
		if e, ok := b.cache.Current().Endpoint(id, listener); ok {
			found[id] = e
		}
	}
	return found
}
