package broker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"kdrill/node/broker/settings"
	"kdrill/node/layout"
	"kdrill/node/wire"
	"kdrill/testdata/freeport"
)

// own sets properties of one broker while it runs, or takes them back where the value is empty.
func own(t *testing.T, client *kgo.Client, id int32, properties ...string) error {
	t.Helper()
	var changes []kadm.AlterConfig
	for _, p := range properties {
		name, value, _ := strings.Cut(p, "=")
		change := kadm.AlterConfig{Op: kadm.SetConfig, Name: name, Value: &value}
		if value == "" {
			change.Op = kadm.DeleteConfig
		}
		changes = append(changes, change)
	}
	answers, err := kadm.NewClient(client).AlterBrokerConfigs(t.Context(), changes, id)
	if err != nil {
		return err
	}
	if answers[0].Err != nil {
		return fmt.Errorf("%w: %s", answers[0].Err, answers[0].ErrMessage)
	}
	return nil
}

func TestSocketsAreBoundOpenedAndRetired(t *testing.T) {
	l := newListeners()
	defer l.Close()
	at := settings.Listener{Name: "A", Host: "127.0.0.1"}
	if err := l.Bind([]settings.Listener{at}); err != nil {
		t.Fatal(err)
	}
	if err := l.Bind([]settings.Listener{at}); err != nil { // it is kept
		t.Fatal(err)
	}
	port := l.doors["A"].socket.Addr().(*net.TCPAddr).Port
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	l.Open("A", accept)
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()

	other := settings.Listener{Name: "B", Host: "127.0.0.1", Port: port}
	if err := l.Bind([]settings.Listener{at, {Name: "C", Host: "127.0.0.1"}, other}); err == nil || !strings.Contains(err.Error(), "in use by listener A: remove that one first") {
		t.Errorf("the port of another listener: %v", err)
	}
	elsewhere := settings.Listener{Name: "B", Host: "192.0.2.1", Port: port} // an address of documentation, no machine's
	if err := l.Bind([]settings.Listener{at, {Name: "C", Host: "127.0.0.1"}, elsewhere}); err == nil || strings.Contains(err.Error(), "in use") {
		t.Errorf("an address of another machine: %v", err)
	}
	if l.doors["C"] == nil || l.doors["B"] != nil {
		t.Error("what could be bound is not, or what could not is")
	}
	l.Release()
	if l.doors["A"] == nil || l.doors["C"] != nil {
		t.Error("what was not opened is kept, or what was is not")
	}
	l.Retire("A")
	if err := l.Bind([]settings.Listener{other}); err != nil { // at once, though nobody has ended it yet
		t.Errorf("the port of a listener that was removed: %v", err)
	}
	l.Open("B", func(context.Context, net.Listener) error { return errors.New("no more files") })
	if err := <-ended; err == nil || err.Error() != "no more files" {
		t.Errorf("a listener that fails: %v", err)
	}
}

// accept takes connections until ctx ends.
func accept(ctx context.Context, socket net.Listener) error {
	defer context.AfterFunc(ctx, func() { socket.Close() })()
	for {
		conn, err := socket.Accept()
		if err != nil {
			return nil
		}
		conn.Close()
	}
}

