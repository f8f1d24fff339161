package metadata

import (
	"net"
	"slices"
	"strconv"
)

// Cluster is the cluster at one moment.
type Cluster struct {
	ControllerID int32 // -1 while unknown
	Brokers      map[int32]Broker
	Topics       map[string]*Topic

	names map[[16]byte]string // of topics with an id
}

// Broker is a broker that is alive.
type Broker struct {
	ID        int32
	Rack      *string
	Endpoints []Endpoint
}

// Endpoint is where one of a broker's listeners is reached.
type Endpoint struct {
	Listener string
	Host     string
	Port     int32
}

// Address is what net.Dial takes.
func (e Endpoint) Address() string { return net.JoinHostPort(e.Host, strconv.Itoa(int(e.Port))) }

// Topic is a topic and its partitions.
type Topic struct {
	Name       string
	ID         [16]byte // zero if it has none
	Partitions map[int32]Partition
}

// Partition is the state of one partition. Its slices are read-only.
type Partition struct {
	Leader      int32 // -1 while offline
	LeaderEpoch int32
	Replicas    []int32 // the preferred leader first
	ISR         []int32
	Offline     []int32 // replicas whose log directory failed
}

// Endpoint returns where a broker is reached by a listener; ok is false if it is not alive or lacks the listener.
func (c *Cluster) Endpoint(id int32, listener string) (e Endpoint, ok bool) {
	b := c.Brokers[id]
	i := slices.IndexFunc(b.Endpoints, func(e Endpoint) bool { return e.Listener == listener })
	if i < 0 {
		return Endpoint{}, false
	}
	return b.Endpoints[i], true
}

// Alive says whether a broker is alive.
func (c *Cluster) Alive(id int32) bool { _, ok := c.Brokers[id]; return ok }

// Partition returns one partition.
func (c *Cluster) Partition(topic string, partition int32) (p Partition, ok bool) {
	if t := c.Topics[topic]; t != nil {
		p, ok = t.Partitions[partition]
	}
	return p, ok
}

// TopicName returns the name of a topic by its id.
func (c *Cluster) TopicName(id [16]byte) (name string, ok bool) {
	name, ok = c.names[id]
	return name, ok
}

// Led says whether a topic has count partitions, each with a leader that is alive.
func (c *Cluster) Led(topic string, count int) bool {
	t := c.Topics[topic]
	if t == nil || len(t.Partitions) < count {
		return false
	}
	for _, p := range t.Partitions {
		if !c.Alive(p.Leader) {
			return false
		}
	}
	return true
}

// OfflineReplicas returns the replicas of p that cannot be read.
func (c *Cluster) OfflineReplicas(p Partition) []int32 {
	offline := []int32{}
	for _, id := range p.Replicas {
		if !c.Alive(id) || slices.Contains(p.Offline, id) {
			offline = append(offline, id)
		}
	}
	return offline
}
