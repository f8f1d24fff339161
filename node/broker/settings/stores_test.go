package settings

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// selfSigned writes a PEM file with a key and a certificate that vouches for itself.
func selfSigned(t *testing.T) (path string) {
	t.Helper()
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "b"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, _ := x509.MarshalPKCS8PrivateKey(key)
	text := append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	path = filepath.Join(t.TempDir(), "both.pem")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestABrokerBeginsWithTheStoresOfZooKeeper starts brokers whose server.properties names stores that are there, or are not, under what
// ZooKeeper names.
func TestABrokerBeginsWithTheStoresOfZooKeeper(t *testing.T) {
	here, other, gone := selfSigned(t), selfSigned(t), filepath.Join(t.TempDir(), "gone.pem")
	const own = "listener.name.tls."
	both := func(path string) map[string]string {
		return map[string]string{own + "ssl.keystore.location": path, own + "ssl.truststore.location": path}
	}
	for _, c := range []struct {
		name, file string
		zookeeper  map[string]string
		want       string
	}{
		{"the file's", here, nil, ""},
		{"another pair, which those of the file do not know", here, both(other), ""},
		{"the file's are gone", gone, both(other), ""},
		{"none are there", gone, nil, "server.properties:5: ssl.keystore.location: open " + gone},
		{"ZooKeeper's are gone", here, both(gone), own + "ssl.keystore.location: open " + gone},
		{"ZooKeeper's do not go together", here, map[string]string{own + "ssl.truststore.location": other}, "the trust store does not trust their certificate"},
		{"a listener that is no more", here, map[string]string{"listener.name.old.ssl.keystore.location": gone}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := loaded(t, "listeners=TLS://127.0.0.1:0", "listener.security.protocol.map=TLS:SSL", "ssl.keystore.location="+c.file, "ssl.truststore.location="+c.file,
				"ssl.keystore.type=PEM", "ssl.truststore.type=PEM")
			if err != nil {
				t.Fatal(err)
			}
			v, wrong := s.With(c.zookeeper, nil)
			if wrong != nil {
				t.Fatal(wrong)
			}
			err = s.Begin(v)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %s", err, c.want)
			}
			if err != nil && c.zookeeper != nil && !strings.Contains(err.Error(), "/config/brokers/1") {
				t.Errorf("%v does not say which znode has to be mended", err)
			}
		})
	}
	if _, err := load(t, "listeners=TLS://127.0.0.1:0", "listener.security.protocol.map=TLS:SSL", "ssl.keystore.location="+gone, "num.partitions=x"); err == nil ||
		!strings.Contains(err.Error(), "num.partitions") || !strings.Contains(err.Error(), gone) {
		t.Errorf("not all is said at once: %v", err)
	}
}

func TestStoresAreOfListenersThatHaveThem(t *testing.T) {
	path := selfSigned(t)
	s, err := load(t, "listeners=TLS://127.0.0.1:0,PLAINTEXT://127.0.0.1:0", "listener.security.protocol.map=TLS:SSL,PLAINTEXT:PLAINTEXT", "ssl.keystore.location="+path, "ssl.keystore.type=PEM")
	if err != nil {
		t.Fatal(err)
	}
	for listener, has := range map[string]bool{"tls": true, "TLS": false, "plaintext": false, "absent": false} {
		next := map[string]string{"listener.name." + listener + ".ssl.keystore.location": path}
		if err := s.CheckListeners(&s.Listening, &s.Listening, nil, next); (err == nil) != has {
			t.Errorf("%s: %v", listener, err)
		}
		if err := s.CheckListeners(&s.Listening, &s.Listening, next, next); err != nil {
			t.Errorf("%s, as before: %v", listener, err)
		}
	}
	for _, name := range []string{"ssl.client.auth", "sasl.jaas.config", "plain.ssl.keystore.key"} {
		next := map[string]string{"listener.name.tls." + name: "x"}
		if err := s.CheckListeners(&s.Listening, &s.Listening, nil, next); err == nil || !strings.Contains(err.Error(), "is read when listener TLS is opened") {
			t.Errorf("%s: %v", name, err)
		}
		if err := s.CheckListeners(&s.Listening, &s.Listening, next, nil); err == nil {
			t.Errorf("%s is taken back from an open listener", name)
		}
	}
	for name, want := range map[string]string{
		"ssl.keystore.location":                     "only for one listener",
		"listener.name.tls.ssl.keystore.location.x": "no property of a listener has this name",
	} {
		if err := s.CheckDynamic(name, "x", false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := s.CheckDynamic("listener.name.tls.ssl.keystore.location", path, true); err == nil || !strings.Contains(err.Error(), "for each broker, not for all") {
		t.Errorf("for all brokers: %v", err)
	}
}
