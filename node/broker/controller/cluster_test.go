package controller

import (
	"context"
	"errors"
	"net"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/layout"
)

// ample is more time than anything takes on a machine that is well, however busy it is.
const ample = 2 * time.Minute

// cluster is a set of brokers that have a controller and a session each, but no data: they record what they are told.
type cluster struct {
	t        testing.TB
	address  string
	zk       *zk.Conn // of an onlooker
	settings Settings

	mu    sync.Mutex
	nodes map[int32]*node // the newest of each id
}

func newCluster(t testing.TB) *cluster {
	address := zooKeeper(t)
	c := &cluster{t: t, address: address, zk: connect(t, address, 20*time.Second, net.DialTimeout), nodes: map[int32]*node{}, settings: DefaultSettings()}
	c.settings.AutoLeaderRebalanceEnable = false
	for _, path := range layout.Persistent() {
		c.mkdir(path)
	}
	c.mkdir("/admin")
	return c
}

func (c *cluster) mkdir(path string) {
	for i := 1; i <= len(path); i++ {
		if i == len(path) || path[i] == '/' {
			c.create(path[:i], nil)
		}
	}
}

func (c *cluster) create(path string, data []byte) {
	c.t.Helper()
	if _, err := c.zk.Create(path, data, 0, zk.WorldACL(zk.PermAll)); err != nil && !errors.Is(err, zk.ErrNodeExists) {
		c.t.Fatalf("create %s: %v", path, err)
	}
}

// node is one broker.
type node struct {
	*Controller
	id   int32
	conn *zk.Conn
	stop context.CancelFunc
	done chan struct{}
	net  *cable

	mu       sync.Mutex
	cond     *sync.Cond
	requests []kmsg.Request
	hung     bool
	failStop int16 // error code for deletions
}

// cable is a network connection that can be cut.
type cable struct {
	mu    sync.Mutex
	cut   bool
	conns []net.Conn
}

func (c *cable) dial(network, address string, timeout time.Duration) (net.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut {
		return nil, errors.New("cable is cut")
	}
	conn, err := net.DialTimeout(network, address, timeout)
	if err == nil {
		c.conns = append(c.conns, conn)
	}
	return conn, err
}

func (c *cable) set(cut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut = cut; cut {
		for _, conn := range c.conns {
			conn.Close()
		}
		c.conns = nil
	}
}

// start starts a broker; it is registered when start returns.
func (c *cluster) start(id int32) *node { return c.startSession(id, 20*time.Second) }

func (c *cluster) startSession(id int32, session time.Duration) *node {
	c.t.Helper()
	n := &node{id: id, net: &cable{}, done: make(chan struct{})}
	n.cond = sync.NewCond(&n.mu)
	n.conn = connect(c.t, c.address, session, n.net.dial)
	c.mu.Lock()
	c.nodes[id] = n
	c.mu.Unlock()
	c.register(n)
	n.Controller = New(Config{
		BrokerID: id, ZK: n.conn, Settings: c.settings, Log: testLog(c.t, id),
		Dial: func(_ context.Context, b layout.BrokerRegistration) (Peer, error) {
			c.mu.Lock()
			defer c.mu.Unlock()
			return peer{c.nodes[b.Port-9000]}, nil
		},
	})
	ctx, stop := context.WithCancel(c.t.Context())
	n.stop = stop
	go func() {
		defer close(n.done)
		_ = n.Run(ctx)
	}()
	c.t.Cleanup(func() { c.kill(n) })
	return n
}

func (c *cluster) register(n *node) {
	c.t.Helper()
	port := strconv.Itoa(9000 + int(n.id))
	data := layout.Encode(layout.BrokerRegistration{
		Version: 5, Host: "127.0.0.1", Port: 9000 + n.id, Endpoints: []string{"PLAINTEXT://127.0.0.1:" + port},
		SecurityProtocol: map[string]string{"PLAINTEXT": "PLAINTEXT"}, Features: map[string]any{},
	})
	_, err := n.conn.Multi(
		&zk.CreateRequest{Path: layout.Broker(n.id), Acl: zk.WorldACL(zk.PermAll), Flags: zk.FlagEphemeral},
		&zk.SetDataRequest{Path: layout.Broker(n.id), Data: data},
	)
	if err != nil {
		c.t.Fatalf("register broker %d: %v", n.id, err)
	}
}

// kill ends a broker's process and, at once, its session.
func (c *cluster) kill(n *node) {
	n.stop()
	n.hang(false)
	n.conn.Close()
	<-n.done
}

func (n *node) epoch(t testing.TB) int64 {
	t.Helper()
	_, stat, err := n.conn.Get(layout.Broker(n.id))
	if err != nil {
		t.Fatal(err)
	}
	return stat.Czxid
}

// peer is a connection to a node.
type peer struct{ *node }

func (p peer) Close() {}

func (p peer) Request(ctx context.Context, req kmsg.Request) (kmsg.Response, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	wake := context.AfterFunc(ctx, p.cond.Broadcast)
	defer wake()
	for p.hung && ctx.Err() == nil {
		p.cond.Wait()
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	p.requests = append(p.requests, req)
	p.cond.Broadcast()
	resp := req.ResponseKind()
	if stop, ok := req.(*kmsg.StopReplicaRequest); ok {
		for _, topic := range stop.Topics {
			for _, s := range topic.PartitionStates {
				answer := kmsg.NewStopReplicaResponsePartition()
				answer.Topic, answer.Partition = topic.Topic, s.Partition
				if s.Delete {
					answer.ErrorCode = p.failStop
				}
				resp.(*kmsg.StopReplicaResponse).Partitions = append(resp.(*kmsg.StopReplicaResponse).Partitions, answer)
			}
		}
	}
	return resp, nil
}

func (n *node) hang(hung bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hung = hung
	n.cond.Broadcast()
}

// await blocks until the requests so far fulfil a condition.
func (n *node) await(t testing.TB, what string, fulfilled func([]kmsg.Request) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), ample)
	defer cancel()
	n.mu.Lock()
	defer n.mu.Unlock()
	defer context.AfterFunc(ctx, n.cond.Broadcast)()
	for !fulfilled(n.requests) {
		if ctx.Err() != nil {
			t.Fatalf("broker %d was never told: %s", n.id, what)
		}
		n.cond.Wait()
	}
}

