package compare

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"kdrill/cluster"
	"kdrill/testdata/need"
)

// startApache starts a cluster that may run Apache Kafka of a version.
func startApache(t testing.TB, version string, upArgs ...string) *local {
	t.Helper()
	jars := need.Kafka(t, version)
	c := &local{t: t, env: append(os.Environ(), "XDG_STATE_HOME="+t.TempDir())}
	c.run("engine", "add", jars)
	t.Cleanup(func() {
		if t.Failed() {
			c.report()
		}
		_, _, _ = c.try("down", "--purge", "--yes")
	})
	c.run(append([]string{"up", "--timeout", "5m"}, upArgs...)...)
	return c
}

// produced says that a record was written to a topic and acknowledged by all replicas in sync.
func (c *local) produced(topic string) {
	c.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.status().Bootstrap...), kgo.DefaultProduceTopic(topic), kgo.RecordDeliveryTimeout(2*time.Minute))
	if err != nil {
		c.t.Fatal(err)
	}
	defer client.Close()
	if err := client.ProduceSync(c.t.Context(), kgo.StringRecord("x")).FirstErr(); err != nil {
		c.t.Fatalf("produce to %s: %v", topic, err)
	}
}

// created waits until a topic can be created: a cluster may just be electing whom to ask.
func (c *local) created(topic string, replicas int) {
	c.t.Helper()
	eventually(c.t, "topic "+topic+" is created", func() bool {
		_, errText, err := c.try("topic", "create", topic, "--partitions", "3", "--replication-factor", fmt.Sprint(replicas))
		return err == nil || strings.Contains(errText, "already exists")
	})
}

// loses kills whoever has a role, and starts it again once the cluster has shown that it works without.
func (c *local) loses(role string, works func()) {
	c.t.Helper()
	var killed string
	eventually(c.t, role+" is killed", func() bool {
		out, _, err := c.try("kill", role, "--yes")
		killed, _, _ = strings.Cut(out, " ")
		return err == nil
	})
	works()
	c.run("restart", killed, "--yes")
	eventually(c.t, killed+" serves again", func() bool {
		status := c.status()
		n, _ := status.Node(killed)
		return n.State == cluster.Serving
	})
	eventually(c.t, "all replicas are in sync again", c.inSync)
}

