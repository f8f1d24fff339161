package broker

import (
	"context"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/wire"
)

// handler answers requests of one key.
type handler func(context.Context, *wire.Request) kmsg.Response

// on makes a handler of a function that takes a request of its own type.
func on[Q kmsg.Request, R kmsg.Response](answer func(context.Context, Q) R) handler {
	return func(ctx context.Context, r *wire.Request) kmsg.Response { return answer(ctx, r.Body.(Q)) }
}

// onFrom is [on] for functions that want to know who asks.
func onFrom[Q kmsg.Request, R kmsg.Response](answer func(context.Context, *wire.Request, Q) R) handler {
	return func(ctx context.Context, r *wire.Request) kmsg.Response { return answer(ctx, r, r.Body.(Q)) }
}

// routes says who answers what. What is not here is not advertised.
func (b *Broker) routes() map[int16]handler {
	routes := map[int16]handler{
		0:  b.produce,
		1:  b.fetch,
		2:  on(b.replicas.ListOffsets),
		3:  onFrom(b.metadata),
		4:  on(b.leaderAndISR),
		5:  on(b.stopReplica),
		6:  on(b.updateMetadata),
		7:  on(b.controller.ControlledShutdown),
		10: onFrom(b.findCoordinator),
		17: on(saslHandshake),
		18: nil, // ApiVersions is answered by wire
		19: on(b.createTopics),
		20: onFrom(b.deleteTopics),
		21: on(b.deleteRecords),
		23: on(b.replicas.OffsetForLeaderEpoch),
		29: on(b.describeACLs),
		30: on(b.createACLs),
		31: on(b.deleteACLs),
		32: on(b.describeConfigs),
		33: b.thenRetire(on(b.alterConfigs)),
		34: on(b.replicas.AlterReplicaLogDirs),
		35: on(b.replicas.DescribeLogDirs),
		36: on(saslAuthenticate),
		37: on(b.createPartitions),
		38: onFrom(b.createToken),
		39: onFrom(b.renewToken),
		40: onFrom(b.expireToken),
		41: onFrom(b.describeTokens),
		43: on(b.controller.ElectLeaders),
		44: b.thenRetire(on(b.incrementalAlterConfigs)),
		45: on(b.controller.AlterPartitionAssignments),
		46: on(b.controller.ListPartitionReassignments),
		48: on(b.describeQuotas),
		49: on(b.alterQuotas),
		50: on(b.describeScram),
		51: on(b.alterScram),
		56: on(b.controller.AlterPartition),
		57: on(b.updateFeatures),
		60: onFrom(b.describeCluster),
		67: on(b.allocateProducerIDs),
		68: on(consumerGroupHeartbeat),
		69: on(consumerGroupDescribe),
	}
	b.routeGroups(routes)
	b.routeTransactions(routes)
	b.protect(routes)
	return routes
}

// Serve answers one request.
func (b *Broker) Serve(ctx context.Context, r *wire.Request) kmsg.Response {
	r.Written(func(answer kmsg.Response) { b.requests.served(r, answer) })
	if b.quotas.Any() {
		return b.limited(ctx, r, r.Times.Began)
	}
	return b.handlers[r.Key](ctx, r)
}

// server serves the connections of one listener.
func (b *Broker) server(listener string) *wire.Server {
	return &wire.Server{
		Handler: b,
		Table: wire.Versions(func(key int16) bool {
			_, ok := b.handlers[key]
			return ok
		}),
		Listener: listener,
		Security: b.listening.Load().Security[listener].Security(b.identity),
		Enter: func(ctx context.Context, conn net.Conn) (wire.Stay, time.Duration, error) {
			return b.connections.Enter(ctx, listener, conn)
		},
		Answered:        b.requests.served,
		Authenticated:   func(could bool) { b.connections.Authenticated(listener, could) },
		MaxRequestBytes: int(b.settings.Int("socket.request.max.bytes")),
		MaxIdle:         b.settings.Millis("connections.max.idle.ms"),
		Log:             b.loggers.named(networkLogger),
	}
}
