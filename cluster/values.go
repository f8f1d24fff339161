package cluster

import (
	"slices"
	"time"
)

// Role is what a node does in its cluster.
type Role string

// The roles of nodes.
const (
	Broker      Role = "broker"
	Coordinator Role = "coordinator" // ZooKeeper's
	Controller  Role = "controller"  // of KRaft: keeps the metadata that a coordinator keeps elsewhere
)

// Timing names a profile of timeouts.
type Timing string

// The timing profiles: Brisk makes a rehearsal take seconds, Apache keeps Apache's defaults.
const (
	Brisk  Timing = "brisk"
	Apache Timing = "apache"
)

// Metadata says where a cluster keeps its metadata: its mode.
type Metadata string

// The modes of a cluster.
const (
	ZooKeeper Metadata = "zookeeper"
	KRaft     Metadata = "kraft"
)

// State is where a node is in its life, as the supervisor sees it.
type State string

// The states of a node.
const (
	Waiting  State = "waiting"  // it starts as soon as a quorum of coordinators serves
	Starting State = "starting" // its process runs, its port does not serve yet
	Serving  State = "serving"
	Paused   State = "paused"   // SIGSTOP
	Stopping State = "stopping" // SIGTERM sent
	Stopped  State = "stopped"  // ended because somebody asked
	Exited   State = "exited"   // ended by itself or by a kill; not restarted
	BackOff  State = "back-off" // ended, a restart is due
)

// Runs says whether a node in this state has a process.
func (s State) Runs() bool {
	return s == Starting || s == Serving || s == Paused || s == Stopping
}

// NodeStatus is one node as its supervisor sees it.
type NodeStatus struct {
	Name     string        `json:"name"` // broker-1, coordinator-2
	Role     Role          `json:"role"`
	ID       int           `json:"id"`              // broker.id or myid
	Voter    bool          `json:"voter,omitempty"` // a broker that is a KRaft controller too
	Engine   string        `json:"engine"`
	State    State         `json:"state"`
	PID      int           `json:"pid"`     // 0 while it does not run
	Address  string        `json:"address"` // host:port for clients
	Restarts int           `json:"restarts"`
	Since    time.Time     `json:"since"`             // when it entered its state
	Started  time.Time     `json:"started,omitzero"`  // when its process started
	Exit     string        `json:"exit,omitempty"`    // how its last process ended: "signal 9", "status 1"
	Reason   string        `json:"reason,omitempty"`  // last error line of its log when it failed
	RSS      int64         `json:"rss"`               // bytes, 0 while it does not run
	CPU      time.Duration `json:"cpu"`               // processor time used by its process, in nanoseconds
	Log      string        `json:"log"`               // path of its log
	Session  time.Duration `json:"session,omitempty"` // zookeeper.session.timeout.ms of a broker
}

// Status is a cluster as its supervisor sees it.
type Status struct {
	Name      string   `json:"name"`
	Engine    string   `json:"engine"` // embedded, or what differs by role
	Mode      Metadata `json:"mode"`
	Timing    Timing   `json:"timing"`
	PID       int      `json:"pid"` // of the supervisor
	Directory string   `json:"directory"`
	Socket    string   `json:"socket"` // of the supervisor's API
	Restart   Policy   `json:"restart"`
	Bootstrap []string `json:"bootstrap"`
	ZooKeeper string   `json:"zookeeper,omitempty"`
	// ZooKeeperSession is that over which the supervisor's program observes the cluster, 0 while there is none.
	ZooKeeperSession int64        `json:"zookeeper_session,omitempty"`
	Quorum           []string     `json:"quorum,omitempty"` // KRaft: where controllers answer
	Nodes            []NodeStatus `json:"nodes"`            // brokers by id, then coordinators by id
	At               time.Time    `json:"at"`
	// Problem is one sentence when the supervisor cannot be asked, else empty. The rest is then what it said last.
	Problem string `json:"problem,omitempty"`
}

// Node returns a node by name.
func (s *Status) Node(name string) (NodeStatus, bool) {
	i := slices.IndexFunc(s.Nodes, func(n NodeStatus) bool { return n.Name == name })
	if i < 0 {
		return NodeStatus{}, false
	}
	return s.Nodes[i], true
}

// Verb is what can be done to a node.
type Verb string

// The verbs: the first five are faults.
const (
	Kill    Verb = "kill"    // SIGKILL; stays down
	Stop    Verb = "stop"    // SIGTERM: controlled shutdown; stays down
	Pause   Verb = "pause"   // SIGSTOP
	Resume  Verb = "resume"  // SIGCONT
	Restart Verb = "restart" // stop if it runs, then start
	Start   Verb = "start"   // start if it does not run
)

// Event is one line of the cluster's timeline, events.jsonl. It has the shape of the events that package admin
// derives from Kafka, so that one converts to the other.
type Event struct {
	At       time.Time     `json:"at"`
	Kind     string        `json:"kind"`
	Subject  string        `json:"subject"`
	Old      string        `json:"old,omitempty"`
	New      string        `json:"new,omitempty"`
	OldEpoch int32         `json:"old_epoch,omitempty"`
	NewEpoch int32         `json:"new_epoch,omitempty"`
	Note     string        `json:"note,omitempty"`
	Fault    string        `json:"fault,omitempty"`
	Since    time.Duration `json:"since,omitempty"`
	By       string        `json:"by,omitempty"`
}

// The kinds of events that a supervisor writes itself, and the one that closes a fault.
const (
	KindFault     = "fault"
	KindExit      = "exit"
	KindStarted   = "started"
	KindPaused    = "paused"
	KindResumed   = "resumed"
	KindRecovered = "recovered"
)
