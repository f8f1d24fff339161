package compare

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"kdrill/cluster"
	"kdrill/testdata/need"
)

// produced says that a record was written to a topic and acknowledged by all replicas in sync.
func (c *local) produced(topic string) {
	c.T.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Status().Bootstrap...), kgo.DefaultProduceTopic(topic), kgo.RecordDeliveryTimeout(patience),
		kgo.ProduceRequestTimeout(3*time.Second), kgo.RequestTimeoutOverhead(2*time.Second)) // a halted broker never answers
	if err != nil {
		c.T.Fatal(err)
	}
	defer client.Close()
	if err := client.ProduceSync(c.T.Context(), kgo.StringRecord("x")).FirstErr(); err != nil {
		c.T.Fatalf("produce to %s: %v", topic, err)
	}
}

// created waits until a topic can be created: a cluster may just be electing whom to ask.
func (c *local) created(topic string, replicas int) {
	c.T.Helper()
	eventually(c.T, "topic "+topic+" is created", func() bool {
		_, errText, err := c.Try("topic", "create", topic, "--partitions", "3", "--replication-factor", fmt.Sprint(replicas))
		return err == nil || strings.Contains(errText, "already exists")
	})
}

// hit does a fault to whoever has a role and returns the name of the node.
func (c *local) hit(verb, role string) (node string) {
	c.T.Helper()
	eventually(c.T, verb+" "+role, func() bool {
		out, _, err := c.Try(verb, role, "--yes")
		node, _, _ = strings.Cut(out, " ")
		return err == nil
	})
	return node
}

// whole waits until a node serves and every partition has all its replicas.
func (c *local) whole(node string) {
	c.T.Helper()
	eventually(c.T, node+" serves again", func() bool {
		status := c.Status()
		n, _ := status.Node(node)
		return n.State == cluster.Serving
	})
	eventually(c.T, "all replicas are in sync again", c.inSync)
}

// inSync says whether every partition has a leader and all its replicas.
func (c *local) inSync() bool {
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Status().Bootstrap...))
	if err != nil {
		c.T.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(c.T.Context(), 20*time.Second)
	defer cancel()
	topics, err := kadm.NewClient(client).ListTopics(ctx)
	whole := err == nil && len(topics) > 0
	topics.EachPartition(func(p kadm.PartitionDetail) { whole = whole && p.Leader >= 0 && len(p.ISR) == len(p.Replicas) })
	return whole
}

// Whoever is killed, the cluster works on without, and is whole once it is back. Sessions last as long as Apache's own, so
// that none ends because a machine is slow.
func TestApacheBrokersOnEmbeddedCoordinators(t *testing.T) {
	c := startApache(t, need.Kafka3, "--broker-engine", "apache", "--brokers", "3", "--timing", "apache")
	c.created("orders", 3)
	c.produced("orders")
	c.keepSessions(3)
	for _, role := range []string{"controller", "leader:orders/0"} {
		killed := c.hit("kill", role)
		c.produced("orders")
		c.Run("restart", killed, "--yes", "--timeout", patience.String())
		c.whole(killed)
	}
	halted := c.hit("pause", "leader:orders/1")
	c.produced("orders")
	eventually(t, "the others lead without "+halted, func() bool {
		out, _, err := c.Try("topic", "describe", "orders")
		return err == nil && !strings.Contains(out, " "+halted+" ")
	})
	c.Run("resume", halted)
	c.whole(halted)
	c.created("later", 2)
	c.produced("later")
}

// Here the supervisor brings back what was killed.
func TestEmbeddedBrokersOnApacheZooKeeper(t *testing.T) {
	c := startApache(t, need.Kafka3, "--coordinator-engine", "apache", "--brokers", "2", "--restart", "on-abnormal")
	c.created("orders", 2)
	c.produced("orders")
	for _, role := range []string{"coordinator-leader", "controller", "leader:orders/0"} {
		killed := c.hit("kill", role)
		c.produced("orders")
		c.whole(killed)
	}
	c.created("later", 2)
	c.produced("later")
}

func TestAllApacheKeepsItsDataOverARestart(t *testing.T) {
	// While it is down its ports are free, and a cluster of another test would take the usual ones or those up to 900 above.
	port := strconv.Itoa(11_792 + 100*rand.IntN(23))
	c := startApache(t, need.Kafka3, "--engine", "apache", "--brokers", "1", "--coordinators", "1", "--port", port)
	c.created("orders", 1)
	c.produced("orders")
	before := c.Status()
	if log := c.Run("logs", "broker-1", "-n", "1000"); !strings.Contains(log, "[KafkaServer id=1] started") {
		t.Errorf("the broker's log is not shown:\n%s", log)
	}
	c.Run("down", "--yes")
	c.Run("up", "--timeout", patience.String())
	after := c.Status()
	if before.Bootstrap[0] != "127.0.0.1:"+port || before.Bootstrap[0] != after.Bootstrap[0] || before.ZooKeeper != after.ZooKeeper {
		t.Errorf("ports moved: %v %s, then %v %s", before.Bootstrap, before.ZooKeeper, after.Bootstrap, after.ZooKeeper)
	}
	eventually(t, "the record is read again", func() bool {
		out, _, err := c.Try("tail", "orders", "-n", "5")
		return err == nil && strings.Contains(out, "x")
	})
}

func TestKRaftControllersElectAndBrokersJoin(t *testing.T) {
	c := startApache(t, need.Kafka4, "--engine", "apache", "--mode", "kraft", "--brokers", "1", "--coordinators", "3")
	c.created("orders", 1)
	eventually(t, "who leads is seen", func() bool {
		log, _, err := c.Try("logs", "supervisor", "-n", "1000")
		return err == nil && strings.Contains(log, "controller seen")
	})
	began := time.Now()
	killed := c.hit("kill", "controller-leader")
	c.created("later", 1)
	c.produced("later")
	eventually(t, "the timeline names the new leader", func() bool {
		for _, e := range c.Events(began) {
			if e.Kind == "controller" && strings.HasPrefix(e.New, "controller-10") && e.New != killed {
				return true
			}
		}
		return false
	})
	c.Run("add", "broker", "--timeout", patience.String())
	c.created("both", 2)
	halted := c.hit("pause", "leader:both/0")
	c.produced("both")
	c.Run("resume", halted)
	c.whole(halted)
}

func TestCombinedKRaftNodeServes(t *testing.T) {
	c := startApache(t, need.Kafka3, "--engine", "apache", "--mode", "kraft", "--brokers", "1", "--coordinators", "0")
	c.created("orders", 1)
	c.produced("orders")
	if out := c.Run("ps"); strings.Contains(out, "controller-") || strings.Contains(out, "coordinator-") {
		t.Errorf("a combined cluster has other nodes:\n%s", out)
	}
}

func TestAJVMThatDiesShowsItsReason(t *testing.T) {
	c := prepare(t, need.Kafka3)
	spec := cluster.NewSpec("default", 1, 1, cluster.Brisk)
	spec.Engines = map[cluster.Role]string{cluster.Broker: "apache-" + need.Kafka3}
	spec.Settings = map[cluster.Role]map[string]string{cluster.Broker: {"log.retention.hours": "many"}}
	if _, err := cluster.Create(c.State, spec); err != nil {
		t.Fatal(err)
	}
	_, errText, err := c.Try("up", "--timeout", patience.String())
	if err == nil || !strings.Contains(errText, "broker-1 did not start: Invalid value many for configuration log.retention.hours") {
		t.Errorf("%v: %s", err, errText)
	}
}
