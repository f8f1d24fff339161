package txn

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/broker/led"
	"kdrill/node/log"
)

// A Store holds __transaction_state. Append returns once the batch is committed (acks=all), with errors of package
// kerr; epoch is the leader epoch that Lead named. Read iterates over the batches of a partition, as raw bytes.
type Store interface {
	Append(ctx context.Context, partition, epoch int32, batch []byte) error
	Read(partition int32) iter.Seq2[[]byte, error]
}

// Config is what a Coordinator needs of its broker.
type Config struct {
	PartitionFor func(id string) int32 // of __transaction_state; -1 while the topic does not exist
	Store        Store
	// ProducerID takes a producer id that was never used.
	ProducerID func(ctx context.Context) (int64, error)
	// Leader is who leads a partition, -1 if nobody does now; known is false if there is no such partition.
	Leader func(topic string, partition int32) (id int32, known bool)
	// GroupPartition is the partition of __consumer_offsets where a group's offsets go.
	GroupPartition func(group string) (at int32, ok bool)
	// Mark sends markers to a broker.
	Mark     func(ctx context.Context, broker int32, req *kmsg.WriteTxnMarkersRequest) (*kmsg.WriteTxnMarkersResponse, error)
	Settings Settings
	Log      *slog.Logger
}

// OffsetsTopic is where offsets that are part of a transaction go.
const OffsetsTopic = "__consumer_offsets"

// A Coordinator coordinates the transactional ids of those partitions of __transaction_state that this broker leads.
type Coordinator struct {
	cfg      Config
	led      *led.Partitions[*transaction]
	outboxes outboxes
}

// A partition is one that this broker leads.
type partition = led.Partition[*transaction]

// A transaction is a transactional id with its state.
type transaction struct {
	id        string
	partition *partition
	turn      sync.Mutex // held from a decision until it is in the log; taken before mu

	mu sync.Mutex
	m  metadata
}

// New makes a coordinator that leads nothing yet.
func New(cfg Config) *Coordinator {
	c := &Coordinator{cfg: cfg, outboxes: outboxes{waiting: map[int32][]*parcel{}}}
	c.led = led.New(led.Config[*transaction]{What: "transactional ids", Load: c.load, Log: cfg.Log})
	return c
}

// Run aborts transactions that take too long and forgets ids that nobody uses, until the context ends.
func (c *Coordinator) Run(ctx context.Context) error {
	defer c.led.Close()
	abort, expire := time.NewTicker(c.cfg.Settings.AbortInterval), time.NewTicker(c.cfg.Settings.ExpireInterval)
	defer abort.Stop()
	defer expire.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-abort.C:
			c.abortOverdue(time.Now())
		case <-expire.C:
			c.expire(time.Now())
		}
	}
}

// Lead begins to coordinate the transactional ids of a partition: they are loaded in the background, and requests for
// them get COORDINATOR_LOAD_IN_PROGRESS meanwhile.
func (c *Coordinator) Lead(number, epoch int32) { c.led.Lead(number, epoch) }

// Resign stops coordinating the transactional ids of a partition.
func (c *Coordinator) Resign(number int32) { c.led.Resign(number) }

// find returns what is known of a transactional id, nil if nothing is.
func (c *Coordinator) find(id string) (*partition, *transaction, error) {
	if id == "" {
		return nil, nil, kerr.InvalidRequest
	}
	p, err := c.led.Loaded(c.cfg.PartitionFor(id))
	if err != nil {
		return nil, nil, err
	}
	p.Mu.Lock()
	defer p.Mu.Unlock()
	if p.Ctx.Err() != nil { // what was known is gone
		return nil, nil, kerr.NotCoordinator
	}
	return p, p.Items[id], nil
}

// known is find for ids that have to be known.
func (c *Coordinator) known(id string) (*transaction, error) {
	_, t, err := c.find(id)
	if err == nil && t == nil {
		err = kerr.InvalidProducerIDMapping
	}
	return t, err
}

// open finds a transactional id, or makes it, without a producer yet.
func (c *Coordinator) open(id string) (*transaction, error) {
	p, t, err := c.find(id)
	if err != nil || t != nil {
		return t, err
	}
	p.Mu.Lock()
	defer p.Mu.Unlock()
	if t = p.Items[id]; t == nil {
		t = &transaction{id: id, partition: p, m: metadata{producer: nobody, last: nobody}}
		p.Items[id] = t
	}
	return t, nil
}

// now is the current state.
func (t *transaction) now() metadata {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.m
}

// store makes a state the current one once it is in the log. Needs turn.
func (c *Coordinator) store(t *transaction, next metadata) error {
	if err := c.append(t, next.record(t.id)); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.m = next
	return nil
}

// append writes a record about a transactional id and waits until it is committed. The error is what a client is told.
func (c *Coordinator) append(t *transaction, r log.Record) error {
	p := t.partition
	ctx, cancel := context.WithTimeout(p.Ctx, c.cfg.Settings.CommitTimeout)
	defer cancel()
	err := c.cfg.Store.Append(ctx, p.Number, p.Epoch(), log.EncodeBatch(r))
	switch {
	case err == nil:
		return nil
	case p.Ctx.Err() != nil, is(err, kerr.NotLeaderForPartition, kerr.FencedLeaderEpoch, kerr.KafkaStorageError):
		return kerr.NotCoordinator
	case is(err, kerr.UnknownTopicOrPartition, kerr.NotEnoughReplicas, kerr.NotEnoughReplicasAfterAppend, kerr.RequestTimedOut, context.DeadlineExceeded):
		return kerr.CoordinatorNotAvailable
	}
	c.cfg.Log.Error("transaction not stored", "transactional_id", t.id, "err", err)
	return kerr.UnknownServerError
}

func is(err error, any ...error) bool {
	for _, e := range any {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// code is an error as the protocol numbers it.
func code(err error) int16 {
	if err == nil {
		return 0
	}
	if k, ok := errors.AsType[*kerr.Error](err); ok {
		return k.Code
	}
	return kerr.UnknownServerError.Code
}
