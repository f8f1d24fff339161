package compare

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"kdrill/cluster"
	"kdrill/testdata/need"
)

// equalTimeouts are the settings of both engines in the drill.
var equalTimeouts = map[cluster.Role]map[string]string{cluster.Broker: {
	"zookeeper.session.timeout.ms": "6000", "replica.lag.time.max.ms": "10000", "auto.leader.rebalance.enable": "false",
}}

// step is one fault of the drill. It returns the node that it hit.
type step struct {
	name string
	hit  func(c *drillCluster) string
	back func(c *drillCluster, node string) // undoes it
}

func verb(verb string, who func(*drillCluster) string) func(*drillCluster) string {
	return func(c *drillCluster) string {
		node := who(c)
		c.run(verb, node, "--yes")
		return node
	}
}

func restart(c *drillCluster, node string) { c.run("restart", node, "--yes") }

var steps = []step{
	{"kill -9 a follower", verb("kill", (*drillCluster).follower), restart},
	{"kill -9 the leader", verb("kill", (*drillCluster).leader), restart},
	{"kill -9 the controller", verb("kill", (*drillCluster).controller), restart},
	{"SIGTERM the leader", verb("stop", (*drillCluster).leader), restart},
	{"SIGSTOP the leader for 12 s", verb("pause", (*drillCluster).leader), func(c *drillCluster, node string) { c.run("resume", node, "--yes") }},
	{"kill -9 a coordinator", verb("kill", func(c *drillCluster) string { return c.coordinator(false) }), restart},
	{"kill -9 the coordinators' leader", verb("kill", func(c *drillCluster) string { return c.coordinator(true) }), restart},
}

// faultTime is how long a node stays away: long enough for its session to end, and for a halted one to be replaced.
const faultTime = 12 * time.Second

// BenchmarkDrill plays the drill on both engines and prints what happened side by side.
func BenchmarkDrill(b *testing.B) {
	jars := need.Kafka(b, need.Kafka3)
	for b.Loop() {
		reference := drill(b, jars, "apache-"+need.Kafka3)
		ours := drill(b, jars, cluster.Embedded)
		fmt.Print("\n", sideBySide(reference, ours)) // a benchmark's own log is cut short
	}
}

// outcome is what one step did.
type outcome struct {
	step   string
	events []happened
	client string // what a producing and a consuming client saw
}

// happened is an event without what differs from run to run.
type happened struct {
	what  string
	after time.Duration
}

type drillCluster struct {
	*local
	admin *kadm.Client
}

func drill(b *testing.B, jars, engine string) (outcomes []outcome) {
	state := b.TempDir()
	c := &drillCluster{local: &local{t: b, env: append(os.Environ(), "XDG_STATE_HOME="+state)}}
	c.run("engine", "add", jars)
	spec := cluster.NewSpec(cluster.DefaultName, 3, 3, cluster.Brisk)
	spec.Engine, spec.Settings = engine, equalTimeouts
	if _, err := cluster.Create(filepath.Join(state, "kdrill"), spec); err != nil {
		b.Fatal(err)
	}
	defer c.run("down", "--purge", "--yes")
	c.run("up", "--timeout", "10m")
	client, err := kgo.NewClient(kgo.SeedBrokers(c.status().Bootstrap...))
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	c.admin = kadm.NewClient(client)
	c.fresh()
	for _, s := range steps {
		outcomes = append(outcomes, c.play(s))
	}
	return append(outcomes, c.recreate())
}

// fresh makes the topic of the drill: one partition, in sync on all brokers.
func (c *drillCluster) fresh() {
	eventually(c.t, "the topic is created", func() bool {
		_, _, err := c.try("topic", "create", "orders", "--partitions", "1", "--replication-factor", "3", "--config", "min.insync.replicas=2")
		return err == nil
	})
	c.whole()
}

func (c *drillCluster) whole() {
	eventually(c.t, "all replicas are in sync", func() bool { p, err := c.partition(); return err == nil && len(p.ISR) == 3 })
}

func (c *drillCluster) partition() (kadm.PartitionDetail, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	topics, err := c.admin.ListTopics(ctx, "orders")
	if err != nil {
		return kadm.PartitionDetail{}, err
	}
	return topics["orders"].Partitions[0], topics["orders"].Err
}

func (c *drillCluster) leader() string {
	var leader int32
	eventually(c.t, "orders/0 has a leader", func() bool {
		p, err := c.partition()
		leader = p.Leader
		return err == nil && leader > 0
	})
	return fmt.Sprintf("broker-%d", leader)
}

func (c *drillCluster) controller() string {
	var id int32
	eventually(c.t, "there is a controller", func() bool {
		m, err := c.admin.BrokerMetadata(context.Background())
		id = m.Controller
		return err == nil && id > 0
	})
	return fmt.Sprintf("broker-%d", id)
}

// follower is a broker that neither leads nor controls.
func (c *drillCluster) follower() string {
	brokers := []string{"broker-1", "broker-2", "broker-3"}
	leader, controller := c.leader(), c.controller()
	return brokers[slices.IndexFunc(brokers, func(b string) bool { return b != leader && b != controller })]
}

