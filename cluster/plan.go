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
	files   []file
	program string   // path of an executable
	args    []string // of the program
	first   *errand  // what must have been done once before, nil for nothing
}

// errand is a program that must have succeeded before a node's own one runs for the first time.
type errand struct {
	program string
	args    []string
	proof   string // a path that exists from then on
}

// commandLine is how the process of the plan shows itself to the system.
func (p plan) commandLine() string { return strings.Join(append([]string{p.program}, p.args...), " ") }

// plan says which files a node of this program needs in its folder and with which arguments it runs.
func (e embedded) plan(s *Spec, n Node, folder string) plan {
	if n.Role == Coordinator {
		return plan{
			program: e.program,
			files:   []file{{"zoo.cfg", coordinatorConfig(s, n, folder).String()}, {filepath.Join("data", "myid"), strconv.Itoa(n.ID) + "\n"}},
			args:    []string{"node", "coordinator", "--config", filepath.Join(folder, "zoo.cfg")},
		}
	}
	return plan{
		program: e.program,
		files:   []file{{"server.properties", brokerConfig(s, n, folder).String()}},
		args:    []string{"node", "broker", "--config", filepath.Join(folder, "server.properties")},
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
	p := &properties{}
	p.set("broker.id", "%d", n.ID)
	p.set("listeners", "PLAINTEXT://%s", n.Address())
	p.set("log.dirs", "%s", filepath.Join(folder, "data"))
	p.set("zookeeper.connect", "%s", s.ZooKeeper())
	copySettings(p, s)
	for _, t := range brokerTiming {
		p.set(t.key, "%s", t.in(s.Timing))
	}
	p.set("zookeeper.session.timeout.ms", "%d", s.session().Milliseconds())
	p.override(s.Settings[Broker])
	return p
}

// copySettings say how many copies there are of what is written, as far as there are brokers for them.
func copySettings(p *properties, s *Spec) {
	copies := min(3, len(s.Role(Broker)))
	p.set("default.replication.factor", "%d", copies)
	p.set("min.insync.replicas", "1")
	p.set("offsets.topic.replication.factor", "%d", copies)
	p.set("offsets.topic.num.partitions", "50")
	p.set("transaction.state.log.replication.factor", "%d", copies)
	p.set("transaction.state.log.min.isr", "%d", min(2, copies))
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
	p.set("4lw.commands.whitelist", "ruok, srvr, stat, mntr, cons, dump, wchs")
	if members := s.Role(Coordinator); len(members) > 1 {
		for _, m := range members {
			p.set(fmt.Sprintf("server.%d", m.ID), "%s:%d:%d", loopback, m.Quorum, m.Election)
		}
	}
	p.override(s.Settings[Coordinator])
	return p
}

// ZooKeeper is the connect string of the coordinators, empty where there are none.
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
