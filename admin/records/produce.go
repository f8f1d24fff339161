package records

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Acks is what counts as written.
type Acks string

// The acknowledgements a producer may ask for.
const (
	AcksNone   Acks = "0"
	AcksLeader Acks = "1"
	AcksAll    Acks = "all"
)

// Produce says how to produce.
type Produce struct {
	Topic       string
	Partition   int32 // -1 = by key, or spread
	Acks        Acks  // all if empty
	Compression string
	Idempotent  bool          // needs AcksAll
	Timeout     time.Duration // to give a record up, 30 s if 0
}

// options turns the values into a client's, or says what is wrong with them.
func (p Produce) options() ([]kgo.Opt, error) {
	opts := []kgo.Opt{
		kgo.DefaultProduceTopic(p.Topic), kgo.DialTimeout(2 * time.Second), kgo.RequestTimeoutOverhead(time.Second),
		kgo.ProduceRequestTimeout(2 * time.Second), // how long a leader that hangs is waited for
		kgo.MetadataMinAge(100 * time.Millisecond), kgo.MaxBufferedRecords(50_000), kgo.UnknownTopicRetries(3),
	}
	timeout := p.Timeout
	if timeout <= 0 {
		timeout = 30 * time.Second
	}
	opts = append(opts, kgo.RecordDeliveryTimeout(timeout))
	switch p.Acks {
	case AcksAll, "":
		opts = append(opts, kgo.RequiredAcks(kgo.AllISRAcks()))
	case AcksLeader:
		opts = append(opts, kgo.RequiredAcks(kgo.LeaderAck()))
	case AcksNone:
		opts = append(opts, kgo.RequiredAcks(kgo.NoAck()))
	default:
		return nil, fmt.Errorf("acks %s: must be 0, 1 or all", p.Acks)
	}
	if p.Idempotent && p.Acks != AcksAll && p.Acks != "" {
		return nil, errors.New("an idempotent producer needs acks all")
	}
	if !p.Idempotent {
		opts = append(opts, kgo.DisableIdempotentWrite())
	}
	codecs := map[string]kgo.CompressionCodec{
		"": kgo.NoCompression(), "none": kgo.NoCompression(), "gzip": kgo.GzipCompression(),
		"snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	codec, ok := codecs[strings.ToLower(p.Compression)]
	if !ok {
		return nil, fmt.Errorf("compression %s: must be none, gzip, snappy, lz4 or zstd", p.Compression)
	}
	opts = append(opts, kgo.ProducerBatchCompression(codec))
	if p.Partition >= 0 {
		opts = append(opts, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	}
	return opts, nil
}

// Producer sends records to one topic.
type Producer struct {
	spec   Produce
	client *kgo.Client
	begun  time.Time

	mu        sync.Mutex
	summary   Summary
	latencies []time.Duration
	first     error
}

// Summary is what a producer achieved.
type Summary struct {
	Sent    int64         `json:"sent"`
	Acked   int64         `json:"acked"`
	Failed  int64         `json:"failed"`
	Bytes   int64         `json:"bytes"` // of acknowledged keys and values
	Elapsed time.Duration `json:"elapsed"`
	Median  time.Duration `json:"median"` // from send to acknowledgement
	P99     time.Duration `json:"p99"`
}

// NewProducer makes a producer over connections with these options.
func NewProducer(spec Produce, opts ...kgo.Opt) (*Producer, error) {
	own, err := spec.options()
	if err != nil {
		return nil, err
	}
	client, err := kgo.NewClient(append(slices.Clone(opts), own...)...)
	if err != nil {
		return nil, err
	}
	return &Producer{spec: spec, client: client, begun: time.Now()}, nil
}

// Send hands a record over; it waits while too many are under way. What becomes of the record goes into the summary.
func (p *Producer) Send(ctx context.Context, r Record) {
	k := &kgo.Record{Partition: p.spec.Partition, Key: r.Key, Value: r.Value, Timestamp: r.Time}
	for _, h := range r.Headers {
		k.Headers = append(k.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	p.mu.Lock()
	p.summary.Sent++
	p.mu.Unlock()
	sent := time.Now()
	p.client.Produce(ctx, k, func(k *kgo.Record, err error) { p.done(k, err, time.Since(sent)) })
}

func (p *Producer) done(k *kgo.Record, err error, took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.summary.Failed++
		if p.first == nil {
			p.first = err
		}
		return
	}
	p.summary.Acked++
	p.summary.Bytes += int64(len(k.Key) + len(k.Value))
	const sampled = 100_000
	if len(p.latencies) < sampled {
		p.latencies = append(p.latencies, took)
	}
}

// Progress is the summary so far.
func (p *Producer) Progress() Summary {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.summary
	s.Elapsed = time.Since(p.begun)
	return s
}

// Close waits until every record is acknowledged or given up, and sums up. It fails if one was not acknowledged.
func (p *Producer) Close(ctx context.Context) (Summary, error) {
	err := p.client.Flush(ctx)
	if err != nil {
		_ = p.client.AbortBufferedRecords(context.WithoutCancel(ctx))
	}
	p.client.Close()
	s := p.Progress()
	p.mu.Lock()
	defer p.mu.Unlock()
	slices.Sort(p.latencies)
	if n := len(p.latencies); n > 0 {
		s.Median, s.P99 = p.latencies[n/2], p.latencies[n*99/100]
	}
	if s.Failed > 0 {
		return s, fmt.Errorf("%d of %d records were not acknowledged: %w", s.Failed, s.Sent, p.first)
	}
	return s, err
}
