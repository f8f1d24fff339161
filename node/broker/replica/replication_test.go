package replica

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestFollowersCopyTheLeadersLogByteForByte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3)
		k := c.create("orders", 0, 1, 2, 3)
		for i := range 20 {
			c.mustProduce(1, k, -1, fmt.Sprint("order ", i))
		}
		c.settle()
		c.identical(k, 1, 2, 3)
		if got := c.consume(1, k); len(got) != 20 || got[19] != "order 19" {
			t.Errorf("consumed %q", got)
		}
		for id := range int32(3) {
			if end, hw := c.marks(id+1, k); end != 20 || hw != 20 {
				t.Errorf("broker %d: end %d, high watermark %d", id+1, end, hw)
			}
		}
	})
}

func TestAcksAllWaitsForEveryInSyncReplica(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3)
		k := c.create("orders", 0, 1, 2, 3)
		c.settle()
		c.hang(1, true) // followers get no answers
		if got := c.produce(1, k, -1, 2*time.Second, records("lost in time")); got.ErrorCode != kerr.RequestTimedOut.Code {
			t.Fatalf("acks=all without followers: code %d", got.ErrorCode)
		}
		if got := c.produce(1, k, 1, 2*time.Second, records("leader only")); got.ErrorCode != 0 {
			t.Fatalf("acks=1: code %d", got.ErrorCode)
		}
		if got := c.consume(1, k); len(got) != 0 {
			t.Fatalf("consumer sees what is not committed: %q", got)
		}
		c.hang(1, false)
		if at := c.mustProduce(1, k, -1, "third"); at != 2 {
			t.Fatalf("third record at %d", at)
		}
		if got := c.consume(1, k); !slices.Equal(got, []string{"lost in time", "leader only", "third"}) {
			t.Fatalf("consumed %q", got)
		}
	})
}

// hang makes a broker accept requests of its followers and answer none, and lets go of those under way.
func (c *cluster) hang(id int32, hung bool) {
	b := c.brokers[id]
	b.mu.Lock()
	b.hung = hung
	conns := make([]*conn, 0, len(b.conns))
	for conn := range b.conns {
		conns = append(conns, conn)
	}
	b.mu.Unlock()
	for _, conn := range conns {
		conn.Close()
	}
	synctest.Wait()
}

func TestAFollowerThatStopsFetchingLeavesTheIsrAndComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3)
		k := c.create("orders", 0, 1, 2, 3)
		time.Sleep(5 * time.Minute)
		if got := c.state(k); got.version != 0 {
			t.Fatalf("an idle partition changed its isr to %v", got.isr)
		}
		c.brokers[3].kill()
		c.brokers[3].mu.Lock()
		c.brokers[3].registered = true // its session has not ended yet
		c.brokers[3].mu.Unlock()
		c.mustProduce(1, k, 1, "while 3 is away")
		time.Sleep(29 * time.Second)
		if got := c.state(k).isr; len(got) != 3 {
			t.Fatalf("isr %v before replica.lag.time.max.ms", got)
		}
		began := time.Now()
		if got := c.produce(1, k, -1, time.Minute, records("waits for the isr to shrink")); got.ErrorCode != 0 {
			t.Fatalf("acks=all while the isr shrinks: %v", kerr.ErrorForCode(got.ErrorCode))
		}
		if took := time.Since(began); took > 16*time.Second {
			t.Errorf("shrink took %v more than replica.lag.time.max.ms", took)
		}
		if got := c.state(k).isr; !slices.Equal(got, []int32{1, 2}) {
			t.Fatalf("isr %v after the shrink", got)
		}
		c.brokers[3].start()
		c.publish(k, 3)
		c.settle()
		if got := c.state(k).isr; !slices.Equal(got, []int32{1, 2, 3}) {
			t.Fatalf("isr %v after broker 3 caught up", got)
		}
		c.identical(k, 1, 2, 3)
	})
}

