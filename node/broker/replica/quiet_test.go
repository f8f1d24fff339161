package replica

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// quietSession tells whether the session of broker 1's only follower is one in which nothing happens.
func (c *cluster) quietSession() bool {
	c.settle()
	all := c.brokers[1].sessions
	all.mu.Lock()
	defer all.mu.Unlock()
	for _, s := range all.byID {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(all.byID) == 1 && len(s.quiet) == len(s.wants)
	}
	return false
}

// Fetches of a quiet session read nothing. Whatever happens has to get through all the same, and the follower to stay in sync.
func TestAFollowerIsToldWhatEndsTheQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2)
		var all []key
		for p := range int32(5) {
			all = append(all, c.create("orders", p, 1, 2))
			c.settle()
		}
		k := all[3]
		remove := func(offset int64) {
			req := kmsg.NewPtrDeleteRecordsRequest()
			req.Version, req.TimeoutMillis = 2, 10_000
			req.Topics = []kmsg.DeleteRecordsRequestTopic{{Topic: k.Topic, Partitions: []kmsg.DeleteRecordsRequestTopicPartition{{Partition: k.Partition, Offset: offset}}}}
			if got := c.brokers[1].DeleteRecords(t.Context(), req).Topics[0].Partitions[0]; got.ErrorCode != 0 || got.LowWatermark != offset {
				t.Errorf("low watermark %d, code %d", got.LowWatermark, got.ErrorCode)
			}
		}
		for _, step := range []struct {
			what string
			do   func()
			most time.Duration
		}{
			{"nothing for an hour", func() { time.Sleep(time.Hour) }, time.Hour},
			{"a record", func() { c.mustProduce(1, k, -1, "as soon as it is there") }, 10 * time.Millisecond},
			{"records go", func() { remove(1) }, 3 * c.settings.FetchWaitMax},
			{"another epoch", func() {
				c.elect(k, 1, 1, 2)
				c.mustProduce(1, k, -1, "in that epoch")
			}, 10 * time.Millisecond},
			{"another partition", func() {
				all = append(all, c.create("orders", 5, 1, 2))
				c.mustProduce(1, all[5], -1, "in that partition")
			}, 10 * time.Millisecond},
			{"the follower was restarted", func() {
				c.brokers[2].kill()
				c.brokers[2].start()
				for _, k := range all {
					c.publish(k, 2)
				}
				c.mustProduce(1, k, -1, "to a follower of another life")
			}, c.settings.FetchBackoff},
		} {
			if !c.quietSession() {
				t.Fatalf("before %s: the session is not quiet", step.what)
			}
			began := time.Now()
			step.do()
			if took := time.Since(began); took > step.most {
				t.Errorf("%s: took %v", step.what, took)
			}
			c.settle()
			for _, k := range all {
				c.identical(k, 1, 2)
				end, hw := c.marks(1, k)
				if followerEnd, followerHW := c.marks(2, k); followerEnd != end || followerHW != hw || hw != end {
					t.Errorf("%s: %s ends at %d with high watermark %d, the follower's at %d with %d", step.what, k, end, hw, followerEnd, followerHW)
				}
				if isr := c.state(k).isr; !slices.Contains(isr, 2) {
					t.Errorf("%s: %s lost its follower: isr %v", step.what, k, isr)
				}
			}
		}
	})
}

// A follower that is silent leaves the isr, however quiet it was before.
func TestAQuietFollowerThatHangsLeavesTheIsr(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2)
		k := c.create("orders", 0, 1, 2)
		if !c.quietSession() {
			t.Fatal("the session is not quiet")
		}
		c.hang(1, true)
		c.mustProduce(1, k, 1, "not copied")
		time.Sleep(2 * c.settings.ReplicaLagTimeMax)
		if isr := c.state(k).isr; !slices.Equal(isr, []int32{1}) {
			t.Errorf("isr %v", isr)
		}
	})
}