func (c *drillCluster) coordinator(leads bool) (name string) {
	eventually(c.t, "the coordinators have a leader", func() bool {
		for _, n := range c.status().Nodes {
			mode, err := cluster.Mode(context.Background(), n.Address)
			if n.Role == cluster.Coordinator && err == nil && (mode == "leader") == leads {
				name = n.Name
				return true
			}
		}
		return false
	})
	return name
}

// play does one step with clients at work, and reads what happened from the timeline.
func (c *drillCluster) play(s step) outcome {
	clients := startClients(c.t, c.status().Bootstrap)
	names := c.names()
	began := time.Now()
	node := s.hit(c)
	time.Sleep(faultTime)
	s.back(c, node)
	c.whole()
	eventually(c.t, node+" serves", func() bool {
		status := c.status()
		n, _ := status.Node(node)
		return n.State == cluster.Serving
	})
	time.Sleep(2 * time.Second) // what trails behind
	o := outcome{step: s.name, client: clients.stop()}
	events := c.events(began)
	if fault := slices.IndexFunc(events, func(e cluster.Event) bool { return e.Kind == cluster.KindFault }); fault >= 0 {
		began = events[fault].At
	}
	for _, e := range events {
		if h, ok := normalise(e, names, node, began); ok {
			o.events = append(o.events, h)
		}
	}
	return o
}

// recreate deletes the topic and makes it again.
func (c *drillCluster) recreate() outcome {
	began := time.Now()
	c.run("topic", "delete", "orders", "--yes")
	c.fresh()
	time.Sleep(2 * time.Second)
	o := outcome{step: "delete and recreate the topic", client: "-"}
	for _, e := range c.events(began) {
		if strings.HasPrefix(e.Kind, "topic-") {
			o.events = append(o.events, happened{e.Kind, e.At.Sub(began)})
		}
	}
	return o
}

// names gives every broker its part in the story: L leads orders/0, F and G follow, in the order of assignment.
func (c *drillCluster) names() map[string]string {
	parts := map[string]string{}
	eventually(c.t, "orders/0 has a leader", func() bool {
		p, err := c.partition()
		if err != nil || p.Leader < 0 {
			return false
		}
		followers := []string{"F", "G"}
		for _, id := range p.Replicas {
			part := "L"
			if id != p.Leader {
				part, followers = followers[0], followers[1:]
			}
			parts[fmt.Sprint(id)] = part
		}
		return true
	})
	return parts
}

// normalise drops what is another story, and names brokers by their part; sets are ordered.
func normalise(e cluster.Event, parts map[string]string, node string, began time.Time) (happened, bool) {
	part := func(text string) string {
		if id, ok := strings.CutPrefix(text, "broker-"); ok {
			return parts[id]
		}
		ids := strings.Split(text, ",")
		for i, id := range ids {
			if p, ok := parts[id]; ok {
				ids[i] = p
			}
		}
		slices.Sort(ids)
		return strings.Join(ids, ",")
	}
	h := happened{after: e.At.Sub(began)}
	switch {
	case e.Kind == "session" || e.Kind == "joined":
		h.what = fmt.Sprintf("%s %s", e.Kind, part(e.Subject))
	case e.Kind == "controller":
		h.what = fmt.Sprintf("controller moves, epoch +%d", e.NewEpoch-e.OldEpoch)
	case e.Kind == "coordinator":
		h.what = "coordinators elect"
	case e.Subject == "orders/0" && (e.Kind == "leader" || e.Kind == "offline"):
		h.what = fmt.Sprintf("%s %s -> %s, epoch +%d", e.Kind, part(e.Old), part(e.New), e.NewEpoch-e.OldEpoch)
	case e.Subject == "orders/0" && e.Kind == "isr":
		h.what = fmt.Sprintf("isr %s -> %s", part(e.Old), part(e.New))
	case e.Kind == "exit" && e.Subject == node:
		h.what = "exit"
	default:
		return h, false
	}
	return h, true
}

// sideBySide writes a table: what happened on both, and when; then what only one of them did.
func sideBySide(reference, ours []outcome) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%-32s %-38s %10s %10s %7s\n", "step", "event", "apache", "embedded", "ratio")
	for i, r := range reference {
		mine := slices.Clone(ours[i].events)
		name := r.step
		row := func(what, apache, embedded, ratio string) {
			fmt.Fprintf(&text, "%-32s %-38s %10s %10s %7s\n", name, what, apache, embedded, ratio)
			name = ""
		}
		seconds := func(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }
		for _, e := range r.events {
			at := slices.IndexFunc(mine, func(h happened) bool { return h.what == e.what })
			if at < 0 {
				row(e.what, seconds(e.after), "-", "")
				continue
			}
			row(e.what, seconds(e.after), seconds(mine[at].after), fmt.Sprintf("%.2f", mine[at].after.Seconds()/e.after.Seconds()))
			mine = slices.Delete(mine, at, at+1)
		}
		for _, h := range mine {
			row(h.what, "-", seconds(h.after), "")
		}
		fmt.Fprintf(&text, "%32s clients, apache:   %s\n%32s clients, embedded: %s\n", "", r.client, "", ours[i].client)
	}
	return text.String()
}
