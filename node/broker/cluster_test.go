package broker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/coordinator"
	"kdrill/node/wire"
	"kdrill/testdata/freeport"
	"kdrill/testdata/lifeline"
	"kdrill/testdata/races"
)

// TestMain makes the test binary a node, too: clusters of tests are real processes.
func TestMain(m *testing.M) {
	roles := map[string]func(context.Context, string, io.Writer) error{"broker": Run, "coordinator": coordinator.Run}
	run, ok := roles[os.Getenv("KDRILL_TEST_NODE")]
	if !ok {
		os.Exit(races.Watched{Tests: m}.Run())
	}
	if limit, err := strconv.ParseUint(os.Getenv("KDRILL_TEST_FILE_SIZE"), 10, 64); err == nil { // stands for a disk that is full
		signal.Ignore(syscall.SIGXFSZ)
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: limit, Max: limit}); err != nil {
			panic(err)
		}
	}
	lifeline.Hold()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// testNode is one process.
type testNode struct {
	role   string
	config string // path
	addr   string
	log    string // path

	process *exec.Cmd
	stderr  bytes.Buffer
	ended   chan struct{}
}

// testCluster is a cluster of real processes on loopback.
type testCluster struct {
	t            testing.TB
	dir          string
	zookeeper    string
	coordinators []*testNode
	brokers      map[int32]*testNode
}

// ample is more time than anything takes on a machine that is well, however busy it is.
const ample = 2 * time.Minute

// sessionTimeout is short, so that a killed broker is noticed soon, yet survives a busy machine.
const sessionTimeout = 2 * time.Second

// startCluster starts coordinators and brokers 1 to n and waits until they are one cluster.
func startCluster(t testing.TB, coordinators, brokers int) *testCluster {
	t.Helper()
	return startClusterWith(t, coordinators, brokers, func(_ *testCluster, _ int32, properties string) string { return properties })
}

// startClusterWith is startCluster with properties that brokers have besides. It asks for them once the coordinators
// serve.
func startClusterWith(t testing.TB, coordinators, brokers int, with func(c *testCluster, id int32, properties string) string) *testCluster {
	t.Helper()
	c := &testCluster{t: t, dir: t.TempDir(), brokers: map[int32]*testNode{}}
	t.Cleanup(c.end)
	ports := freeport.Find(t, 2*coordinators+brokers)
	var members strings.Builder
	for i := range coordinators {
		fmt.Fprintf(&members, "server.%d=127.0.0.1:%d:%d\n", i+1, ports[i], ports[i])
	}
	for i := range coordinators {
		port := ports[coordinators+i]
		text := fmt.Sprintf("tickTime=200\ndataDir=%s\nclientPort=%d\nclientPortAddress=127.0.0.1\n", filepath.Join(c.dir, fmt.Sprint("zoo", i+1)), port)
		if coordinators > 1 {
			text += members.String()
		}
		n := c.node("coordinator", fmt.Sprint("zoo", i+1), text, port)
		if err := os.WriteFile(filepath.Join(c.dir, fmt.Sprint("zoo", i+1), "myid"), fmt.Appendln(nil, i+1), 0o600); err != nil {
			t.Fatal(err)
		}
		c.coordinators = append(c.coordinators, n)
		c.zookeeper += "," + n.addr
		c.start(n)
	}
	c.zookeeper = strings.TrimPrefix(c.zookeeper, ",")
	c.eventually("a coordinator serves", func() bool {
		for _, n := range c.coordinators {
			if bytes.Contains(fourLetters(n.addr, "srvr"), []byte("Mode: ")) {
				return true
			}
		}
		return false
	})
	for i := range brokers {
		id := int32(i + 1)
		c.brokers[id] = c.node("broker", fmt.Sprint("broker", id), with(c, id, c.properties(id, ports[2*coordinators+i])), ports[2*coordinators+i])
		c.start(c.brokers[id])
	}
	c.awaitBrokers(brokers)
	return c
}

func (c *testCluster) properties(id int32, port int) string {
	return fmt.Sprintf(`broker.id=%d
listeners=PLAINTEXT://127.0.0.1:%d
log.dirs=%s
zookeeper.connect=%s
zookeeper.session.timeout.ms=%d
replica.lag.time.max.ms=2000
default.replication.factor=3
min.insync.replicas=2
offsets.topic.num.partitions=8
transaction.state.log.num.partitions=8
group.initial.rebalance.delay.ms=50
group.min.session.timeout.ms=500
kdrill.http.listener=127.0.0.1:0
broker.rack=r%d
replica.selector.class=org.apache.kafka.common.replica.RackAwareReplicaSelector
`, id, port, filepath.Join(c.dir, fmt.Sprint("broker", id), "data"), c.zookeeper, sessionTimeout.Milliseconds(), id)
}

func (c *testCluster) node(role, name, config string, port int) *testNode {
	c.t.Helper()
	dir := filepath.Join(c.dir, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		c.t.Fatal(err)
	}
	n := &testNode{role: role, config: filepath.Join(dir, "config"), addr: fmt.Sprintf("127.0.0.1:%d", port), log: filepath.Join(dir, "log")}
	if err := os.WriteFile(n.config, []byte(config), 0o600); err != nil {
		c.t.Fatal(err)
	}
	return n
}

func (c *testCluster) start(n *testNode, env ...string) {
	c.t.Helper()
	out, err := os.OpenFile(n.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		c.t.Fatal(err)
	}
	defer out.Close()
	n.stderr.Reset()
	n.process = exec.Command(os.Args[0], n.config) // ends with the cluster, not with a context
	n.process.Env = append(append(os.Environ(), "KDRILL_TEST_NODE="+n.role), env...)
	n.process.Stdout, n.process.Stderr = out, &n.stderr
	n.ended = make(chan struct{})
	if err := errors.Join(lifeline.Tie(n.process), n.process.Start()); err != nil {
		c.t.Fatal(err)
	}
	go func() { defer close(n.ended); _ = n.process.Wait() }()
}

