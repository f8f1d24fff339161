package replica

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// An idempotent producer with acks=all and min.insync.replicas=2 writes while brokers are killed, hung and restarted and
// leaders elected from the isr, as a controller does. Whatever was acknowledged is read back, once, in order, and in the
// end all logs hold the same bytes.
func TestNothingAcknowledgedIsLostWhileBrokersFail(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { chaos(t, rand.New(rand.NewPCG(seed, 1))) })
		})
	}
}

func chaos(t *testing.T, random *rand.Rand) {
	c := newCluster(t, 3, func(s *Settings) {
		s.ReplicaLagTimeMax = 3 * time.Second
		s.FetchBackoff = 200 * time.Millisecond
		s.Topic.SegmentBytes = 4096
	})
	c.topics["ledger"] = map[string]string{"min.insync.replicas": "2"}
	k := c.create("ledger", 0, 1, 2, 3)
	var wanted []string
	faults := rand.New(rand.NewPCG(random.Uint64(), 2))
	stop := make(chan struct{})
	var work sync.WaitGroup
	work.Go(func() {
		for i := int32(0); ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			value := fmt.Sprint("entry ", i)
			c.insist(k, producer{id: 9, sequence: i}, value)
			wanted = append(wanted, value)
			time.Sleep(time.Duration(random.Int64N(int64(20 * time.Millisecond))))
		}
	})
	for range 25 {
		victim := int32(faults.IntN(3) + 1)
		switch faults.IntN(4) {
		case 0: // SIGSTOP, shorter or longer than the lag time
			c.hang(victim, true)
			time.Sleep(time.Duration(faults.Int64N(int64(6 * time.Second))))
			c.hang(victim, false)
		case 1: // a preferred election
			if s := c.state(k); slices.Contains(s.isr, victim) {
				c.elect(k, victim, s.isr...)
			}
		default: // SIGKILL, noticed after a while
			c.brokers[victim].kill()
			time.Sleep(time.Duration(faults.Int64N(int64(time.Second))))
			c.bury(k, victim)
			time.Sleep(time.Duration(faults.Int64N(int64(2 * time.Second))))
			c.brokers[victim].start()
			c.publish(k, victim)
		}
		for len(c.state(k).isr) < 3 { // one fault at a time
			time.Sleep(100 * time.Millisecond)
		}
	}
	close(stop)
	work.Wait()
	c.settle()
	c.identical(k, 1, 2, 3)
	if got := c.consume(c.state(k).leader, k); !slices.Equal(got, wanted) {
		t.Errorf("acknowledged %d, read %d", len(wanted), len(got))
	}
	t.Logf("%d entries, %d leader epochs, %d changes of the isr", len(wanted), c.state(k).epoch, c.state(k).version)
}

// bury is what a controller does about a dead broker: out of the isr, and another leader if it led.
func (c *cluster) bury(k key, dead int32) {
	s := c.state(k)
	isr := slices.DeleteFunc(slices.Clone(s.isr), func(id int32) bool { return id == dead })
	leader := s.leader
	if leader == dead {
		leader = isr[0]
	}
	c.elect(k, leader, isr...)
}

// insist sends a batch until it is acknowledged, as clients do: to the leader they last heard of.
func (c *cluster) insist(k key, p producer, value string) {
	for {
		leader := c.state(k).leader
		if !c.alive(leader) {
			time.Sleep(20 * time.Millisecond)
			continue
		}
		got := c.produce(leader, k, -1, 2*time.Second, p.records(value))
		if got.ErrorCode == 0 {
			return
		}
		if err := kerr.ErrorForCode(got.ErrorCode); !kerr.IsRetriable(err) {
			c.t.Errorf("%s: %v", value, err)
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}
