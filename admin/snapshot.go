package admin

import (
	"slices"
	"time"
)

// Snapshot is one consistent look at a cluster. It is never changed once it has been sent: share it freely.
//
// Whatever could not be refreshed keeps its last known value beside the time it was read, so that a screen
// can dim it and say how old it is. A zero time means never read.
type Snapshot struct {
	At              time.Time `json:"at"` // when it was assembled
	ClusterID       string    `json:"cluster_id"`
	Mode            Mode      `json:"mode"`
	Controller      int32     `json:"controller"`       // broker id, -1 while there is none
	ControllerEpoch int32     `json:"controller_epoch"` // -1 where it cannot be seen
	Brokers         []Broker  `json:"brokers"`          // by id
	Topics          []*Topic  `json:"topics"`           // by name, internal ones included; one that did not change is that of the snapshot before
	TopicsAt        time.Time `json:"topics_at"`        // when topics, leaders and isr were last read
	Groups          []Group   `json:"groups"`           // by id
	GroupsAt        time.Time `json:"groups_at"`
	// Coordinators are the ZooKeeper nodes, in the order of the connect string; in KRaft mode the controllers, by id.
	Coordinators []Coordinator `json:"coordinators,omitempty"`
	Chroot       string        `json:"chroot,omitempty"` // where in ZooKeeper the cluster's znodes begin, empty for the root
	OwnSession   int64         `json:"-"`                // of the observer with ZooKeeper, 0 while there is none
	Sessions     Sessions      `json:"-"`                // of ZooKeeper, while somebody is interested
	// Observers follow the controllers of KRaft without a vote: brokers, and controllers that have none yet; by id.
	Observers []Coordinator `json:"observers,omitempty"`
	// Watching says that ZooKeeper tells of every change at once. Without it changes are seen by polling.
	Watching bool `json:"watching"`
	// Bare says that there is no Kafka to be seen, only ZooKeeper: no broker was named and none is registered.
	Bare bool `json:"bare,omitempty"`
	// Problem is one sentence when the cluster as a whole cannot be reached, else empty.
	Problem string `json:"problem,omitempty"`

	controllerAt      time.Time // when it was elected, where the cluster recorded it
	formerController  *int32    // the last one seen
	formerCoordinator string    // the last one that led
	watched           bool      // Watching was true once
	loads             *loads    // of Topics; nil if no observer made the snapshot
}

// Mode says where a cluster keeps its metadata.
type Mode string

// The modes of a cluster.
const (
	ModeUnknown   Mode = ""
	ModeZooKeeper Mode = "zookeeper"
	ModeKRaft     Mode = "kraft"
)

// Broker is one broker as the cluster and its own answers show it.
type Broker struct {
	ID         int32     `json:"id"`
	Host       string    `json:"host"`
	Port       int32     `json:"port"`
	Rack       string    `json:"rack,omitempty"`
	Registered bool      `json:"registered"`      // the cluster counts it as a member now
	Epoch      int64     `json:"epoch"`           // czxid of its registration, -1 unknown
	SessionID  int64     `json:"session_id"`      // ZooKeeper session that owns the registration, 0 unknown
	Answered   time.Time `json:"answered"`        // its last answer to a request of ours
	Error      string    `json:"error,omitempty"` // why its last request failed, empty if it answered
	LogBytes   int64     `json:"log_bytes"`       // all its log dirs, -1 unknown
	LogBytesAt time.Time `json:"log_bytes_at"`

	registeredAt time.Time // where the cluster recorded it
	goneAt       time.Time // when its registration was missed first
}

// Answers says whether the broker answered its last request.
func (b Broker) Answers() bool { return b.Error == "" && !b.Answered.IsZero() }

// Topic is one topic with its partitions.
type Topic struct {
	Name       string      `json:"name"`
	ID         string      `json:"id,omitempty"` // 22 characters of URL-safe base64
	Internal   bool        `json:"internal"`
	Partitions []Partition `json:"partitions"` // by id
	// Configs holds what differs from the default, nil until read.
	Configs   map[string]string `json:"configs,omitempty"`
	MinISR    int               `json:"min_isr"`            // min.insync.replicas, 0 unknown
	PerSecond float64           `json:"records_per_second"` // records appended, -1 unknown

	createdAt time.Time // where the cluster recorded it
	sealed    bool      // in a snapshot: nothing changes it any more
	tally     tally     // once it is sealed
}

// Partition is the state of one partition.
type Partition struct {
	ID              int32     `json:"id"`
	Leader          int32     `json:"leader"` // -1 while offline
	LeaderEpoch     int32     `json:"leader_epoch"`
	ControllerEpoch int32     `json:"controller_epoch"` // of the last election, -1 unknown
	PartitionEpoch  int32     `json:"partition_epoch"`  // version of its state znode, -1 unknown
	Replicas        []int32   `json:"replicas"`         // preferred leader first
	ISR             []int32   `json:"isr"`
	ChangedAt       time.Time `json:"changed_at"` // when leader or isr last changed, as the cluster recorded it; zero unknown
	Start           int64     `json:"start"`      // log start offset, -1 unknown
	End             int64     `json:"end"`        // high watermark, -1 unknown
	OffsetsAt       time.Time `json:"offsets_at"`
	Size            int64     `json:"size"` // bytes on its leader, -1 unknown
	SizeAt          time.Time `json:"size_at"`
	PerSecond       float64   `json:"records_per_second"` // -1 unknown
}

