package compare

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/layout"
)

const (
	scaleTopics     = 20
	scalePartitions = 100 // of each topic
	scaleRecords    = 50  // in each partition
	quietTime       = 20 * time.Second
	probeTopic      = "many-00"
	probeEvery      = 5 * time.Millisecond
)

// BenchmarkScale compares three brokers of both engines that keep 2,000 partitions with three replicas each: how long it
// takes to create them, what the brokers use while nothing happens, how soon a broker serves again that was stopped or
// killed, and how soon its partitions are led again. The engines take turns, so that neither disturbs the other.
//
//	go test ./cmd/compare -run '^$' -bench Scale -benchtime 1x -timeout 60m
func BenchmarkScale(b *testing.B) {
	both := contenders(b)
	for _, c := range both {
		c.Run("stop", "broker-1", "broker-2", "broker-3", "--yes")
	}
	for b.Loop() {
		for _, c := range both {
			c.Run("start", "broker-1", "broker-2", "broker-3", "--yes")
			c.scale()
			c.Run("stop", "broker-1", "broker-2", "broker-3", "--yes")
		}
	}
	b.ReportMetric(0, "ns/op")
	fmt.Print("\n", versus(both))
}

// timed notes how long something took.
func (c *contender) timed(figure string, run func()) {
	began := time.Now()
	run()
	c.note(figure, time.Since(began).Seconds())
}

// scale measures one cluster with many partitions.
func (c *contender) scale() {
	client := c.client()
	defer client.Close()
	c.timed("2,000 partitions created and in sync, s", func() { c.manyTopics(client) })
	c.fill()
	before, began := c.cpu(), time.Now()
	time.Sleep(quietTime) // what is measured is that nothing happens
	c.note("idle, processor time of three brokers, ms/s", (c.cpu()-before).Seconds()*1e3/time.Since(began).Seconds())
	var rss int64
	for _, n := range c.brokers() {
		rss += n.RSS
	}
	c.note("memory of a broker, MB", float64(rss)/3/1e6)
	c.failover()
	c.timed("start to serving after kill -9, s", func() { c.Run("start", "broker-1", "--yes") })
	c.timed("from there until all are in sync, s", func() { eventually(c.T, "all replicas are in sync", c.inSync) })
	c.Run("elect")
	c.timed("SIGTERM of a leader of a third, s", func() { c.Run("stop", "broker-2", "--yes") })
	c.timed("start to serving after SIGTERM, s", func() { c.Run("start", "broker-2", "--yes") })
	eventually(c.T, "all replicas are in sync", c.inSync)
}

// manyTopics creates the topics in one request.
func (c *contender) manyTopics(client *kgo.Client) {
	names := make([]string, scaleTopics)
	for i := range names {
		names[i] = fmt.Sprintf("many-%02d", i)
	}
	admin := kadm.NewClient(client)
	admin.SetTimeoutMillis(int32(patience.Milliseconds()))
	two := "2"
	_, _ = admin.DeleteTopics(context.Background(), names...)
	eventually(c.T, "the topics are created", func() bool {
		made, err := admin.CreateTopics(context.Background(), scalePartitions, 3, map[string]*string{"min.insync.replicas": &two}, names...)
		return err == nil && made.Error() == nil
	})
	eventually(c.T, "all replicas are in sync", c.inSync)
}

// fill writes some records to every partition.
func (c *contender) fill() {
	client := c.client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(10*time.Millisecond))
	defer client.Close()
	value := payload()
	for topic := range scaleTopics {
		for i := range scalePartitions * scaleRecords {
			client.Produce(context.Background(), &kgo.Record{
				Topic: fmt.Sprintf("many-%02d", topic), Partition: int32(i % scalePartitions), Value: value,
			}, func(_ *kgo.Record, err error) {
				if err != nil {
					c.T.Errorf("%s: %v", c.engine, err)
				}
			})
		}
	}
	if err := client.Flush(context.Background()); err != nil {
		c.T.Fatal(err)
	}
}

// failover kills broker 1, which leads a third of the partitions, and is not the controller.
func (c *contender) failover() {
	c.leavesControl("broker-1")
	other, client := c.survivor(1)
	defer client.Close()
	p := c.startProbe(client, 1)
	ended := c.sessionEnd(1)
	led := make(chan time.Duration, 1)
	go func() {
		p.from(<-ended)
		for !ledWithout(client, other, 1) {
			time.Sleep(time.Millisecond) // so as not to keep the broker from what is waited for
		}
		led <- time.Since(p.ended)
	}()
	c.Run("kill", "broker-1", "--yes")
	c.note("end of a session to a third of the partitions led again, s", (<-led).Seconds())
	c.note("the same as a producer sees it, slowest partition, s", p.restored().Seconds())
}

