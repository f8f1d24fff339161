package broker

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"kdrill/node/layout"
	"kdrill/testdata/freeport"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/testdata/ledger"
)

// suffering is a cluster that is used while it is hurt.
type suffering struct {
	*testCluster
	replication map[int32]*link // by which other brokers reach each broker
	sessions    map[int32]*link // by which each broker reaches the coordinators
	admin       *kadm.Client
	chance      *rand.Rand

	promises     ledger.Promises
	transactions ledger.Transactions
	seen, seenTx ledger.Seen
}

const (
	promised      = "promised"
	transacted    = "transacted"
	promisedParts = 3
)

// faults are the ways to hurt it. Each returns when the harm is done and mended, the cluster perhaps not yet whole.
var faults = []struct {
	name   string
	strike func(s *suffering)
}{
	{"kill -9 a broker", (*suffering).killBroker},
	{"kill -9 a broker and start it at once", (*suffering).bounceBroker},
	{"kill -9 a broker that loses the tails of its logs", (*suffering).tearTails},
	{"SIGSTOP a leader until it is replaced", (*suffering).pauseLeader},
	{"SIGSTOP a broker for a moment", (*suffering).pauseBriefly},
	{"no follower reaches its leader", (*suffering).cutReplication},
	{"a leader does not reach the coordinators", (*suffering).cutSession},
	{"a broker's disk is full", (*suffering).fillDisk},
	{"kill -9 a coordinator", (*suffering).killCoordinator},
	{"rolling restart", (*suffering).roll},
}

// Whatever happens to brokers, coordinators, links and disks: what was acknowledged or read stays, once and in order, and
// transactions are there whole or not at all. Each fault strikes once; BROKER_FAULTS=200 lets that many strike at random.
func TestPromisesAreKeptUnderFaults(t *testing.T) {
	s := &suffering{replication: map[int32]*link{}, sessions: map[int32]*link{}}
	s.testCluster = startClusterWith(t, 3, 3, s.linked)
	seed := uint64(time.Now().UnixNano())
	if n, err := strconv.ParseUint(os.Getenv("BROKER_SEED"), 10, 64); err == nil {
		seed = n
	}
	s.chance = rand.New(rand.NewPCG(seed, 1))
	s.admin = s.testCluster.admin(t)
	s.create(t, promised, promisedParts, nil)
	s.create(t, transacted, promisedParts, nil)
	end := s.work(t)
	count, err := strconv.Atoi(os.Getenv("BROKER_FAULTS"))
	if err != nil {
		count = len(faults)
	}
	t.Logf("BROKER_SEED=%d chooses these %d faults", seed, count)
	for i := range count {
		fault := faults[i%len(faults)]
		if i >= len(faults) {
			fault = faults[s.chance.IntN(len(faults))]
		}
		began := time.Now()
		fault.strike(s)
		s.awaitWhole()
		s.progress("after: " + fault.name)
		t.Logf("%d: %s, whole and at work after %.1f s", i+1, fault.name, time.Since(began).Seconds())
	}
	end()
	s.judge(t)
}

// linked has other nodes reach a broker, and it reach the coordinators, by links.
func (s *suffering) linked(c *testCluster, id int32, properties string) string {
	inner := freeport.One(c.t)
	s.replication[id] = newLink(c.t, fmt.Sprint("127.0.0.1:", inner))
	s.sessions[id] = newLink(c.t, strings.Split(c.zookeeper, ",")...)
	var text strings.Builder
	for line := range strings.Lines(properties) {
		switch listener, ok := strings.CutPrefix(line, "listeners="); {
		case ok:
			listener = strings.TrimSpace(listener)
			fmt.Fprintf(&text, "listeners=%s,LINK://127.0.0.1:%d\nadvertised.listeners=%s,LINK://%s\n", listener, inner, listener, s.replication[id].addr())
		case strings.HasPrefix(line, "zookeeper.connect="):
			fmt.Fprintf(&text, "zookeeper.connect=%s\n", s.sessions[id].addr())
		default:
			text.WriteString(line)
		}
	}
	return text.String() + "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,LINK:PLAINTEXT\ninter.broker.listener.name=LINK\n"
}