func TestAReplicaWhoseSessionLapsedStaysOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2)
		k := c.create("orders", 0, 1, 2)
		c.settle()
		c.brokers[2].mu.Lock()
		c.brokers[2].registered = false
		c.brokers[2].mu.Unlock()
		c.elect(k, 1, 1)
		c.mustProduce(1, k, -1, "committed without 2")
		c.settle()
		if end, _ := c.marks(2, k); end != 1 {
			t.Fatalf("broker 2 is to go on fetching, its log ends at %d", end)
		}
		if got := c.state(k).isr; !slices.Equal(got, []int32{1}) {
			t.Fatalf("isr %v with broker 2 not registered", got)
		}
		c.brokers[2].mu.Lock()
		c.brokers[2].registered = true
		c.brokers[2].mu.Unlock()
		c.settle()
		if got := c.state(k).isr; !slices.Equal(got, []int32{1, 2}) {
			t.Fatalf("isr %v after broker 2 registered", got)
		}
	})
}

func TestBelowMinIsrNothingIsAckedAndTheHighWatermarkStandsStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3)
		c.topics["orders"] = map[string]string{"min.insync.replicas": "2"}
		k := c.create("orders", 0, 1, 2, 3)
		c.mustProduce(1, k, -1, "committed")
		c.brokers[2].kill()
		waiting := make(chan int16)
		go func() { waiting <- c.produce(1, k, -1, time.Minute, records("shrunk while waiting")).ErrorCode }()
		c.brokers[3].kill()
		synctest.Wait()
		c.elect(k, 1, 1)
		if got := <-waiting; got != kerr.NotEnoughReplicasAfterAppend.Code {
			t.Errorf("producer that waited got %v", kerr.ErrorForCode(got))
		}
		if got := c.produce(1, k, -1, time.Second, records("refused")).ErrorCode; got != kerr.NotEnoughReplicas.Code {
			t.Errorf("acks=all below min isr: %v", kerr.ErrorForCode(got))
		}
		if got := c.produce(1, k, 1, time.Second, records("in the dark")).ErrorCode; got != 0 {
			t.Errorf("acks=1 below min isr: %v", kerr.ErrorForCode(got))
		}
		if end, hw := c.marks(1, k); end != 3 || hw != 1 {
			t.Errorf("end %d, high watermark %d", end, hw)
		}
		c.brokers[2].start()
		c.publish(k, 2)
		c.settle()
		if end, hw := c.marks(1, k); end != 3 || hw != 3 {
			t.Errorf("with two in sync again: end %d, high watermark %d", end, hw)
		}
	})
}

// The scenarios of KIP-101: a follower that becomes leader must not lose what it acknowledged, and logs must not
// differ after two changes of the leader in a row.
func TestAFollowerRestartedBeforeItsLeaderDiesKeepsWhatWasAcked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2)
		k := c.create("orders", 0, 1, 2)
		c.mustProduce(1, k, -1, "m1")
		c.mustProduce(1, k, -1, "m2")
		c.brokers[2].kill() // its high watermark may be behind m2
		c.brokers[2].start()
		c.brokers[1].kill() // before 2 fetched again
		c.elect(k, 2, 2)
		if got := c.consume(2, k); !slices.Equal(got, []string{"m1", "m2"}) {
			t.Fatalf("after the failover: %q", got)
		}
		c.mustProduce(2, k, 1, "m3")
		c.brokers[1].start()
		c.publish(k, 1)
		c.settle()
		c.identical(k, 1, 2)
	})
}