// testListeners adds a listener to each broker, works through it alone, and removes it.
func (c *testCluster) testListeners(t *testing.T) {
	c.create(t, "doors", 3, nil)
	const mapped = "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,NEW:PLAINTEXT"
	client := c.client(t)
	ports := freeport.Find(t, len(c.brokers))
	added := map[int32]string{}
	for id := range c.brokers {
		added[id] = fmt.Sprintf("127.0.0.1:%d", ports[id-1])
	}
	c.testRefusedListeners(t, client, mapped, added[1])
	before := c.partition(t, "doors", 0)
	for id, n := range c.brokers {
		if err := own(t, client, id, mapped, fmt.Sprintf("listeners=PLAINTEXT://%s,NEW://%s", n.addr, added[id])); err != nil {
			t.Fatal(err)
		}
		knock(t, added[id]) // it is open before that is acknowledged
	}
	for id := range c.brokers {
		c.awaitEndpoints(t, added[id], added)
		c.awaitEndpoints(t, c.brokers[id].addr, map[int32]string{1: c.brokers[1].addr, 2: c.brokers[2].addr, 3: c.brokers[3].addr})
	}
	if e := c.described(t, client, 1, "listeners"); e.Source != kmsg.ConfigSourceDynamicBrokerConfig || e.ReadOnly || !strings.Contains(*e.Value, added[1]) {
		t.Errorf("listeners are described as %+v", e)
	}
	if after := c.partition(t, "doors", 0); after.LeaderEpoch != before.LeaderEpoch {
		t.Errorf("a listener that came moved a leader: epoch %d, then %d", before.LeaderEpoch, after.LeaderEpoch)
	}
	c.testThrough(t, added)

	restarted := c.brokers[2]
	c.signal(restarted, syscall.SIGTERM)
	c.await(restarted)
	c.start(restarted)
	c.awaitBrokers(3)
	c.awaitEndpoints(t, added[2], added)
	c.testThrough(t, added)
	c.testRemovedListeners(t, added)
	c.testAdvertised(t)
	c.awaitISR(t, "doors", 3)
}

// testRefusedListeners asks for what cannot be, and sees everything as before.
func (c *testCluster) testRefusedListeners(t *testing.T, client *kgo.Client, mapped, free string) {
	here := "PLAINTEXT://" + c.brokers[1].addr
	for _, r := range []struct {
		properties []string
		want       string
	}{
		{[]string{"listeners=" + here + ",NEW://" + c.brokers[2].addr, mapped}, c.brokers[2].addr + " is in use by another process"},
		{[]string{"listeners=NEW://" + free, mapped}, "brokers reach each other by listener PLAINTEXT"},
		{[]string{"listeners=" + here + ",NEW://" + free}, "listener NEW is not in listener.security.protocol.map"},
		{[]string{"listeners=PLAINTEXT://" + free}, "listener PLAINTEXT is open at " + c.brokers[1].addr},
		{[]string{"listener.name.new.sasl.enabled.mechanisms=PLAIN"}, "no listener whose name in small letters is new"},
		{[]string{"listener.name.plaintext.sasl.enabled.mechanisms=PLAIN"}, "is read when listener PLAINTEXT is opened"},
	} {
		if err := own(t, client, 1, r.properties...); !errors.Is(err, kerr.InvalidRequest) || !strings.Contains(err.Error(), r.want) {
			t.Errorf("%v: %v, want %s", r.properties, err, r.want)
		}
	}
	value := here
	answers, err := kadm.NewClient(client).AlterBrokerConfigs(t.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "listeners", Value: &value}})
	if err != nil || !errors.Is(answers[0].Err, kerr.InvalidRequest) {
		t.Errorf("listeners of all brokers: %v, %v", answers, err)
	}
	value = here + ",NEW://" + free
	protocols := "PLAINTEXT:PLAINTEXT,NEW:PLAINTEXT"
	answers, err = kadm.NewClient(client).ValidateAlterBrokerConfigs(t.Context(), []kadm.AlterConfig{
		{Op: kadm.SetConfig, Name: "listeners", Value: &value},
		{Op: kadm.SetConfig, Name: "listener.security.protocol.map", Value: &protocols},
	}, 1)
	if err != nil || answers[0].Err != nil {
		t.Errorf("only validated: %v, %v", answers, err)
	}
	if conn, err := net.Dial("tcp", free); err == nil {
		conn.Close()
		t.Error("a listener that was only validated is open")
	}
	if e := c.described(t, client, 1, "listeners"); e.Source != kmsg.ConfigSourceStaticBrokerConfig || *e.Value != here {
		t.Errorf("listeners are described as %+v", e)
	}
}

