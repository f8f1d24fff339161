package broker

import (
	"context"
	"iter"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/broker/group"
	"kdrill/node/broker/replica"
	"kdrill/node/broker/settings"
	"kdrill/node/log"
	"kdrill/node/wire"
)

// Groups live in the partitions of the offsets topic that this broker leads.

func (b *Broker) newGroups() *group.Coordinator {
	return group.New(group.Config{
		Partitions: func() int32 { return b.internals.Partitions(offsetsTopic) },
		Store:      offsetsStore{b.replicas},
		Known: func(topic string, partition int32) bool {
			_, known := b.cache.Current().Partition(topic, partition)
			return known
		},
		Settings: groupSettings(b.settings.Values),
		Log:      b.loggers.named(groupLogger),
	})
}

// offsetsStore keeps what group coordinators remember.
type offsetsStore struct{ replicas *replica.Replicas }

func (s offsetsStore) Append(ctx context.Context, partition, epoch int32, batch []byte) (int64, error) {
	return s.replicas.AppendInternal(ctx, offsetsTopic, partition, epoch, batch, nil)
}

func (s offsetsStore) Verify(ctx context.Context, partition int32, by group.Producer) (group.Append, error) {
	verified, err := s.replicas.Verify(ctx, replica.Verification{
		TransactionalID: by.TransactionalID, ProducerID: by.ID, ProducerEpoch: by.Epoch,
		Partitions: []log.TopicPartition{{Topic: offsetsTopic, Partition: partition}},
	})
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, partition, epoch int32, batch []byte) (int64, error) {
		return s.replicas.AppendInternal(ctx, offsetsTopic, partition, epoch, batch, verified)
	}, nil
}

func (s offsetsStore) Read(partition int32) iter.Seq2[[]byte, error] {
	return s.replicas.ReadInternal(offsetsTopic, partition)
}

// lead tells the coordinators of partitions that this broker leads from now on.
func (b *Broker) lead(topic string, partition, leaderEpoch int32) {
	switch topic {
	case offsetsTopic:
		b.groups.Lead(partition, leaderEpoch)
	case transactionsTopic:
		b.transactions.Lead(partition, leaderEpoch)
	}
}

// resign tells the coordinators of partitions that this broker leads no more.
func (b *Broker) resign(topic string, partition int32) {
	switch topic {
	case offsetsTopic:
		b.groups.Resign(partition)
	case transactionsTopic:
		b.transactions.Resign(partition)
	}
}

func (b *Broker) routeGroups(routes map[int16]handler) {
	routes[8] = onGroup(b.groups.OffsetCommit)
	routes[9] = onGroup(b.groups.OffsetFetch)
	routes[11] = onGroup(b.groups.JoinGroup)
	routes[12] = onGroup(b.groups.Heartbeat)
	routes[13] = onGroup(b.groups.LeaveGroup)
	routes[14] = onGroup(b.groups.SyncGroup)
	routes[15] = onFrom(b.describeGroups)
	routes[16] = onGroup(b.groups.ListGroups)
	routes[42] = onGroup(b.groups.DeleteGroups)
	routes[47] = onGroup(b.groups.OffsetDelete)
}

// describeGroups serves DescribeGroups, versions 0 to 5, with what the asker may do with each group.
func (b *Broker) describeGroups(ctx context.Context, r *wire.Request, req *kmsg.DescribeGroupsRequest) *kmsg.DescribeGroupsResponse {
	resp := b.groups.DescribeGroups(ctx, r.ClientID, r.Conn.Host(), req)
	if req.IncludeAuthorizedOperations {
		a := b.asker(r)
		for i := range resp.Groups {
			if g := &resp.Groups[i]; g.ErrorCode == 0 {
				g.AuthorizedOperations = a.groupOperations(g.Group)
			}
		}
	}
	return resp
}

func onGroup[Q kmsg.Request, R kmsg.Response](answer func(ctx context.Context, clientID, clientHost string, req Q) R) handler {
	return func(ctx context.Context, r *wire.Request) kmsg.Response {
		return answer(ctx, r.ClientID, "/"+r.Conn.Host(), r.Body.(Q))
	}
}

// groupSettings picks what group coordinators follow.
func groupSettings(v settings.Values) group.Settings {
	return group.Settings{
		MinSessionTimeout:     v.Millis("group.min.session.timeout.ms"),
		MaxSessionTimeout:     v.Millis("group.max.session.timeout.ms"),
		InitialRebalanceDelay: v.Millis("group.initial.rebalance.delay.ms"),
		MaxSize:               int(v.Int("group.max.size")),
		MetadataMaxBytes:      int(v.Int("offset.metadata.max.bytes")),
		CommitTimeout:         v.Millis("offsets.commit.timeout.ms"),
		Retention:             time.Duration(v.Int("offsets.retention.minutes")) * time.Minute,
		RetentionCheck:        v.Millis("offsets.retention.check.interval.ms"),
	}
}