func TestALeaderThatReturnsCutsOffWhatOnlyItHad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3)
		k := c.create("orders", 0, 1, 2, 3)
		c.mustProduce(1, k, -1, "committed")
		c.settle()
		c.hang(1, true)
		for range 3 {
			c.mustProduce(1, k, 1, "only on 1")
		}
		c.brokers[1].kill()
		c.elect(k, 2, 2, 3)
		second := []string{"committed"}
		for i := range 5 { // beyond where 1 ended: its log must not look as if it continued
			second = append(second, fmt.Sprint("second life ", i))
			c.mustProduce(2, k, -1, second[i+1])
		}
		c.brokers[1].start()
		c.publish(k, 1)
		c.settle()
		c.identical(k, 1, 2, 3)
		if got := c.consume(2, k); !slices.Equal(got, second) {
			t.Fatalf("consumed %q", got)
		}
		if got := c.state(k).isr; !slices.Equal(got, []int32{2, 3, 1}) {
			t.Errorf("isr %v", got)
		}
	})
}

func TestAFollowerThatLostItsEpochsKeepsOnlyWhatIsCommitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3)
		k := c.create("orders", 0, 1, 2, 3)
		c.mustProduce(1, k, -1, "committed")
		c.settle()
		c.hang(1, true)
		c.mustProduce(1, k, 1, "only on 1")
		b := c.brokers[1]
		folder := filepath.Join(b.lookup(k).log.Dir().Path(), "orders-0")
		if err := b.Shutdown(t.Context()); err != nil { // its log will be trusted, without a look at its batches
			t.Fatal(err)
		}
		b.mu.Lock()
		b.up, b.registered = false, false
		b.mu.Unlock()
		b.cancel()
		<-b.done
		if err := os.Remove(filepath.Join(folder, "leader-epoch-checkpoint")); err != nil {
			t.Fatal(err)
		}
		c.elect(k, 2, 2, 3)
		c.mustProduce(2, k, -1, "second life")
		c.mustProduce(2, k, -1, "goes on")
		b.start()
		c.publish(k, 1)
		c.settle()
		c.identical(k, 1, 2, 3)
	})
}

func TestLogsAgreeAfterAnyOrderOfFailovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3)
		k := c.create("orders", 0, 1, 2, 3)
		var acked []string
		// Each round: some unacknowledged records on the leader, the leader dies, another takes over, the old one
		// returns while the new one is written to. Terms without any record are among them.
		for round := range 9 {
			leader := c.state(k).leader
			next := leader%3 + 1
			value := fmt.Sprint("acked ", round)
			if round%3 != 2 {
				c.mustProduce(leader, k, -1, value)
				acked = append(acked, value)
			}
			c.settle()
			c.hang(leader, true)
			for i := range round % 4 {
				c.mustProduce(leader, k, 1, fmt.Sprint("never acked ", round, i))
			}
			c.brokers[leader].kill()
			isr := slices.DeleteFunc([]int32{1, 2, 3}, func(id int32) bool { return id == leader })
			c.elect(k, next, isr...)
			for i := range round % 5 { // sometimes fewer than only the old leader has, sometimes more
				acked = append(acked, fmt.Sprint("acked meanwhile ", round, i))
				c.mustProduce(next, k, -1, acked[len(acked)-1])
			}
			c.brokers[leader].start()
			c.publish(k, leader)
			c.settle()
			if round%2 == 1 {
				c.elect(k, next, c.state(k).isr...) // a term in which nobody writes
				c.settle()
			}
			if got := c.state(k).isr; len(got) != 3 {
				t.Fatalf("round %d: isr %v", round, got)
			}
		}
		c.settle()
		c.identical(k, 1, 2, 3)
		got := c.consume(c.state(k).leader, k)
		got = slices.DeleteFunc(got, func(v string) bool { return v[0] == 'n' })
		if !slices.Equal(got, acked) {
			t.Errorf("acknowledged %q, read %q", acked, got)
		}
	})
}

