package replica

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestAnIsrIsAskedForUntilAControllerAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2)
		k := c.create("orders", 0, 1, 2)
		other := c.create("orders", 1, 1, 2)
		c.settle()
		asked := 0
		c.mu.Lock()
		c.refuse = func(*kmsg.AlterPartitionRequest) *kerr.Error {
			asked++
			if asked <= 20 {
				return kerr.NotController
			}
			return nil
		}
		c.mu.Unlock()
		c.brokers[2].kill()
		c.brokers[2].mu.Lock()
		c.brokers[2].registered = true
		c.brokers[2].mu.Unlock()
		c.mustProduce(1, k, 1, "not committed while 2 may be in sync")
		c.mustProduce(1, other, 1, "not committed while 2 may be in sync")
		time.Sleep(46 * time.Second)
		synctest.Wait()
		if _, hw := c.marks(1, k); hw != 1 {
			t.Errorf("high watermark %d after the isr is agreed", hw)
		}
		for _, k := range []key{k, other} {
			if got := c.state(k).isr; !slices.Equal(got, []int32{1}) {
				t.Errorf("isr of %s is %v", k, got)
			}
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if asked != 21 { // both partitions in one request each time
			t.Errorf("asked %d times", asked)
		}
	})
}

func TestUntilAShrinkIsAgreedTheOldIsrHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2)
		k := c.create("orders", 0, 1, 2)
		c.settle()
		refuse := true
		c.mu.Lock()
		c.refuse = func(*kmsg.AlterPartitionRequest) *kerr.Error {
			if refuse {
				return kerr.StaleBrokerEpoch // this broker's session ended
			}
			return nil
		}
		c.mu.Unlock()
		c.hang(1, true)
		c.mustProduce(1, k, 1, "a")
		time.Sleep(2 * time.Minute)
		if _, hw := c.marks(1, k); hw != 0 {
			t.Fatalf("high watermark %d while the shrink is not agreed", hw)
		}
		c.mu.Lock()
		refuse = false
		c.mu.Unlock()
		time.Sleep(2 * alterBackoff)
		if _, hw := c.marks(1, k); hw != 1 {
			t.Errorf("high watermark %d after it is", hw)
		}
	})
}

func TestAProposalWithAStaleVersionWaitsAndIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3)
		k := c.create("orders", 0, 1, 2, 3)
		c.settle()
		c.mu.Lock()
		c.states[k].version = 5 // somebody wrote the state, and the leader has not heard of it
		c.mu.Unlock()
		c.brokers[3].kill()
		c.mustProduce(1, k, 1, "a")
		time.Sleep(46 * time.Second)
		if got := c.state(k); len(got.isr) != 3 {
			t.Fatalf("isr %v written over a newer state", got.isr)
		}
		if _, hw := c.marks(1, k); hw != 0 {
			t.Errorf("high watermark %d without the agreement", hw)
		}
		c.mu.Lock()
		c.states[k].version = 0 // and took it back
		c.mu.Unlock()
		time.Sleep(16 * time.Second)
		if got := c.state(k).isr; !slices.Equal(got, []int32{1, 2}) {
			t.Errorf("isr %v", got)
		}
	})
}
