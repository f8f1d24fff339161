package compare

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/cluster"
	"kdrill/testdata/need"
	"kdrill/testdata/stage"
)

// equalTimeouts are the settings of both engines in the drill.
var equalTimeouts = map[cluster.Role]map[string]string{cluster.Broker: {
	"zookeeper.session.timeout.ms": "6000", "replica.lag.time.max.ms": "10000", "auto.leader.rebalance.enable": "false",
}}

// parts are the brokers by what they do in a step. Every step has a topic of its own with one partition that L leads, with
// the assignment L, F, C; C is the controller. Where the controller leads, L is C.
type parts struct{ L, F, C, Spare int32 }

func (p parts) name(id int32) string {
	switch id {
	case p.L:
		return "L"
	case p.F:
		return "F"
	case p.C:
		return "C"
	}
	return "S"
}

// step is one fault of the drill.
type step struct {
	name  string
	verb  string
	leads bool // the controller leads the partition
	who   func(*drillCluster, parts) string
	away  time.Duration // how long a halted node stays so, until its session is over; others come back once they are missed
}

func broker(id func(parts) int32) func(*drillCluster, parts) string {
	return func(_ *drillCluster, p parts) string { return fmt.Sprintf("broker-%d", id(p)) }
}

var (
	leader     = broker(func(p parts) int32 { return p.L })
	follower   = broker(func(p parts) int32 { return p.F })
	controller = broker(func(p parts) int32 { return p.C })
)

var steps = []step{
	{"kill -9 a follower", "kill", false, follower, 0},
	{"kill -9 the leader", "kill", false, leader, 0},
	{"kill -9 the controller", "kill", false, controller, 0},
	{"kill -9 the controller, which leads", "kill", true, controller, 0},
	{"SIGTERM the leader", "stop", false, leader, 0},
	{"SIGTERM the controller", "stop", false, controller, 0},
	{"SIGSTOP the leader for 12 s", "pause", false, leader, 12 * time.Second},
	{"kill -9 a coordinator", "kill", false, func(c *drillCluster, _ parts) string { return c.coordinator("follower") }, 0},
	{"kill -9 the coordinators' leader", "kill", false, func(c *drillCluster, _ parts) string { return c.coordinator("leader") }, 0},
}

// BenchmarkDrill plays every step on both engines at the same time and prints what happened side by side. With
// KDRILL_DRILL=FOLDER it keeps what happened there, and the table covers all runs that the folder has.
func BenchmarkDrill(b *testing.B) {
	jars := need.Kafka(b, need.Kafka3)
	folder := os.Getenv("KDRILL_DRILL")
	if folder == "" {
		folder = b.TempDir()
	}
	for b.Loop() {
		r := drill(b, jars)
		data, err := json.Marshal(r)
		if err == nil {
			err = os.WriteFile(filepath.Join(folder, time.Now().Format("150405.000")+".json"), data, 0o644)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	fmt.Print("\n", table(b, folder)) // a benchmark's own log is cut short
}

// drill plays all steps once.
func drill(b *testing.B, jars string) run {
	engines := map[string]string{"apache": "apache-" + need.Kafka3, "embedded": cluster.Embedded}
	clusters, all := map[string]*drillCluster{}, run{}
	var mu sync.Mutex
	// both does something to the two clusters at once, so that the machine is as busy for the one as for the other. A
	// failure ends its goroutine only.
	both := func(do func(engine string)) {
		var working sync.WaitGroup
		for engine := range engines {
			working.Go(func() { do(engine) })
		}
		working.Wait()
		if b.Failed() {
			b.FailNow()
		}
	}
	for engine := range engines {
		clusters[engine] = newDrillCluster(b, jars, engines[engine])
	}
	both(func(engine string) { clusters[engine].open() })
	for _, s := range steps {
		both(func(engine string) {
			o := clusters[engine].play(s)
			mu.Lock()
			defer mu.Unlock()
			all[engine] = append(all[engine], o)
		})
	}
	both(func(engine string) {
		o := clusters[engine].recreate()
		mu.Lock()
		defer mu.Unlock()
		all[engine] = append(all[engine], o)
	})
	for _, c := range clusters {
		c.kafka.Close()
		c.Run("down", "--purge", "--yes")
	}
	return all
}

type drillCluster struct {
	*local
	kafka  *kgo.Client
	admin  *kadm.Client
	topics int // how many the drill has made
}

// newDrillCluster describes a cluster of three brokers and three coordinators.
func newDrillCluster(b *testing.B, jars, engine string) *drillCluster {
	c := &drillCluster{local: &local{stage.New(b, "KAFKA_HEAP_OPTS=")}}
	c.Run("engine", "add", jars)
	spec := cluster.NewSpec(cluster.DefaultName, 3, 3, cluster.Brisk)
	spec.Engine, spec.Settings = engine, equalTimeouts
	if _, err := cluster.Create(c.State, spec); err != nil {
		b.Fatal(err)
	}
	return c
}

func (c *drillCluster) open() {
	c.Run("up", "--timeout", "10m")
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Status().Bootstrap...), kgo.MetadataMinAge(100*time.Millisecond), kgo.RequestTimeoutOverhead(2*time.Second))
	if err != nil {
		c.T.Fatal(err)
	}
	c.kafka, c.admin = client, kadm.NewClient(client)
}

