package broker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"kdrill/testdata/freeport"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// produce writes records first to last-1 and waits until all are acknowledged by all in-sync replicas.
func produce(t *testing.T, client *kgo.Client, topic string, first, last int) {
	t.Helper()
	var records []*kgo.Record
	for i := first; i < last; i++ {
		records = append(records, &kgo.Record{Topic: topic, Key: fmt.Append(nil, i%7), Value: fmt.Append(nil, i)})
	}
	if err := client.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatalf("produce %d to %d into %s: %v", first, last, topic, err)
	}
}

// consume reads n records from the start of a topic and checks that each is there once and in order for its key.
func (c *testCluster) consume(t *testing.T, topic string, n int) {
	t.Helper()
	client := c.client(t, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	checkOnce(t, poll(t, client, n), n)
}

// poll collects n records.
func poll(t testing.TB, client *kgo.Client, n int) (records []*kgo.Record) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), ample)
	defer cancel()
	for len(records) < n {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("%d of %d records after %v: %v", len(records), n, ample, fetches.Errors())
		}
		records = append(records, fetches.Records()...)
	}
	return records
}

func checkOnce(t *testing.T, records []*kgo.Record, n int) {
	t.Helper()
	seen := map[string]bool{}
	last := map[string]int{}
	for _, r := range records {
		var value int
		fmt.Sscan(string(r.Value), &value)
		if seen[string(r.Value)] {
			t.Errorf("record %s is there twice", r.Value)
		}
		if before, ok := last[string(r.Key)]; ok && before > value {
			t.Errorf("key %s: %d comes after %d", r.Key, value, before)
		}
		seen[string(r.Value)], last[string(r.Key)] = true, value
	}
	if len(seen) != n {
		t.Errorf("%d different records, want %d", len(seen), n)
	}
}

// TestThreeBrokers runs one cluster of three coordinators and three brokers through its life.
func TestThreeBrokers(t *testing.T) {
	if testing.Short() {
		t.Skip("starts six processes")
	}
	c := startCluster(t, 3, 3)
	t.Run("what was produced is consumed", c.testProduceAndConsume)
	t.Run("what is served is what Kafka serves", c.testAPIs)
	t.Run("metrics tell what happened", c.testMetrics)
	t.Run("a consumer reads in its rack", c.testRack)
	t.Run("every broker tells the same", c.testMetadata)
	t.Run("topics that cannot be are refused", c.testBadTopics)
	t.Run("what makes no sense is refused as Kafka refuses it", c.testRefusals)
	t.Run("configurations change while running", c.testConfigs)
	t.Run("brokers' configurations change while running", c.testBrokerConfigs)
	t.Run("listeners come and go", c.testListeners)
	t.Run("partitions are added", c.testAddPartitions)
	t.Run("topics are deleted", c.testDeleteTopic)
	t.Run("producers get different ids", c.testProducerIDs)
	t.Run("a second broker with the same id is refused", c.testDuplicateID)
	t.Run("a broker that cannot start says why", c.testRefusedStarts)
	t.Run("a cluster lives below a chroot", c.testChroot)
	t.Run("what is out of date is refused", c.testFencing)
	t.Run("kcat", c.testKcat)
	t.Run("kcat of earlier times", c.testOldKcat)
	t.Run("every codec of kcat", c.testCodecs)
	t.Run("a leader is killed", c.testKilledLeader)
	t.Run("a leader is stopped", c.testStoppedLeader)
	t.Run("the controller is killed", c.testKilledController)
	t.Run("members of a group cooperate", c.testCooperative)
	t.Run("a group survives its coordinator", c.testGroup)
	t.Run("a group of kcats survives its coordinator", c.testKcatGroup)
	t.Run("a malformed frame harms nobody", c.testMalformedFrame)
	t.Run("a coordinator leader is killed", c.testKilledCoordinator)
	t.Run("a paused broker comes back", c.testPausedBroker)
	t.Run("a broker without room on its disk stops", c.testFullDisk)
}

func (c *testCluster) testProduceAndConsume(t *testing.T) {
	c.create(t, "first", 3, nil)
	produce(t, c.client(t), "first", 0, 1000)
	c.consume(t, "first", 1000)
	produce(t, c.client(t, kgo.AllowAutoTopicCreation()), "made-by-producing", 0, 10)
	c.consume(t, "made-by-producing", 10)
}

