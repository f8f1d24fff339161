package ui

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"kdrill/admin"
	"kdrill/cluster"
	"kdrill/themes"
)

// Node is one node as its supervisor and the cluster show it, together.
type Node struct {
	Name        string
	Coordinator bool
	ID          int32 // broker id, -1 for coordinators
	Address     string
	State       string // in sync, paused, exited by signal 9 …
	Look        themes.Role
	Role        string // controller, leader, follower; empty otherwise
	PID         int
	Up          time.Duration // 0 while it does not run or where nobody knows
	RSS         int64
	CPU         time.Duration
	Restarts    int
	LogBytes    int64 // -1 unknown
	Leads       int   // partitions
	Holds       int   // replicas
	Session     time.Duration
	Problem     string    // one sentence, empty if there is none
	Quorum      string    // KRaft: how it takes part in the quorum, one line
	Answered    time.Time // its last answer, zero never
}

// Nodes joins what the supervisor and the snapshot know: brokers by id, then coordinators.
func Nodes(d Data) []Node {
	var nodes []Node
	known := map[string]bool{}
	var held map[int32]admin.Load
	if d.Snapshot != nil {
		held = d.Snapshot.Loads()
	}
	if d.Status != nil {
		for _, n := range d.Status.Nodes {
			nodes = append(nodes, supervised(d, n, held))
			known[n.Name] = true
		}
	}
	if d.Snapshot == nil {
		return nodes
	}
	for i := range d.Snapshot.Brokers {
		b := &d.Snapshot.Brokers[i]
		if known[Broker(b.ID)] {
			continue
		}
		n := Node{Name: Broker(b.ID), ID: b.ID, Quorum: d.Snapshot.Standing(b.ID), Address: net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port)))}
		n.fromBroker(d, b, held)
		nodes = append(nodes, n)
	}
	if len(known) == 0 {
		for i, c := range slices.Concat(d.Snapshot.Coordinators, d.Snapshot.Observers) {
			if c.ID > 0 && isBroker(d.Snapshot, c.ID) {
				continue
			}
			n := Node{Name: fmt.Sprintf("coordinator-%d", i+1), Coordinator: true, ID: -1, Address: c.Address, LogBytes: -1}
			if c.ID > 0 {
				n.Name, n.Quorum = KRaftName(d, c), d.Snapshot.Standing(c.ID)
			}
			n.fromCoordinator(c)
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// KRaftName is how a member of a KRaft quorum appears: as its supervisor calls it, else by its part. An observer that is no
// registered broker may be one that is on its way, or a controller without a vote.
func KRaftName(d Data, c admin.Coordinator) string {
	if d.Status != nil {
		for _, n := range d.Status.Nodes {
			if n.ID == int(c.ID) {
				return n.Name
			}
		}
	}
	if c.Role == "observer" && !isBroker(d.Snapshot, c.ID) {
		return fmt.Sprintf("observer-%d", c.ID)
	}
	return d.Snapshot.NameOf(c.ID)
}

// isBroker says whether a controller is a broker too.
func isBroker(s *admin.Snapshot, id int32) bool {
	_, is := s.Broker(id)
	return is
}

func supervised(d Data, s cluster.NodeStatus, held map[int32]admin.Load) Node {
	n := Node{
		Name: s.Name, ID: int32(s.ID), Address: s.Address, PID: s.PID, RSS: s.RSS, CPU: s.CPU, Restarts: s.Restarts, LogBytes: -1,
		Session: s.Session, Coordinator: s.Role != cluster.Broker,
	}
	if d.Snapshot != nil {
		n.Quorum = d.Snapshot.Standing(int32(s.ID))
	}
	if s.PID > 0 && !s.Started.IsZero() {
		n.Up = max(d.Now.Sub(s.Started), time.Second)
	}
	if n.Coordinator {
		n.ID = -1
		n.State, n.Look = "serving", themes.Text
		if d.Snapshot != nil {
			for _, c := range d.Snapshot.Coordinators {
				if c.Address == s.Address || c.ID > 0 && int(c.ID) == s.ID {
					n.fromCoordinator(c)
				}
			}
		}
	} else {
		n.State, n.Look = "serving", themes.Text
		if d.Snapshot != nil {
			if b, ok := d.Snapshot.Broker(n.ID); ok {
				n.fromBroker(d, b, held)
			} else {
				n.State, n.Look = "not registered", themes.Warn
			}
		}
	}
	if s.State != cluster.Serving {
		n.Role = ""
		n.State, n.Look = string(s.State), themes.Warn
		switch s.State {
		case cluster.Exited, cluster.BackOff:
			n.Look = themes.Bad
			if s.Exit != "" {
				n.State += " " + s.Exit
			}
		case cluster.Stopped:
			n.Look = themes.Dim
		}
		n.Problem = s.Reason
	}
	return n
}

// fromBroker says how the cluster sees the broker.
func (n *Node) fromBroker(d Data, b *admin.Broker, held map[int32]admin.Load) {
	n.LogBytes, n.Answered = b.LogBytes, b.Answered
	has := held[b.ID]
	n.Leads, n.Holds = has.Leads, has.Replicas
	switch {
	case !b.Registered:
		n.State, n.Look = "not registered", themes.Bad
	case b.Error != "":
		n.State, n.Look, n.Problem = "does not answer", themes.Warn, b.Error
	case has.Behind > 0:
		n.State, n.Look = fmt.Sprintf("behind in %d", has.Behind), themes.Warn
	default:
		n.State, n.Look = "in sync", themes.Text
	}
	if d.Snapshot.Controller == n.ID {
		n.Role = "controller"
	}
}

func (n *Node) fromCoordinator(c admin.Coordinator) {
	n.Answered = c.Answered
	switch {
	case c.Error != "":
		n.State, n.Look, n.Problem = "does not answer", themes.Warn, c.Error
	case c.Role == "":
		n.State, n.Look = "not serving", themes.Warn
	default:
		n.State, n.Look, n.Role = "serving", themes.Text, c.Role
	}
}

// Port is the address without a loopback host.
func (n Node) Port() string {
	host, port, err := net.SplitHostPort(n.Address)
	if err == nil && (host == "127.0.0.1" || host == "localhost" || host == "::1" || strings.HasPrefix(host, "127.")) {
		return ":" + port
	}
	return n.Address
}

// RawNode is all that is known of a node, nil if it is not known.
func RawNode(d Data, name string) any {
	all := map[string]any{}
	if n, ok := d.Node(name); ok {
		all["process"] = n
	}
	for _, n := range Nodes(d) {
		if n.Name != name || d.Snapshot == nil {
			continue
		}
		if b, ok := d.Snapshot.Broker(n.ID); ok {
			all["broker"] = b
		}
		for _, c := range d.Snapshot.Coordinators {
			if n.Coordinator && c.Address == n.Address {
				all["coordinator"] = c
			}
		}
	}
	if len(all) == 0 {
		return nil
	}
	return all
}
