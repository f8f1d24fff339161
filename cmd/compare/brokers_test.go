package compare

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"kdrill/cluster"
	"kdrill/testdata/need"
	"kdrill/testdata/stage"
)

const (
	recordBytes = 1 << 10
	topicParts  = 6
	warmRecords = 300_000 // of each kind, before anything is measured: a JVM compiles what it runs often
	loadRecords = 300_000
	lasts       = 4    // times that many where nobody waits for followers: a burst would leave them out
	passes      = 3    // how often a topic is read
	paceRate    = 2000 // records a second, where latency is measured
	paceTime    = 15 * time.Second
)

// apacheJVM is what Apache's own script starts a broker with.
const apacheJVM = "-Xmx1G -Xms1G -XX:+UseG1GC -XX:MaxGCPauseMillis=20 -XX:InitiatingHeapOccupancyPercent=35"

// contender is three brokers of one engine, with coordinators of the same kind for both.
type contender struct {
	*local
	engine string
	ready  time.Duration // from "kdrill up" until all brokers serve
	figure map[string][]float64
}

// contenders starts both.
func contenders(b *testing.B) []*contender {
	jars := need.Kafka(b, need.Kafka3)
	both := []*contender{{engine: "embedded"}, {engine: "apache"}}
	for _, c := range both {
		c.local = &local{stage.New(b, "KAFKA_HEAP_OPTS="+apacheJVM)}
		c.figure = map[string][]float64{}
		c.Run("engine", "add", jars)
		began := time.Now()
		c.Run("up", "--broker-engine", c.engine, "--coordinator-engine", "embedded", "--timeout", "5m")
		c.ready = time.Since(began)
		c.forgetful()
	}
	return both
}

// forgetful has brokers delete the files of deleted topics soon, see [contender.topic].
func (c *contender) forgetful() {
	client := c.client()
	defer client.Close()
	soon := "1000"
	_, err := kadm.NewClient(client).AlterBrokerConfigs(context.Background(), []kadm.AlterConfig{{Name: "log.segment.delete.delay.ms", Value: &soon}})
	if err != nil {
		c.T.Fatal(err)
	}
}

func (c *contender) note(figure string, value float64) {
	c.figure[figure] = append(c.figure[figure], value)
}

// client connects; records are sent as they are.
func (c *contender) client(options ...kgo.Opt) *kgo.Client {
	options = append(options, kgo.SeedBrokers(c.bootstrap()...), kgo.ProducerBatchCompression(kgo.NoCompression()))
	client, err := kgo.NewClient(options...)
	if err != nil {
		c.T.Fatal(err)
	}
	return client
}

func (c *contender) bootstrap() []string { return c.Status().Bootstrap }

// topic makes a topic afresh, in sync everywhere, once the files of its predecessor are gone: so that whoever writes next gets page
// cache that was in use before. On a virtual machine, memory that is touched for the first time costs three times as much as all
// that a broker does with a record, and an engine would be measured by which of them that happens to.
func (c *contender) topic(name string, partitions int32) {
	client := c.client()
	defer client.Close()
	admin := kadm.NewClient(client)
	ctx := context.Background()
	_, _ = admin.DeleteTopic(ctx, name)
	eventually(c.T, "files of topic "+name+" are gone", func() bool {
		left, err := filepath.Glob(filepath.Join(c.Status().Directory, "nodes", "broker-*", "data", name+"-*"))
		return err == nil && len(left) == 0
	})
	two := "2"
	eventually(c.T, "topic "+name+" is created", func() bool {
		_, err := admin.CreateTopic(ctx, partitions, 3, map[string]*string{"min.insync.replicas": &two}, name)
		return err == nil
	})
	eventually(c.T, "all replicas are in sync", c.inSync)
}

// payload cannot be compressed.
func payload() []byte {
	value := make([]byte, recordBytes)
	_, _ = rand.Read(value)
	return value
}