// Out returns the replicas that are not in sync, in the order of Replicas.
func (p Partition) Out() []int32 {
	var out []int32
	for _, r := range p.Replicas {
		if !slices.Contains(p.ISR, r) {
			out = append(out, r)
		}
	}
	return out
}

// Offline says whether nobody leads the partition.
func (p Partition) Offline() bool { return p.Leader < 0 }

// UnderReplicated says whether a replica is out of sync.
func (p Partition) UnderReplicated() bool { return len(p.ISR) < len(p.Replicas) }

// Group is one consumer group.
type Group struct {
	ID          string     `json:"id"`
	State       string     `json:"state"` // as Kafka names it: Stable, PreparingRebalance, Empty …
	Protocol    string     `json:"protocol"`
	Coordinator int32      `json:"coordinator"` // broker id, -1 unknown
	Members     []Member   `json:"members"`
	Partitions  []GroupLag `json:"partitions"` // by topic, then partition
	Lag         int64      `json:"lag"`        // sum over partitions, -1 unknown
	At          time.Time  `json:"at"`
	Error       string     `json:"error,omitempty"`
	PerSecond   float64    `json:"records_per_second"` // records consumed, -1 unknown
}

// Member is one member of a group.
type Member struct {
	ID         string             `json:"id"`
	ClientID   string             `json:"client_id"`
	Host       string             `json:"host"`
	InstanceID string             `json:"instance_id,omitempty"`
	Assigned   map[string][]int32 `json:"assigned"` // topic to partitions
}

// GroupLag is how far a group has come in one partition.
type GroupLag struct {
	Topic     string  `json:"topic"`
	Partition int32   `json:"partition"`
	Committed int64   `json:"committed"` // -1 if nothing is committed
	End       int64   `json:"end"`       // -1 unknown
	Lag       int64   `json:"lag"`       // -1 unknown
	Member    string  `json:"member,omitempty"`
	PerSecond float64 `json:"records_per_second"` // records consumed, -1 unknown
}

// Coordinator is one ZooKeeper node as its own answers show it, or a controller of KRaft as the leader of its quorum
// shows it.
type Coordinator struct {
	ID          int32     `json:"id,omitempty"`  // of a controller
	Lag         int64     `json:"lag,omitempty"` // metadata records that a controller is behind the leader
	Address     string    `json:"address"`
	Role        string    `json:"role"` // leader, follower, observer, standalone; empty while it does not serve
	Version     string    `json:"version,omitempty"`
	Zxid        int64     `json:"zxid"` // -1 unknown; the log end offset of a controller
	Connections int       `json:"connections"`
	Outstanding int       `json:"outstanding"`
	Znodes      int       `json:"znodes"`
	LatencyAvg  float64   `json:"latency_avg_ms"`
	Answered    time.Time `json:"answered"`
	Error       string    `json:"error,omitempty"`

	// Details of a ZooKeeper node, while somebody is interested.
	Details *CoordinatorDetails `json:"details,omitempty"`
}

// CoordinatorDetails is what a ZooKeeper node tells beyond the most necessary; -1 where it does not.
type CoordinatorDetails struct {
	LatencyMin float64       `json:"latency_min_ms"`
	LatencyMax float64       `json:"latency_max_ms"`
	Received   int64         `json:"received"` // packets
	Sent       int64         `json:"sent"`
	Learners   int           `json:"learners"`         // followers and observers, of a leader
	Synced     int           `json:"synced_followers"` // of a leader
	Watches    int           `json:"watches"`
	Ephemerals int           `json:"ephemerals"`
	DataBytes  int64         `json:"data_bytes"`
	Uptime     time.Duration `json:"uptime"` // 0 unknown
	// Hidden is one sentence when the node does not tell all of it, naming the setting that would let it.
	Hidden string `json:"hidden,omitempty"`
}

// Topic returns a topic by name.
func (s *Snapshot) Topic(name string) (*Topic, bool) {
	i, ok := slices.BinarySearchFunc(s.Topics, name, byName)
	if !ok {
		return nil, false
	}
	return s.Topics[i], true
}

// Broker returns a broker by id.
func (s *Snapshot) Broker(id int32) (*Broker, bool) {
	i := slices.IndexFunc(s.Brokers, func(b Broker) bool { return b.ID == id })
	if i < 0 {
		return nil, false
	}
	return &s.Brokers[i], true
}

// Group returns a group by id.
func (s *Snapshot) Group(id string) (*Group, bool) {
	i := slices.IndexFunc(s.Groups, func(g Group) bool { return g.ID == id })
	if i < 0 {
		return nil, false
	}
	return &s.Groups[i], true
}