// leavesControl makes another broker the controller if a broker is: what is measured is the failover of leaders.
func (c *contender) leavesControl(broker string) {
	for {
		session, _, err := zk.Connect(strings.Split(c.Status().ZooKeeper, ","), 10*time.Second, zk.WithLogger(silent{}))
		if err != nil {
			c.T.Fatal(err)
		}
		data, _, err := session.Get(layout.Controller)
		session.Close()
		if err == nil && !strings.Contains(string(data), `"brokerid":`+strings.TrimPrefix(broker, "broker-")+",") {
			return
		}
		c.Run("restart", broker, "--yes")
		eventually(c.T, "all replicas are in sync", c.inSync)
		c.Run("elect")
	}
}

// sessionEnd tells when the znode of a broker's registration goes.
func (c *contender) sessionEnd(id int32) <-chan time.Time {
	session, _, err := zk.Connect(strings.Split(c.Status().ZooKeeper, ","), 10*time.Second, zk.WithLogger(silent{}))
	if err != nil {
		c.T.Fatal(err)
	}
	_, _, fired, err := session.GetW(layout.Broker(id))
	if err != nil {
		c.T.Fatal(err)
	}
	gone := make(chan time.Time, 1)
	go func() {
		<-fired
		gone <- time.Now()
		session.Close()
	}()
	return gone
}

// survivor is another broker than that one, and a client.
func (c *contender) survivor(id int) (int, *kgo.Client) {
	for _, n := range c.brokers() {
		if n.ID != id {
			return n.ID, c.client()
		}
	}
	c.T.Fatal("there is no other broker")
	return 0, nil
}

// ledWithout asks a broker whether others than id lead all partitions.
func ledWithout(client *kgo.Client, broker int, id int32) bool {
	answer, err := client.Broker(broker).Request(context.Background(), kmsg.NewPtrMetadataRequest())
	if err != nil {
		return false
	}
	topics := answer.(*kmsg.MetadataResponse).Topics
	for _, t := range topics {
		for _, p := range t.Partitions {
			if p.Leader < 0 || p.Leader == id || p.ErrorCode != 0 {
				return false
			}
		}
	}
	return len(topics) >= scaleTopics
}

// probe is a producer that writes to the partitions of one topic that a broker leads, in turn, and waits for all replicas
// in sync.
type probe struct {
	client  *kgo.Client
	halt    context.CancelFunc
	working sync.WaitGroup
	led     []int32 // the partitions

	mu    sync.Mutex
	ended time.Time               // of the session; zero before
	acked map[int32]time.Duration // after ended, the first time for each partition
	whole chan struct{}           // closed when that are all
}

func (c *contender) startProbe(admin *kgo.Client, id int32) *probe {
	p := &probe{acked: map[int32]time.Duration{}, whole: make(chan struct{})}
	eventually(c.T, "a third of the partitions is led by the broker", func() bool {
		topics, err := kadm.NewClient(admin).ListTopics(context.Background(), probeTopic)
		if err != nil {
			return false
		}
		p.led = nil
		for _, at := range topics[probeTopic].Partitions {
			if at.Leader == id {
				p.led = append(p.led, at.Partition)
			}
		}
		return len(p.led) >= scalePartitions/3
	})
	p.client = c.client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0), kgo.MetadataMinAge(100*time.Millisecond))
	ctx, cancel := context.WithCancel(context.Background())
	p.halt = cancel
	p.working.Go(func() {
		tick := time.NewTicker(probeEvery)
		defer tick.Stop()
		for n := 0; ctx.Err() == nil; n++ {
			<-tick.C
			p.client.Produce(ctx, &kgo.Record{Topic: probeTopic, Partition: p.led[n%len(p.led)], Value: []byte("x")}, p.ack)
		}
	})
	return p
}

func (p *probe) from(ended time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = ended
}

func (p *probe) ack(r *kgo.Record, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, known := p.acked[r.Partition]; known || err != nil || p.ended.IsZero() {
		return
	}
	p.acked[r.Partition] = time.Since(p.ended)
	if len(p.acked) == len(p.led) {
		close(p.whole)
	}
}

// restored waits until every partition has acknowledged a record after the session's end, and returns when the last did.
func (p *probe) restored() (last time.Duration) {
	<-p.whole
	p.halt()
	p.working.Wait()
	p.client.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, at := range p.acked {
		last = max(last, at)
	}
	return last
}
