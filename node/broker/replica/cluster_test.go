package replica

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/log"
)

// cluster is some brokers' data planes in one process, connected by calls that go through the wire's encoding, and
// an authority that keeps versioned partition states as a controller does.
type cluster struct {
	t        testing.TB
	settings Settings
	topics   map[string]map[string]string
	brokers  map[int32]*broker

	mu     sync.Mutex
	states map[key]*state
	alters int
	refuse func(*kmsg.AlterPartitionRequest) *kerr.Error
}

// state is what the znode of a partition would hold.
type state struct {
	topicID       [16]byte
	replicas, isr []int32
	leader, epoch int32
	version       int32
}

type broker struct {
	*Replicas
	c      *cluster
	id     int32
	path   string
	epoch  int64
	dir    *log.Dirs
	cancel context.CancelFunc
	done   chan struct{}
	led    chan string // what OnLead and OnResign told

	mu         sync.Mutex
	up, hung   bool
	registered bool
	conns      map[*conn]bool
}

// newCluster starts brokers 1 to n. A test may change its settings before by adjust.
func newCluster(t testing.TB, n int32, adjust ...func(*Settings)) *cluster {
	c := &cluster{t: t, settings: DefaultSettings(), topics: map[string]map[string]string{}, brokers: map[int32]*broker{}, states: map[key]*state{}}
	c.settings.Topic.SegmentBytes = 4 << 20
	c.settings.Topic.IndexBytes = 1 << 20
	for _, do := range adjust {
		do(&c.settings)
	}
	for id := int32(1); id <= n; id++ {
		c.brokers[id] = &broker{c: c, id: id, path: t.TempDir(), conns: map[*conn]bool{}}
		c.brokers[id].start()
	}
	t.Cleanup(func() {
		for _, b := range c.brokers {
			b.kill()
		}
	})
	return c
}

func (b *broker) start() {
	b.c.t.Helper()
	dir, err := log.OpenDirs([]string{filepath.Join(b.path, "a"), filepath.Join(b.path, "b")}, log.Identity{ClusterID: "test", BrokerID: b.id}, slog.New(slog.DiscardHandler))
	if err != nil {
		b.c.t.Fatal(err)
	}
	b.mu.Lock()
	b.epoch++
	b.up, b.registered, b.hung = true, true, false
	b.mu.Unlock()
	b.dir = dir
	b.led = make(chan string, 1000)
	logger := slog.New(slog.DiscardHandler)
	if os.Getenv("REPLICA_LOG") != "" {
		logger = slog.New(slog.NewTextHandler(os.Stderr, nil)).With("broker", b.id)
	}
	b.Replicas = New(Config{
		BrokerID: b.id, BrokerEpoch: func() int64 { return b.epoch }, Dirs: dir, Settings: b.c.settings,
		TopicConfig:    func(topic string) map[string]string { return b.c.topics[topic] },
		Endpoint:       func(id int32) (string, bool) { return fmt.Sprint(id), b.c.alive(id) },
		Alive:          b.c.alive,
		Rack:           b.c.rack,
		Dial:           b.c.dial,
		AlterPartition: b.c.alterPartition,
		OnLead:         func(topic string, p, epoch int32) { b.led <- fmt.Sprintf("lead %s/%d %d", topic, p, epoch) },
		OnResign:       func(topic string, p int32) { b.led <- fmt.Sprintf("resign %s/%d", topic, p) },
		Log:            logger,
	})
	b.Load()
	ctx, cancel := context.WithCancel(context.Background())
	b.cancel, b.done = cancel, make(chan struct{})
	go func() {
		defer close(b.done)
		_ = b.Run(ctx)
	}()
}

// kill ends a broker as SIGKILL does, as far as its directory can tell.
func (b *broker) kill() {
	b.mu.Lock()
	was := b.up
	b.up, b.registered = false, false
	conns := slices.Collect(maps.Keys(b.conns))
	b.mu.Unlock()
	if !was {
		return
	}
	for _, c := range conns {
		c.Close()
	}
	b.cancel()
	<-b.done
	if err := b.dir.Close(false, nil); err != nil {
		b.c.t.Error(err)
	}
}

func (c *cluster) alive(id int32) bool {
	b := c.brokers[id]
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.registered
}

// rack puts brokers with even ids into one rack, the others into none.
func (c *cluster) rack(id int32) string {
	if id%2 == 0 && c.alive(id) {
		return "even"
	}
	return ""
}

