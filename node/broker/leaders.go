package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/broker/metadata"
	"kdrill/node/wire"
)

// produce appends records. A client that asked a former leader is told where the leader is (KIP-951), so that it can go
// on without asking for metadata first.
func (b *Broker) produce(ctx context.Context, r *wire.Request) kmsg.Response {
	resp := b.replicas.Produce(ctx, r.Body.(*kmsg.ProduceRequest))
	if resp == nil {
		return nil
	}
	var leaders []int32
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if id := p.CurrentLeader.LeaderID; id >= 0 {
				leaders = append(leaders, id)
			}
		}
	}
	for id, e := range b.reached(leaders, r.Conn.Listener) {
		resp.Brokers = append(resp.Brokers, kmsg.ProduceResponseBroker{NodeID: id, Host: e.Host, Port: e.Port, Rack: b.cache.Current().Brokers[id].Rack})
	}
	return resp
}

// fetch reads records, with the same hint.
func (b *Broker) fetch(ctx context.Context, r *wire.Request) kmsg.Response {
	resp := b.replicas.Fetch(ctx, r.Body.(*kmsg.FetchRequest))
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
