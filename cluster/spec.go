package cluster

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Spec says what a cluster consists of. It is kept as cluster.yaml, which a user may edit while the cluster is down.
type Spec struct {
	Name      string          `yaml:"name"`
	Engine    string          `yaml:"engine"` // what nodes run whose role Engines does not name
	Engines   map[Role]string `yaml:"engines,omitempty"`
	Mode      Metadata        `yaml:"mode,omitempty"`       // zookeeper if empty
	ClusterID string          `yaml:"cluster_id,omitempty"` // of KRaft
	// Heap of each JVM: a size such as 256m, options such as -Xms1g -Xmx1g, or apache for what Apache's scripts have;
	// small if empty.
	Heap    string `yaml:"heap,omitempty"`
	Timing  Timing `yaml:"timing"`
	Restart Policy `yaml:"restart"`
	Nodes   []Node `yaml:"nodes"` // coordinators by id, then brokers by id
	// Settings are added to the configuration files of a role and win over what the supervisor would write.
	Settings map[Role]map[string]string `yaml:"settings,omitempty"`
}

// Node is one member of a cluster. A port of 0 is chosen when the supervisor starts, and kept from then on.
type Node struct {
	Name     string `yaml:"name"`
	Role     Role   `yaml:"role"`
	ID       int    `yaml:"id"`
	Port     int    `yaml:"port"`               // clients
	Quorum   int    `yaml:"quorum,omitempty"`   // coordinators and voting brokers: from member to member
	Election int    `yaml:"election,omitempty"` // coordinators: votes
	Voter    bool   `yaml:"voter,omitempty"`    // a broker that is a KRaft controller too
}

// Address is where clients reach the node, empty while no port is chosen.
func (n Node) Address() string {
	if n.Port == 0 {
		return ""
	}
	return fmt.Sprintf("%s:%d", loopback, n.Port)
}

// Nothing listens beyond this machine.
const loopback = "127.0.0.1"

// NewSpec describes a cluster of so many nodes with names, ids and settings that stay the same for its life.
func NewSpec(name string, coordinators, brokers int, timing Timing) Spec {
	s := Spec{Name: name, Engine: Embedded, Timing: timing, Restart: RestartNo}
	for id := range coordinators {
		s.add(Coordinator, id+1)
	}
	for id := range brokers {
		s.add(Broker, id+1)
	}
	return s
}

// add appends a node of the role with an id that is free.
func (s *Spec) add(role Role, id int) Node {
	n := Node{Name: fmt.Sprintf("%s-%d", role, id), Role: role, ID: id}
	s.Nodes = append(s.Nodes, n)
	return n
}

// AddBroker appends a broker with the next id.
func (s *Spec) AddBroker() Node {
	next := 0
	for _, n := range s.Role(Broker) {
		next = max(next, n.ID)
	}
	return s.add(Broker, next+1)
}

// Role returns the nodes of one role.
func (s *Spec) Role(role Role) []Node {
	return slices.DeleteFunc(slices.Clone(s.Nodes), func(n Node) bool { return n.Role != role })
}

// Node returns a node by name.
func (s *Spec) Node(name string) (Node, error) {
	i := slices.IndexFunc(s.Nodes, func(n Node) bool { return n.Name == name })
	if i < 0 {
		names := make([]string, len(s.Nodes))
		for i, n := range s.Nodes {
			names[i] = n.Name
		}
		return Node{}, fmt.Errorf("cluster %s has no node %q, it has %s", s.Name, name, strings.Join(names, ", "))
	}
	return s.Nodes[i], nil
}

var validName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

// CheckName says what is wrong with the name of a cluster.
func CheckName(name string) error {
	if !validName.MatchString(name) {
		return fmt.Errorf("cluster name %q: use up to 63 lower-case letters, digits, dots, dashes and underscores", name)
	}
	return nil
}

