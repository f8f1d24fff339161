package admin

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"kdrill/admin/ensemble"
	"kdrill/admin/records"
)

// Client operates a cluster: one call, one answer. Safe for concurrent use.
type Client struct {
	cfg    Config
	peers  *peers
	prober *ensemble.Prober
}

// Dial returns a client of the cluster. It fails within seconds, with a sentence that says what to do, when no
// broker answers.
func Dial(ctx context.Context, cfg Config) (*Client, error) {
	cfg = cfg.withDefaults()
	if cfg.bare() {
		return nil, fmt.Errorf("no broker is registered at ZooKeeper %s: name one with --bootstrap-server host:port", cfg.ZooKeeper)
	}
	p, err := newPeers(cfg)
	if err != nil {
		return nil, err
	}
	p.patience = max(p.deadline, commandPatience)
	c := &Client{cfg: cfg, peers: p, prober: cfg.prober()}
	if _, err := p.metadata(ctx, []string{}); err != nil {
		p.close()
		return nil, unreachable(cfg.Bootstrap, err)
	}
	return c, nil
}

// commandPatience is how long a command waits for the first broker that answers it. Others are asked meanwhile: only where
// none answers does it take that long. An observer, which asks again anyway, says so sooner.
const commandPatience = 5 * time.Second

// Close ends all connections.
func (c *Client) Close() { c.peers.close() }

// operationTimeout is what a broker may take to create, delete or alter something.
const operationTimeout = 5 * time.Second

// Tail returns a reader of one topic.
func (c *Client) Tail(spec records.Spec) (*records.Tail, error) {
	opts, err := c.cfg.clientOptions()
	if err != nil {
		return nil, err
	}
	return records.NewTail(spec, append(opts, kgo.SeedBrokers(c.cfg.Bootstrap...))...), nil
}

// Producer returns a writer to one topic, which has to exist.
func (c *Client) Producer(ctx context.Context, spec records.Produce) (*records.Producer, error) {
	m, err := c.peers.metadata(ctx, []string{spec.Topic})
	if err != nil {
		return nil, unreachable(c.cfg.Bootstrap, err)
	}
	for _, t := range m.Topics {
		if t.ErrorCode == kerr.UnknownTopicOrPartition.Code {
			return nil, fmt.Errorf("there is no topic %s: create it with kdrill topic create %s", spec.Topic, spec.Topic)
		}
		if int(spec.Partition) >= len(t.Partitions) && len(t.Partitions) > 0 {
			return nil, fmt.Errorf("topic %s has no partition %d, only 0 to %d", spec.Topic, spec.Partition, len(t.Partitions)-1)
		}
	}
	opts, err := c.cfg.clientOptions()
	if err != nil {
		return nil, err
	}
	return records.NewProducer(spec, append(opts, kgo.SeedBrokers(c.cfg.Bootstrap...))...)
}
