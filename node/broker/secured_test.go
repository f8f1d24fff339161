package broker

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kdrill/testdata/freeport"

	"github.com/go-zookeeper/zk"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"kdrill/node/broker/auth"
	"kdrill/node/layout"
	"kdrill/node/wire"
	"kdrill/testdata/need"
)

// authority signs the certificates of a test.
type authority struct {
	t    testing.TB
	dir  string
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	last int64
}

func newAuthority(t testing.TB, dir string) *authority {
	t.Helper()
	a := &authority{t: t, dir: dir}
	a.key, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	a.cert, _ = x509.ParseCertificate(der)
	a.write("ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return a
}

func (a *authority) write(name string, data []byte) string {
	a.t.Helper()
	path := filepath.Join(a.dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		a.t.Fatal(err)
	}
	return path
}

// issue makes a certificate for this machine and returns the path of a PEM file with it and its key.
func (a *authority) issue(subject pkix.Name) string {
	a.t.Helper()
	a.last++
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1 + a.last), Subject: subject, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	secret, _ := x509.MarshalPKCS8PrivateKey(key)
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
	return a.write(fmt.Sprintf("cert%d.pem", a.last), append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...))
}

// trust believes the authority, and shows a certificate if there is one.
func (a *authority) trust(certificate string) *tls.Config {
	a.t.Helper()
	config := &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "localhost"}
	config.RootCAs.AddCert(a.cert)
	if certificate != "" {
		pair, err := tls.LoadX509KeyPair(certificate, certificate)
		if err != nil {
			a.t.Fatal(err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config
}

// securedCluster is a cluster whose brokers have, beside the plain listener that the other tests use, one for each way
// to say who one is.
type securedCluster struct {
	*testCluster
	*authority
	ports map[string]map[int32]int // by listener and broker
}

// newSecured starts coordinator and brokers. Brokers authenticate to each other by SCRAM over TLS.
func newSecured(t testing.TB, brokers int, more string) *securedCluster {
	t.Helper()
	s := &securedCluster{authority: newAuthority(t, t.TempDir()), ports: map[string]map[int32]int{}}
	store := s.issue(brokerName)
	names := []string{"INTERNAL", "SCRAM", "MUTUAL", "SIMPLE"}
	ports := freeport.Find(t, len(names)*brokers)
	for i, name := range names {
		s.ports[name] = map[int32]int{}
		for id := range brokers {
			s.ports[name][int32(id+1)] = ports[i*brokers+id]
		}
	}
	s.testCluster = startClusterWith(t, 1, brokers, func(c *testCluster, id int32, properties string) string {
		if id == 1 {
			c.seedCredential("broker", "between brokers")
		}
		first, rest, _ := strings.Cut(properties, "\nlog.dirs")
		for _, name := range names {
			first += fmt.Sprintf(",%s://127.0.0.1:%d", name, s.ports[name][id])
		}
		return first + "\nlog.dirs" + rest + fmt.Sprintf(`
authorizer.class.name=kafka.security.authorizer.AclAuthorizer
super.users=User:broker;User:ANONYMOUS
allow.everyone.if.no.acl.found=true
delegation.token.secret.key=secret of all tokens
delegation.token.expiry.check.interval.ms=500
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,INTERNAL:SASL_SSL,SCRAM:SASL_SSL,MUTUAL:SSL,SIMPLE:SASL_PLAINTEXT
inter.broker.listener.name=INTERNAL
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-256
sasl.enabled.mechanisms=SCRAM-SHA-256,SCRAM-SHA-512
ssl.keystore.type=PEM
ssl.keystore.location=%s
ssl.truststore.type=PEM
ssl.truststore.location=%s
listener.name.internal.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username="broker" password="between brokers";
listener.name.scram.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.scram.connections.max.reauth.ms=1500
listener.name.internal.connections.max.reauth.ms=2000
listener.name.internal.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.mutual.ssl.client.auth=required
ssl.principal.mapping.rules=RULE:^CN=([^,]+),OU=people.*$/$1/L,DEFAULT
listener.name.simple.sasl.enabled.mechanisms=PLAIN
listener.name.simple.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_alice="alice's \\"word\\"" user_bob=bobs;
`, store, filepath.Join(s.dirOf(), "ca.pem")) + more
	})
	return s
}

func (s *securedCluster) dirOf() string { return s.authority.dir }

// seedCredential writes a user's credential to ZooKeeper, as Apache's kafka-configs does before the first broker starts.
func (c *testCluster) seedCredential(user, password string) {
	c.t.Helper()
	config := map[string]string{"SCRAM-SHA-256": saltedCredential(password, []byte("salt of the test"))}
	c.seed("/config/users/"+user, layout.Encode(layout.EntityConfiguration{Version: 1, Config: config}))
}

// znodes is a connection of its own to ZooKeeper.
func (c *testCluster) znodes() *zk.Conn {
	c.t.Helper()
	conn, _, err := zk.Connect(strings.Split(c.zookeeper, ","), 5*time.Second, zk.WithLogger(zkLogger{discard()}))
	if err != nil {
		c.t.Fatal(err)
	}
	return conn
}

// children are the names below a znode.
func (c *testCluster) children(path string) []string {
	c.t.Helper()
	conn := c.znodes()
	defer conn.Close()
	names, _, err := conn.Children(path)
	if err != nil {
		c.t.Fatal(err)
	}
	return names
}

// seed makes a znode, and its parents, before there are brokers.
func (c *testCluster) seed(path string, data []byte) {
	c.t.Helper()
	conn := c.znodes()
	defer conn.Close()
	for i := range path {
		if i > 0 && path[i] == '/' {
			if _, err := conn.Create(path[:i], nil, 0, zk.WorldACL(zk.PermAll)); err != nil && !errors.Is(err, zk.ErrNodeExists) {
				c.t.Fatal(err)
			}
		}
	}
	if _, err := conn.Create(path, data, 0, zk.WorldACL(zk.PermAll)); err != nil {
		c.t.Fatal(err)
	}
}

// through makes a client of one listener. Addresses are those of the listener on all brokers.
func (s *securedCluster) through(t testing.TB, listener string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	var seeds []string
	for _, port := range s.ports[listener] {
		seeds = append(seeds, fmt.Sprintf("127.0.0.1:%d", port))
	}
	return s.client(t, append([]kgo.Opt{kgo.SeedBrokers(seeds...)}, opts...)...)
}

func scramAs(user, password string) sasl.Mechanism {
	return scram.Auth{User: user, Pass: password}.AsSha512Mechanism()
}

// TestSecuredBrokers runs three brokers that authenticate to each other, and clients that do so in every way.
func TestSecuredBrokers(t *testing.T) {
	if testing.Short() {
		t.Skip("starts four processes")
	}
	s := newSecured(t, 3, "password.encoder.secret="+encoderSecret+"\n")
	t.Run("brokers replicate by SCRAM over TLS", s.testReplication)
	t.Run("passwords change while brokers run", s.testPasswords)
	t.Run("PLAIN", s.testPlain)
	t.Run("a certificate says who it is", s.testCertificate)
	t.Run("authentications expire", s.testExpiry)
	t.Run("kcat", s.testKcatSecured)
	t.Run("access control lists", s.testACLs)
	t.Run("quotas", s.testQuotas)
	t.Run("delegation tokens", s.testTokens)
	t.Run("certificates change while brokers run", s.testStores)
	t.Run("a listener comes with its own way to say who one is", s.testSecuredListener)
	t.Run("brokers get certificates of another authority", s.testAnotherAuthority)
	t.Run("who came in is counted", s.testAuthenticationMetrics)
	t.Run("no secret is in a log", s.testLogs)
}

func (s *securedCluster) testReplication(t *testing.T) {
	s.create(t, "secured", 3, nil)
	produce(t, s.client(t), "secured", 0, 100)
	s.awaitISR(t, "secured", 3)
	s.consume(t, "secured", 100)
}

// setPassword gives a user a password for SCRAM-SHA-512.
func (s *securedCluster) setPassword(t *testing.T, user, password string) {
	t.Helper()
	answer, err := s.admin(t).AlterUserSCRAMs(t.Context(), nil, []kadm.UpsertSCRAM{{User: user, Mechanism: kadm.ScramSha512, Iterations: 4096, Password: password}})
	if err != nil || answer.Error() != nil {
		t.Fatalf("password of %s: %v %v", user, err, answer.Error())
	}
}

// awaitPing waits until a client can, or cannot, ask every broker. Credentials reach brokers one after another.
func (s *securedCluster) awaitPing(t *testing.T, welcome bool, listener string, opts ...kgo.Opt) {
	t.Helper()
	for id, port := range s.ports[listener] {
		s.eventually(fmt.Sprintf("broker %d lets the client in: %v", id, welcome), func() bool {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			client := s.client(t, append([]kgo.Opt{kgo.SeedBrokers(fmt.Sprintf("127.0.0.1:%d", port)), kgo.RequestTimeoutOverhead(10 * time.Second), kgo.RetryTimeout(time.Second)}, opts...)...)
			defer client.Close()
			err := client.Ping(ctx)
			if !welcome {
				return errors.Is(err, kerr.SaslAuthenticationFailed)
			}
			return err == nil
		})
	}
}

func (s *securedCluster) testPasswords(t *testing.T) {
	encrypted := kgo.DialTLSConfig(s.trust(""))
	s.awaitPing(t, false, "SCRAM", encrypted, kgo.SASL(scramAs("carol", "one")))
	s.setPassword(t, "carol", "one")
	s.awaitPing(t, true, "SCRAM", encrypted, kgo.SASL(scramAs("carol", "one")))
	produce(t, s.through(t, "SCRAM", encrypted, kgo.SASL(scramAs("carol", "one"))), "secured", 100, 200)
	s.setPassword(t, "carol", "two")
	s.awaitPing(t, false, "SCRAM", encrypted, kgo.SASL(scramAs("carol", "one")))
	s.awaitPing(t, true, "SCRAM", encrypted, kgo.SASL(scramAs("carol", "two")))
	admin := s.admin(t)
	described, err := admin.DescribeUserSCRAMs(t.Context())
	if got := described["carol"].CredInfos; err != nil || len(got) != 1 || got[0].Mechanism != kadm.ScramSha512 || got[0].Iterations != 4096 {
		t.Errorf("credentials of carol: %v %v", got, err)
	}
	gone, err := admin.AlterUserSCRAMs(t.Context(), []kadm.DeleteSCRAM{{User: "carol", Mechanism: kadm.ScramSha512}}, nil)
	if err != nil || gone.Error() != nil {
		t.Fatal(err, gone.Error())
	}
	s.awaitPing(t, false, "SCRAM", encrypted, kgo.SASL(scramAs("carol", "two")))
	if absent, err := admin.DescribeUserSCRAMs(t.Context(), "carol"); err != nil || !errors.Is(absent["carol"].Err, kerr.ResourceNotFound) {
		t.Errorf("credentials of carol: %v %v", absent, err)
	}
}

func (s *securedCluster) testPlain(t *testing.T) {
	as := func(user, password string) kgo.Opt {
		return kgo.SASL(plain.Auth{User: user, Pass: password}.AsMechanism())
	}
	s.awaitPing(t, true, "SIMPLE", as("alice", `alice's "word"`))
	s.awaitPing(t, true, "SIMPLE", as("bob", "bobs"))
	s.awaitPing(t, false, "SIMPLE", as("bob", "bob"))
	s.awaitPing(t, false, "SIMPLE", as("nobody", "bobs"))
	if err := s.through(t, "SIMPLE", kgo.RetryTimeout(time.Second)).Ping(t.Context()); err == nil {
		t.Error("a client that does not authenticate is let in")
	}
}

func (s *securedCluster) testCertificate(t *testing.T) {
	mine := s.issue(pkix.Name{CommonName: "Erin", OrganizationalUnit: []string{"people"}})
	produce(t, s.through(t, "MUTUAL", kgo.DialTLSConfig(s.trust(mine))), "secured", 200, 210)
	if err := s.through(t, "MUTUAL", kgo.DialTLSConfig(s.trust("")), kgo.RetryTimeout(time.Second)).Ping(t.Context()); err == nil {
		t.Error("a client without a certificate is let in")
	}
	other := newAuthority(t, t.TempDir())
	wrong := s.trust(other.issue(pkix.Name{CommonName: "Mallory"}))
	if err := s.through(t, "MUTUAL", kgo.DialTLSConfig(wrong), kgo.RetryTimeout(time.Second)).Ping(t.Context()); err == nil {
		t.Error("a certificate of another authority is believed")
	}
}

// testExpiry holds connections for longer than authentications last. A client that authenticates again keeps its
// connection, one that does not loses it.
func (s *securedCluster) testExpiry(t *testing.T) {
	s.setPassword(t, "frank", "word")
	encrypted := s.trust("")
	s.awaitPing(t, true, "SCRAM", kgo.DialTLSConfig(encrypted), kgo.SASL(scramAs("frank", "word")))
	address := fmt.Sprintf("127.0.0.1:%d", s.ports["SCRAM"][1])
	again, err := wire.Dialer{TLS: func() *tls.Config { return encrypted }, SASL: scramAs("frank", "word")}.Dial(t.Context(), address, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	once := s.authenticateOnce(t, address, scramAs("frank", "word"))
	ask := kmsg.NewPtrMetadataRequest()
	ask.Version, ask.Topics = 12, []kmsg.MetadataRequestTopic{}
	s.eventually("the connection that was authenticated once ends", func() bool {
		if _, err := again.Request(t.Context(), ask); err != nil {
			t.Fatalf("the client that authenticates again: %v", err)
		}
		_, err := once.Request(t.Context(), ask)
		return err != nil
	})
	if _, err := again.Request(t.Context(), ask); err != nil {
		t.Errorf("the client that authenticates again: %v", err)
	}
}

// authenticateOnce makes a connection that is authenticated, but only once.
func (s *securedCluster) authenticateOnce(t *testing.T, address string, mechanism sasl.Mechanism) *wire.Client {
	t.Helper()
	conn, err := tls.Dial("tcp", address, s.trust(""))
	if err != nil {
		t.Fatal(err)
	}
	client := wire.NewClient(conn, "test")
	t.Cleanup(client.Close)
	hello := kmsg.NewPtrSASLHandshakeRequest()
	hello.Version, hello.Mechanism = 1, mechanism.Name()
	if _, err := client.Request(t.Context(), hello); err != nil {
		t.Fatal(err)
	}
	session, token, err := mechanism.Authenticate(t.Context(), address)
	for done := false; !done; {
		step := kmsg.NewPtrSASLAuthenticateRequest()
		step.Version, step.SASLAuthBytes = 2, token
		answer, failed := client.Request(t.Context(), step)
		if err != nil || failed != nil {
			t.Fatal(err, failed)
		}
		done, token, err = session.Challenge(answer.(*kmsg.SASLAuthenticateResponse).SASLAuthBytes)
	}
	return client
}

func (s *securedCluster) testKcatSecured(t *testing.T) {
	s.setPassword(t, "kcat", "meow")
	s.awaitPing(t, true, "SCRAM", kgo.DialTLSConfig(s.trust("")), kgo.SASL(scramAs("kcat", "meow")))
	run := func(input string, args ...string) (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), ample)
		defer cancel()
		command := exec.CommandContext(ctx, need.Program(t, "kcat", "kcat"), append([]string{
			"-b", fmt.Sprintf("127.0.0.1:%d", s.ports["SCRAM"][1]), "-X", "security.protocol=SASL_SSL", "-X", "sasl.mechanism=SCRAM-SHA-512", "-X", "sasl.username=kcat",
			"-X", "ssl.ca.location=" + filepath.Join(s.dirOf(), "ca.pem"),
		}, args...)...)
		var out bytes.Buffer
		command.Stdin, command.Stdout, command.Stderr = strings.NewReader(input), &out, &out
		err := command.Run()
		return out.String(), err
	}
	s.create(t, "by-secured-kcat", 1, nil)
	if out, err := run("a\nb\n", "-P", "-t", "by-secured-kcat", "-X", "acks=all", "-X", "sasl.password=meow"); err != nil {
		t.Errorf("-P: %v\n%s", err, out)
	}
	if out, err := run("", "-C", "-q", "-t", "by-secured-kcat", "-e", "-o", "beginning", "-X", "sasl.password=meow"); err != nil || out != "a\nb\n" {
		t.Errorf("-C: %v\n%s", err, out)
	}
	if out, err := run("", "-L", "-m", "2", "-X", "sasl.password=bark"); err == nil || !strings.Contains(out, "Authentication failed") {
		t.Errorf("with a wrong password: %v\n%s", err, out)
	}
}

// testAuthenticationMetrics goes by what the tests before did on every broker.
func (s *securedCluster) testAuthenticationMetrics(t *testing.T) {
	metrics := s.scrape(t, s.brokers[1])
	for _, c := range []struct {
		outcome, listener string
		happened          bool
	}{
		{"successful", "SCRAM", true},
		{"failed", "SCRAM", true},
		{"successful", "SIMPLE", true},
		{"failed", "SIMPLE", true},
		{"successful", "INTERNAL", true},
		{"successful", "PLAINTEXT", false},
		{"failed", "PLAINTEXT", false},
	} {
		name := fmt.Sprintf(`kafka_server_socket_server_metrics_%s_authentication_total{listener="%s"}`, c.outcome, c.listener)
		if count, there := metrics[name]; !there || count > 0 != c.happened {
			t.Errorf("%s: %v, there %v", name, count, there)
		}
	}
}

func (s *securedCluster) testLogs(t *testing.T) {
	denied := false
	for id, n := range s.brokers {
		text, err := os.ReadFile(n.log)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"between brokers", "alice's", "bobs", "doras", "meow", "secret of all tokens", "stored_key", "PRIVATE KEY", storePassword, encoderSecret, "encryptedPassword"} {
			if bytes.Contains(text, []byte(secret)) {
				t.Errorf("the log of broker %d holds %q", id, secret)
			}
		}
		if !bytes.Contains(text, []byte("authentication failed")) {
			t.Errorf("the log of broker %d says nothing of clients that failed", id)
		}
		denied = denied || bytes.Contains(text, []byte("msg=denied principal=User:bob host=127.0.0.1 operation=DELETE resource=TOPIC:alice-orders"))
	}
	if !denied {
		t.Error("no log says what bob was denied")
	}
}

func saltedCredential(password string, salt []byte) string {
	const iterations = 4096
	salted, err := pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size)
	if err != nil {
		panic(err)
	}
	return auth.NewCredential(auth.ScramSHA256, salt, salted, iterations).String()
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }
