package admin

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

func dial(t *testing.T, f *fake) *Client {
	t.Helper()
	c, err := Dial(t.Context(), Config{Bootstrap: f.addrs, Deadline: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestTheLifeOfATopic(t *testing.T) {
	f := newFake(t, 3)
	c := dial(t, f)
	ctx := t.Context()
	if err := c.CreateTopic(ctx, TopicSpec{Name: "orders", Partitions: 3, ReplicationFactor: 3, Configs: map[string]string{"min.insync.replicas": "2", "retention.ms": "60000"}}); err != nil {
		t.Fatal(err)
	}
	if err := c.AddPartitions(ctx, "orders", 5); err != nil {
		t.Fatal(err)
	}
	if err := c.AlterTopicConfig(ctx, "orders", map[string]string{"cleanup.policy": "compact"}, []string{"retention.ms"}); err != nil {
		t.Fatal(err)
	}
	s, err := c.Snapshot(ctx, Interest{Offsets: []string{"orders"}, LogDirs: true, Configs: "orders"})
	if err != nil {
		t.Fatal(err)
	}
	topic, ok := s.Topic("orders")
	if !ok || len(topic.Partitions) != 5 || topic.MinISR != 2 || topic.Configs["cleanup.policy"] != "compact" || topic.Configs["retention.ms"] != "" {
		t.Errorf("%+v", topic)
	}
	if p := topic.Partitions[4]; p.Start != 0 || p.End != 0 || p.Leader < 0 {
		t.Errorf("%+v", p)
	}
	if err := c.DeleteTopic(ctx, "orders"); err != nil {
		t.Fatal(err)
	}
	if s, err = c.Snapshot(ctx, Interest{}); err != nil || len(s.Topics) != 0 {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestWhatABrokerRefusesIsOneSentence(t *testing.T) {
	f := newFake(t, 1, kfake.SeedTopics(1, "orders"))
	c := dial(t, f)
	ctx := t.Context()
	for want, err := range map[string]error{
		"create topic orders: ":                     c.CreateTopic(ctx, TopicSpec{Name: "orders", Partitions: 1}),
		"delete topic nope: there is no topic nope": c.DeleteTopic(ctx, "nope"),
		"raise partitions of orders to 1: ":         c.AddPartitions(ctx, "orders", 1),
		"raise partitions of nope to 3: there is":   c.AddPartitions(ctx, "nope", 3),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v, want %s…", err, want)
		}
	}
}

func TestWhatCannotBeATopic(t *testing.T) {
	for want, spec := range map[string]TopicSpec{
		"a topic needs a name":        {},
		"a topic cannot be called ..": {Name: ".."},
		`topic name "a b": only letters, digits, dot, underscore and hyphen are allowed`: {Name: "a b"},
		"a topic's name has at most 249 characters, this one has 250":                    {Name: strings.Repeat("x", 250)},
		"a topic has at least 1 partition":                                               {Name: "a", Partitions: -1},
		"replication factor 4 needs as many brokers, there are 3":                        {Name: "a", ReplicationFactor: 4},
		"min.insync.replicas 3 is above the replication factor 2: acks=all would always be refused": {
			Name: "a", ReplicationFactor: 2, Configs: map[string]string{"min.insync.replicas": "3"},
		},
	} {
		if err := spec.Validate(3); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if err := (TopicSpec{Name: "a.b_c-1", Partitions: 3, ReplicationFactor: 3}).Validate(3); err != nil {
		t.Error(err)
	}
}

func TestRolesResolveToNodes(t *testing.T) {
	f := newFake(t, 3, kfake.SeedTopics(3, "orders"))
	c := dial(t, f)
	ctx := t.Context()
	client, err := kgo.NewClient(kgo.SeedBrokers(f.addrs...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var read kadm.Offsets
	read.AddOffset("orders", 0, 1, -1)
	if err := kadm.NewClient(client).CommitAllOffsets(ctx, "billing", read); err != nil {
		t.Fatal(err)
	}
	for role, want := range map[string]int32{"leader:orders/2": f.LeaderFor("orders", 2), "group-coordinator:billing": f.CoordinatorFor("billing")} {
		if n, err := c.Resolve(ctx, role); err != nil || n.Broker != want {
			t.Errorf("%s: %+v, %v, want broker %d", role, n, err, want)
		}
	}
	if n, err := c.Resolve(ctx, "controller"); err != nil || n.Broker < 0 {
		t.Errorf("%+v, %v", n, err)
	}
	for role, want := range map[string]string{
		"leader:orders/9":          "there is no partition orders/9: kdrill topics lists what there is",
		"leader:nope/0":            "there is no partition nope/0: kdrill topics lists what there is",
		"leader:orders":            "leader:orders: write leader:TOPIC/PARTITION, such as leader:orders/3",
		"group-coordinator:biling": "there is no group biling: kdrill groups lists what there is",
		"king":                     `"king" is no role: use controller, controller-leader, coordinator-leader, leader:TOPIC/PARTITION or group-coordinator:GROUP`,
		"coordinator-leader":       "coordinator-leader: no ZooKeeper is known: name it with --zookeeper host:port",
	} {
		if _, err := c.Resolve(ctx, role); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", role, err, want)
		}
	}
}

func TestAClientOfNothingFailsWithWhatToDo(t *testing.T) {
	_, err := Dial(t.Context(), Config{Bootstrap: []string{"127.0.0.1:1", "no-such-host.invalid:9092"}})
	if err == nil || !strings.HasPrefix(err.Error(), "no broker of 127.0.0.1:1,no-such-host.invalid:9092 answers (") || !strings.HasSuffix(err.Error(), "or name another with --bootstrap-server") {
		t.Errorf("%v", err)
	}
	if _, err := Dial(t.Context(), Config{}); err == nil {
		t.Error("dialled nothing")
	}
}

func TestLogInsOverSASL(t *testing.T) {
	f := newFake(t, 1, kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-256", "alice", "s3cret"), kfake.SeedTopics(1, "orders"))
	for password, works := range map[string]bool{"s3cret": true, "wr0ng": false} {
		path := writeProperties(t, "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=SCRAM-SHA-256\n"+
			`sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username="alice" password="`+password+`";`)
		c, err := Dial(t.Context(), Config{Bootstrap: f.addrs, Properties: path, Deadline: 10 * time.Second})
		if works != (err == nil) {
			t.Errorf("%s: %v", password, err)
		}
		if err == nil {
			c.Close()
		} else if strings.Contains(err.Error(), password) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v", err)
		}
	}
	if _, err := Dial(t.Context(), Config{Bootstrap: f.addrs}); err == nil || !strings.Contains(err.Error(), "--command-config") {
		t.Errorf("without a log-in: %v", err)
	}
}

func writeProperties(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "client.properties")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