// fresh makes the topic of a step, and says who has which part in it.
func (c *drillCluster) fresh(controllerLeads bool) (topic string, p parts) {
	p.C = c.controller()
	others := slices.DeleteFunc([]int32{1, 2, 3}, func(id int32) bool { return id == p.C })
	p.L, p.F = others[0], others[1]
	assignment := []int32{p.L, p.F, p.C}
	if controllerLeads {
		p.L, p.F, p.Spare = p.C, others[0], others[1]
		assignment = []int32{p.L, p.F, p.Spare}
	}
	c.topics++
	topic = "orders-" + strconv.Itoa(c.topics)
	c.create(topic, assignment)
	return topic, p
}

// create makes a topic of one partition with these replicas, and waits until all are in sync.
func (c *drillCluster) create(topic string, replicas []int32) {
	request := kmsg.NewPtrCreateTopicsRequest()
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = topic, -1, -1
	a := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
	a.Replicas = replicas
	t.ReplicaAssignment = append(t.ReplicaAssignment, a)
	minimum := kmsg.NewCreateTopicsRequestTopicConfig()
	minimum.Name, minimum.Value = "min.insync.replicas", kmsg.StringPtr("2")
	t.Configs = append(t.Configs, minimum)
	request.Topics = append(request.Topics, t)
	eventually(c.T, topic+" is created", func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		response, err := request.RequestWith(ctx, c.kafka)
		if err == nil && response.Topics[0].ErrorCode == 0 {
			return true
		}
		_, err = c.partition(topic) // what exists may just be on its way out
		return err == nil
	})
	c.until(topic, "all replicas are in sync", func(p kadm.PartitionDetail) bool { return p.Leader == replicas[0] && len(p.ISR) == 3 })
}

func (c *drillCluster) partition(topic string) (kadm.PartitionDetail, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	topics, err := c.admin.ListTopics(ctx, topic)
	if err != nil {
		return kadm.PartitionDetail{}, err
	}
	return topics[topic].Partitions[0], topics[topic].Err
}

// until waits for a state of the partition of a topic.
func (c *drillCluster) until(topic, what string, holds func(kadm.PartitionDetail) bool) {
	c.T.Helper()
	eventually(c.T, topic+": "+what, func() bool { p, err := c.partition(topic); return err == nil && holds(p) })
}

func (c *drillCluster) controller() (id int32) {
	eventually(c.T, "there is a controller", func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		m, err := c.admin.BrokerMetadata(ctx)
		id = m.Controller
		return err == nil && id > 0
	})
	return id
}

// coordinator names one that is in a mode.
func (c *drillCluster) coordinator(mode string) (name string) {
	eventually(c.T, "a coordinator is "+mode, func() bool {
		for _, n := range c.Status().Nodes {
			if n.Role != cluster.Coordinator || n.State != cluster.Serving {
				continue
			}
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			is, err := cluster.Mode(ctx, n.Address)
			cancel()
			if err == nil && is == mode {
				name = n.Name
				return true
			}
		}
		return false
	})
	return name
}

// trails is how long the drill waits for what may follow once a step is over.
const trails = 2 * time.Second

// play does one step with clients at work, and reads what happened from the timeline.
func (c *drillCluster) play(s step) outcome {
	topic, p := c.fresh(s.leads)
	node := s.who(c, p)
	clients := startClients(c.T, c.Status().Bootstrap, topic)
	began := time.Now()
	c.Run(s.verb, node, "--yes")
	if s.verb == "pause" {
		time.Sleep(s.away)
		c.Run("resume", node)
	} else {
		c.missed(topic, node)
		c.Run("restart", node, "--yes", "--timeout", patience.String())
	}
	eventually(c.T, node+" serves", func() bool {
		status := c.Status()
		n, _ := status.Node(node)
		return n.State == cluster.Serving
	})
	c.until(topic, "all replicas are in sync", func(p kadm.PartitionDetail) bool { return len(p.ISR) == 3 })
	time.Sleep(trails)
	saw := clients.stop()
	return outcome{Step: s.name, Events: normalise(c.Events(began), p, topic, node), Clients: saw}
}

// missed waits until the cluster has noticed that a node is gone.
func (c *drillCluster) missed(topic, node string) {
	if id, is := strings.CutPrefix(node, "broker-"); is {
		gone, _ := strconv.Atoi(id)
		c.until(topic, node+" is missed", func(p kadm.PartitionDetail) bool {
			return p.Leader >= 0 && p.Leader != int32(gone) && !slices.Contains(p.ISR, int32(gone))
		})
	} else {
		c.coordinator("leader")
	}
	time.Sleep(trails)
}

// recreate deletes a topic and makes it again.
func (c *drillCluster) recreate() outcome {
	topic, p := c.fresh(false)
	began := time.Now()
	c.Run("topic", "delete", topic, "--yes")
	eventually(c.T, topic+" is gone", func() bool { _, err := c.partition(topic); return errors.Is(err, kerr.UnknownTopicOrPartition) })
	c.create(topic, []int32{p.L, p.F, p.C})
	time.Sleep(trails)
	return outcome{Step: "delete and create a topic", Events: normalise(c.Events(began), p, topic, "")}
}