// testThrough produces and consumes through listeners alone.
func (c *testCluster) testThrough(t *testing.T, added map[int32]string) {
	t.Helper()
	through := c.client(t, kgo.SeedBrokers(added[1], added[2], added[3]), kgo.DefaultProduceTopic("doors"), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ConsumeTopics("doors"))
	value := fmt.Sprint("through ", time.Now().UnixNano())
	for partition := range int32(3) {
		if err := through.ProduceSync(t.Context(), &kgo.Record{Partition: partition, Value: []byte(value)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	seen := 0
	c.eventually("what was produced through the listener is consumed", func() bool {
		through.PollFetches(t.Context()).EachRecord(func(r *kgo.Record) {
			if string(r.Value) == value {
				seen++
			}
		})
		return seen == 3
	})
	open := 0
	for _, n := range c.brokers {
		if c.scrape(t, n)[`kafka_server_socket_server_metrics_connection_count{listener="NEW"}`] > 0 {
			open++
		}
	}
	if open == 0 {
		t.Error("no metrics show the connections of the new listener")
	}
}

// testRemovedListeners removes the listeners, each by a request that comes in by it.
func (c *testCluster) testRemovedListeners(t *testing.T, added map[int32]string) {
	for id, address := range added {
		held := knock(t, address)
		through := c.client(t, kgo.SeedBrokers(address))
		if err := own(t, through, id, "listeners=", "listener.security.protocol.map="); err != nil {
			t.Fatal(err)
		}
		through.Close()
		if _, err := io.Copy(io.Discard, held); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error("a connection of a removed listener goes on")
		}
		c.eventually("the port is closed", func() bool {
			conn, err := net.Dial("tcp", address)
			if err == nil {
				conn.Close()
			}
			return err != nil
		})
	}
	for _, n := range c.brokers {
		c.awaitEndpoints(t, n.addr, map[int32]string{1: c.brokers[1].addr, 2: c.brokers[2].addr, 3: c.brokers[3].addr})
		for name := range c.scrape(t, n) {
			if strings.Contains(name, `listener="NEW"`) {
				t.Errorf("%s still shows %s", n.addr, name)
			}
		}
	}
	if e := c.described(t, c.client(t), 1, "listeners"); e.Source != kmsg.ConfigSourceStaticBrokerConfig {
		t.Errorf("listeners are described as %+v", e)
	}
}

// testAdvertised has a broker be told under another name.
func (c *testCluster) testAdvertised(t *testing.T) {
	_, port, _ := net.SplitHostPort(c.brokers[3].addr)
	all := map[int32]string{1: c.brokers[1].addr, 2: c.brokers[2].addr, 3: "localhost:" + port}
	for _, value := range []string{"PLAINTEXT://localhost:" + port, ""} {
		if value == "" {
			all[3] = c.brokers[3].addr
		}
		if err := own(t, c.client(t), 3, "advertised.listeners="+value); err != nil {
			t.Fatal(err)
		}
		for _, n := range c.brokers {
			c.awaitEndpoints(t, n.addr, all)
		}
	}
}

// knock opens a connection that gets an answer.
func knock(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(ample)); err != nil {
		t.Fatal(err)
	}
	const versions = "\x00\x00\x00\x0a\x00\x12\x00\x00\x00\x00\x00\x01\xff\xff"
	if _, err := conn.Write([]byte(versions)); err != nil {
		t.Fatal(err)
	}
	size := make([]byte, 4)
	if _, err := conn.Read(size); err != nil {
		t.Fatal(err)
	}
	return conn
}

// awaitEndpoints waits until a broker, asked at an address, names these addresses for the brokers.
func (c *testCluster) awaitEndpoints(t *testing.T, at string, want map[int32]string) {
	t.Helper()
	c.eventually(fmt.Sprintf("%s tells of %v", at, want), func() bool {
		conn, err := wire.Dial(t.Context(), at, "test")
		if err != nil {
			return false
		}
		defer conn.Close()
		request := kmsg.NewPtrMetadataRequest()
		request.Version, request.Topics = 12, []kmsg.MetadataRequestTopic{}
		answer, err := conn.Request(t.Context(), request)
		if err != nil {
			return false
		}
		brokers := answer.(*kmsg.MetadataResponse).Brokers
		for _, b := range brokers {
			if want[b.NodeID] != net.JoinHostPort(b.Host, fmt.Sprint(b.Port)) {
				return false
			}
		}
		return len(brokers) == len(want)
	})
}

// described is a broker's property as it describes it.
func (c *testCluster) described(t *testing.T, client *kgo.Client, id int32, name string) kmsg.DescribeConfigsResponseResourceConfig {
	t.Helper()
	request := kmsg.NewPtrDescribeConfigsRequest()
	request.Resources = []kmsg.DescribeConfigsRequestResource{{ResourceType: kmsg.ConfigResourceTypeBroker, ResourceName: fmt.Sprint(id), ConfigNames: []string{name}}}
	answer, err := client.Broker(int(id)).RetriableRequest(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	return answer.(*kmsg.DescribeConfigsResponse).Resources[0].Configs[0]
}

// testSecuredListener adds a listener with a certificate and users of its own, whose passwords nobody gets to see, and removes it
// with all that it was given.
func (s *securedCluster) testSecuredListener(t *testing.T) {
	const id, of = 2, "listener.name.added."
	admin := s.client(t)
	static := s.described(t, admin, id, "listeners").Value
	protocols := s.described(t, admin, id, "listener.security.protocol.map").Value
	address := fmt.Sprintf("127.0.0.1:%d", freeport.Find(t, 1)[0])
	store, certificate := s.sealedStore(t, "added.p12")
	properties := []string{
		"listeners=" + *static + ",ADDED://" + address, "listener.security.protocol.map=" + *protocols + ",ADDED:SASL_SSL",
		of + "sasl.enabled.mechanisms=PLAIN",
		of + `plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_dora=doras;`,
		of + "ssl.keystore.type=PKCS12", of + "ssl.keystore.location=" + store, of + "ssl.keystore.password=" + storePassword,
	}
	if err := own(t, admin, id, properties[:3]...); !errors.Is(err, kerr.InvalidRequest) || !strings.Contains(err.Error(), "login module") {
		t.Errorf("a listener without a way to say who one is: %v", err)
	}
	if err := own(t, admin, id, properties...); err != nil {
		t.Fatal(err)
	}
	s.ports["ADDED"] = map[int32]int{}
	_, port, _ := net.SplitHostPort(address)
	s.ports["ADDED"][id], _ = strconv.Atoi(port)
	as := func(password string) []kgo.Opt {
		return []kgo.Opt{kgo.DialTLSConfig(s.trust("")), kgo.SASL(plain.Auth{User: "dora", Pass: password}.AsMechanism())}
	}
	for range 2 { // before a restart and after it
		s.awaitPing(t, true, "ADDED", as("doras")...)
		s.awaitPing(t, false, "ADDED", as("bobs")...)
		if got := s.shown(t, id, "ADDED"); !got.Equal(certificate) {
			t.Error("the listener does not show its own certificate")
		}
		s.restart(t, id)
	}
	conn := s.znodes()
	defer conn.Close()
	text, _, err := conn.Get(layout.EntityConfig("brokers", fmt.Sprint(id)))
	if err != nil || strings.Contains(string(text), "doras") || strings.Contains(string(text), storePassword) {
		t.Errorf("in ZooKeeper: %s %v", text, err)
	}
	if err := own(t, admin, id, of+"sasl.enabled.mechanisms=SCRAM-SHA-256"); !errors.Is(err, kerr.InvalidRequest) {
		t.Errorf("another mechanism for an open listener: %v", err)
	}
	for i, p := range properties {
		name, _, _ := strings.Cut(p, "=")
		properties[i] = name + "="
	}
	if err := own(t, admin, id, properties...); err != nil {
		t.Fatal(err)
	}
	s.eventually("the port is closed", func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	if e := s.described(t, admin, id, "listeners"); e.Source != kmsg.ConfigSourceStaticBrokerConfig || *e.Value != *static {
		t.Errorf("listeners are described as %+v", e)
	}
	delete(s.ports, "ADDED")
}
