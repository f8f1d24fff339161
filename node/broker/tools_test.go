package broker

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"kdrill/testdata/freeport"
	"kdrill/testdata/need"
)

// tooled is a cluster that Apache's own command line tools are used on.
type tooled struct {
	*testCluster
	*need.Tools
	bootstrap string
	dir       string
}

// Apache's own tools do to three brokers what they do to Apache's, and print what they print there.
func TestApachesTools(t *testing.T) {
	tools := need.KafkaTools(t)
	c := startCluster(t, 1, 3)
	s := &tooled{testCluster: c, Tools: tools, bootstrap: strings.Join(c.seeds(), ","), dir: t.TempDir()}
	for _, story := range []struct {
		name string
		play func(t *testing.T)
	}{
		{"kafka-topics", s.topics},
		{"kafka-configs", s.configs},
		{"kafka-configs and listeners", s.listeners},
		{"console producer and consumer", s.console},
		{"kafka-consumer-groups", s.groups},
		{"verifiable producer and consumer", s.verifiable},
		{"producer performance", s.performance},
		{"kafka-reassign-partitions", s.reassign},
		{"a reassignment with a throttle", s.throttled},
		{"kafka-leader-election", s.elect},
		{"kafka-transactions", s.transactions},
		{"kafka-log-dirs", s.logDirs},
		{"kafka-dump-log", s.dump},
		{"a word count of Kafka Streams", s.wordCount},
	} {
		t.Run(story.name, story.play)
	}
}

// tool runs a tool on this cluster.
func (s *tooled) tool(class string, args ...string) string {
	s.t.Helper()
	return s.Run(class, append([]string{"--bootstrap-server", s.bootstrap}, args...)...)
}

// says fails the story unless a tool printed all of these.
func says(t *testing.T, printed string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(printed, w) {
			t.Errorf("not said: %q\n%.2000s", w, printed)
		}
	}
}