// work starts producers and consumers. The returned function ends them.
func (s *suffering) work(t *testing.T) (end func()) {
	ctx, stop := context.WithCancel(context.Background())
	var working sync.WaitGroup
	producer := s.client(t, kgo.DefaultProduceTopic(promised), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.MaxBufferedRecords(60), kgo.ProducerLinger(5*time.Millisecond), kgo.RetryTimeout(0))
	working.Go(func() { s.promises.Write(ctx, producer, promisedParts) })
	working.Go(func() {
		s.transactions.Write(ctx, func() (*kgo.Client, error) {
			return kgo.NewClient(kgo.SeedBrokers(s.seeds()...), kgo.TransactionalID("ledger"), kgo.DefaultProduceTopic(transacted),
				kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MetadataMinAge(50*time.Millisecond), kgo.RequestTimeoutOverhead(time.Second),
				kgo.ProduceRequestTimeout(2*time.Second), kgo.RetryTimeout(4*time.Second), kgo.RecordDeliveryTimeout(5*time.Second))
		}, promisedParts)
	})
	working.Go(func() { s.seen.Read(ctx, s.reader(t, promised, false)) })
	working.Go(func() { s.seenTx.Read(ctx, s.reader(t, transacted, true)) })
	s.progress("at the start")
	return func() { stop(); working.Wait() }
}

// reader is a consumer. Where a leader does not know that it was replaced, since it is cut off from the coordinators, a consumer
// leaves it once its metadata is old: with Kafka, too, and after five minutes if it is not told otherwise.
func (s *suffering) reader(t *testing.T, topic string, committed bool, options ...kgo.Opt) *kgo.Client {
	options = append(options, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.MetadataMaxAge(5*time.Second))
	if committed {
		options = append(options, kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	}
	return s.client(t, options...)
}

// judge reads everything and compares.
func (s *suffering) judge(t *testing.T) {
	t.Helper()
	plain, err := ledger.ReadAll(t.Context(), s.reader(t, promised, false), promised, false)
	if err != nil {
		t.Fatal(err)
	}
	inTransactions, err := ledger.ReadAll(t.Context(), s.reader(t, transacted, true, kgo.KeepControlRecords()), transacted, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, broken := range slices.Concat(s.promises.Broken(plain), s.seen.Broken(plain), s.transactions.Broken(inTransactions, promisedParts), s.seenTx.Broken(inTransactions)) {
		t.Error(broken)
	}
	t.Logf("%d records acknowledged, %d read, %d transactions committed", s.promises.Count(), s.seen.Count(), s.transactions.Committed())
}

// progress waits until every party has got on.
func (s *suffering) progress(when string) {
	s.t.Helper()
	acked, committed, seen := s.promises.Count(), s.transactions.Committed(), s.seen.Count()
	s.soon("records are acknowledged "+when, func() bool { return s.promises.Count() > acked+50 })
	s.soon("records are read "+when, func() bool { return s.seen.Count() > seen+50 })
	s.soon("transactions are committed "+when, func() bool { return s.transactions.Committed() > committed+1 })
}

// soon waits until something holds, for longer than a machine that is busy with three nodes' recovery needs.
func (s *suffering) soon(what string, holds func() bool) {
	s.t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for tick := time.NewTicker(20 * time.Millisecond); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			s.t.Fatalf("not within two minutes: %s (the last transaction that failed: %v)", what, s.transactions.Last())
		}
	}
}

// partitions are those of both topics, as brokers tell that can be asked.
func (s *suffering) partitions() (all []kadm.PartitionDetail) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	topics, err := s.admin.ListTopics(ctx, promised, transacted)
	if err != nil {
		return nil
	}
	for _, t := range topics.Sorted() {
		all = append(all, t.Partitions.Sorted()...)
	}
	return all
}

func (s *suffering) every(holds func(kadm.PartitionDetail) bool) bool {
	all := s.partitions()
	return len(all) == 2*promisedParts && !slices.ContainsFunc(all, func(p kadm.PartitionDetail) bool { return !holds(p) })
}

func (s *suffering) awaitWhole() {
	s.t.Helper()
	s.soon("all replicas are in sync", func() bool {
		return s.every(func(p kadm.PartitionDetail) bool { return p.Leader >= 0 && len(p.ISR) == 3 })
	})
}

// awaitOut waits until a broker is in sync with nobody, and leads nothing.
func (s *suffering) awaitOut(id int32) {
	s.t.Helper()
	s.soon(fmt.Sprintf("broker %d is out of every isr", id), func() bool {
		return s.every(func(p kadm.PartitionDetail) bool { return p.Leader >= 0 && !slices.Contains(p.ISR, id) })
	})
}

func (s *suffering) anyBroker() int32 { return 1 + s.chance.Int32N(3) }

// leader is the broker that leads a partition, any if nobody does just now.
func (s *suffering) leader() int32 {
	if all := s.partitions(); len(all) > 0 {
		if id := all[s.chance.IntN(len(all))].Leader; id > 0 {
			return id
		}
	}
	return s.anyBroker()
}

func (s *suffering) killBroker() {
	id := s.leader()
	s.kill(s.brokers[id])
	s.awaitOut(id)
	s.progress("without a broker")
	s.start(s.brokers[id])
}

