package broker

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"kdrill/node/broker/group"
	"kdrill/node/broker/metadata"
	"kdrill/node/layout"
)

// internalTopics knows how many partitions the internal topics have, by which ids are spread over them. Their assignments
// say it: the metadata leaves out partitions that never had a leader, so a number from there would change. It is
// asked for once in the life of a topic; partitions that are added do not count, or ids would move from their records.
type internalTopics struct {
	cache *metadata.Cache
	read  func(ctx context.Context, topic string) (partitions int32, err error)
	log   *slog.Logger

	mu     sync.Mutex
	counts map[string]count
}

// count is the number of partitions of the topic with an id.
type count struct {
	id         [16]byte
	partitions int32
}

func newInternalTopics(cache *metadata.Cache, read func(context.Context, string) (int32, error), log *slog.Logger) *internalTopics {
	return &internalTopics{cache: cache, read: read, log: log, counts: map[string]count{}}
}

// Partitions is how many an internal topic has, 0 while it does not exist or that is not known.
func (t *internalTopics) Partitions(topic string) int32 {
	return t.of(t.cache.Current(), topic)
}

func (t *internalTopics) of(cluster *metadata.Cluster, topic string) int32 {
	known := cluster.Topics[topic]
	if known == nil {
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if c := t.counts[topic]; c.id == known.ID {
		return c.partitions
	}
	return 0
}

// PartitionFor is where an internal topic keeps what concerns an id, -1 while that is not known.
func (t *internalTopics) PartitionFor(topic, id string) int32 {
	n := t.Partitions(topic)
	if n <= 0 {
		return -1
	}
	return group.PartitionOf(id, n)
}

// retryCount is how long the next attempt to count waits after a failure.
const retryCount = 100 * time.Millisecond

// Run counts the partitions of internal topics that come up, until ctx ends.
func (t *internalTopics) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		var fresh *metadata.Topic
		err := t.cache.Wait(ctx, func(c *metadata.Cluster) bool {
			fresh = t.uncounted(c)
			return fresh != nil
		})
		if err != nil {
			return err
		}
		n, err := t.read(ctx, fresh.Name)
		if err != nil {
			t.log.Debug("partitions not counted, trying again", "topic", fresh.Name, "err", err)
			select {
			case <-time.After(retryCount):
			case <-ctx.Done():
			}
			continue
		}
		t.mu.Lock()
		t.counts[fresh.Name] = count{fresh.ID, n}
		t.mu.Unlock()
	}
	return ctx.Err()
}

func (t *internalTopics) uncounted(c *metadata.Cluster) *metadata.Topic {
	for _, name := range []string{offsetsTopic, transactionsTopic} {
		if c.Topics[name] != nil && t.of(c, name) == 0 {
			return c.Topics[name]
		}
	}
	return nil
}

// countPartitions reads how many partitions a topic is assigned.
func (b *Broker) countPartitions(ctx context.Context, topic string) (int32, error) {
	data, _, err := b.zk.get(ctx, layout.Topic(topic))
	if err != nil {
		return 0, err
	}
	a, err := layout.Decode[layout.TopicAssignment](layout.Topic(topic), data)
	return int32(len(a.Partitions)), err
}
