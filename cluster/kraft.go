package cluster

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"path/filepath"
	"strings"

	"kdrill/cluster/apache"
)

// firstController is the id of the first controller in KRaft mode, where all nodes share one row of ids.
const firstController = maxNodes + 1

// maxVoters is how many of the brokers vote where there are no controllers of their own.
const maxVoters = 3

// NewKRaftSpec describes a cluster whose metadata is kept by controllers, or by its first brokers if it has none.
func NewKRaftSpec(name string, controllers, brokers int, timing Timing) Spec {
	s := Spec{Name: name, Mode: KRaft, Timing: timing, Restart: RestartNo, ClusterID: newUUID()}
	for id := range controllers {
		s.add(Controller, firstController+id)
	}
	for id := range brokers {
		s.add(Broker, id+1)
		s.Nodes[len(s.Nodes)-1].Voter = controllers == 0 && id < maxVoters
	}
	return s
}

func (s *Spec) mode() Metadata {
	if s.Mode == "" {
		return ZooKeeper
	}
	return s.Mode
}

// quorumRole is the role of the nodes that keep the metadata, whether there are any or brokers do it.
func (s *Spec) quorumRole() Role {
	if s.mode() == KRaft {
		return Controller
	}
	return Coordinator
}

// voters are the nodes of a KRaft quorum.
func (s *Spec) voters() []Node {
	var voters []Node
	for _, n := range s.Nodes {
		if n.Role == Controller || n.Voter {
			voters = append(voters, n)
		}
	}
	return voters
}

// controllerPort is where a voter listens for other nodes of its cluster.
func (n Node) controllerPort() int {
	if n.Voter {
		return n.Quorum
	}
	return n.Port
}

func (n Node) controllerAddress() string { return fmt.Sprintf("%s:%d", loopback, n.controllerPort()) }

// controllers are where the voters answer, none in ZooKeeper mode.
func (s *Spec) controllers() (addresses []string) {
	for _, n := range s.voters() {
		if n.controllerPort() != 0 {
			addresses = append(addresses, n.controllerAddress())
		}
	}
	return addresses
}

// kraftConfig is the server.properties of a broker, a controller, or of a node that is both.
func kraftConfig(s *Spec, n Node, folder string) *properties {
	p := &properties{}
	roles, listeners := string(n.Role), "CONTROLLER://"+n.Address()
	if n.Role == Broker {
		listeners = "PLAINTEXT://" + n.Address()
	}
	if n.Voter {
		roles, listeners = "broker,controller", listeners+",CONTROLLER://"+n.controllerAddress()
	}
	p.set("process.roles", "%s", roles)
	p.set("node.id", "%d", n.ID)
	p.set("controller.quorum.bootstrap.servers", "%s", strings.Join(s.controllers(), ","))
	p.set("controller.listener.names", "CONTROLLER")
	p.set("listeners", "%s", listeners)
	p.set("listener.security.protocol.map", "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT")
	p.set("log.dirs", "%s", filepath.Join(folder, "data"))
	copySettings(p, s)
	for _, t := range kraftTiming {
		p.set(t.key, "%s", t.in(s.Timing))
	}
	if n.Role == Broker {
		for _, t := range brokerTiming {
			if !zookeeperOnly[t.key] {
				p.set(t.key, "%s", t.in(s.Timing))
			}
		}
	}
	for _, t := range kraftBrokerTiming {
		p.set(t.key, "%s", t.in(s.Timing))
	}
	p.override(s.Settings[n.Role])
	return p
}

// staticVoters is the value of controller.quorum.voters, for a Kafka whose quorum cannot change.
func (s *Spec) staticVoters() string {
	var voters []string
	for _, v := range s.voters() {
		voters = append(voters, fmt.Sprintf("%d@%s", v.ID, v.controllerAddress()))
	}
	return strings.Join(voters, ",")
}

// formatOptions are what the storage of a node is formatted with: the first voters by directory where the quorum may
// change, nothing where the configuration names them.
func (s *Spec) formatOptions(n Node, d apache.Distribution) []string {
	if !d.DynamicQuorum() {
		return nil
	}
	if n.Role != Controller && !n.Voter {
		return []string{"--no-initial-controllers"}
	}
	var voters []string
	for _, v := range s.voters() {
		voters = append(voters, fmt.Sprintf("%d@%s:%s", v.ID, v.controllerAddress(), directoryID(s.ClusterID, v)))
	}
	return []string{"--initial-controllers", strings.Join(voters, ",")}
}

// directoryID is the id of a voter's storage; all voters must know those of the others before any is formatted.
func directoryID(clusterID string, n Node) string {
	sum := sha256.Sum256([]byte(clusterID + " " + n.Name))
	return uuid(sum[:16])
}

func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return uuid(b[:])
}

// uuid writes 16 bytes as Kafka does, but never with a hyphen in front, which its tools would take for an option.
func uuid(b []byte) string {
	b[0] &= 0x7f
	return base64.RawURLEncoding.EncodeToString(b)
}