func (s *suffering) bounceBroker() {
	n := s.brokers[s.anyBroker()]
	s.kill(n)
	s.start(n)
}

func (s *suffering) pauseLeader() {
	id := s.leader()
	s.signal(s.brokers[id], syscall.SIGSTOP)
	s.awaitOut(id)
	s.progress("without a broker")
	s.signal(s.brokers[id], syscall.SIGCONT)
}

func (s *suffering) pauseBriefly() {
	n := s.brokers[s.anyBroker()]
	s.signal(n, syscall.SIGSTOP)
	<-time.After(time.Duration(s.chance.Int64N(int64(sessionTimeout))))
	s.signal(n, syscall.SIGCONT)
}

// tearTails cuts the ends off the logs of a broker that nobody counts on any more, as a machine that loses power does.
func (s *suffering) tearTails() {
	id := s.anyBroker()
	s.kill(s.brokers[id])
	s.awaitOut(id)
	segments, err := filepath.Glob(filepath.Join(s.dir, fmt.Sprint("broker", id), "data", "*", "*.log"))
	if err != nil || len(segments) == 0 {
		s.t.Fatalf("no segments: %v", err)
	}
	for _, path := range segments {
		info, err := os.Stat(path)
		if err != nil || strings.Contains(path, "cluster_metadata") {
			continue
		}
		if err := os.Truncate(path, max(0, info.Size()-s.chance.Int64N(4000))); err != nil {
			s.t.Fatal(err)
		}
	}
	s.start(s.brokers[id])
}

// cutReplication keeps followers, and the controller, from a leader until it has given them up. What it was elected for
// just before, and cannot hear of, does not count: nobody leads that until it can be told.
func (s *suffering) cutReplication() {
	id := s.leader()
	s.replication[id].set(true)
	defer s.replication[id].set(false)
	s.soon(fmt.Sprintf("broker %d leads alone somewhere, or nothing that it knows of", id), func() bool {
		all, known := s.partitions(), s.ledBy(id)
		leads := func(p kadm.PartitionDetail) bool {
			epoch, knows := known[layout.TopicPartition{Topic: p.Topic, Partition: p.Partition}]
			return p.Leader == id && knows && epoch == p.LeaderEpoch
		}
		alone := func(p kadm.PartitionDetail) bool { return leads(p) && len(p.ISR) == 1 }
		return len(all) > 0 && (slices.ContainsFunc(all, alone) || !slices.ContainsFunc(all, leads))
	})
}

// ledBy are the leader epochs of the partitions that a broker itself says it leads.
func (s *suffering) ledBy(id int32) map[layout.TopicPartition]int32 {
	req := kmsg.NewPtrMetadataRequest()
	req.Version = 12
	led := map[layout.TopicPartition]int32{}
	for _, t := range s.ask(s.t, id, req).(*kmsg.MetadataResponse).Topics {
		for _, p := range t.Partitions {
			if p.Leader == id {
				led[layout.TopicPartition{Topic: *t.Topic, Partition: p.Partition}] = p.LeaderEpoch
			}
		}
	}
	return led
}

func (s *suffering) cutSession() {
	id := s.leader()
	s.sessions[id].set(true)
	defer s.sessions[id].set(false)
	s.soon(fmt.Sprintf("broker %d leads nothing", id), func() bool {
		return s.every(func(p kadm.PartitionDetail) bool { return p.Leader >= 0 && p.Leader != id })
	})
	s.progress("with a broker that has no session")
}

// fillDisk starts a broker on a disk with little room, until it gives up.
func (s *suffering) fillDisk() {
	n := s.brokers[s.leader()]
	s.kill(n)
	largest := int64(0)
	segments, _ := filepath.Glob(filepath.Join(filepath.Dir(n.config), "data", "*", "*.log"))
	for _, path := range segments {
		if info, err := os.Stat(path); err == nil {
			largest = max(largest, info.Size())
		}
	}
	s.start(n, fmt.Sprintf("KDRILL_TEST_FILE_SIZE=%d", largest+20_000))
	s.soon("the broker on a full disk gives up", func() bool {
		select {
		case <-n.ended:
			return true
		default:
			return false
		}
	})
	s.start(n)
}

func (s *suffering) killCoordinator() {
	n := s.coordinators[s.chance.IntN(len(s.coordinators))]
	s.kill(n)
	s.progress("without a coordinator")
	s.start(n)
	s.soon("the coordinator serves", func() bool { return strings.Contains(string(fourLetters(n.addr, "srvr")), "Mode: ") })
}

func (s *suffering) roll() {
	for id := range int32(3) {
		n := s.brokers[id+1]
		s.signal(n, syscall.SIGTERM)
		s.await(n)
		s.start(n)
		s.awaitWhole()
	}
}