// produce writes records as fast as it goes and returns megabytes a second.
func (c *contender) produce(topic string, records int, options ...kgo.Opt) float64 {
	client := c.client(append(options, kgo.DefaultProduceTopic(topic), kgo.MaxBufferedRecords(50_000))...)
	defer client.Close()
	value := payload()
	var failed atomic.Int64
	began := time.Now()
	for range records {
		client.Produce(context.Background(), &kgo.Record{Value: value}, func(_ *kgo.Record, err error) {
			if err != nil {
				failed.Add(1)
			}
		})
	}
	if err := client.Flush(context.Background()); err != nil || failed.Load() > 0 {
		c.T.Fatalf("%s: %d records failed, %v", c.engine, failed.Load(), err)
	}
	return megabytes(records, time.Since(began))
}

func megabytes(records int, took time.Duration) float64 {
	return float64(records) * recordBytes / 1e6 / took.Seconds()
}

// replicated waits until every replica has all records of a topic: all are in sync, so consumers may read up to there then.
func (c *contender) replicated(topic string, records int) {
	client := c.client()
	defer client.Close()
	admin := kadm.NewClient(client)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(time.Minute); ; <-tick.C {
		var readable int64
		ends, err := admin.ListEndOffsets(context.Background(), topic)
		ends.Each(func(o kadm.ListedOffset) { readable += o.Offset })
		switch {
		case err == nil && readable == int64(records):
			return
		case time.Now().After(end):
			c.T.Fatalf("%s: all replicas have %d of %d records, %v", c.engine, readable, records, err)
		}
	}
}

// consume reads a topic from its start, several times, and returns megabytes a second.
func (c *contender) consume(topic string, records int) float64 {
	began := time.Now()
	for range passes {
		client := c.client(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		for read := 0; read < records; {
			read += client.PollFetches(context.Background()).NumRecords()
		}
		client.Close()
	}
	return megabytes(passes*records, time.Since(began))
}

// pace writes at a steady rate while another client reads, and returns how long records took from hand to hand.
func (c *contender) pace(topic string, lasting time.Duration) []time.Duration {
	producer := c.client(kgo.DefaultProduceTopic(topic), kgo.ProducerLinger(0))
	defer producer.Close()
	consumer := c.client(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd()))
	defer consumer.Close()
	total := int(lasting.Seconds() * paceRate)
	began := time.Now()
	var took []time.Duration
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	first := make(chan struct{})
	go func() {
		defer close(done)
		for len(took) < total {
			fetches := consumer.PollFetches(ctx)
			if errors.Is(fetches.Err0(), context.Canceled) {
				return
			}
			now := time.Since(began)
			fetches.EachRecord(func(r *kgo.Record) {
				if at := binary.BigEndian.Uint64(r.Value); at > 0 {
					took = append(took, now-time.Duration(at))
					return
				}
				select {
				case <-first:
				default:
					close(first)
				}
			})
		}
	}()
	value := payload()
	c.reads(producer, first)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	start := time.Now()
	for sent := 0; sent < total; <-tick.C {
		for due := min(total, int(time.Since(start).Seconds()*paceRate)); sent < due; sent++ {
			value := slices.Clone(value)
			binary.BigEndian.PutUint64(value, uint64(time.Since(began)))
			producer.Produce(ctx, &kgo.Record{Value: value}, nil)
		}
	}
	select {
	case <-done:
	case <-time.After(time.Minute):
		c.T.Fatalf("%s: the consumer read only some of %d records", c.engine, total)
	}
	return took
}