// maxNodes keeps a mistyped number from filling the machine; ZooKeeper's myid ends at 255 as well.
const maxNodes = 100

// Check says everything that is wrong with the spec, one line each.
func (s *Spec) Check() error {
	errs := []error{CheckName(s.Name)}
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	errs = append(errs, s.checkEngines()...)
	if s.Timing != Brisk && s.Timing != Apache {
		wrong("timing %q: must be %s or %s", s.Timing, Brisk, Apache)
	}
	if _, err := ParsePolicy(string(s.Restart)); err != nil {
		errs = append(errs, err)
	}
	members := len(s.Role(Coordinator))
	if s.mode() == KRaft {
		members = len(s.voters())
	}
	if members < 1 || members > maxNodes {
		wrong("%d %ss: must be 1 to %d", members, s.quorumRole(), maxNodes)
	}
	if b := len(s.Role(Broker)); b < 1 || b > maxNodes {
		wrong("%d brokers: must be 1 to %d", b, maxNodes)
	}
	names, ports := map[string]bool{}, map[int]string{0: ""}
	for _, n := range s.Nodes {
		if n.Name != fmt.Sprintf("%s-%d", n.Role, n.ID) || n.ID < 1 || n.Role != Broker && n.Role != s.quorumRole() {
			wrong("node %q: must be named after its role and id, such as broker-1 or coordinator-1", n.Name)
		}
		if names[n.Name] {
			wrong("node %q is there twice", n.Name)
		}
		names[n.Name] = true
		for _, port := range n.ports() {
			if *port < 0 || *port > 65535 {
				wrong("node %q: port %d is not between 0 and 65535", n.Name, *port)
			}
			if other := ports[*port]; other != "" {
				wrong("node %q: port %d is that of %s", n.Name, *port, other)
			}
			if *port != 0 {
				ports[*port] = n.Name
			}
		}
	}
	return errors.Join(errs...)
}

// ports are the places of the ports that the node listens on.
func (n *Node) ports() []*int {
	switch {
	case n.Role == Coordinator:
		return []*int{&n.Port, &n.Quorum, &n.Election}
	case n.Voter:
		return []*int{&n.Port, &n.Quorum}
	}
	return []*int{&n.Port}
}

func (s *Spec) sort() {
	slices.SortFunc(s.Nodes, func(a, b Node) int {
		return cmp.Or(-strings.Compare(string(a.Role), string(b.Role)), cmp.Compare(a.ID, b.ID))
	})
}

// clone returns a copy whose nodes can be changed.
func (s *Spec) clone() Spec {
	c := *s
	c.Nodes = slices.Clone(s.Nodes)
	return c
}

const specFile = "cluster.yaml"

// readSpec reads and checks the spec of the cluster in dir.
func readSpec(dir string) (Spec, error) {
	path := filepath.Join(dir, specFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Spec{}, fmt.Errorf("%w: %s", ErrNotFound, filepath.Base(dir))
	}
	if err != nil {
		return Spec{}, err
	}
	var s Spec
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	decoder.KnownFields(true)
	if err := decoder.Decode(&s); err != nil {
		return Spec{}, fmt.Errorf("%s: %w", path, err)
	}
	if err := s.Check(); err != nil {
		return Spec{}, fmt.Errorf("%s: %w", path, err)
	}
	if s.Name != filepath.Base(dir) {
		return Spec{}, fmt.Errorf("%s: name %q: the folder says %q", path, s.Name, filepath.Base(dir))
	}
	s.sort()
	return s, nil
}

// writeSpec replaces the spec of the cluster in dir.
func writeSpec(dir string, s Spec) error {
	s.sort()
	data, err := yaml.Marshal(s)
	if err != nil {
		return err
	}
	return replaceFile(filepath.Join(dir, specFile), data, 0o644)
}

// replaceFile writes a file so that readers see the old content or the new one, never a part.
func replaceFile(path string, data []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(mode), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