// inSync says whether every partition has a leader and all its replicas.
func (c *local) inSync() bool {
	client, err := kgo.NewClient(kgo.SeedBrokers(c.status().Bootstrap...))
	if err != nil {
		c.t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(c.t.Context(), 5*time.Second)
	defer cancel()
	topics, err := kadm.NewClient(client).ListTopics(ctx)
	whole := err == nil && len(topics) > 0
	topics.EachPartition(func(p kadm.PartitionDetail) { whole = whole && p.Leader >= 0 && len(p.ISR) == len(p.Replicas) })
	return whole
}

func TestMixedClustersSurviveTheLossOfAnyNode(t *testing.T) {
	for name, engines := range map[string][]string{
		"Apache brokers on embedded coordinators": {"--broker-engine", "apache", "--coordinator-engine", "embedded"},
		"embedded brokers on Apache ZooKeeper":    {"--broker-engine", "embedded", "--coordinator-engine", "apache"},
	} {
		t.Run(name, func(t *testing.T) {
			c := startApache(t, need.Kafka3, append(engines, "--brokers", "2")...)
			c.created("orders", 2)
			c.produced("orders")
			for _, role := range []string{"coordinator-leader", "controller", "leader:orders/0"} {
				c.loses(role, func() { c.produced("orders") })
			}
			c.created("later", 2)
			c.produced("later")
		})
	}
}

func TestAllApacheKeepsItsDataOverARestart(t *testing.T) {
	c := startApache(t, need.Kafka3, "--engine", "apache", "--brokers", "1", "--coordinators", "1")
	c.created("orders", 1)
	c.produced("orders")
	before := c.status()
	c.run("down", "--yes")
	c.run("up", "--timeout", "5m")
	after := c.status()
	if before.Bootstrap[0] != after.Bootstrap[0] || before.ZooKeeper != after.ZooKeeper {
		t.Errorf("ports moved: %v %s, then %v %s", before.Bootstrap, before.ZooKeeper, after.Bootstrap, after.ZooKeeper)
	}
	eventually(t, "the record is read again", func() bool {
		out, _, err := c.try("tail", "orders", "-n", "5")
		return err == nil && strings.Contains(out, "x")
	})
}

func TestKRaftQuorumElectsAnotherLeader(t *testing.T) {
	c := startApache(t, need.Kafka4, "--engine", "apache", "--mode", "kraft", "--brokers", "1", "--coordinators", "3")
	c.created("orders", 1)
	// Twice: the first leader may be gone before the observer has seen who it was.
	c.loses("controller-leader", func() { c.created("later", 1) })
	c.produced("later")
	c.loses("controller-leader", func() { c.created("last", 1) })
	eventually(t, "the timeline names the new leader", func() bool {
		for _, e := range c.events(time.Time{}) {
			if e.Kind == "controller" && strings.HasPrefix(e.Old, "controller-10") && strings.HasPrefix(e.New, "controller-10") {
				return e.NewEpoch > e.OldEpoch
			}
		}
		return false
	})
}

func TestCombinedKRaftNodeServes(t *testing.T) {
	c := startApache(t, need.Kafka3, "--engine", "apache", "--mode", "kraft", "--brokers", "1", "--coordinators", "0")
	c.created("orders", 1)
	c.produced("orders")
	if out := c.run("ps"); strings.Contains(out, "controller-") || strings.Contains(out, "coordinator-") {
		t.Errorf("a combined cluster has other nodes:\n%s", out)
	}
}

// What cannot work is said before anything is started, in one sentence, and leaves nothing behind.
func TestWhatCannotStartIsSaidBefore(t *testing.T) {
	jars := need.Kafka(t, need.Kafka4)
	state := t.TempDir()
	env := append(os.Environ(), "XDG_STATE_HOME="+state)
	try := func(extra []string, args ...string) string {
		_, errText, err := (&local{t: t, env: append(env, extra...)}).try(args...)
		if err == nil {
			t.Errorf("kdrill %s succeeded", strings.Join(args, " "))
		}
		return errText
	}
	if got := try(nil, "up", "--engine", "apache"); !strings.Contains(got, "no Apache Kafka is known: download one") {
		t.Errorf("no engine: %s", got)
	}
	(&local{t: t, env: env}).run("engine", "add", jars)
	for want, c := range map[string]struct{ extra, args []string }{
		"has no ZooKeeper mode: use --mode kraft":   {nil, []string{"up", "--engine", "apache"}},
		"engine apache-4.1.0 has no ZooKeeper mode": {nil, []string{"up", "--engine", "apache-4.1.0"}},
		"nodes keep their metadata in ZooKeeper":    {nil, []string{"up", "--mode", "kraft"}},
		"JVMs would take about":                     {nil, []string{"up", "--engine", "apache", "--mode", "kraft", "--heap", "4000g"}},
		`heap "5": must be a size of at least 32m`:  {nil, []string{"up", "--engine", "apache", "--mode", "kraft", "--heap", "5"}},
		"JAVA_HOME is /nowhere":                     {[]string{"JAVA_HOME=/nowhere"}, []string{"up", "--engine", "apache", "--mode", "kraft"}},
		"no engine apache-3.0.0":                    {nil, []string{"up", "--engine", "apache-3.0.0"}},
	} {
		got := try(c.extra, c.args...)
		if !strings.Contains(got, want) || strings.Count(strings.TrimSpace(got), "\n") > 0 {
			t.Errorf("%v: %q, want one line with %s", c.args, got, want)
		}
		if _, err := os.Stat(filepath.Join(state, "kdrill", "default")); err == nil {
			t.Errorf("%v left a cluster behind", c.args)
		}
	}
}

func TestAJVMThatDiesShowsItsReason(t *testing.T) {
	jars := need.Kafka(t, need.Kafka3)
	state := t.TempDir()
	c := &local{t: t, env: append(os.Environ(), "XDG_STATE_HOME="+state)}
	c.run("engine", "add", jars)
	spec := cluster.NewSpec("default", 1, 1, cluster.Brisk)
	spec.Engine = cluster.Embedded
	spec.Engines = map[cluster.Role]string{cluster.Broker: "apache-" + need.Kafka3}
	spec.Settings = map[cluster.Role]map[string]string{cluster.Broker: {"log.retention.hours": "many"}}
	if _, err := cluster.Create(filepath.Join(state, "kdrill"), spec); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.run("down", "--purge", "--yes") })
	_, errText, err := c.try("up", "--timeout", "5m")
	if err == nil || !strings.Contains(errText, "broker-1 did not start: Invalid value many for configuration log.retention.hours") {
		t.Errorf("%v: %s", err, errText)
	}
}