// refuse has deletions fail from now on.
func (n *node) refuse(code int16) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.failStop = code
}

func (n *node) forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.requests = nil
}

func (n *node) told() []kmsg.Request {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.requests)
}

// lastMetadata is the partition in the last UpdateMetadata that names it, nil if there is none.
func lastMetadata(requests []kmsg.Request, topic string, id int32) *kmsg.UpdateMetadataRequestTopicPartition {
	for _, req := range slices.Backward(requests) {
		update, ok := req.(*kmsg.UpdateMetadataRequest)
		if !ok {
			continue
		}
		for _, state := range update.TopicStates {
			for _, p := range state.PartitionStates {
				if state.Topic == topic && p.Partition == id {
					return &p
				}
			}
		}
	}
	return nil
}

// lastLead is the partition in the last LeaderAndIsr that names it, nil if there is none.
func lastLead(requests []kmsg.Request, topic string, id int32) *kmsg.LeaderAndISRRequestTopicPartition {
	for _, req := range slices.Backward(requests) {
		lead, ok := req.(*kmsg.LeaderAndISRRequest)
		if !ok {
			continue
		}
		for _, state := range lead.TopicStates {
			for _, p := range state.PartitionStates {
				if state.Topic == topic && p.Partition == id {
					return &p
				}
			}
		}
	}
	return nil
}

// await blocks until a znode fulfils a condition; data is nil while it does not exist.
func (c *cluster) await(path, what string, fulfilled func(data []byte) bool) {
	c.t.Helper()
	deadline := time.After(ample)
	for {
		exists, _, fired, err := c.zk.ExistsW(path)
		if err != nil {
			c.t.Fatalf("%s: %v", path, err)
		}
		var data []byte
		if exists {
			if data, _, err = c.zk.Get(path); err != nil && !errors.Is(err, zk.ErrNoNode) {
				c.t.Fatalf("%s: %v", path, err)
			}
			if data == nil && err == nil {
				data = []byte{}
			}
		}
		if fulfilled(data) {
			return
		}
		select {
		case <-fired:
		case <-deadline:
			c.t.Fatalf("%s is %q and never became %s", path, data, what)
		}
	}
}

func (c *cluster) awaitGone(path string) {
	c.t.Helper()
	c.await(path, "gone", func(data []byte) bool { return data == nil })
}

// state is what an onlooker sees of a partition.
type seen struct {
	Leader, Epoch int32
	ISR           []int32
}

func (c *cluster) awaitState(topic string, id int32, want seen) {
	c.t.Helper()
	c.await(layout.State(topic, id), "what was expected", func(data []byte) bool {
		s, err := layout.Decode[layout.PartitionState]("", data)
		return err == nil && s.Leader == want.Leader && s.LeaderEpoch == want.Epoch && slices.Equal(s.ISR, want.ISR)
	})
}

// awaitController blocks until a broker is the controller, in an epoch.
func (c *cluster) awaitController(n *node, epoch int) {
	c.t.Helper()
	c.await(layout.Controller, "broker "+strconv.Itoa(int(n.id)), func(data []byte) bool {
		r, err := layout.Decode[layout.ControllerRegistration]("", data)
		return err == nil && r.BrokerID == n.id
	})
	c.await(layout.ControllerEpoch, strconv.Itoa(epoch), func(data []byte) bool { return string(data) == strconv.Itoa(epoch) })
}

func (c *cluster) createTopic(name string, replicas ...[]int32) {
	c.t.Helper()
	assignment := withTopicID(layout.NewTopicAssignment("", replicas))
	c.create(layout.EntityConfig("topics", name), layout.Encode(layout.EntityConfiguration{Version: 1, Config: map[string]string{}}))
	c.create(layout.Topic(name), layout.Encode(assignment))
}

func (c *cluster) topicID(name string) [16]byte {
	c.t.Helper()
	data, _, err := c.zk.Get(layout.Topic(name))
	if err != nil {
		c.t.Fatal(err)
	}
	a, err := layout.Decode[layout.TopicAssignment]("", data)
	if err != nil {
		c.t.Fatal(err)
	}
	id, _ := parseTopicID(a.TopicID)
	return id
}

// three starts brokers 1, 2 and 3, the first of which is the controller, and the topic t1 of the recorded traces.
func three(t testing.TB) (*cluster, map[int32]*node) {
	c := newCluster(t)
	nodes := map[int32]*node{}
	for id := range int32(3) {
		nodes[id+1] = c.start(id + 1)
		if id == 0 {
			c.awaitController(nodes[1], 1)
		}
	}
	for _, n := range nodes {
		n.await(t, "three live brokers", func(all []kmsg.Request) bool {
			return slices.ContainsFunc(all, func(req kmsg.Request) bool {
				update, ok := req.(*kmsg.UpdateMetadataRequest)
				return ok && len(update.LiveBrokers) == 3
			})
		})
	}
	return c, nodes
}