func TestTheHighWatermarkNeverPassesTheLeastInSyncReplica(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3)
		k := c.create("orders", 0, 1, 2, 3)
		for i := range 200 {
			c.mustProduce(1, k, 1, fmt.Sprint(i))
			if i%50 == 25 {
				c.hang(1, true)
			}
			if i%50 == 40 {
				c.hang(1, false)
			}
			_, hw := c.marks(1, k)
			for _, id := range c.state(k).isr {
				if end, _ := c.marks(id, k); end < hw {
					t.Fatalf("record %d: high watermark %d, but broker %d has only %d", i, hw, id, end)
				}
			}
			if i%7 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
		c.settle()
		if _, hw := c.marks(1, k); hw != 200 {
			t.Errorf("high watermark %d at the end", hw)
		}
	})
}

func TestARetryToANewLeaderGetsTheOffsetOfTheFirstAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2)
		k := c.create("orders", 0, 1, 2)
		p := producer{id: 7}
		c.produce(1, k, -1, time.Second, p.records("a", "b"))
		p.sequence = 2
		first := c.produce(1, k, -1, time.Second, p.records("c"))
		c.brokers[1].kill()
		c.elect(k, 2, 2)
		again := c.produce(2, k, -1, time.Second, p.records("c"))
		if again.ErrorCode != 0 || again.BaseOffset != first.BaseOffset || first.BaseOffset != 2 {
			t.Fatalf("first attempt at %d, retry at %d with code %d", first.BaseOffset, again.BaseOffset, again.ErrorCode)
		}
		p.sequence = 5
		if got := c.produce(2, k, -1, time.Second, p.records("gap")).ErrorCode; got != kerr.OutOfOrderSequenceNumber.Code {
			t.Errorf("a gap in the sequence: %v", kerr.ErrorForCode(got))
		}
		if got := c.consume(2, k); !slices.Equal(got, []string{"a", "b", "c"}) {
			t.Errorf("consumed %q", got)
		}
	})
}

func TestProducersKeepWaitingWhenOnlyTheirLeadersEpochChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3)
		k := c.create("orders", 0, 1, 2, 3)
		c.settle()
		c.brokers[3].kill()
		answer := make(chan kmsg.ProduceResponseTopicPartition)
		go func() { answer <- c.produce(1, k, -1, time.Minute, records("waits for 3")) }()
		synctest.Wait()
		c.elect(k, 1, 1, 2) // the controller noticed
		if got := <-answer; got.ErrorCode != 0 || got.BaseOffset != 0 {
			t.Errorf("answer %+v", got)
		}
	})
}

func TestALeaderThatMissedAnEpochAcksOnlyWhatFollowersHaveNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 3)
		k := c.create("orders", 0, 1, 2, 3)
		c.mustProduce(1, k, -1, "committed")
		c.settle()
		c.halt(2, k)
		answer := make(chan int16, 1)
		go func() { answer <- c.produce(1, k, -1, time.Minute, records("in doubt")).ErrorCode }()
		c.settle() // 3 has it, 2 has not

		// 2 is elected and 3 truncates, but 1 never hears of it
		s := c.reelect(k, 1, 2)
		c.publish(k, 2, 3)
		c.settle()
		if end, _ := c.marks(3, k); end != 1 {
			t.Fatalf("3 follows 2 and has %d records", end)
		}
		c.brokers[2].kill()
		c.reelect(k, s.epoch+2, 1, 1, 3)
		c.publish(k, 1) // 3 does not hear of it yet
		synctest.Wait()
		if end, hw := c.marks(1, k); end != 2 || hw != 1 || len(answer) > 0 {
			t.Errorf("before 3 fetches: end %d, high watermark %d, answers %d", end, hw, len(answer))
		}
		c.publish(k, 3)
		if got := <-answer; got != 0 {
			t.Errorf("answer %v", kerr.ErrorForCode(got))
		}
		c.identical(k, 1, 3)
	})
}

