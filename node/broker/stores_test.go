package broker

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"software.sslmate.com/src/go-pkcs12"

	"kdrill/node/layout"
	"kdrill/node/wire"
)

// brokerName is the subject of the brokers' certificates.
var brokerName = pkix.Name{CommonName: "broker", Organization: []string{"kdrill"}}

const (
	storePassword = "what opens the store"
	encoderSecret = "what encodes passwords" // password.encoder.secret
)

// shown is the certificate that a broker's listener shows to a new connection.
func (s *securedCluster) shown(t *testing.T, id int32, listener string) *x509.Certificate {
	t.Helper()
	config := s.trust("")
	config.InsecureSkipVerify = true // it is looked at by the tests
	var shown *x509.Certificate
	config.VerifyConnection = func(state tls.ConnectionState) error {
		shown = state.PeerCertificates[0]
		return nil
	}
	conn, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.ports[listener][id]), config)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	return shown
}

// leafOf is the certificate in a PEM file.
func leafOf(t *testing.T, path string) *x509.Certificate {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(path, path)
	if err != nil {
		t.Fatal(err)
	}
	return pair.Leaf
}

// sealedStore issues a certificate in a store that storePassword opens.
func (s *securedCluster) sealedStore(t *testing.T, name string) (path string, certificate *x509.Certificate) {
	t.Helper()
	issued := s.issue(brokerName)
	pair, err := tls.LoadX509KeyPair(issued, issued)
	if err != nil {
		t.Fatal(err)
	}
	store, err := pkcs12.Modern.Encode(pair.PrivateKey, pair.Leaf, nil, storePassword)
	if err != nil {
		t.Fatal(err)
	}
	return s.authority.write(name, store), pair.Leaf
}

// setStores sets properties of one listener of a broker, given without their prefix.
func (s *securedCluster) setStores(t *testing.T, id int32, listener string, pairs ...string) error {
	t.Helper()
	var changes []kadm.AlterConfig
	for i := 0; i < len(pairs); i += 2 {
		changes = append(changes, kadm.AlterConfig{Op: kadm.SetConfig, Name: "listener.name." + strings.ToLower(listener) + "." + pairs[i], Value: &pairs[i+1]})
	}
	answer, err := s.admin(t).AlterBrokerConfigs(t.Context(), changes, id)
	if err != nil {
		t.Fatal(err)
	}
	if err := answer[0].Err; err != nil {
		return fmt.Errorf("%w: %s", err, answer[0].ErrMessage)
	}
	return nil
}

// testStores exchanges certificates of listeners that clients are connected to.
func (s *securedCluster) testStores(t *testing.T) {
	const id, location = 2, "ssl.keystore.location"
	first := s.shown(t, id, "MUTUAL")
	client := s.issue(pkix.Name{CommonName: "client"})
	held, err := wire.Dialer{TLS: func() *tls.Config { return s.trust(client) }}.Dial(t.Context(), fmt.Sprintf("127.0.0.1:%d", s.ports["MUTUAL"][id]), "test")
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	path := s.issue(brokerName)
	if err := s.setStores(t, id, "MUTUAL", location, path); err != nil {
		t.Fatal(err)
	}
	second := leafOf(t, path)
	if got := s.shown(t, id, "MUTUAL"); !got.Equal(second) {
		t.Errorf("a new client sees certificate %v, want %v", got.SerialNumber, second.SerialNumber)
	}
	for listener, id := range map[string]int32{"MUTUAL": 1, "SCRAM": 2} {
		if got := s.shown(t, id, listener); !got.Equal(first) {
			t.Errorf("%s of broker %d changed, too", listener, id)
		}
	}

	// What is in the file counts when it is set again, not before.
	text, err := os.ReadFile(s.issue(brokerName))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(path, text, 0o600), os.Chtimes(path, time.Time{}, time.Now().Add(time.Minute))); err != nil {
		t.Fatal(err)
	}
	if got := s.shown(t, id, "MUTUAL"); !got.Equal(second) {
		t.Error("a file is read again that nobody asked for")
	}
	if err := s.setStores(t, id, "MUTUAL", location, path); err != nil {
		t.Fatal(err)
	}
	third := leafOf(t, path)
	if got := s.shown(t, id, "MUTUAL"); !got.Equal(third) {
		t.Errorf("after the file changed a new client sees certificate %v, want %v", got.SerialNumber, third.SerialNumber)
	}
	s.refuseStores(t, id, third)
	ask := kmsg.NewPtrMetadataRequest()
	ask.Version, ask.Topics = 12, []kmsg.MetadataRequestTopic{}
	if _, err := held.Request(t.Context(), ask); err != nil {
		t.Errorf("the client that was connected all the time: %v", err)
	}
	s.testStoreWithPassword(t, id)
	var back []kadm.AlterConfig
	for _, name := range []string{location, "ssl.keystore.type", "ssl.keystore.password"} {
		back = append(back, kadm.AlterConfig{Op: kadm.DeleteConfig, Name: "listener.name.mutual." + name})
	}
	if answer, err := s.admin(t).AlterBrokerConfigs(t.Context(), back, id); err != nil || answer[0].Err != nil {
		t.Fatal(answer, err)
	}
	if got := s.shown(t, id, "MUTUAL"); !got.Equal(first) {
		t.Error("what server.properties names is not shown again")
	}
}

