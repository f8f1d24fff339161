package cluster

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// file is one file of a node's folder; name may be below it.
type file struct{ name, text string }

// plan is what it takes to run one node.
type plan struct {
	files []file
	args  []string // of the program
}

// planNode says which files a node needs in its folder and with which arguments it runs.
func planNode(s *Spec, n Node, folder string) plan {
	if n.Role == Coordinator {
		return plan{
			files: []file{{"zoo.cfg", coordinatorConfig(s, n, folder).String()}, {filepath.Join("data", "myid"), strconv.Itoa(n.ID) + "\n"}},
			args:  []string{"node", "coordinator", "--config", filepath.Join(folder, "zoo.cfg")},
		}
	}
	return plan{
		files: []file{{"server.properties", brokerConfig(s, n, folder).String()}},
		args:  []string{"node", "broker", "--config", filepath.Join(folder, "server.properties")},
	}
}

// properties is a configuration file in the making: settings in the order of their first mention.
type properties struct {
	keys   []string
	values map[string]string
}

func (p *properties) set(key, format string, args ...any) {
	if p.values == nil {
		p.values = map[string]string{}
	}
	if _, again := p.values[key]; !again {
		p.keys = append(p.keys, key)
	}
	p.values[key] = fmt.Sprintf(format, args...)
}

// override sets what the user wants to be different.
func (p *properties) override(settings map[string]string) {
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		p.set(key, "%s", settings[key])
	}
}

var propertyEscapes = strings.NewReplacer(`\`, `\\`, "\n", `\n`)

func (p *properties) String() string {
	var text strings.Builder
	text.WriteString("# Written by kdrill at every start of the node: put changes under settings: in " + specFile + ".\n")
	for _, key := range p.keys {
		fmt.Fprintf(&text, "%s=%s\n", key, propertyEscapes.Replace(p.values[key]))
	}
	return text.String()
}

func brokerConfig(s *Spec, n Node, folder string) *properties {
	brokers := len(s.Role(Broker))
	copies := min(3, brokers)
	p := &properties{}
	p.set("broker.id", "%d", n.ID)
	p.set("listeners", "PLAINTEXT://%s", n.Address())
	p.set("log.dirs", "%s", filepath.Join(folder, "data"))
	p.set("zookeeper.connect", "%s", s.ZooKeeper())
	p.set("default.replication.factor", "%d", copies)
	p.set("min.insync.replicas", "1")
	p.set("offsets.topic.replication.factor", "%d", copies)
	p.set("offsets.topic.num.partitions", "50")
	p.set("transaction.state.log.replication.factor", "%d", copies)
	p.set("transaction.state.log.min.isr", "%d", min(2, copies))
	for _, t := range brokerTiming {
		p.set(t.key, "%s", t.in(s.Timing))
	}
	p.override(s.Settings[Broker])
	return p
}

func coordinatorConfig(s *Spec, n Node, folder string) *properties {
	p := &properties{}
	for _, t := range coordinatorTiming {
		p.set(t.key, "%s", t.in(s.Timing))
	}
	p.set("dataDir", "%s", filepath.Join(folder, "data"))
	p.set("clientPort", "%d", n.Port)
	p.set("clientPortAddress", loopback)
	p.set("maxClientCnxns", "0") // all clients share one address
	p.set("admin.enableServer", "false")
	p.set("4lw.commands.whitelist", "ruok, srvr, stat, mntr")
	if members := s.Role(Coordinator); len(members) > 1 {
		for _, m := range members {
			p.set(fmt.Sprintf("server.%d", m.ID), "%s:%d:%d", loopback, m.Quorum, m.Election)
		}
	}
	p.override(s.Settings[Coordinator])
	return p
}

// ZooKeeper is the connect string of the coordinators.
func (s *Spec) ZooKeeper() string { return strings.Join(addresses(s.Role(Coordinator)), ",") }

// Bootstrap is where Kafka clients find the cluster.
func (s *Spec) Bootstrap() []string { return addresses(s.Role(Broker)) }

func addresses(nodes []Node) []string {
	var all []string
	for _, n := range nodes {
		if n.Port != 0 {
			all = append(all, n.Address())
		}
	}
	return all
}