// halt stops a replica where it is.
func (c *cluster) halt(id int32, k key) {
	req := kmsg.NewPtrStopReplicaRequest()
	req.Version, req.ControllerEpoch, req.BrokerEpoch = 4, 1, c.brokers[id].epoch
	topic := kmsg.NewStopReplicaRequestTopic()
	topic.Topic = k.Topic
	part := kmsg.NewStopReplicaRequestTopicPartitionState()
	part.Partition, part.LeaderEpoch = k.Partition, noEpoch
	topic.PartitionStates = append(topic.PartitionStates, part)
	req.Topics = append(req.Topics, topic)
	c.brokers[id].StopReplica(c.t.Context(), req)
	synctest.Wait()
}

// reelect changes what the controller knows, and tells nobody.
func (c *cluster) reelect(k key, epoch, leader int32, isr ...int32) state {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.states[k]
	s.leader, s.epoch = leader, epoch
	s.version++
	if len(isr) > 0 {
		s.isr = isr
	}
	return *s
}

func TestProducersThatWaitLearnOfTheNewLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2)
		k := c.create("orders", 0, 1, 2)
		c.settle()
		c.hang(1, true)
		answer := make(chan kmsg.ProduceResponseTopicPartition)
		go func() { answer <- c.produce(1, k, -1, time.Minute, records("too late")) }()
		synctest.Wait()
		c.elect(k, 2, 2)
		got := <-answer
		if got.ErrorCode != notLeader.Code || got.CurrentLeader.LeaderID != 2 || got.CurrentLeader.LeaderEpoch != 1 {
			t.Errorf("answer %+v", got)
		}
		if told := <-c.brokers[1].led; told != "lead orders/0 0" {
			t.Error(told)
		}
		if told := <-c.brokers[1].led; told != "resign orders/0" {
			t.Error(told)
		}
	})
}

func TestAHungLeaderDoesNotHoldUpShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2)
		k := c.create("orders", 0, 1, 2)
		c.settle()
		c.hang(1, true)
		time.Sleep(time.Second)
		began := time.Now()
		b := c.brokers[2]
		if err := b.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("shutdown took %v", took)
		}
		b.mu.Lock()
		b.up = false
		b.mu.Unlock()
		b.cancel()
		<-b.done
		b.start()
		if !b.dir.Clean() {
			t.Error("the log directory was not closed cleanly")
		}
		if _, hw := c.marks(2, k); hw != 0 {
			t.Errorf("high watermark %d", hw)
		}
	})
}

func TestAPartitionThatRestsIsNotHeldUpByOthersThatWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2)
		c.create("idle", 0, 1, 2)
		k := c.create("orders", 0, 1, 2)
		c.settle()
		c.mu.Lock()
		s := c.states[k]
		s.epoch++
		s.version++
		c.mu.Unlock()
		c.publish(k, 2) // the follower hears of the epoch first, and is told to wait
		synctest.Wait()
		c.publish(k, 1)
		began := time.Now()
		c.mustProduce(1, k, -1, "as soon as it fetches again")
		if took := time.Since(began); took > 2*fetchPause {
			t.Errorf("took %v", took)
		}
	})
}

func TestAFollowerAheadOfItsLeaderFetchesSoonAfterTheLeaderIsThere(t *testing.T) {
	for name, begin := range map[string]func(*cluster) key{
		"a new epoch": func(c *cluster) key {
			k := c.create("orders", 0, 1, 2)
			c.settle()
			c.mu.Lock()
			c.states[k].epoch++
			c.states[k].version++
			c.mu.Unlock()
			return k
		},
		"a new topic": func(c *cluster) key {
			k := key{Topic: "orders"}
			c.states[k] = &state{topicID: [16]byte{1}, replicas: []int32{1, 2}, isr: []int32{1, 2}, leader: 1}
			return k
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, 2)
				k := begin(c)
				c.publish(k, 2)
				time.Sleep(time.Second) // the controller's request to the leader takes that long
				c.publish(k, 1)
				began := time.Now()
				c.mustProduce(1, k, -1, "as soon as it fetches again")
				if took := time.Since(began); took > fetchPause {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}