// reads writes records without a time until the consumer has seen one.
func (c *contender) reads(producer *kgo.Client, first <-chan struct{}) {
	for {
		if err := producer.ProduceSync(context.Background(), &kgo.Record{Value: make([]byte, 8)}).FirstErr(); err != nil {
			c.T.Fatal(err)
		}
		select {
		case <-first:
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// acksOne waits for nobody but leaders, with as many requests under way as Kafka's own producers have; franz-go's would have one.
var acksOne = []kgo.Opt{kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite(), kgo.MaxProduceRequestsInflightPerBroker(5)}

// round measures everything once.
func (c *contender) round(records int, lasting time.Duration) {
	c.topic("one", topicParts)
	c.phase("produce acks=1", lasts*records, func() float64 {
		began := time.Now()
		speed := c.produce("one", lasts*records, acksOne...)
		c.replicated("one", lasts*records)
		c.note("produce acks=1 until all replicas have it, MB/s", megabytes(lasts*records, time.Since(began)))
		return speed
	})
	c.topic("all", topicParts)
	c.phase("produce acks=all", records, func() float64 { return c.produce("all", records) })
	c.phase("consume", passes*records, func() float64 { return c.consume("all", records) })
	c.phase("fetch", passes*records, func() float64 {
		seen := c.drain("all")
		c.note("fetch p99, ms", seen.Answer[len(seen.Answer)*99/100].Seconds()*1e3)
		return float64(seen.Bytes) / 1e6 / seen.Took.Seconds()
	})
	took := c.pace("all", lasting)
	slices.Sort(took)
	c.note("end to end p50, ms", took[len(took)/2].Seconds()*1e3)
	c.note("end to end p99, ms", took[len(took)*99/100].Seconds()*1e3)
	var rss int64
	for _, n := range c.brokers() {
		rss += n.RSS
	}
	c.note("memory of a broker, MB", float64(rss)/3/1e6)
}

// phase notes how fast something went, and the processor time that it took the brokers: other work on the machine slows
// both engines down, but uses up neither's time.
func (c *contender) phase(name string, records int, run func() float64) {
	before := c.cpu()
	c.note(name+", MB/s", run())
	c.note(name+", CPU s/GB", (c.cpu()-before).Seconds()/(float64(records)*recordBytes/1e9))
}

func (c *contender) brokers() []cluster.NodeStatus {
	return slices.DeleteFunc(c.Status().Nodes, func(n cluster.NodeStatus) bool { return n.Role != cluster.Broker })
}

// cpu is what the three brokers have used so far.
func (c *contender) cpu() (used time.Duration) {
	for _, n := range c.brokers() {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", n.PID))
		if err != nil {
			c.T.Skip("processor times are read from /proc")
		}
		fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
		for _, field := range fields[11:13] { // utime and stime of proc(5), in hundredths of a second
			ticks, err := strconv.Atoi(field)
			if err != nil {
				c.T.Fatal(err)
			}
			used += time.Duration(ticks) * 10 * time.Millisecond
		}
	}
	return used
}

// BenchmarkBrokers compares three embedded brokers with three of Apache's: throughput of producers and consumers, the time
// from hand to hand at a modest rate, memory, and the time until they serve. Rounds alternate between warm clusters.
//
//	go test ./cmd/compare -run '^$' -bench Brokers -benchtime 3x -timeout 30m
func BenchmarkBrokers(b *testing.B) {
	debug.SetGCPercent(400) // the clients' garbage is no concern of the brokers beside them
	both := contenders(b)
	for _, c := range both {
		c.round(warmRecords, 5*time.Second)
		clear(c.figure)
		c.note("start to serving, s", c.ready.Seconds())
	}
	for b.Loop() {
		for _, c := range both {
			c.round(loadRecords, paceTime)
		}
	}
	b.ReportMetric(0, "ns/op")
	fmt.Print("\n", versus(both))
}

// versus writes the medians of all figures side by side.
func versus(both []*contender) string {
	var names []string
	for name := range both[0].figure {
		names = append(names, name)
	}
	slices.Sort(names)
	var text strings.Builder
	fmt.Fprintf(&text, "| | %s | %s | ratio |\n|---|---|---|---|\n", both[0].engine, both[1].engine)
	for _, name := range names {
		ours, theirs := median(both[0].figure[name]), median(both[1].figure[name])
		fmt.Fprintf(&text, "| %s | %.1f | %.1f | %.2f |\n", name, ours, theirs, ours/theirs)
	}
	return text.String()
}

func median(values []float64) float64 {
	values = slices.Sorted(slices.Values(values))
	return values[len(values)/2]
}