func (c *testCluster) testMetadata(t *testing.T) {
	var first string
	for id, n := range c.brokers {
		client := kadm.NewClient(c.client(t, kgo.SeedBrokers(n.addr)))
		var told string
		c.eventually("all agree", func() bool {
			meta, err := client.Metadata(t.Context(), "first")
			if err != nil {
				t.Fatal(err)
			}
			told = fmt.Sprint(meta.Cluster, meta.Controller, meta.Brokers.NodeIDs(), meta.Topics["first"].ID, meta.Topics["first"].Partitions.Sorted())
			return first == "" || told == first
		})
		if len(told) < 20 {
			t.Errorf("broker %d: %s", id, told)
		}
		first = told
	}
}

func (c *testCluster) testBadTopics(t *testing.T) {
	admin := c.admin(t)
	create := func(name string, partitions int32, factor int16, configs map[string]*string) error {
		answer, err := admin.CreateTopic(t.Context(), partitions, factor, configs, name)
		if err != nil && answer.Err == nil {
			return err
		}
		if answer.ErrMessage == "" {
			t.Errorf("topic %q: no sentence says why", name)
		}
		return answer.Err
	}
	word := "soon"
	for name, got := range map[error]error{
		kerr.TopicAlreadyExists:       create("first", 1, 1, nil),
		kerr.InvalidTopicException:    create("no/slash", 1, 1, nil),
		kerr.InvalidReplicationFactor: create("too-many", 1, 4, nil),
		kerr.InvalidPartitions:        create("none", 0, 1, nil),
		kerr.InvalidConfig:            create("odd", 1, 1, map[string]*string{"retention.ms": &word}),
	} {
		if !errors.Is(got, name) {
			t.Errorf("got %v, want %v", got, name)
		}
	}
	if got := create("unknown-config", 1, 1, map[string]*string{"color": &word}); !errors.Is(got, kerr.InvalidConfig) {
		t.Errorf("got %v, want %v", got, kerr.InvalidConfig)
	}
	if topics, err := admin.ListTopics(t.Context(), "too-many", "odd"); err != nil || topics["odd"].Err == nil {
		t.Errorf("a refused topic exists: %v %v", topics, err)
	}
}

func (c *testCluster) testConfigs(t *testing.T) {
	one := "1"
	c.create(t, "configured", 1, map[string]*string{"min.insync.replicas": &one})
	admin := c.admin(t)
	value := func(name string) string {
		described, err := admin.DescribeTopicConfigs(t.Context(), "configured")
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range described[0].Configs {
			if e.Key == name {
				return e.MaybeValue() + " " + e.Source.String()
			}
		}
		return "absent"
	}
	describes := func(want string) { // the broker that is asked may hear of the change a moment later
		c.eventually("min.insync.replicas is described as "+want, func() bool { return value("min.insync.replicas") == want })
	}
	describes("1 DYNAMIC_TOPIC_CONFIG")
	change := func(op kadm.IncrementalOp, name string, value *string) error {
		answer, err := admin.AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Op: op, Name: name, Value: value}}, "configured")
		if err != nil {
			return err
		}
		return answer[0].Err
	}
	hundred, three, big := "100", "3", strings.Repeat("x", 500)
	if err := errors.Join(change(kadm.SetConfig, "max.message.bytes", &hundred), change(kadm.SetConfig, "min.insync.replicas", &three)); err != nil {
		t.Fatal(err)
	}
	describes("3 DYNAMIC_TOPIC_CONFIG")
	client := c.client(t, kgo.DefaultProduceTopic("configured"), kgo.ProducerBatchCompression(kgo.NoCompression()))
	c.eventually("the leader follows the change", func() bool {
		return errors.Is(client.ProduceSync(t.Context(), kgo.StringRecord(big)).FirstErr(), kerr.MessageTooLarge)
	})
	if err := errors.Join(change(kadm.DeleteConfig, "max.message.bytes", nil), change(kadm.DeleteConfig, "min.insync.replicas", nil)); err != nil {
		t.Fatal(err)
	}
	describes("2 STATIC_BROKER_CONFIG")
	c.eventually("the leader follows the change back", func() bool {
		return client.ProduceSync(t.Context(), kgo.StringRecord(big)).FirstErr() == nil
	})
	zero := "0"
	if err := change(kadm.SetConfig, "min.insync.replicas", &zero); !errors.Is(err, kerr.InvalidConfig) {
		t.Errorf("min.insync.replicas=0: %v", err)
	}
	brokers, err := admin.DescribeBrokerConfigs(t.Context(), 2)
	if err != nil || brokers[0].Err != nil || len(brokers[0].Configs) < 200 {
		t.Errorf("broker 2: %v", err)
	}
}