// conn is one connection; requests and responses are encoded and decoded.
type conn struct {
	to     *broker
	ctx    context.Context
	cancel context.CancelFunc
}

func (c *cluster) dial(_ context.Context, addr string) (Fetcher, error) {
	var id int32
	if _, err := fmt.Sscan(addr, &id); err != nil {
		return nil, err
	}
	b := c.brokers[id]
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.up {
		return nil, errors.New("connection refused")
	}
	ctx, cancel := context.WithCancel(context.Background())
	conn := &conn{b, ctx, cancel}
	b.conns[conn] = true
	return conn, nil
}

func (c *conn) Close() {
	c.cancel()
	c.to.mu.Lock()
	delete(c.to.conns, c)
	c.to.mu.Unlock()
}

func (c *conn) Request(ctx context.Context, req kmsg.Request) (kmsg.Response, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(c.ctx, func() { cancel(errors.New("connection closed")) })()
	c.to.mu.Lock()
	hung, serving := c.to.hung, c.to.Replicas
	c.to.mu.Unlock()
	if hung {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	resp := serving.serve(ctx, recode(req))
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	out := req.ResponseKind()
	if err := out.ReadFrom(resp.AppendTo(nil)); err != nil {
		return nil, err
	}
	return out, nil
}

func recode(req kmsg.Request) kmsg.Request {
	in := kmsg.RequestForKey(req.Key())
	in.SetVersion(req.GetVersion())
	if err := in.ReadFrom(req.AppendTo(nil)); err != nil {
		panic(err)
	}
	return in
}

func (r *Replicas) serve(ctx context.Context, req kmsg.Request) kmsg.Response {
	switch req := req.(type) {
	case *kmsg.FetchRequest:
		return r.Fetch(ctx, req)
	case *kmsg.ListOffsetsRequest:
		return r.ListOffsets(ctx, req)
	}
	panic(fmt.Sprintf("unexpected request %T", req))
}

// alterPartition is the authority's side: versioned states, changed only by who has seen the last one.
func (c *cluster) alterPartition(_ context.Context, in *kmsg.AlterPartitionRequest) (*kmsg.AlterPartitionResponse, error) {
	req := recode(in).(*kmsg.AlterPartitionRequest)
	resp := req.ResponseKind().(*kmsg.AlterPartitionResponse)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.alters++
	if c.refuse != nil {
		if err := c.refuse(req); err != nil {
			resp.ErrorCode = err.Code
			return resp, nil
		}
	}
	for _, t := range req.Topics {
		out := kmsg.NewAlterPartitionResponseTopic()
		out.TopidID = t.TopicID
		for _, q := range t.Partitions {
			part := kmsg.NewAlterPartitionResponseTopicPartition()
			part.Partition = q.Partition
			s := c.byID(t.TopicID, q.Partition)
			err := c.judge(s, q)
			if err == nil {
				var isr []int32
				for _, m := range q.NewEpochISR {
					isr = append(isr, m.BrokerID)
				}
				if !slices.Equal(isr, s.isr) {
					s.isr = isr
					s.version++
				}
				part.LeaderID, part.LeaderEpoch, part.ISR, part.PartitionEpoch = s.leader, s.epoch, s.isr, s.version
			} else {
				part.ErrorCode = err.Code
			}
			out.Partitions = append(out.Partitions, part)
		}
		resp.Topics = append(resp.Topics, out)
	}
	out := req.ResponseKind().(*kmsg.AlterPartitionResponse)
	return out, out.ReadFrom(resp.AppendTo(nil))
}

func (c *cluster) byID(id [16]byte, partition int32) *state {
	for k, s := range c.states {
		if s.topicID == id && k.Partition == partition {
			return s
		}
	}
	return nil
}

func (c *cluster) judge(s *state, q kmsg.AlterPartitionRequestTopicPartition) *kerr.Error {
	switch {
	case s == nil:
		return kerr.UnknownTopicID
	case q.LeaderEpoch < s.epoch:
		return kerr.FencedLeaderEpoch
	case q.LeaderEpoch > s.epoch:
		return kerr.NotController
	case q.PartitionEpoch != s.version:
		return kerr.InvalidUpdateVersion
	}
	for _, m := range q.NewEpochISR {
		if b := c.brokers[m.BrokerID]; !c.alive(m.BrokerID) || m.BrokerEpoch >= 0 && m.BrokerEpoch != b.epoch {
			return kerr.IneligibleReplica
		}
	}
	return nil
}

// create makes a partition whose first replica leads and whose replicas all are in sync.
func (c *cluster) create(topic string, partition int32, replicas ...int32) key {
	k := key{Topic: topic, Partition: partition}
	id := [16]byte{1}
	copy(id[1:], topic)
	c.mu.Lock()
	c.states[k] = &state{topicID: id, replicas: replicas, isr: slices.Clone(replicas), leader: replicas[0]}
	c.mu.Unlock()
	c.publish(k, replicas...)
	return k
}

// elect makes leader lead, in a new epoch, with this isr.
func (c *cluster) elect(k key, leader int32, isr ...int32) {
	c.mu.Lock()
	s := c.states[k]
	s.leader, s.isr = leader, isr
	s.epoch++
	s.version++
	c.mu.Unlock()
	c.publish(k, s.replicas...)
}

// publish sends the state to brokers, the leader first.
func (c *cluster) publish(k key, to ...int32) {
	c.mu.Lock()
	s := *c.states[k]
	c.mu.Unlock()
	to = slices.Clone(to)
	slices.SortFunc(to, func(a, b int32) int {
		switch s.leader {
		case a:
			return -1
		case b:
			return 1
		}
		return int(a - b)
	})
	for _, id := range to {
		b := c.brokers[id]
		b.mu.Lock()
		up := b.up
		b.mu.Unlock()
		if up {
			if resp := b.LeaderAndISR(c.t.Context(), c.leaderAndISR(k, s, b)); resp.ErrorCode != 0 || resp.Topics[0].Partitions[0].ErrorCode != 0 {
				c.t.Fatalf("LeaderAndIsr to %d: %+v", id, resp)
			}
		}
	}
}

func (c *cluster) leaderAndISR(k key, s state, to *broker) *kmsg.LeaderAndISRRequest {
	req := kmsg.NewPtrLeaderAndISRRequest()
	req.Version, req.ControllerEpoch, req.BrokerEpoch = 7, 1, to.epoch
	t := kmsg.NewLeaderAndISRRequestTopicState()
	t.Topic, t.TopicID = k.Topic, s.topicID
	part := kmsg.NewLeaderAndISRRequestTopicPartition()
	part.Partition, part.Leader, part.LeaderEpoch, part.ISR = k.Partition, s.leader, s.epoch, s.isr
	part.ZKVersion, part.Replicas = s.version, s.replicas
	t.PartitionStates = append(t.PartitionStates, part)
	req.TopicStates = append(req.TopicStates, t)
	return recode(req).(*kmsg.LeaderAndISRRequest)
}

func (c *cluster) state(k key) state {
	c.mu.Lock()
	defer c.mu.Unlock()
	return *c.states[k]
}

// produce sends one batch to a broker and returns its answer.
func (c *cluster) produce(to int32, k key, acks int16, timeout time.Duration, records []byte) kmsg.ProduceResponseTopicPartition {
	req := produceRequest(k, acks, timeout, records)
	resp := c.brokers[to].Produce(c.t.Context(), recode(req).(*kmsg.ProduceRequest))
	return resp.Topics[0].Partitions[0]
}

func produceRequest(k key, acks int16, timeout time.Duration, records []byte) *kmsg.ProduceRequest {
	req := kmsg.NewPtrProduceRequest()
	req.Version, req.Acks, req.TimeoutMillis = 11, acks, int32(timeout.Milliseconds())
	t := kmsg.NewProduceRequestTopic()
	t.Topic = k.Topic
	part := kmsg.NewProduceRequestTopicPartition()
	part.Partition, part.Records = k.Partition, records
	t.Partitions = append(t.Partitions, part)
	req.Topics = append(req.Topics, t)
	return req
}

// mustProduce fails the test unless the batch is acknowledged.
func (c *cluster) mustProduce(to int32, k key, acks int16, values ...string) int64 {
	c.t.Helper()
	got := c.produce(to, k, acks, 10*time.Second, records(values...))
	if got.ErrorCode != 0 {
		c.t.Fatalf("produce to %d: %v", to, kerr.ErrorForCode(got.ErrorCode))
	}
	return got.BaseOffset
}

// consume reads all that a consumer may see.
func (c *cluster) consume(from int32, k key) []string {
	c.t.Helper()
	var values []string
	for at := int64(0); ; {
		req := consumerFetch(k, at)
		resp := c.brokers[from].Fetch(c.t.Context(), recode(req).(*kmsg.FetchRequest))
		part := resp.Topics[0].Partitions[0]
		if part.ErrorCode != 0 {
			c.t.Fatalf("fetch from %d: %v", from, kerr.ErrorForCode(part.ErrorCode))
		}
		if len(part.RecordBatches) == 0 {
			return values
		}
		values = append(values, valuesOf(c.t, part.RecordBatches)...)
		at = nextOffset(part.RecordBatches, at)
	}
}

func consumerFetch(k key, offset int64) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.MaxBytes, req.MinBytes = 12, 10<<20, 1
	t := kmsg.NewFetchRequestTopic()
	t.Topic = k.Topic
	part := kmsg.NewFetchRequestTopicPartition()
	part.Partition, part.FetchOffset, part.PartitionMaxBytes = k.Partition, offset, 1<<20
	t.Partitions = append(t.Partitions, part)
	req.Topics = append(req.Topics, t)
	return req
}

