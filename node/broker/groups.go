package broker

import (
	"context"
)

// lead and resign tell the group coordinator of the partitions of the offsets topic.

func (b *Broker) lead(topic string, partition, leaderEpoch int32) {}

func (b *Broker) resign(topic string, partition int32) {}

func (b *Broker) groupPartition(group string) int32 { return 0 }

func (b *Broker) runGroups(ctx context.Context) error { <-ctx.Done(); return nil }

func (b *Broker) routeGroups(map[int16]handler) {}