func (c *testCluster) testAddPartitions(t *testing.T) {
	c.create(t, "growing", 1, nil)
	answer, err := c.admin(t).UpdatePartitions(t.Context(), 6, "growing")
	if err != nil || answer["growing"].Err != nil {
		t.Fatalf("%v %v", err, answer)
	}
	c.awaitPartitions(t, "growing", 6)
	preferred := map[int32]int{} // who leads may differ for a moment
	meta, err := c.admin(t).Metadata(t.Context(), "growing")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range meta.Topics["growing"].Partitions {
		preferred[p.Replicas[0]]++
	}
	if len(preferred) != 3 || preferred[1] != 2 || preferred[2] != 2 {
		t.Errorf("preferred leaders of six partitions: %v", preferred)
	}
	answer, err = c.admin(t).UpdatePartitions(t.Context(), 3, "growing")
	if err == nil && !errors.Is(answer["growing"].Err, kerr.InvalidPartitions) {
		t.Errorf("fewer partitions: %v", answer)
	}
}

func (c *testCluster) testDeleteTopic(t *testing.T) {
	c.create(t, "short-lived", 3, nil)
	produce(t, c.client(t), "short-lived", 0, 100)
	if answer, err := c.admin(t).DeleteTopic(t.Context(), "short-lived"); err != nil || answer.Err != nil {
		t.Fatalf("%v %v", err, answer.Err)
	}
	if answer, err := c.admin(t).DeleteTopic(t.Context(), "short-lived"); !errors.Is(answer.Err, kerr.UnknownTopicOrPartition) {
		t.Errorf("deleting it again: %v %v", err, answer.Err)
	}
	c.eventually("the name is free again", func() bool {
		answer, _ := c.admin(t).CreateTopic(t.Context(), 1, 3, nil, "short-lived")
		return answer.Err == nil
	})
	produce(t, c.client(t), "short-lived", 0, 5)
	c.consume(t, "short-lived", 5)
}

func (c *testCluster) testProducerIDs(t *testing.T) {
	seen := map[int64]bool{}
	for _, n := range c.brokers {
		client := c.client(t, kgo.SeedBrokers(n.addr))
		for range 20 {
			answer, err := kmsg.NewPtrInitProducerIDRequest().RequestWith(t.Context(), client)
			if err != nil || answer.ErrorCode != 0 || answer.ProducerEpoch != 0 {
				t.Fatalf("%v %+v", err, answer)
			}
			if seen[answer.ProducerID] {
				t.Errorf("id %d was given twice", answer.ProducerID)
			}
			seen[answer.ProducerID] = true
		}
	}
}

func (c *testCluster) testDuplicateID(t *testing.T) {
	port := freeport.One(t)
	text := strings.ReplaceAll(c.properties(2, port), "broker2", "impostor")
	n := c.node("broker", "impostor", text, port)
	c.start(n)
	if state := c.await(n); state.ExitCode() != 1 {
		t.Errorf("ended with %v, want 1", state)
	}
	if said := n.stderr.String(); !strings.Contains(said, "broker.id 2 is taken") || !strings.Contains(said, c.brokers[2].addr) {
		t.Errorf("said %q", said)
	}
	c.awaitBrokers(3)
}

// killAndWatch kills the leader of a partition while a producer writes, and checks that nothing is lost.
func (c *testCluster) testKilledLeader(t *testing.T) {
	c.create(t, "survivor", 3, nil)
	client := c.client(t)
	produce(t, client, "survivor", 0, 500)
	before := c.partition(t, "survivor", 0)
	victim := c.brokers[before.Leader]
	c.kill(victim)
	produce(t, client, "survivor", 500, 1000)
	c.eventually("any broker tells of the new leader, in a new epoch", func() bool {
		after := c.partition(t, "survivor", 0)
		return after.Leader != before.Leader && after.LeaderEpoch > before.LeaderEpoch
	})
	c.awaitISR(t, "survivor", 2)
	c.start(victim)
	c.awaitISR(t, "survivor", 3)
	produce(t, client, "survivor", 1000, 1500)
	c.consume(t, "survivor", 1500)
	c.elect(t, "survivor", before.Leader)
}

