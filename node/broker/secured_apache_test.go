package broker

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"kdrill/testdata/need"
)

// TestApachesToolsOnSecuredBrokers administers a secured broker with Apache's own tools: some ask the broker, some read and
// write the znodes themselves.
func TestApachesToolsOnSecuredBrokers(t *testing.T) {
	if testing.Short() {
		t.Skip("starts JVMs")
	}
	libs := need.Kafka(t, need.Kafka3)
	s := newSecured(t, 3, "password.encoder.secret="+encoderSecret+"\n")
	tool := func(input, class string, args ...string) string {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		command := exec.CommandContext(ctx, "java", append([]string{"-XX:TieredStopAtLevel=1", "-cp", filepath.Join(libs, "*"), class}, args...)...)
		command.Stdin = strings.NewReader(input)
		out, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %s: %v\n%s", class, strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	wants := func(out string, want ...string) {
		t.Helper()
		for _, w := range want {
			if !strings.Contains(out, w) {
				t.Errorf("%q is not in\n%s", w, out)
			}
		}
	}
	bootstrap := "--bootstrap-server=" + s.brokers[1].addr
	const configs, acls = "kafka.admin.ConfigCommand", "kafka.admin.AclCommand"

	// Credentials and lists that Apache wrote to ZooKeeper, and what it reads of ours.
	tool("", configs, "--zookeeper", s.zookeeper, "--alter", "--entity-type", "users", "--entity-name", "hal",
		"--add-config", "SCRAM-SHA-256=[iterations=4096,password=open],SCRAM-SHA-512=[password=the pod bay doors]")
	s.awaitPing(t, true, "SCRAM", kgo.DialTLSConfig(s.trust("")), kgo.SASL(scramAs("hal", "the pod bay doors")))
	tool("", acls, "--authorizer", "kafka.security.authorizer.AclAuthorizer", "--authorizer-properties", "zookeeper.connect="+s.zookeeper,
		"--add", "--allow-principal", "User:alice", "--allow-principal", "User:hal", "--producer", "--topic", "tools", "--resource-pattern-type", "prefixed")
	wants(tool("", acls, bootstrap, "--add", "--allow-principal", "User:hal", "--allow-principal", "User:alice", "--consumer", "--topic", "tools-1", "--group", "hals"),
		"name=tools-1, patternType=LITERAL")
	wants(tool("", acls, "--authorizer", "kafka.security.authorizer.AclAuthorizer", "--authorizer-properties", "zookeeper.connect="+s.zookeeper, "--list"),
		"Current ACLs for resource `ResourcePattern(resourceType=TOPIC, name=tools-1, patternType=LITERAL)`", "(principal=User:hal, host=*, operation=READ, permissionType=ALLOW)",
		"name=tools, patternType=PREFIXED", "(principal=User:alice, host=*, operation=WRITE, permissionType=ALLOW)")

	// Clients that these allow, and one that they do not.
	if made, err := s.admin(t).CreateTopic(t.Context(), 1, 3, nil, "tools-1"); err != nil || made.Err != nil {
		t.Fatal(made, err)
	}
	produce(t, s.user(t, "alice"), "tools-1", 0, 3)
	if err := s.user(t, "bob", kgo.RecordRetries(0)).ProduceSync(t.Context(), &kgo.Record{Topic: "tools-1"}).FirstErr(); !errors.Is(err, kerr.TopicAuthorizationFailed) {
		t.Errorf("bob writes: %v", err)
	}
	client := s.authority.write("client.properties", []byte(fmt.Sprintf(`security.protocol=SASL_SSL
sasl.mechanism=SCRAM-SHA-512
sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username="hal" password="the pod bay doors";
ssl.truststore.type=PEM
ssl.truststore.location=%s
`, filepath.Join(s.dirOf(), "ca.pem"))))
	tool("3\n4\n", "kafka.tools.ConsoleProducer", fmt.Sprintf("--bootstrap-server=127.0.0.1:%d", s.ports["SCRAM"][1]), "--producer.config", client, "--topic", "tools-1")
	s.consume(t, "tools-1", 5)
	s.toolTokens(t, tool, client)
	s.toolStores(t, tool)

	// Quotas and credentials by way of the broker.
	tool("", configs, bootstrap, "--alter", "--entity-type", "users", "--entity-name", "hal", "--entity-type", "clients", "--entity-default",
		"--add-config", "producer_byte_rate=1024,request_percentage=12.5")
	wants(tool("", configs, bootstrap, "--describe", "--entity-type", "users", "--entity-name", "hal", "--entity-type", "clients", "--entity-default"),
		"producer_byte_rate=1024.0", "request_percentage=12.5")
	wants(tool("", configs, bootstrap, "--describe", "--entity-type", "users"), "SCRAM credential configs for user-principal 'hal' are", "SCRAM-SHA-256=iterations=4096", "SCRAM-SHA-512=iterations=4096")
}
