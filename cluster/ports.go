package cluster

import (
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"time"
)

// reservation keeps ports from being taken by others: until a node listens on them itself by binding them, and as long as
// the cluster is up by name, since a JVM may take half a minute from its start until it listens.
type reservation struct {
	bound map[int]net.Listener
	named map[int]io.Closer
}

func newReservation() *reservation {
	return &reservation{bound: map[int]net.Listener{}, named: map[int]io.Closer{}}
}

// claim names and binds a port, 0 for any that is free, and returns its number. The name comes first: a port of another
// cluster is not bound even for a moment, in which its node might want to listen.
func (r *reservation) claim(port int) (int, error) {
	mine := r.named[port] != nil
	if err := r.name(port); err != nil {
		return 0, err
	}
	l, err := bind(port)
	if err != nil {
		if !mine {
			r.giveUp(port)
		}
		return 0, err
	}
	port = l.Addr().(*net.TCPAddr).Port
	if err := r.name(port); err != nil { // of any port
		l.Close()
		return 0, err
	}
	r.bound[port] = l
	return port, nil
}

// name takes the name of a port, unless it has it.
func (r *reservation) name(port int) error {
	if r.named[port] != nil || port == 0 {
		return nil
	}
	name, err := takeName(port)
	if err != nil {
		return fmt.Errorf("port %d is that of another cluster that is up: take it down, or change the port in %s while this one is down", port, specFile)
	}
	r.named[port] = name
	return nil
}

// release unbinds the ports of a node, which then can listen on them.
func (r *reservation) release(n Node) {
	for _, port := range n.ports() {
		r.unbind(*port)
	}
}

func (r *reservation) unbind(port int) {
	if l := r.bound[port]; l != nil {
		l.Close()
		delete(r.bound, port)
	}
}

// giveUp lets others have a port.
func (r *reservation) giveUp(port int) {
	r.unbind(port)
	if name := r.named[port]; name != nil {
		name.Close()
		delete(r.named, port)
	}
}

func (r *reservation) close() {
	for port := range r.bound {
		r.unbind(port)
	}
	for port := range r.named {
		r.giveUp(port)
	}
}

func bind(port int) (net.Listener, error) {
	if port != 0 && answers(port) { // some systems let a second listener share the port
		return nil, fmt.Errorf("port %d is in use", port)
	}
	return net.Listen("tcp", net.JoinHostPort(loopback, strconv.Itoa(port)))
}

func answers(port int) bool {
	conn, err := net.DialTimeout("tcp", net.JoinHostPort(loopback, strconv.Itoa(port)), 200*time.Millisecond)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// The ports that Kafka's and ZooKeeper's users expect, for the node with id 1.
const (
	brokerPort   = 9092
	clientPort   = 2181
	quorumPort   = 2888
	electionPort = 3888

	controllerPort = 19092
)

// place is where the port of a node stands in its row.
func (n *Node) place() int {
	if n.Role == Controller {
		return n.ID - firstController
	}
	return n.ID - 1
}

// portSteps is how often a whole row of ports is tried a hundred higher before any free port will do.
const portSteps = 10

// portRow is the ports of one kind: those of nodes with ids 1, 2, 3 follow each other from base on.
type portRow struct {
	role Role
	base int
	port func(*Node) *int
}

func portRows() []portRow {
	return []portRow{
		{Broker, brokerPort, func(n *Node) *int { return &n.Port }},
		{Coordinator, clientPort, func(n *Node) *int { return &n.Port }},
		{Coordinator, quorumPort, func(n *Node) *int { return &n.Quorum }},
		{Coordinator, electionPort, func(n *Node) *int { return &n.Election }},
		{Controller, controllerPort, func(n *Node) *int { return &n.Port }},
		{Broker, controllerPort, func(n *Node) *int { return &n.Quorum }},
	}
}

// PlacePorts gives every port a number, as far from the usual one as first is from 9092. [Spec.Check] says which of them
// there cannot be.
func (s *Spec) PlacePorts(first int) {
	for _, row := range portRows() {
		for i := range s.Nodes {
			if n := &s.Nodes[i]; n.Role == row.role && slices.Contains(n.ports(), row.port(n)) {
				*row.port(n) = row.base + first - brokerPort + n.place()
			}
		}
	}
}

// choosePorts gives a number to every port of the spec that is 0. The usual ports come first; where a cluster lives there
// or is down, a new one moves up by a hundred, with all of its rows: 9192, 9193, 9194 and 2281, 2282, 2283. A node that
// joins later continues its row.
// claim binds a port, 0 for any, and says which it got.
func choosePorts(s *Spec, taken map[int]bool, claim func(int) (int, error), giveUp func(int)) error {
	rows := portRows()
	shift := 0
	if !slices.ContainsFunc(s.Nodes, func(n Node) bool { return n.Port != 0 }) {
		bases := make([]int, len(rows))
		for i, row := range rows {
			bases[i] = row.base
		}
		shift = freeHundred(bases, taken, claim, giveUp)
	}
	for _, row := range rows {
		var open []*Node
		base := row.base + shift
		for i := range s.Nodes {
			n := &s.Nodes[i]
			switch {
			case n.Role != row.role, !slices.Contains(n.ports(), row.port(n)):
			case *row.port(n) == 0:
				open = append(open, n)
			default:
				base = *row.port(n) - n.place() // a node that joins later continues the row
			}
		}
		if err := chooseRow(open, base, row.port, taken, claim, giveUp); err != nil {
			return err
		}
	}
	return nil
}

// neighbours is how many ports of each row must be free for a new cluster to settle there, even if it needs fewer: the
// port of a node that is down belongs to its cluster as long as another node of it runs.
const neighbours = 3

// freeHundred says how far up nobody lives, 0 if everywhere somebody does.
func freeHundred(bases []int, taken map[int]bool, claim func(int) (int, error), giveUp func(int)) int {
	free := func(port int) bool {
		if taken[port] {
			return false
		}
		if _, err := claim(port); err != nil {
			return false
		}
		giveUp(port)
		return true
	}
	for step := range portSteps {
		inhabited := slices.ContainsFunc(bases, func(base int) bool {
			for i := range neighbours {
				if !free(base + step*100 + i) {
					return true
				}
			}
			return false
		})
		if !inhabited {
			return step * 100
		}
	}
	return 0
}

func chooseRow(nodes []*Node, base int, port func(*Node) *int, taken map[int]bool, claim func(int) (int, error), giveUp func(int)) error {
	for step := range portSteps {
		var got []int
		for _, n := range nodes {
			want := base + step*100 + n.place()
			if want < 1024 || want > 65535 || taken[want] {
				break
			}
			p, err := claim(want)
			if err != nil {
				break
			}
			got = append(got, p)
		}
		if len(got) == len(nodes) {
			for i, n := range nodes {
				*port(n) = got[i]
			}
			return nil
		}
		for _, p := range got {
			giveUp(p)
		}
	}
	for _, n := range nodes {
		p, err := claim(0)
		if err != nil {
			return fmt.Errorf("no free port for %s: %w", n.Name, err)
		}
		*port(n) = p
	}
	return nil
}
