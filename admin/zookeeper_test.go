package admin

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"kdrill/testdata/freeport"

	"github.com/go-zookeeper/zk"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/coordinator"
	"kdrill/node/layout"
)

// serveZooKeeper runs a coordinator with these settings until the test ends.
func serveZooKeeper(t *testing.T, settings ...string) (address string) {
	t.Helper()
	at := freeport.One(t)
	address = fmt.Sprintf("127.0.0.1:%d", at)
	dir := t.TempDir()
	path := filepath.Join(dir, "zoo.cfg")
	config := fmt.Sprintf("dataDir=%s\nclientPortAddress=127.0.0.1\nclientPort=%d\n%s\n", dir, at, strings.Join(settings, "\n"))
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	var log bytes.Buffer
	running.Go(func() {
		if err := coordinator.Run(ctx, path, &log); err != nil && ctx.Err() == nil {
			t.Errorf("coordinator: %v\n%s", err, log.String())
		}
	})
	t.Cleanup(func() {
		stop()
		running.Wait()
	})
	return address
}

// startCoordinator runs a coordinator and opens a session with it.
func startCoordinator(t *testing.T) (address string, conn *zk.Conn) {
	t.Helper()
	address = serveZooKeeper(t, "tickTime=500")
	return address, openSession(t, address, 5*time.Second)
}

// openSession opens a session that lasts as long as the test.
func openSession(t *testing.T, address string, timeout time.Duration) *zk.Conn {
	t.Helper()
	conn, events, err := zk.Connect([]string{address}, timeout, zk.WithLogger(quiet{}), zk.WithLogInfo(false))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	limit := time.After(time.Minute)
	for conn.State() != zk.StateHasSession {
		select {
		case <-events:
		case <-limit:
			t.Fatal("no session")
		}
	}
	return conn
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}

