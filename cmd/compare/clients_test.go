package compare

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// clients are a producer that waits for all replicas and a consumer, at work while something breaks.
type clients struct {
	halt    context.CancelFunc
	working sync.WaitGroup
	kafka   *kgo.Client

	mu       sync.Mutex
	acked    map[int]bool
	failed   int
	read     map[int]int
	lastAck  time.Time
	lastRead time.Time
	unacked  time.Duration // longest time between two acknowledgements
	unread   time.Duration
}

// produceEvery is the pace of the producer.
const produceEvery = 20 * time.Millisecond

func startClients(t testing.TB, bootstrap []string, topic string) *clients {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	kafka, err := kgo.NewClient(kgo.SeedBrokers(bootstrap...), kgo.DefaultProduceTopic(topic), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd()), kgo.MetadataMinAge(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	c := &clients{halt: cancel, kafka: kafka, acked: map[int]bool{}, read: map[int]int{}}
	c.working.Go(func() { c.consume(ctx) })
	c.working.Go(func() { c.produce(ctx) })
	eventually(t, "the clients work", func() bool { c.mu.Lock(); defer c.mu.Unlock(); return len(c.acked) > 10 && len(c.read) > 10 })
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unacked, c.unread = 0, 0
	return c
}

func (c *clients) produce(ctx context.Context) {
	tick := time.NewTicker(produceEvery)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		c.kafka.Produce(ctx, kgo.StringRecord(strconv.Itoa(n)), func(_ *kgo.Record, err error) {
			c.mu.Lock()
			defer c.mu.Unlock()
			if err != nil {
				if ctx.Err() == nil {
					c.failed++
				}
				return
			}
			c.acked[n] = true
			if now := time.Now(); !c.lastAck.IsZero() {
				c.unacked, c.lastAck = max(c.unacked, now.Sub(c.lastAck)), now
			} else {
				c.lastAck = now
			}
		})
	}
}

func (c *clients) consume(ctx context.Context) {
	for ctx.Err() == nil {
		fetches := c.kafka.PollFetches(ctx)
		c.mu.Lock()
		fetches.EachRecord(func(r *kgo.Record) {
			if n, err := strconv.Atoi(string(r.Value)); err == nil {
				c.read[n]++
			}
			if now := time.Now(); !c.lastRead.IsZero() {
				c.unread, c.lastRead = max(c.unread, now.Sub(c.lastRead)), now
			} else {
				c.lastRead = now
			}
		})
		c.mu.Unlock()
	}
}

// seen is what clients saw.
type seen struct {
	Unacked, Unread             time.Duration // the longest time without
	Acked, Refused, Lost, Twice int
}

func (s seen) gaps() map[string]time.Duration {
	if s.Acked == 0 {
		return nil
	}
	return map[string]time.Duration{"longest without an acknowledgement": s.Unacked, "longest without a record": s.Unread}
}

func (s *seen) add(other seen) {
	s.Acked, s.Refused, s.Lost, s.Twice = s.Acked+other.Acked, s.Refused+other.Refused, s.Lost+other.Lost, s.Twice+other.Twice
}

func (s seen) String() string {
	return fmt.Sprintf("%d acknowledged, %d refused, %d acknowledged and lost, %d read twice", s.Acked, s.Refused, s.Lost, s.Twice)
}

// stop ends the clients and says what they saw. The first records may have been written before the consumer looked.
func (c *clients) stop() seen {
	time.Sleep(time.Second)
	c.halt()
	c.working.Wait()
	c.kafka.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	s := seen{Unacked: c.unacked, Unread: c.unread, Acked: len(c.acked), Refused: c.failed}
	first, last := 1<<62, -1
	for n, times := range c.read {
		first, last = min(first, n), max(last, n)
		if times > 1 {
			s.Twice++
		}
	}
	for n := range c.acked {
		if n > first && n < last && c.read[n] == 0 {
			s.Lost++
		}
	}
	return s
}
