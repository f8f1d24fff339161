package metadata

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

type partitionState = kmsg.UpdateMetadataRequestTopicPartition

// update is a request of a controller about topic "orders" with id {7}.
func update(epoch int32, alive []int32, states ...partitionState) *kmsg.UpdateMetadataRequest {
	req := kmsg.NewPtrUpdateMetadataRequest()
	req.Version, req.ControllerID, req.ControllerEpoch = 8, 1, epoch
	for _, id := range alive {
		req.LiveBrokers = append(req.LiveBrokers, kmsg.UpdateMetadataRequestLiveBroker{
			ID: id, Endpoints: []kmsg.UpdateMetadataRequestLiveBrokerEndpoint{{Host: "h", Port: 9090 + id, ListenerName: "PLAINTEXT"}},
		})
	}
	if len(states) > 0 {
		req.TopicStates = []kmsg.UpdateMetadataRequestTopicState{{Topic: "orders", TopicID: [16]byte{7}, PartitionStates: states}}
	}
	return req
}

func apply(t *testing.T, c *Cache, req *kmsg.UpdateMetadataRequest) []string {
	t.Helper()
	deleted, err := c.Update(req)
	if err != nil {
		t.Fatal(err)
	}
	return deleted
}

func TestAnUpdateReplacesBrokersAndAddsPartitions(t *testing.T) {
	c := New()
	apply(t, c, update(1, []int32{1, 2}, partitionState{Partition: 0, Leader: 1, Replicas: []int32{1, 2}}))
	before := c.Current()
	apply(t, c, update(1, []int32{2}, partitionState{Partition: 1, Leader: 2, Replicas: []int32{2, 1}}))
	now := c.Current()
	if now.Alive(1) || !now.Alive(2) {
		t.Error("a broker that is not listed counts as alive")
	}
	if e, ok := now.Endpoint(2, "PLAINTEXT"); !ok || e.Address() != "h:9092" {
		t.Errorf("endpoint of 2: %v %v", e, ok)
	}
	if len(now.Topics["orders"].Partitions) != 2 {
		t.Error("a partition that the second update did not mention was lost")
	}
	if name, _ := now.TopicName([16]byte{7}); name != "orders" {
		t.Errorf("topic id leads to %q", name)
	}
	if now.Led("orders", 2) || !before.Led("orders", 1) {
		t.Error("a partition whose leader is not alive counts as led, or the other way round")
	}
	if len(before.Topics["orders"].Partitions) != 1 || !before.Alive(1) {
		t.Error("a published cluster changed")
	}
	if got := now.OfflineReplicas(now.Topics["orders"].Partitions[0]); len(got) != 1 || got[0] != 1 {
		t.Errorf("offline replicas %v, want 1", got)
	}
}

func TestATopicGoesWithItsLastPartition(t *testing.T) {
	c := New()
	apply(t, c, update(1, []int32{1}, partitionState{Partition: 0, Leader: 1}, partitionState{Partition: 1, Leader: 1}))
	if gone := apply(t, c, update(1, []int32{1}, partitionState{Partition: 0, Leader: duringDelete})); gone != nil {
		t.Errorf("%v gone after one of two partitions", gone)
	}
	gone := apply(t, c, update(1, []int32{1}, partitionState{Partition: 1, Leader: duringDelete}))
	if len(gone) != 1 || c.Current().Topics["orders"] != nil {
		t.Errorf("gone %v, still there: %v", gone, c.Current().Topics)
	}
	if _, ok := c.Current().TopicName([16]byte{7}); ok {
		t.Error("the id still leads to the topic")
	}
}

func TestAReplacedControllerIsRefused(t *testing.T) {
	c := New()
	apply(t, c, update(5, []int32{1}))
	if _, err := c.Update(update(4, nil)); !errors.Is(err, kerr.StaleControllerEpoch) {
		t.Errorf("got %v", err)
	}
	if !c.Current().Alive(1) {
		t.Error("the refused update was applied")
	}
}

func TestWaitEndsWithTheUpdateOrTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New()
		go func() {
			time.Sleep(time.Second)
			apply(t, c, update(1, []int32{3}))
		}()
		alive := func(id int32) func(*Cluster) bool { return func(k *Cluster) bool { return k.Alive(id) } }
		start := time.Now()
		if err := c.Wait(t.Context(), alive(3)); err != nil || time.Since(start) != time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.Wait(ctx, alive(4)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("waiting for a broker that never comes: %v", err)
		}
	})
}

func TestOldControllersAreUnderstood(t *testing.T) {
	c := New()
	req := kmsg.NewPtrUpdateMetadataRequest()
	req.Version = 1
	req.PartitionStates = []partitionState{{Topic: "old", Leader: 2}}
	req.LiveBrokers = []kmsg.UpdateMetadataRequestLiveBroker{{
		ID: 2, Endpoints: []kmsg.UpdateMetadataRequestLiveBrokerEndpoint{{Host: "h", Port: 1, SecurityProtocol: 0}},
	}}
	apply(t, c, req)
	if _, ok := c.Current().Endpoint(2, "PLAINTEXT"); !ok || !c.Current().Led("old", 1) {
		t.Error("version 1 was not understood")
	}
}

func TestWhatIsAskedOfABrokerEndsWhenItLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New()
		members := func(ids ...int32) {
			req := kmsg.NewPtrUpdateMetadataRequest()
			req.Version = 8
			for _, id := range ids {
				b := kmsg.NewUpdateMetadataRequestLiveBroker()
				b.ID = id
				req.LiveBrokers = append(req.LiveBrokers, b)
			}
			if _, err := c.Update(req); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		members(1, 2)
		gone := errors.New("2 left")
		ctx, cancel := c.While(t.Context(), func(now *Cluster) bool { return now.Alive(2) }, gone)
		defer cancel()
		if members(2); ctx.Err() != nil {
			t.Errorf("while it is there: %v", context.Cause(ctx))
		}
		if members(1); context.Cause(ctx) != gone {
			t.Errorf("when it left: %v", context.Cause(ctx))
		}
	})
}