// signal sends a signal; await returns how the process ended, within a time that is long for any machine.
func (c *testCluster) signal(n *testNode, s syscall.Signal) {
	c.t.Helper()
	if err := n.process.Process.Signal(s); err != nil {
		c.t.Fatal(err)
	}
}

func (c *testCluster) await(n *testNode) *os.ProcessState {
	c.t.Helper()
	select {
	case <-n.ended:
	case <-time.After(ample):
		c.t.Fatalf("%s still runs", n.config)
	}
	return n.process.ProcessState
}

func (c *testCluster) kill(n *testNode) {
	c.t.Helper()
	c.signal(n, syscall.SIGKILL)
	c.await(n)
}

// end kills what runs and shows the logs if the test failed.
func (c *testCluster) end() {
	all := c.coordinators
	for _, n := range c.brokers {
		all = append(all, n)
	}
	for _, n := range all {
		if n.process != nil {
			_ = n.process.Process.Kill()
			<-n.ended
		}
		if c.t.Failed() {
			text, _ := os.ReadFile(n.log)
			lines := strings.Split(string(text), "\n")
			c.t.Logf("%s %s:\n%s%s", n.role, n.config, strings.Join(lines[max(0, len(lines)-60):], "\n"), n.stderr.String())
		}
	}
}

func (c *testCluster) seeds() (addresses []string) {
	for _, n := range c.brokers {
		addresses = append(addresses, n.addr)
	}
	return addresses
}

// client makes a Kafka client that ends with the test.
func (c *testCluster) client(t testing.TB, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(c.seeds()...), kgo.MetadataMinAge(50 * time.Millisecond), kgo.RetryTimeout(ample),
		kgo.RequestTimeoutOverhead(time.Second), kgo.ProduceRequestTimeout(2 * time.Second), // a paused broker must not hold up tests
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func (c *testCluster) admin(t testing.TB) *kadm.Client { return kadm.NewClient(c.client(t)) }

// create makes a topic and waits until it can be used.
func (c *testCluster) create(t testing.TB, topic string, partitions int32, configs map[string]*string) {
	t.Helper()
	answer, err := c.admin(t).CreateTopic(t.Context(), partitions, 3, configs, topic)
	if err != nil || answer.Err != nil {
		t.Fatalf("create %s: %v %v %s", topic, err, answer.Err, answer.ErrMessage)
	}
	c.awaitPartitions(t, topic, int(partitions))
}

// awaitPartitions waits until every broker knows the leaders of a topic's n partitions. The broker that creates them
// answers when it does.
func (c *testCluster) awaitPartitions(t testing.TB, topic string, n int) {
	t.Helper()
	for _, node := range c.brokers {
		admin := kadm.NewClient(c.client(t, kgo.SeedBrokers(node.addr), kgo.MetadataMinAge(10*time.Millisecond)))
		c.eventually(fmt.Sprintf("%s knows %d partitions of %s", node.addr, n, topic), func() bool {
			meta, err := admin.Metadata(t.Context(), topic)
			led := 0
			for _, p := range meta.Topics[topic].Partitions {
				if p.Leader >= 0 {
					led++
				}
			}
			return err == nil && led == n
		})
	}
}

// partition returns a partition as some broker sees it.
func (c *testCluster) partition(t *testing.T, topic string, partition int32) kadm.PartitionDetail {
	t.Helper()
	meta, err := c.admin(t).Metadata(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	return meta.Topics[topic].Partitions[partition]
}

// awaitBrokers waits until every broker knows n brokers and a controller. It asks each itself: a client that finds
// its own way may answer from what it remembers.
func (c *testCluster) awaitBrokers(n int) {
	c.t.Helper()
	for _, node := range c.brokers {
		c.eventually(fmt.Sprintf("%s knows %d brokers", node.addr, n), func() bool {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			conn, err := wire.Dial(ctx, node.addr, "test")
			if err != nil {
				return false
			}
			defer conn.Close()
			request := kmsg.NewPtrMetadataRequest()
			request.Version, request.Topics = 12, []kmsg.MetadataRequestTopic{}
			response, err := conn.Request(ctx, request)
			return err == nil && len(response.(*kmsg.MetadataResponse).Brokers) == n && response.(*kmsg.MetadataResponse).ControllerID >= 0
		})
	}
}

// awaitISR waits until every partition of a topic has n replicas in sync.
func (c *testCluster) awaitISR(t testing.TB, topic string, n int) {
	t.Helper()
	admin := c.admin(t)
	c.eventually(fmt.Sprintf("%d replicas of %s in sync", n, topic), func() bool {
		meta, err := admin.Metadata(t.Context(), topic)
		if err != nil {
			return false
		}
		parts := meta.Topics[topic].Partitions
		for _, p := range parts {
			if len(p.ISR) != n || p.Leader < 0 {
				return false
			}
		}
		return len(parts) > 0
	})
}

func (c *testCluster) eventually(what string, holds func() bool) {
	c.t.Helper()
	deadline := time.Now().Add(ample)
	for tick := time.NewTicker(20 * time.Millisecond); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			c.t.Fatalf("not within %v: %s", ample, what)
		}
	}
}

// fourLetters asks a coordinator for one of its four-letter words.
func fourLetters(addr, word string) []byte {
	conn, err := net.DialTimeout("tcp", addr, 10*time.Second)
	if err != nil {
		return nil
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	_, _ = conn.Write([]byte(word))
	answer, _ := io.ReadAll(conn)
	return answer
}