// settle lets the brokers come to rest: two long polls later, everything that was under way has arrived.
func (c *cluster) settle() {
	time.Sleep(3 * c.settings.FetchWaitMax)
	synctest.Wait()
}

// identical fails the test unless the logs of these brokers hold the same bytes.
func (c *cluster) identical(k key, ids ...int32) {
	c.t.Helper()
	first := c.bytes(ids[0], k)
	for _, id := range ids[1:] {
		if !bytes.Equal(first, c.bytes(id, k)) {
			c.t.Errorf("%s: logs of %d (%d bytes) and %d (%d bytes) differ", k, ids[0], len(first), id, len(c.bytes(id, k)))
		}
	}
}

func (c *cluster) bytes(id int32, k key) []byte {
	c.t.Helper()
	l := c.brokers[id].lookup(k).log
	var all []byte
	for at := l.Start(); at < l.End(); {
		b, err := l.Read(at, l.End(), 1<<20, true)
		if err != nil {
			c.t.Fatal(err)
		}
		all = append(all, b...)
		at = nextOffset(b, at)
	}
	return all
}

// marks are the log end and high watermark of a broker's replica.
func (c *cluster) marks(id int32, k key) (end, hw int64) {
	p := c.brokers[id].lookup(k)
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.end, p.hw
}

