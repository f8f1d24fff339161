package replica

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestListedReplicas(t *testing.T) {
	for _, c := range []struct {
		list              string
		partition, broker int32
		want              bool
	}{
		{"", 0, 1, false},
		{"*", 7, 9, true},
		{"0:1,0:2", 0, 2, true},
		{"0:1, 12:3", 12, 3, true},
		{"0:1,12:3", 1, 3, false},
		{"0:1,12:3", 2, 3, false},
		{"0:12", 0, 1, false},
	} {
		if got := lists(c.list, c.partition, c.broker); got != c.want {
			t.Errorf("%q, partition %d on broker %d: %v", c.list, c.partition, c.broker, got)
		}
	}
}

// TestAThrottledFollowerCatchesUpSlowly lets a broker come back to 100 KB that it missed, at 10 KB a second.
func TestAThrottledFollowerCatchesUpSlowly(t *testing.T) {
	const missed, rate = 100, 10 << 10 // records of 1 KB
	for name, side := range map[string]struct {
		config           map[string]string
		leader, follower int64
		slow             bool
	}{
		"no throttle":                    {map[string]string{leaderThrottled: "*", followerThrottled: "*"}, -1, -1, false},
		"the leader's, of this replica":  {map[string]string{leaderThrottled: "0:1"}, rate, -1, true},
		"the leader's, of another":       {map[string]string{leaderThrottled: "1:1,0:2,0:3"}, rate, rate, false},
		"the follower's, of this":        {map[string]string{followerThrottled: "0:3"}, -1, rate, true},
		"the follower's, of another one": {map[string]string{followerThrottled: "0:1,0:2"}, rate, rate, false},
		"both":                           {map[string]string{leaderThrottled: "*", followerThrottled: "*"}, rate, rate, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, 3, func(s *Settings) { s.FetchPartitionBytes, s.FetchResponseBytes = 4<<10, 4<<10 })
				k := c.throttledBehind(missed, side.config)
				for _, b := range c.brokers {
					b.SetThrottles(side.leader, side.follower)
				}
				c.publish(k, 3)
				began := time.Now()
				for !slices.Contains(c.state(k).isr, 3) {
					time.Sleep(100 * time.Millisecond)
					if took := time.Since(began); took > time.Minute {
						t.Fatal("broker 3 never catches up")
					}
				}
				took := time.Since(began)
				if least := missed * time.Second / 10; side.slow && (took < least*8/10 || took > least*13/10) || !side.slow && took > time.Second {
					t.Errorf("broker 3 took %v to copy %d KB", took, missed)
				}
				c.settle()
				c.identical(k, 1, 2, 3)
			})
		})
	}
}

// throttledBehind lets broker 3 miss records and come back, not yet following, to a topic with this configuration.
func (c *cluster) throttledBehind(kilobytes int, config map[string]string) key {
	k := c.create("orders", 0, 1, 2, 3)
	c.settle()
	c.brokers[3].kill()
	c.elect(k, 1, 1, 2)
	for range kilobytes {
		c.mustProduce(1, k, -1, strings.Repeat("x", 1<<10-69-10))
	}
	c.settle()
	c.topics["orders"] = config
	c.brokers[3].start()
	for _, b := range c.brokers {
		b.ConfigChanged("orders")
	}
	return k
}

func TestAThrottleIsLiftedWhileAFollowerRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3, func(s *Settings) { s.FetchPartitionBytes, s.FetchResponseBytes = 4<<10, 4<<10 })
		k := c.throttledBehind(100, map[string]string{leaderThrottled: "*", followerThrottled: "*"})
		for _, b := range c.brokers {
			b.SetThrottles(1, 1)
		}
		c.publish(k, 3)
		time.Sleep(5 * time.Second)
		if end, _ := c.marks(3, k); end > 8 || slices.Contains(c.state(k).isr, 3) {
			t.Fatalf("broker 3 has %d records at a byte a second", end)
		}
		if leader, _ := c.brokers[1].ThrottledRates(time.Now()); leader <= 1 {
			t.Errorf("the leader measured %v bytes a second", leader)
		}
		c.topics["orders"] = nil
		for _, b := range c.brokers {
			b.ConfigChanged("orders")
		}
		time.Sleep(2 * c.settings.FetchBackoff)
		c.settle()
		if !slices.Contains(c.state(k).isr, 3) {
			end, _ := c.marks(3, k)
			t.Errorf("broker 3 is not back in the isr, with %d records", end)
		}
	})
}

func TestReplicasInSyncAreNotHeldBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3)
		c.topics["orders"] = map[string]string{leaderThrottled: "*", followerThrottled: "*"}
		k := c.create("orders", 0, 1, 2, 3)
		c.settle()
		for _, b := range c.brokers {
			b.SetThrottles(1, 1)
		}
		began := time.Now()
		for range 100 {
			c.mustProduce(1, k, -1, strings.Repeat("x", 1<<10))
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("acks=all took %v", took)
		}
		time.Sleep(2 * c.settings.ReplicaLagTimeMax)
		if isr := c.state(k).isr; len(isr) != 3 {
			t.Errorf("isr %v", isr)
		}
	})
}
