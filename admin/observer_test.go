package admin

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

func topicNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("topic-%04d", i)
	}
	return names
}

func TestARefreshAsksEachBrokerAFewTimesHoweverManyTopicsThereAre(t *testing.T) {
	const brokers, topics = 3, 1000
	f := newFake(t, brokers, kfake.SeedTopics(3, topicNames(topics)...))
	c, err := Dial(t.Context(), Config{Bootstrap: f.addrs, Deadline: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Snapshot(t.Context(), Everything()); err != nil { // connections are made
		t.Fatal(err)
	}
	f.count()
	s, err := c.Snapshot(t.Context(), Everything())
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Topics) != topics || s.Topics[7].Partitions[2].End != 0 || s.Topics[7].Partitions[2].Size < 0 || s.Topics[7].MinISR < 1 {
		t.Fatalf("%d topics, one of them: %+v", len(s.Topics), s.Topics[7])
	}
	// Each broker: offsets twice, log dirs, groups; any broker: metadata, configs, api versions, each perhaps hedged.
	total, byKey := f.counted()
	t.Logf("%d requests: %v", total, byKey)
	if most := brokers*4 + 3*brokers; total > most || total < brokers {
		t.Errorf("%d requests for %d topics on %d brokers, want at most %d: %v", total, topics, brokers, most, byKey)
	}
}

func TestAnObserverTakesANewIntervalWhileItRuns(t *testing.T) {
	f := newFake(t, 1, kfake.SeedTopics(1, "orders"))
	o := observe(t, Config{Bootstrap: f.addrs, Interval: time.Hour}, Interest{})
	last := await(t, o, "the first look", func(s *Snapshot) bool { return !s.TopicsAt.IsZero() }).TopicsAt
	o.SetInterval(20 * time.Millisecond)
	for range 3 {
		last = await(t, o, "another look", func(s *Snapshot) bool { return s.TopicsAt.After(last) }).TopicsAt
	}
}

func TestAHungBrokerCostsItsOwnColumnOnly(t *testing.T) {
	f := newFake(t, 3, kfake.SeedTopics(6, "orders"))
	o := observe(t, Config{Bootstrap: f.addrs, Interval: 100 * time.Millisecond, Deadline: 2 * time.Second}, Everything())
	full := func(s *Snapshot) bool {
		topic, ok := s.Topic("orders")
		if !ok || len(s.Brokers) != 3 {
			return false
		}
		for _, p := range topic.Partitions {
			if p.End < 0 || p.Size < 0 {
				return false
			}
		}
		return true
	}
	await(t, o, "all offsets and sizes", full)

	f.hung[1].Store(true)
	s := await(t, o, "the hung broker is named", func(s *Snapshot) bool { return s.Brokers[1].Error != "" })
	if !full(s) {
		t.Error("what was known is gone")
	}
	since := s.At
	s = await(t, o, "others go on", func(s *Snapshot) bool {
		return s.Brokers[0].Answered.After(since) && s.Brokers[2].Answered.After(since) && s.TopicsAt.After(since)
	})
	if s.Brokers[1].Answered.After(since) || s.Brokers[1].Error != "did not answer within 2.0 s" {
		t.Errorf("hung broker: %+v", s.Brokers[1])
	}
	for _, p := range s.Topics[0].Partitions {
		if old := p.OffsetsAt.Before(since); p.Leader == 1 && !old {
			t.Errorf("partition %d of the hung broker claims to be fresh", p.ID)
		}
	}
	if h := Check(s); h.Level != Degraded {
		t.Errorf("health %+v", h)
	}

	f.hung[1].Store(false)
	await(t, o, "it answers again", func(s *Snapshot) bool { return s.Brokers[1].Error == "" })
}

func TestTheFirstSnapshotDoesNotWaitForAHungBroker(t *testing.T) {
	for hung := range 3 {
		f := newFake(t, 3, kfake.SeedTopics(3, "orders"))
		f.hung[hung].Store(true)
		o := observe(t, Config{Bootstrap: f.addrs, Deadline: 10 * time.Second}, Interest{})
		s := await(t, o, "a first snapshot", func(*Snapshot) bool { return true })
		if len(s.Topics) != 1 || len(s.Topics[0].Partitions) != 3 {
			t.Errorf("broker %d hung: %+v", hung, s)
		}
	}
}

func TestAClusterThatIsNotThereIsToldOnceAndFoundLater(t *testing.T) {
	o := observe(t, Config{Bootstrap: []string{"127.0.0.1:1"}, Interval: 20 * time.Millisecond}, Interest{})
	s := await(t, o, "a problem", func(s *Snapshot) bool { return s.Problem != "" })
	if want := "no broker of 127.0.0.1:1 answers (127.0.0.1:1 refuses connections): start the cluster, or name another with --bootstrap-server"; s.Problem != want {
		t.Errorf("problem %q, want %q", s.Problem, want)
	}
}

func TestEventsTellWhatTopicsDo(t *testing.T) {
	f := newFake(t, 3, kfake.SeedTopics(1, "orders"))
	o := observe(t, Config{Bootstrap: f.addrs, Interval: 20 * time.Millisecond, Deadline: time.Minute}, Everything())
	await(t, o, "orders", func(s *Snapshot) bool { return len(s.Topics) == 1 })

	leader := f.LeaderFor("orders", 0)
	next := (leader + 1) % 3
	if err := f.MoveTopicPartition("orders", 0, next); err != nil {
		t.Fatal(err)
	}
	e := nextEvent(t, o, KindLeader)
	if e.Subject != "orders/0" || e.Old != NodeName(leader) || e.New != NodeName(next) {
		t.Errorf("%+v", e)
	}
	if err := f.CreateTopic("payments", 4, nil); err != nil {
		t.Fatal(err)
	}
	if e := nextEvent(t, o, KindTopicCreated); e.Subject != "payments" || e.New != "4 partitions" {
		t.Errorf("%+v", e)
	}
	await(t, o, "all about the new topic, long before everything is asked again", func(s *Snapshot) bool {
		topic, ok := s.Topic("payments")
		return ok && topic.MinISR == 1 && !slices.ContainsFunc(topic.Partitions, func(p Partition) bool { return p.Start < 0 || p.End < 0 })
	})
	if err := f.DeleteTopic("payments"); err != nil {
		t.Fatal(err)
	}
	if e := nextEvent(t, o, KindTopicDeleted); e.Subject != "payments" {
		t.Errorf("%+v", e)
	}
}

func nextEvent(t *testing.T, o *Observer, kind Kind) Event {
	t.Helper()
	limit := time.After(2 * time.Minute)
	for {
		select {
		case e := <-o.Events():
			if e.Kind == kind {
				return e
			}
		case <-limit:
			t.Fatalf("no %s event", kind)
		}
	}
}

func TestAGroupsLagIsWhatItHasNotCommitted(t *testing.T) {
	f := newFake(t, 3, kfake.SeedTopics(3, "orders"))
	client, err := kgo.NewClient(kgo.SeedBrokers(f.addrs...), kgo.ConsumerGroup("billing"), kgo.ConsumeTopics("orders"),
		kgo.DefaultProduceTopic("orders"), kgo.DisableAutoCommit(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	produce := func(n int) {
		for range n {
			if err := client.ProduceSync(t.Context(), kgo.StringRecord("x")).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
	produce(30)
	for read := 0; read < 30; {
		fetches := client.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		read += fetches.NumRecords()
	}
	if err := client.CommitUncommittedOffsets(t.Context()); err != nil {
		t.Fatal(err)
	}
	produce(7)

	o := observe(t, Config{Bootstrap: f.addrs, Interval: 50 * time.Millisecond, Deadline: time.Minute}, Interest{Groups: true})
	s := await(t, o, "a lag of 7", func(s *Snapshot) bool { return len(s.Groups) == 1 && s.Groups[0].Lag == 7 })
	g := s.Groups[0]
	if g.ID != "billing" || g.State != "Stable" || len(g.Members) != 1 || len(g.Members[0].Assigned["orders"]) != 3 {
		t.Errorf("%+v", g)
	}
	if g.Coordinator != f.CoordinatorFor("billing") {
		t.Errorf("coordinator %d, want %d", g.Coordinator, f.CoordinatorFor("billing"))
	}
}