// producer stamps the batches of an idempotent producer.
type producer struct {
	id       int64
	epoch    int16
	sequence int32
}

func records(values ...string) []byte {
	return producer{id: -1, epoch: -1, sequence: -1}.records(values...)
}

// records is one uncompressed batch.
func (p producer) records(values ...string) []byte {
	b := kmsg.NewRecordBatch()
	b.Magic, b.PartitionLeaderEpoch = 2, -1
	b.NumRecords, b.LastOffsetDelta = int32(len(values)), int32(len(values)-1)
	b.FirstTimestamp, b.MaxTimestamp = time.Now().UnixMilli(), time.Now().UnixMilli()
	b.ProducerID, b.ProducerEpoch, b.FirstSequence = p.id, p.epoch, p.sequence
	for i, v := range values {
		r := kmsg.Record{OffsetDelta: int32(i), Value: []byte(v)}
		size := len(r.AppendTo(nil)) - 1 // without the length, which takes one byte while it is zero
		r.Length = int32(size)
		b.Records = r.AppendTo(b.Records)
	}
	const lengthAt, crcAt, attributesAt = 12, 17, 21
	out := b.AppendTo(nil)
	b.Length = int32(len(out) - lengthAt)
	out = b.AppendTo(nil)
	b.CRC = int32(crc32.Checksum(out[attributesAt:], crc32.MakeTable(crc32.Castagnoli)))
	return b.AppendTo(nil)
}

func valuesOf(t testing.TB, batches []byte) (values []string) {
	t.Helper()
	for raw, err := range log.Batches(batches) {
		if err != nil {
			t.Fatal(err)
		}
		var b kmsg.RecordBatch
		if err := b.ReadFrom(raw); err != nil {
			t.Fatal(err)
		}
		rest := b.Records
		for range b.NumRecords {
			var r kmsg.Record
			if err := r.ReadFrom(rest); err != nil {
				t.Fatal(err)
			}
			values = append(values, string(r.Value))
			rest = rest[len(r.AppendTo(nil)):]
		}
	}
	return values
}
