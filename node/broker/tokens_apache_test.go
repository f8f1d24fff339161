package broker

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"kdrill/testdata/freeport"
	"kdrill/testdata/need"
)

// startApacheBroker starts a broker of Apache's, which ends with the test.
func (c *testCluster) startApacheBroker(t *testing.T, properties string) {
	t.Helper()
	libs := need.Kafka(t, need.Kafka3)
	config := filepath.Join(c.dir, "apache.properties")
	if err := os.WriteFile(config, []byte(properties), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(filepath.Join(c.dir, "apache.log"))
	if err != nil {
		t.Fatal(err)
	}
	java := exec.Command("java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", filepath.Join(libs, "*"), "kafka.Kafka", config)
	java.Stdout, java.Stderr = out, out
	if err := java.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = java.Process.Kill()
		_ = java.Wait()
		out.Close()
	})
}

// Tokens that our broker made let in at Apache's, those of Apache's at ours, and one that is ended at the other is ended.
func TestTokensAreThoseOfApachesBrokers(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a JVM")
	}
	ports := freeport.Find(t, 3)
	const common = `
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SIMPLE:SASL_PLAINTEXT
inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256
listener.name.simple.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_alice="word";
listener.name.simple.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
delegation.token.secret.key=between brokers
`
	c := startClusterWith(t, 1, 1, func(_ *testCluster, _ int32, properties string) string {
		first, rest, _ := strings.Cut(properties, "\nlog.dirs")
		return first + fmt.Sprintf(",SIMPLE://127.0.0.1:%d\nlog.dirs", ports[0]) + rest + common
	})
	c.startApacheBroker(t, fmt.Sprintf("broker.id=2\nlisteners=PLAINTEXT://127.0.0.1:%d,SIMPLE://127.0.0.1:%d\nlog.dirs=%s\nzookeeper.connect=%s\n", ports[1], ports[2], filepath.Join(c.dir, "apache"), c.zookeeper)+common)
	ours, theirs := fmt.Sprintf("127.0.0.1:%d", ports[0]), fmt.Sprintf("127.0.0.1:%d", ports[2])
	as := func(address string, opts ...kgo.Opt) *kgo.Client {
		return c.client(t, append([]kgo.Opt{kgo.SeedBrokers(address), patiently}, opts...)...)
	}
	comesIn := func(address string, opt kgo.Opt, code *kerr.Error) func() bool {
		return func() bool {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			client := as(address, opt, kgo.RetryTimeout(time.Second))
			defer client.Close()
			err := client.Ping(ctx)
			if code != nil {
				return errors.Is(err, code)
			}
			return err == nil
		}
	}
	alice := kgo.SASL(plain.Auth{User: "alice", Pass: "word"}.AsMechanism())
	c.eventually("Apache's broker serves", comesIn(theirs, alice, nil))
	ask := func(address string, req kmsg.Request) kmsg.Response { // that broker, and no other that the client learns of
		t.Helper()
		resp, err := as(address, alice).SeedBrokers()[0].RetriableRequest(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	create := func(address string) (hmac []byte, opt kgo.Opt) {
		t.Helper()
		made := ask(address, kmsg.NewPtrCreateDelegationTokenRequest()).(*kmsg.CreateDelegationTokenResponse)
		if made.ErrorCode != 0 {
			t.Fatal(kerr.ErrorForCode(made.ErrorCode))
		}
		return made.HMAC, kgo.SASL(scram.Auth{User: made.TokenID, Pass: base64.StdEncoding.EncodeToString(made.HMAC), IsToken: true}.AsSha256Mechanism())
	}
	our, byOurs := create(ours)
	_, byTheirs := create(theirs)
	c.eventually("our token lets in at Apache's", comesIn(theirs, byOurs, nil))
	c.eventually("Apache's token lets in at ours", comesIn(ours, byTheirs, nil))
	end := kmsg.NewPtrExpireDelegationTokenRequest()
	end.HMAC, end.ExpiryPeriodMillis = our, -1
	if code := ask(theirs, end).(*kmsg.ExpireDelegationTokenResponse).ErrorCode; code != 0 {
		t.Fatal(kerr.ErrorForCode(code))
	}
	c.eventually("our token has ended here, too", comesIn(ours, byOurs, kerr.SaslAuthenticationFailed))
}