// elect asks for preferred leaders, which spread over all brokers again.
func (c *testCluster) elect(t *testing.T, topic string, leader int32) {
	t.Helper()
	answer, err := c.admin(t).ElectLeaders(t.Context(), kadm.ElectPreferredReplica, kadm.TopicsSet{topic: {0: {}, 1: {}, 2: {}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range answer[topic] {
		if p.Err != nil && !errors.Is(p.Err, kerr.ElectionNotNeeded) {
			t.Errorf("%s/%d: %v", topic, p.Partition, p.Err)
		}
	}
	c.eventually("the preferred leader leads", func() bool { return c.partition(t, topic, 0).Leader == leader })
}

func (c *testCluster) testStoppedLeader(t *testing.T) {
	c.create(t, "handed-over", 3, nil)
	client := c.client(t)
	produce(t, client, "handed-over", 0, 300)
	c.awaitISR(t, "handed-over", 3)
	before := c.partition(t, "handed-over", 1)
	leaving := c.brokers[before.Leader]
	start := time.Now()
	c.signal(leaving, syscall.SIGTERM)
	if state := c.await(leaving); !state.Success() {
		t.Errorf("ended with %v", state)
	}
	t.Logf("stopped after %v", time.Since(start).Round(time.Millisecond))
	handedOver := regexp.MustCompile(fmt.Sprintf(`msg="broker shuts down, leaders moved".* broker=%d partitions=[1-9]`, before.Leader))
	if !slices.ContainsFunc(c.logs(t), handedOver.MatchString) {
		t.Errorf("no controller handed over what %d led before it stopped", before.Leader)
	}
	c.eventually("another broker leads", func() bool {
		after := c.partition(t, "handed-over", 1)
		return after.Leader != before.Leader && after.Leader >= 0
	})
	produce(t, client, "handed-over", 300, 600)
	c.start(leaving)
	c.awaitISR(t, "handed-over", 3)
	c.consume(t, "handed-over", 600)
}

// logs are the lines that all brokers have logged.
func (c *testCluster) logs(t *testing.T) (lines []string) {
	t.Helper()
	for _, n := range c.brokers {
		text, err := os.ReadFile(n.log)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, strings.Split(string(text), "\n")...)
	}
	return lines
}

func (c *testCluster) testKilledController(t *testing.T) {
	c.create(t, "ruled", 3, nil)
	client := c.client(t)
	produce(t, client, "ruled", 0, 100)
	meta, err := c.admin(t).BrokerMetadata(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	old := c.brokers[meta.Controller]
	c.kill(old)
	produce(t, client, "ruled", 100, 200)
	c.eventually("another controller", func() bool {
		now, err := c.admin(t).BrokerMetadata(t.Context())
		return err == nil && now.Controller >= 0 && now.Controller != meta.Controller
	})
	if answer, err := c.admin(t).CreateTopic(t.Context(), 2, 2, nil, "by-the-next"); err != nil || answer.Err != nil {
		t.Errorf("the next controller creates no topic: %v %v", err, answer.Err)
	}
	c.start(old)
	c.awaitISR(t, "ruled", 3)
	c.consume(t, "ruled", 200)
}

func (c *testCluster) testGroup(t *testing.T) {
	c.create(t, "shared", 3, nil)
	member := func() *kgo.Client {
		return c.client(t, kgo.ConsumerGroup("readers"), kgo.ConsumeTopics("shared"), kgo.DisableAutoCommit(),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.SessionTimeout(30*time.Second), kgo.HeartbeatInterval(200*time.Millisecond))
	}
	producer := c.client(t)
	produce(t, producer, "shared", 0, 200)
	reader := member()
	records := poll(t, reader, 200)
	if err := reader.CommitRecords(t.Context(), records...); err != nil {
		t.Fatal(err)
	}
	described, err := c.admin(t).DescribeGroups(t.Context(), "readers")
	if err != nil || described["readers"].State != "Stable" || len(described["readers"].Members) != 1 {
		t.Fatalf("group: %v %+v", err, described["readers"])
	}
	coordinator := described["readers"].Coordinator.NodeID
	c.kill(c.brokers[coordinator])
	produce(t, producer, "shared", 200, 400)
	more := poll(t, reader, 200)
	checkOnce(t, append(records, more...), 400)
	if err := reader.CommitRecords(t.Context(), more...); err != nil {
		t.Fatalf("commit to the next coordinator: %v", err)
	}
	c.eventually("all brokers name another coordinator", func() bool {
		now, err := c.admin(t).DescribeGroups(t.Context(), "readers")
		return err == nil && now["readers"].Coordinator.NodeID != coordinator && now["readers"].State == "Stable"
	})
	c.start(c.brokers[coordinator])
	c.awaitISR(t, "shared", 3)
	reader.Close()
	offsets, err := c.admin(t).FetchOffsets(t.Context(), "readers")
	var committed int64
	offsets.Each(func(o kadm.OffsetResponse) { committed += o.At })
	if err != nil || committed != 400 {
		t.Errorf("%d records committed, want 400: %v", committed, err)
	}
	produce(t, producer, "shared", 400, 410)
	checkOnce(t, poll(t, member(), 10), 10) // the rest stays read
}

func (c *testCluster) testKilledCoordinator(t *testing.T) {
	c.create(t, "coordinated", 3, nil)
	client := c.client(t)
	i := -1
	c.eventually("a coordinator leads", func() bool {
		i = slices.IndexFunc(c.coordinators, func(n *testNode) bool { return strings.Contains(string(fourLetters(n.addr, "srvr")), "Mode: leader") })
		return i >= 0
	})
	c.kill(c.coordinators[i])
	produce(t, client, "coordinated", 0, 100)
	c.create(t, "made-meanwhile", 1, nil) // that no session ends is shown where sessions are long, in a story of cmd
	c.awaitBrokers(3)
	c.start(c.coordinators[i])
}

func (c *testCluster) testPausedBroker(t *testing.T) {
	c.create(t, "paused", 3, nil)
	client := c.client(t)
	produce(t, client, "paused", 0, 100)
	leader := c.partition(t, "paused", 0).Leader
	c.signal(c.brokers[leader], syscall.SIGSTOP)
	t.Cleanup(func() { c.signal(c.brokers[leader], syscall.SIGCONT) })
	others := slices.DeleteFunc([]int32{1, 2, 3}, func(id int32) bool { return id == leader })
	admin := kadm.NewClient(c.client(t, kgo.SeedBrokers(c.brokers[others[0]].addr)))
	c.eventually("another leads", func() bool {
		meta, err := admin.Metadata(t.Context(), "paused")
		return err == nil && meta.Topics["paused"].Partitions[0].Leader != leader && meta.Topics["paused"].Partitions[0].Leader >= 0
	})
	produce(t, client, "paused", 100, 200)
	c.signal(c.brokers[leader], syscall.SIGCONT)
	c.awaitISR(t, "paused", 3)
	produce(t, client, "paused", 200, 300)
	c.consume(t, "paused", 300)
}

func (c *testCluster) testFullDisk(t *testing.T) {
	full := c.brokers[2]
	c.signal(full, syscall.SIGTERM)
	c.await(full)
	c.start(full, "KDRILL_TEST_FILE_SIZE=100000")
	c.awaitBrokers(3)
	c.create(t, "heavy", 3, nil)
	client := c.client(t, kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.ProducerBatchMaxBytes(50_000))
	var records []*kgo.Record
	for i := range 600 {
		records = append(records, &kgo.Record{Topic: "heavy", Key: fmt.Append(nil, i%7), Value: fmt.Appendf(nil, "%d %1000d", i, 0)})
	}
	if err := client.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Errorf("the others do not go on: %v", err)
	}
	if state := c.await(full); state.ExitCode() != 1 {
		t.Errorf("ended with %v, want 1", state)
	}
	if said := full.stderr.String(); !strings.Contains(said, "log directory") || !strings.Contains(said, "free some space") {
		t.Errorf("said %q", said)
	}
	c.start(full)
	c.awaitISR(t, "heavy", 3)
	c.consume(t, "heavy", 600)
}