func (s *tooled) file(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(s.dir, "input.json")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const (
	topicCommand   = "org.apache.kafka.tools.TopicCommand"
	configCommand  = "kafka.admin.ConfigCommand"
	groupCommand   = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"
	reassignTool   = "org.apache.kafka.tools.reassign.ReassignPartitionsCommand"
	leaderElection = "org.apache.kafka.tools.LeaderElectionCommand"
	transactions   = "org.apache.kafka.tools.TransactionsCommand"
)

func (s *tooled) topics(t *testing.T) {
	says(t, s.tool(topicCommand, "--create", "--topic", "tooled", "--partitions", "3", "--replication-factor", "3", "--config", "min.insync.replicas=2"), "Created topic tooled.")
	s.awaitPartitions(t, "tooled", 3)
	says(t, s.tool(topicCommand, "--describe", "--topic", "tooled"), "PartitionCount: 3\tReplicationFactor: 3\tConfigs: min.insync.replicas=2", "Partition: 2\tLeader: ")
	printed, status := s.Try("", topicCommand, "--bootstrap-server", s.bootstrap, "--create", "--topic", "tooled")
	if says(t, printed, "Topic 'tooled' already exists."); status != 1 {
		t.Errorf("status %d of a topic that is there", status)
	}
	s.tool(topicCommand, "--alter", "--topic", "tooled", "--partitions", "4")
	s.awaitPartitions(t, "tooled", 4)
	s.tool(topicCommand, "--create", "--topic", "passing", "--partitions", "1", "--replication-factor", "1")
	s.tool(topicCommand, "--delete", "--topic", "passing")
	s.eventually("passing is gone", func() bool { return !strings.Contains(s.tool(topicCommand, "--list"), "passing") })
	s.awaitISR(t, "tooled", 3)
	if out := s.tool(topicCommand, "--describe", "--under-replicated-partitions"); strings.Contains(out, "tooled") {
		t.Errorf("under-replicated: %s", out)
	}
}

func (s *tooled) configs(t *testing.T) {
	says(t, s.tool(configCommand, "--alter", "--topic", "tooled", "--add-config", "retention.ms=3600000,segment.bytes=1048576"), "Completed updating config for topic tooled.")
	s.eventually("the topic has its configuration", func() bool {
		return strings.Contains(s.tool(configCommand, "--describe", "--topic", "tooled"), "retention.ms=3600000 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:retention.ms=3600000")
	})
	s.tool(configCommand, "--alter", "--topic", "tooled", "--delete-config", "retention.ms")
	printed, status := s.Try("", configCommand, "--bootstrap-server", s.bootstrap, "--alter", "--topic", "tooled", "--add-config", "retention.ms=soon")
	if says(t, printed, "nvalid value soon for configuration retention.ms"); status != 1 {
		t.Errorf("status %d of a wrong value", status)
	}
	says(t, s.tool(configCommand, "--describe", "--broker", "1", "--all"), "log.segment.bytes=1073741824")
}

// listeners adds a listener to one broker, lists topics by it, and removes it.
func (s *tooled) listeners(t *testing.T) {
	static, added := s.brokers[1].addr, fmt.Sprintf("127.0.0.1:%d", freeport.Find(t, 1)[0])
	s.tool(configCommand, "--alter", "--broker", "1", "--add-config", fmt.Sprintf("listeners=[PLAINTEXT://%s,ADDED://%s],listener.security.protocol.map=[PLAINTEXT:PLAINTEXT,ADDED:PLAINTEXT]", static, added))
	says(t, s.Run(configCommand, "--bootstrap-server", added, "--describe", "--broker", "1"),
		"listeners=PLAINTEXT://"+static+",ADDED://"+added+" sensitive=false synonyms={DYNAMIC_BROKER_CONFIG:listeners=")
	printed, status := s.Try("", configCommand, "--bootstrap-server", s.bootstrap, "--alter", "--broker", "1", "--add-config", "listeners=[ADDED://"+added+"]")
	if says(t, printed, "brokers reach each other by listener PLAINTEXT"); status != 1 {
		t.Errorf("status %d of a broker that the others could not reach", status)
	}
	s.tool(configCommand, "--alter", "--broker", "1", "--delete-config", "listeners,listener.security.protocol.map")
	s.eventually("the listener is closed", func() bool {
		conn, err := net.Dial("tcp", added)
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
}

func (s *tooled) console(t *testing.T) {
	s.Feed("a:1\nb:2\nc:3\n", "kafka.tools.ConsoleProducer", "--bootstrap-server", s.bootstrap, "--topic", "tooled", "--property", "parse.key=true", "--property", "key.separator=:", "--compression-codec", "zstd")
	out := s.tool("org.apache.kafka.tools.consumer.ConsoleConsumer", "--topic", "tooled", "--from-beginning", "--max-messages", "3", "--group", "console", "--property", "print.key=true", "--timeout-ms", "60000")
	says(t, out, "a\t1", "b\t2", "c\t3", "Processed a total of 3 messages")
}

func (s *tooled) groups(t *testing.T) {
	says(t, s.tool(groupCommand, "--list", "--state"), "console", "Empty")
	says(t, s.tool(groupCommand, "--describe", "--group", "console"), "Consumer group 'console' has no active members.", "CURRENT-OFFSET", "tooled")
	says(t, s.tool(groupCommand, "--reset-offsets", "--to-earliest", "--group", "console", "--topic", "tooled", "--execute"), "NEW-OFFSET")
	says(t, s.tool(groupCommand, "--delete-offsets", "--group", "console", "--topic", "tooled:0"), "Successful")
	says(t, s.tool(groupCommand, "--delete", "--group", "console"), "Deletion of requested consumer groups ('console') was successful.")
	if out := s.tool(groupCommand, "--list"); strings.Contains(out, "console") {
		t.Errorf("still there: %s", out)
	}
}

func (s *tooled) verifiable(t *testing.T) {
	s.create(t, "verified", 2, nil)
	says(t, s.tool("org.apache.kafka.tools.VerifiableProducer", "--topic", "verified", "--max-messages", "500", "--acks", "-1"),
		"startup_complete") // it sends while it ends: the consumer sees all that it did
	says(t, s.tool("org.apache.kafka.tools.VerifiableConsumer", "--topic", "verified", "--group-id", "verifier", "--max-messages", "500", "--reset-policy", "earliest"),
		`"partitions_assigned"`, `"offsets_committed"`, `"success":true`)
}

func (s *tooled) performance(t *testing.T) {
	says(t, s.Run("org.apache.kafka.tools.ProducerPerformance", "--topic", "verified", "--num-records", "5000", "--record-size", "1000", "--throughput", "-1",
		"--producer-props", "bootstrap.servers="+s.bootstrap, "acks=all", "linger.ms=5"), "5000 records sent", "99.9th")
}

func (s *tooled) reassign(t *testing.T) {
	plan := s.file(t, `{"version":1,"partitions":[{"topic":"verified","partition":0,"replicas":[3,1]},{"topic":"verified","partition":1,"replicas":[1,2]}]}`)
	says(t, s.tool(reassignTool, "--execute", "--reassignment-json-file", plan), "Successfully started partition reassignments for verified-0,verified-1")
	s.eventually("the reassignment is complete", func() bool {
		out := s.tool(reassignTool, "--verify", "--reassignment-json-file", plan)
		return strings.Contains(out, "Reassignment of partition verified-0 is completed.") && strings.Contains(out, "Reassignment of partition verified-1 is completed.")
	})
	says(t, s.tool(reassignTool, "--list"), "No partition reassignments found.")
	s.eventually("the new replicas are described", func() bool {
		out := s.tool(topicCommand, "--describe", "--topic", "verified")
		return strings.Contains(out, "Replicas: 3,1") && strings.Contains(out, "Replicas: 1,2")
	})
}

func (s *tooled) elect(t *testing.T) {
	out, status := s.Try("", leaderElection, "--bootstrap-server", s.bootstrap, "--election-type", "PREFERRED", "--topic", "tooled", "--partition", "0")
	if status != 0 || !strings.Contains(out, "Successfully completed leader election (PREFERRED) for partitions tooled-0") &&
		!strings.Contains(out, "Valid replica already elected for partitions tooled-0") {
		t.Errorf("%d: %s", status, out)
	}
}

func (s *tooled) transactions(t *testing.T) {
	client := s.client(t, kgoTransactional("told")...)
	if err := transactOnce(t.Context(), client, "tooled"); err != nil {
		t.Fatal(err)
	}
	says(t, s.tool(transactions, "list"), "TransactionalId", "told")
	s.eventually("its markers are noted as written", func() bool {
		return strings.Contains(s.tool(transactions, "describe", "--transactional-id", "told"), "CompleteCommit")
	})
	says(t, s.tool(transactions, "describe-producers", "--topic", "tooled", "--partition", "0"), "ProducerId")
	if out := s.tool(transactions, "find-hanging", "--broker-id", "1"); strings.Contains(out, "tooled") {
		t.Errorf("a hanging transaction: %s", out)
	}
}

func (s *tooled) logDirs(t *testing.T) {
	says(t, s.tool("org.apache.kafka.tools.LogDirsCommand", "--describe", "--broker-list", "1,2,3", "--topic-list", "tooled"),
		`"partition":"tooled-0"`, `"offsetLag":0`, `"error":null`)
}

// dump reads the files of a broker that was stopped: until then the newest entries of indexes are in memory.
func (s *tooled) dump(t *testing.T) {
	stopped := s.brokers[1]
	s.signal(stopped, syscall.SIGTERM)
	s.await(stopped)
	defer func() { s.start(stopped); s.awaitISR(t, "tooled", 3) }()
	files, err := filepath.Glob(filepath.Join(s.testCluster.dir, "broker1", "data", "verified-?", "00000000000000000000.log"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no segments: %v", err)
	}
	out := s.Run("kafka.tools.DumpLogSegments", "--files", files[0], "--deep-iteration", "--print-data-log")
	says(t, out, "Log starting offset: 0", "| offset: 10 ")
	for _, file := range files {
		out += s.Run("kafka.tools.DumpLogSegments", "--files", file+","+strings.TrimSuffix(file, ".log")+".index,"+strings.TrimSuffix(file, ".log")+".timeindex")
	}
	if strings.Contains(out, "isvalid: false") || strings.Contains(out, "ismatch") {
		t.Errorf("%.2000s", out)
	}
}

func (s *tooled) wordCount(t *testing.T) {
	s.create(t, "lines", 2, nil)
	s.create(t, "counts", 2, nil)
	var lines strings.Builder
	for i := range 30 {
		fmt.Fprintf(&lines, "all leaders fail once %s\n", []string{"or", "twice", "again"}[i%3])
	}
	s.Feed(lines.String(), "kafka.tools.ConsoleProducer", "--bootstrap-server", s.bootstrap, "--topic", "lines")
	says(t, s.Run("WordCount", s.bootstrap, "lines", "counts", filepath.Join(s.dir, "streams"), "150"),
		"{again=10, all=30, fail=30, leaders=30, once=30, or=10, twice=10}")
	says(t, s.tool(topicCommand, "--list"), "word-count-counts-changelog", "word-count-counts-repartition")
}

func kgoTransactional(id string) []kgo.Opt {
	return []kgo.Opt{kgo.TransactionalID(id), kgo.RecordPartitioner(kgo.ManualPartitioner())}
}

// transactOnce commits one record.
func transactOnce(ctx context.Context, client *kgo.Client, topic string) error {
	if err := client.BeginTransaction(); err != nil {
		return err
	}
	if err := client.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte("x")}).FirstErr(); err != nil {
		return err
	}
	return client.EndTransaction(ctx, kgo.TryCommit)
}
