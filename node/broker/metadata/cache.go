package metadata

import (
	"context"
	"iter"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// duringDelete stands for the leader of a partition whose topic is being deleted.
const duringDelete = -2

// Cache holds the current cluster.
type Cache struct {
	current atomic.Pointer[Cluster]

	mu      sync.Mutex // guards what follows and changes of current
	epoch   int32      // of the controller that was heard last
	changed chan struct{}
}

// New returns a cache that knows no broker yet.
func New() *Cache {
	c := &Cache{changed: make(chan struct{})}
	c.current.Store(&Cluster{ControllerID: -1})
	return c
}

// Current returns the cluster as the controller told it last.
func (c *Cache) Current() *Cluster { return c.current.Load() }

// Wait blocks until the cluster is as wanted or ctx ends.
func (c *Cache) Wait(ctx context.Context, wanted func(*Cluster) bool) error {
	for {
		c.mu.Lock()
		cluster, changed := c.current.Load(), c.changed
		c.mu.Unlock()
		if wanted(cluster) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// While returns a context that ends, with this cause, once the cluster is not as it has to be any more.
func (c *Cache) While(ctx context.Context, holds func(*Cluster) bool, cause error) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		if c.Wait(ctx, func(now *Cluster) bool { return !holds(now) }) == nil {
			cancel(cause)
		}
	}()
	return ctx, func() { cancel(nil) }
}

// Update takes in what the controller says, versions 0 to 8, and returns the topics that are no more. A controller
// that was replaced is refused with STALE_CONTROLLER_EPOCH.
func (c *Cache) Update(req *kmsg.UpdateMetadataRequest) (deleted []string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if req.ControllerEpoch < c.epoch {
		return nil, kerr.StaleControllerEpoch
	}
	c.epoch = req.ControllerEpoch
	next, deleted := c.current.Load().next(req)
	c.current.Store(next)
	close(c.changed)
	c.changed = make(chan struct{})
	return deleted, nil
}

// next returns the cluster after an update; c stays as it is.
func (c *Cluster) next(req *kmsg.UpdateMetadataRequest) (n *Cluster, deleted []string) {
	n = &Cluster{ControllerID: req.ControllerID, Brokers: brokers(req), Topics: maps.Clone(c.Topics), names: c.names}
	if n.Topics == nil {
		n.Topics = map[string]*Topic{}
	}
	copied := map[string]*Topic{}
	for p := range states(req) {
		t := copied[p.topic]
		if t == nil {
			t = n.Topics[p.topic].clone(p.topic)
			copied[p.topic], n.Topics[p.topic] = t, t
		}
		if p.id != ([16]byte{}) {
			t.ID = p.id
		}
		if p.Leader == duringDelete {
			delete(t.Partitions, p.Partition)
			continue
		}
		t.Partitions[p.Partition] = Partition{
			Leader: p.Leader, LeaderEpoch: p.LeaderEpoch, Replicas: p.Replicas, ISR: p.ISR, Offline: p.OfflineReplicas,
		}
	}
	for name, t := range copied {
		if len(t.Partitions) == 0 {
			delete(n.Topics, name)
			deleted = append(deleted, name)
		}
	}
	if len(copied) > 0 {
		n.names = make(map[[16]byte]string, len(n.Topics))
		for name, t := range n.Topics {
			if t.ID != ([16]byte{}) {
				n.names[t.ID] = name
			}
		}
	}
	return n, deleted
}

func (t *Topic) clone(name string) *Topic {
	if t == nil {
		return &Topic{Name: name, Partitions: map[int32]Partition{}}
	}
	return &Topic{Name: name, ID: t.ID, Partitions: maps.Clone(t.Partitions)}
}

// stated is what a request says of one partition.
type stated struct {
	topic string
	id    [16]byte // zero in older versions
	*kmsg.UpdateMetadataRequestTopicPartition
}

// states yields the partitions of a request, in whichever of its two shapes.
func states(req *kmsg.UpdateMetadataRequest) iter.Seq[stated] {
	return func(yield func(stated) bool) {
		for i := range req.PartitionStates {
			p := &req.PartitionStates[i]
			if !yield(stated{topic: p.Topic, UpdateMetadataRequestTopicPartition: p}) {
				return
			}
		}
		for _, t := range req.TopicStates {
			for i := range t.PartitionStates {
				if !yield(stated{t.Topic, t.TopicID, &t.PartitionStates[i]}) {
					return
				}
			}
		}
	}
}

func brokers(req *kmsg.UpdateMetadataRequest) map[int32]Broker {
	all := make(map[int32]Broker, len(req.LiveBrokers))
	for _, b := range req.LiveBrokers {
		broker := Broker{ID: b.ID, Rack: b.Rack}
		if req.Version == 0 {
			broker.Endpoints = []Endpoint{{"PLAINTEXT", b.Host, b.Port}}
		}
		for _, e := range b.Endpoints {
			name := e.ListenerName
			if name == "" { // version 2 and older name the protocol only
				name = protocols[e.SecurityProtocol&3]
			}
			broker.Endpoints = append(broker.Endpoints, Endpoint{name, e.Host, e.Port})
		}
		all[b.ID] = broker
	}
	return all
}

// protocols are the security protocols by their number.
var protocols = [4]string{"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"}