// refuseStores sets what cannot be used, and sees that it changes nothing.
func (s *securedCluster) refuseStores(t *testing.T, id int32, now *x509.Certificate) {
	t.Helper()
	stranger := newAuthority(t, t.TempDir())
	for _, c := range []struct {
		listener string
		pairs    []string
		want     string
	}{
		{"MUTUAL", []string{"ssl.keystore.location", s.issue(pkix.Name{CommonName: "somebody else"})}, "the certificate is of CN=somebody else, that in use is of CN=broker,O=kdrill"},
		{"MUTUAL", []string{"ssl.keystore.location", filepath.Join(t.TempDir(), "absent")}, "no such file"},
		{"MUTUAL", []string{"ssl.keystore.location", s.authority.write("broken.pem", []byte("-----BEGIN nothing"))}, "no certificate is there"},
		{"MUTUAL", []string{"ssl.keystore.type", "JKS"}, "a PEM file needs ssl.keystore.type=PEM"},
		{"INTERNAL", []string{"ssl.truststore.location", filepath.Join(stranger.dir, "ca.pem")}, "the trust store does not trust their certificate"},
		{"INTERNAL", []string{"ssl.keystore.location", stranger.issue(brokerName)}, "the trust store does not trust their certificate"},
		{"SIMPLE", []string{"ssl.keystore.location", s.issue(brokerName)}, "no listener with TLS whose name in small letters is simple"},
		{"MUTUAL", []string{"ssl.client.auth", "none"}, "is read when listener MUTUAL is opened"},
	} {
		if err := s.setStores(t, id, c.listener, c.pairs...); !errors.Is(err, kerr.InvalidRequest) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %v: got %v, want %s", c.listener, c.pairs, err, c.want)
		}
	}
	if got := s.shown(t, id, "MUTUAL"); !got.Equal(now) {
		t.Error("what was refused is shown")
	}
	name := "ssl.keystore.location"
	if answer, err := s.admin(t).AlterBrokerConfigs(t.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: name, Value: &name}}, id); err != nil || !errors.Is(answer[0].Err, kerr.InvalidRequest) {
		t.Errorf("for all listeners: %v %v", answer, err)
	}
}

// testStoreWithPassword exchanges the certificate for one in a store with a password. Nobody is told the password, and the broker still
// knows it once it has been restarted.
func (s *securedCluster) testStoreWithPassword(t *testing.T, id int32) {
	path, certificate := s.sealedStore(t, "store.p12")
	if err := s.setStores(t, id, "MUTUAL", "ssl.keystore.location", path, "ssl.keystore.type", "PKCS12", "ssl.keystore.password", storePassword); err != nil {
		t.Fatal(err)
	}
	if got := s.shown(t, id, "MUTUAL"); !got.Equal(certificate) {
		t.Error("the certificate in the store is not shown")
	}
	described, err := s.admin(t).DescribeBrokerConfigs(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, e := range described[0].Configs {
		if e.Key == "listener.name.mutual.ssl.keystore.password" {
			found = e.Sensitive && e.Value == nil && e.Source == kmsg.ConfigSourceDynamicBrokerConfig
		}
	}
	if !found {
		t.Error("the password is not described as one")
	}
	conn := s.znodes()
	defer conn.Close()
	text, _, err := conn.Get(layout.EntityConfig("brokers", fmt.Sprint(id)))
	if err != nil || strings.Contains(string(text), storePassword) || !strings.Contains(string(text), "encryptedPassword:") {
		t.Errorf("in ZooKeeper: %s %v", text, err)
	}
	s.restart(t, id)
	if got := s.shown(t, id, "MUTUAL"); !got.Equal(certificate) {
		t.Error("after a restart the certificate in the store is not shown")
	}
}

// restart stops a broker and starts it again.
func (s *securedCluster) restart(t *testing.T, id int32) {
	t.Helper()
	s.stopBroker(t, id)
	s.start(s.brokers[id])
	s.awaitBrokers(len(s.brokers))
}

// testAnotherAuthority has the brokers' certificates come from another authority, in three steps that leave brokers connected to each
// other: both are trusted, certificates change, the old one is trusted no more.
func (s *securedCluster) testAnotherAuthority(t *testing.T) {
	next := newAuthority(t, t.TempDir())
	next.last = 1_000
	both := s.authority.write("both.pem", append(read(t, filepath.Join(s.dirOf(), "ca.pem")), read(t, filepath.Join(next.dir, "ca.pem"))...))
	serials := map[int32]*big.Int{}
	for _, step := range []func(id int32) error{
		func(id int32) error { return s.setStores(t, id, "INTERNAL", "ssl.truststore.location", both) },
		func(id int32) error {
			path := next.issue(brokerName)
			serials[id] = leafOf(t, path).SerialNumber
			return s.setStores(t, id, "INTERNAL", "ssl.keystore.location", path)
		},
		func(id int32) error {
			return s.setStores(t, id, "INTERNAL", "ssl.truststore.location", filepath.Join(next.dir, "ca.pem"))
		},
	} {
		for id := range s.brokers {
			if err := step(id); err != nil {
				t.Fatalf("broker %d: %v", id, err)
			}
		}
	}
	for id, want := range serials {
		if got := s.shown(t, id, "INTERNAL"); got.SerialNumber.Cmp(want) != 0 || got.CheckSignatureFrom(next.cert) != nil {
			t.Errorf("broker %d shows certificate %v to others, want %v", id, got.SerialNumber, want)
		}
	}
	s.create(t, "reissued", 3, nil)
	produce(t, s.client(t), "reissued", 0, 50)
	s.restart(t, 3) // connects anew, in either direction
	s.awaitISR(t, "reissued", 3)
	produce(t, s.client(t), "reissued", 50, 100)
	s.consume(t, "reissued", 100)
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