// write sets a znode, making it and its parents if they are missing.
func write(t *testing.T, conn *zk.Conn, path string, data []byte, flags int32) {
	t.Helper()
	for i, r := range path {
		if r == '/' && i > 0 {
			if _, err := conn.Create(path[:i], nil, 0, zk.WorldACL(zk.PermAll)); err != nil && err != zk.ErrNodeExists {
				t.Fatal(err)
			}
		}
	}
	_, err := conn.Create(path, data, flags, zk.WorldACL(zk.PermAll))
	if err == zk.ErrNodeExists {
		_, err = conn.Set(path, data, -1)
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func state(leader, epoch int32, isr ...int32) []byte {
	return layout.Encode(layout.PartitionState{Version: 1, Leader: leader, LeaderEpoch: epoch, ControllerEpoch: 1, ISR: isr})
}

// mirror writes the znodes of a cluster as its brokers describe it.
func mirror(t *testing.T, conn *zk.Conn, f *fake, topics ...string) {
	t.Helper()
	for id := range int32(3) {
		write(t, conn, layout.Broker(id), layout.Encode(layout.BrokerRegistration{Version: 5, Host: "127.0.0.1", Port: 1}), zk.FlagEphemeral)
	}
	write(t, conn, layout.ControllerEpoch, []byte("1"), 0)
	write(t, conn, layout.Controller, layout.Encode(layout.NewControllerRegistration(0, time.Now())), zk.FlagEphemeral)
	for _, topic := range topics {
		infos := f.PartitionInfos(topic)
		replicas := slices.Repeat([][]int32{{0, 1, 2}}, len(infos))
		write(t, conn, layout.Topic(topic), layout.Encode(layout.NewTopicAssignment("", replicas)), 0)
		for p := range infos {
			write(t, conn, layout.State(topic, int32(p)), state(f.LeaderFor(topic, int32(p)), 0, 0, 1, 2), 0)
		}
	}
}

func TestWithZooKeeperAnEventCarriesTheTimeOfTheChangeAndComesAtOnce(t *testing.T) {
	f := newFake(t, 3, kfake.SeedTopics(2, "orders"))
	address, conn := startCoordinator(t)
	mirror(t, conn, f, "orders")
	o := observe(t, Config{Bootstrap: f.addrs, ZooKeeper: address, Interval: time.Hour, Deadline: time.Minute}, Interest{}) // no poll helps
	s := await(t, o, "watches", func(s *Snapshot) bool {
		return s.Watching && s.Topics[0].Partitions[0].PartitionEpoch == 0 && s.Brokers[2].Epoch > 0
	})
	if s.Mode != ModeZooKeeper || s.Controller != 0 || s.ControllerEpoch != 1 || s.Brokers[2].SessionID != conn.SessionID() {
		t.Errorf("%+v", s)
	}

	leader := f.LeaderFor("orders", 1)
	next := (leader + 1) % 3
	write(t, conn, layout.State("orders", 1), state(next, 1, next, (next+1)%3), 0)
	e := nextEvent(t, o, KindLeader)
	seen := time.Now()
	_, stat, err := conn.Get(layout.State("orders", 1))
	if err != nil {
		t.Fatal(err)
	}
	if e.At.UnixMilli() != stat.Mtime || e.Old != NodeName(leader) || e.New != NodeName(next) || e.NewEpoch != 1 {
		t.Errorf("%+v, mtime %d", e, stat.Mtime)
	}
	t.Logf("the event came %v after the znode's change", seen.Sub(e.At).Round(time.Millisecond))
	if e := nextEvent(t, o, KindISR); e.Note != NodeName(leader)+" is out of sync" {
		t.Errorf("%+v", e)
	}
	// The brokers still say otherwise: they trail behind, and ZooKeeper decides.
	before := s.TopicsAt
	s = await(t, o, "a poll", func(s *Snapshot) bool {
		if s.TopicsAt.After(before) && s.Coordinators[0].Role == "standalone" {
			return true
		}
		o.Refresh() // the coordinator is given half a second to say what it is
		return false
	})
	if p := s.Topics[0].Partitions[1]; p.Leader != next || p.PartitionEpoch != 1 {
		t.Errorf("%+v", p)
	}

	if err := conn.Delete(layout.Broker(2), -1); err != nil {
		t.Fatal(err)
	}
	if e := nextEvent(t, o, KindSession); e.Subject != "broker-2" {
		t.Errorf("%+v", e)
	}
	write(t, conn, layout.Broker(2), layout.Encode(layout.BrokerRegistration{Version: 5}), zk.FlagEphemeral)
	if e := nextEvent(t, o, KindJoined); e.Subject != "broker-2" || !strings.HasPrefix(e.Note, "after ") {
		t.Errorf("%+v", e)
	}

	write(t, conn, layout.ControllerEpoch, []byte("2"), 0)
	write(t, conn, layout.Controller, layout.Encode(layout.NewControllerRegistration(1, time.Now())), 0)
	if e := nextEvent(t, o, KindController); e.Old != "broker-0" || e.New != "broker-1" || e.OldEpoch != 1 || e.NewEpoch != 2 {
		t.Errorf("%+v", e)
	}
}

func TestWhileZooKeeperTellsOfChangesRefreshesAskForNoTopics(t *testing.T) {
	const brokers = 3
	names := topicNames(100)
	f := newFake(t, brokers, kfake.SeedTopics(2, names...))
	address, conn := startCoordinator(t)
	mirror(t, conn, f, names...)
	o := observe(t, Config{Bootstrap: f.addrs, ZooKeeper: address, Interval: 20 * time.Millisecond, Deadline: time.Minute, Hedge: time.Minute}, Interest{})
	await(t, o, "watches", func(s *Snapshot) bool {
		return s.Watching && len(s.Topics) == len(names) && s.PartitionCount() == 2*len(names) && s.Topics[99].Partitions[1].PartitionEpoch == 0
	})
	requests := make(chan kmsg.Request, 1000)
	f.Control(func(r kmsg.Request) (kmsg.Response, error, bool) {
		f.KeepControl()
		requests <- r
		return nil, nil, false
	})
	// A refresh asks anybody for the brokers and each broker for a sign of life. All topics are asked for ever more rarely.
	const refreshes = 40
	cluster, topics, others := 0, 0, 0
	for cluster < refreshes {
		select {
		case r := <-requests:
			switch m, ok := r.(*kmsg.MetadataRequest); {
			case !ok:
				others++
			case m.Topics == nil:
				topics++
			default:
				cluster++
			}
		case <-time.After(time.Minute):
			t.Fatalf("%d requests for the cluster, %d for all topics, %d others, then none", cluster, topics, others)
		}
	}
	t.Logf("%d requests for the cluster, %d for all topics, %d others", cluster, topics, others)
	if topics > refreshes/2 {
		t.Errorf("all topics were asked for %d times beside %d refreshes that did without", topics, cluster)
	}
	if most := (brokers + 1) * (cluster + topics + 2); others > most {
		t.Errorf("%d requests in %d refreshes of %d brokers, want at most %d", others, cluster+topics, brokers, most)
	}
	since := time.Now()
	await(t, o, "topics that are known to be as they are", func(s *Snapshot) bool { return s.TopicsAt.After(since) })
}

func TestWithoutACoordinatorTheBrokersWordCounts(t *testing.T) {
	f := newFake(t, 3, kfake.SeedTopics(1, "orders"))
	o := observe(t, Config{Bootstrap: f.addrs, ZooKeeper: "127.0.0.1:1", Interval: 20 * time.Millisecond}, Interest{})
	s := await(t, o, "a coordinator that refuses", func(s *Snapshot) bool { return s.Coordinators[0].Error != "" && len(s.Topics) == 1 })
	if s.Watching || s.Coordinators[0].Error != "refuses connections" {
		t.Errorf("%+v", s)
	}
	leader := f.LeaderFor("orders", 0)
	if err := f.MoveTopicPartition("orders", 0, (leader+1)%3); err != nil {
		t.Fatal(err)
	}
	if e := nextEvent(t, o, KindLeader); e.Old != NodeName(leader) {
		t.Errorf("%+v", e)
	}
}

// An ensemble may have no Kafka at all, or not yet.
func TestZooKeeperAloneIsObserved(t *testing.T) {
	address, conn := startCoordinator(t)
	o := observe(t, Config{ZooKeeper: address, Interval: 50 * time.Millisecond}, Interest{Coordinators: true, Sessions: true})
	first := await(t, o, "a server that serves and the session that looks", func(s *Snapshot) bool {
		return s.Coordinators[0].Role == "standalone" && s.OwnSession != 0
	})
	if h := Check(first); !first.Bare || h.Level != Healthy {
		t.Errorf("bare %v, %+v", first.Bare, h)
	}
	await(t, o, "it stays fresh while nothing happens", func(s *Snapshot) bool { return s.TopicsAt.After(first.TopicsAt) })

	write(t, conn, "/brokers", nil, 0)
	write(t, conn, layout.BrokerIDs, nil, 0)
	registration := layout.BrokerRegistration{
		Version: 5, Host: "h", Port: 9092, Endpoints: []string{"SECURE://h:9093", "PLAINTEXT://h:9092"},
		SecurityProtocol: map[string]string{"SECURE": "SASL_SSL", "PLAINTEXT": "PLAINTEXT"},
	}
	write(t, conn, layout.Broker(1), layout.Encode(registration), zk.FlagEphemeral)
	await(t, o, "a broker that registers", func(s *Snapshot) bool { return !s.Bare && len(s.Brokers) == 1 && s.Brokers[0].Registered })
	if found, err := Registered(t.Context(), Config{ZooKeeper: address}); err != nil || !slices.Equal(found, []string{"h:9092"}) {
		t.Errorf("%v, %v", found, err)
	}
	secure := filepath.Join(t.TempDir(), "client.properties")
	properties := "security.protocol=SASL_SSL\nsasl.mechanism=PLAIN\nsasl.jaas.config=x required username=u password=p;\n"
	if err := os.WriteFile(secure, []byte(properties), 0o600); err != nil {
		t.Fatal(err)
	}
	if found, err := Registered(t.Context(), Config{ZooKeeper: address, Properties: secure}); err != nil || !slices.Equal(found, []string{"h:9093"}) {
		t.Errorf("%v, %v", found, err)
	}
}

func TestAZooKeeperThatIsNotThereIsShown(t *testing.T) {
	o := observe(t, Config{ZooKeeper: "127.0.0.1:1,127.0.0.1:2", Interval: 50 * time.Millisecond}, Interest{})
	s := await(t, o, "why it does not answer", func(s *Snapshot) bool { return s.Coordinators[0].Error != "" && s.Coordinators[1].Error != "" })
	if h := Check(s); h.Level != Broken || !strings.Contains(h.Why, "0 of 2 serve") {
		t.Errorf("%+v", h)
	}
}
