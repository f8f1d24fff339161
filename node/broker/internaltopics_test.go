package broker

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/broker/metadata"
)

// tell has a cache hear of a topic's first n partitions, or that it is deleted.
func tell(t *testing.T, cache *metadata.Cache, topic string, id byte, n int32, deleted bool) {
	t.Helper()
	req := kmsg.NewPtrUpdateMetadataRequest()
	req.Version = 8
	state := kmsg.NewUpdateMetadataRequestTopicState()
	state.Topic, state.TopicID = topic, [16]byte{id}
	for p := range n {
		part := kmsg.NewUpdateMetadataRequestTopicPartition()
		part.Partition, part.Leader = p, 1
		if deleted {
			part.Leader = -2
		}
		state.PartitionStates = append(state.PartitionStates, part)
	}
	req.TopicStates = append(req.TopicStates, state)
	if _, err := cache.Update(req); err != nil {
		t.Fatal(err)
	}
}

func TestIDsAreSpreadOverAllPartitionsOfAnInternalTopic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cache := metadata.New()
		assigned, failures := int32(50), 1
		topics := newInternalTopics(cache, func(context.Context, string) (int32, error) {
			if failures--; failures >= 0 {
				return 0, errors.New("no connection")
			}
			return assigned, nil
		}, slog.New(slog.DiscardHandler))
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- topics.Run(ctx) }()
		expect := func(when string, want int32) {
			t.Helper()
			synctest.Wait()
			if got := topics.Partitions(offsetsTopic); got != want {
				t.Errorf("%s: %d partitions, want %d", when, got, want)
			}
		}
		expect("before the topic exists", 0)
		tell(t, cache, offsetsTopic, 1, 33, false) // the others had no leader yet
		expect("while it cannot be read", 0)
		if p := topics.PartitionFor(offsetsTopic, "g"); p != -1 {
			t.Errorf("g is in %d", p)
		}
		time.Sleep(retryCount)
		expect("once it is read", 50)
		assigned = 60
		tell(t, cache, offsetsTopic, 1, 60, false)
		expect("after partitions were added", 50)
		tell(t, cache, offsetsTopic, 1, 60, true)
		expect("after it was deleted", 0)
		tell(t, cache, offsetsTopic, 2, 10, false)
		expect("after it was created again", 60)
		stop()
		<-done
	})
}
