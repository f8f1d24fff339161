package auth

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	keystore "github.com/pavlo-v-chernykh/keystore-go/v4"
	"github.com/youmark/pkcs8"
	"software.sslmate.com/src/go-pkcs12"

	"kdrill/testdata/need"
)

// TestStores reads one certificate from every kind of store.
func TestStores(t *testing.T) {
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	other, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "b"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, _ := x509.ParseCertificate(der)
	plain, _ := x509.MarshalPKCS8PrivateKey(key)
	foreign, _ := x509.MarshalPKCS8PrivateKey(other)
	encrypted, err := pkcs8.MarshalPrivateKey(key, []byte("key"), nil)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, data []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}))
	}
	certPEM, keyPEM := block("CERTIFICATE", der), block("PRIVATE KEY", plain)
	dir := t.TempDir()
	file := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	p12, err := pkcs12.Modern.Encode(key, cert, nil, "store")
	if err != nil {
		t.Fatal(err)
	}
	trust12, err := pkcs12.Modern.EncodeTrustStore([]*x509.Certificate{cert}, "store")
	if err != nil {
		t.Fatal(err)
	}
	jks, trustJKS := jksOf(t, plain, der), jksOf(t, nil, der)
	pemFile := file("both.pem", []byte(keyPEM+certPEM))
	for name, p := range map[string]props{
		"PEM file":           {"ssl.keystore.type": "PEM", "ssl.keystore.location": pemFile, "ssl.truststore.type": "PEM", "ssl.truststore.location": pemFile},
		"PEM in properties":  {"ssl.keystore.type": "PEM", "ssl.keystore.key": keyPEM, "ssl.keystore.certificate.chain": certPEM, "ssl.truststore.type": "pem", "ssl.truststore.certificates": certPEM},
		"PEM on one line":    {"ssl.keystore.type": "PEM", "ssl.keystore.key": oneLine(keyPEM), "ssl.keystore.certificate.chain": oneLine(certPEM), "ssl.truststore.type": "PEM", "ssl.truststore.certificates": oneLine(certPEM)},
		"PEM with encrypted": {"ssl.keystore.type": "PEM", "ssl.keystore.location": file("enc.pem", []byte(block("ENCRYPTED PRIVATE KEY", encrypted)+certPEM)), "ssl.key.password": "key", "ssl.truststore.type": "PEM", "ssl.truststore.location": pemFile},
		"PKCS12":             {"ssl.keystore.type": "PKCS12", "ssl.keystore.location": file("k.p12", p12), "ssl.keystore.password": "store", "ssl.truststore.type": "PKCS12", "ssl.truststore.location": file("t.p12", trust12), "ssl.truststore.password": "store"},
		"JKS":                {"ssl.keystore.type": "JKS", "ssl.keystore.location": file("k.jks", jks), "ssl.keystore.password": "store", "ssl.key.password": "secret", "ssl.truststore.type": "JKS", "ssl.truststore.location": file("t.jks", trustJKS), "ssl.truststore.password": "store"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := keyStore(p)
			if err != nil || c == nil || !bytes.Equal(c.Certificate[0], der) {
				t.Errorf("key store: %v %v", c, err)
			}
			pool, err := trustStore(p)
			want := x509.NewCertPool()
			want.AddCert(cert)
			if err != nil || !want.Equal(pool) {
				t.Errorf("trust store: %v", err)
			}
		})
	}
	for want, p := range map[string]props{
		"ssl.keystore.location: open":                   {"ssl.keystore.location": filepath.Join(dir, "absent")},
		"ssl.keystore.location: no private key":         {"ssl.keystore.type": "PEM", "ssl.keystore.location": file("c.pem", []byte(certPEM))},
		"ssl.keystore.location: no certificate":         {"ssl.keystore.type": "PEM", "ssl.keystore.location": file("k.pem", []byte(keyPEM))},
		"is not that of the first certificate":          {"ssl.keystore.type": "PEM", "ssl.keystore.location": file("f.pem", []byte(block("PRIVATE KEY", foreign)+certPEM))},
		"a PEM file needs ssl.keystore.type=PEM":        {"ssl.keystore.type": "JKS", "ssl.keystore.location": pemFile},
		"set ssl.key.password":                          {"ssl.keystore.type": "PEM", "ssl.keystore.location": filepath.Join(dir, "enc.pem")},
		"ssl.key.password: the password does not open":  {"ssl.keystore.type": "PEM", "ssl.keystore.location": filepath.Join(dir, "enc.pem"), "ssl.key.password": "wrong"},
		"ssl.keystore.password: the password does not":  {"ssl.keystore.location": filepath.Join(dir, "k.jks"), "ssl.keystore.password": "wrong"},
		"excludes ssl.keystore.location":                {"ssl.keystore.type": "PEM", "ssl.keystore.location": pemFile, "ssl.keystore.key": keyPEM, "ssl.keystore.certificate.chain": certPEM},
		"goes with ssl.keystore.certificate.chain":      {"ssl.keystore.type": "PEM", "ssl.keystore.key": keyPEM},
		"goes with ssl.keystore.key":                    {"ssl.keystore.type": "PEM", "ssl.keystore.certificate.chain": certPEM},
		"excludes ssl.keystore.type=PEM":                {"ssl.keystore.type": "PEM", "ssl.keystore.location": pemFile, "ssl.keystore.password": "store"},
		"is the password of ssl.keystore.location":      {"ssl.keystore.password": "store"},
		"ssl.keystore.key: needs ssl.keystore.type=PEM": {"ssl.keystore.key": keyPEM, "ssl.keystore.type": "JKS"},
	} {
		if _, err := keyStore(p); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func oneLine(text string) string { return strings.ReplaceAll(strings.TrimSpace(text), "\n", " ") }

// jksOf makes a store with a key, or without one a trust store.
func jksOf(t *testing.T, key, cert []byte) []byte {
	t.Helper()
	ks := keystore.New()
	link := keystore.Certificate{Type: "X509", Content: cert}
	var err error
	if key == nil {
		err = ks.SetTrustedCertificateEntry("ca", keystore.TrustedCertificateEntry{CreationTime: time.Now(), Certificate: link})
	} else {
		err = ks.SetPrivateKeyEntry("b", keystore.PrivateKeyEntry{CreationTime: time.Now(), PrivateKey: key, CertificateChain: []keystore.Certificate{link}}, []byte("secret"))
	}
	var out bytes.Buffer
	if err != nil || ks.Store(&out, []byte("store")) != nil {
		t.Fatal("cannot make a JKS")
	}
	return out.Bytes()
}

// As at Kafka a trust store of type JKS opens without its password: that says only that nobody changed it.
func TestATrustStoreOfTypeJKSNeedsNoPassword(t *testing.T) {
	keytool := need.Program(t, "keytool", "openjdk-17-jre-headless")
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	path, cert := filepath.Join(t.TempDir(), "trust.jks"), filepath.Join(t.TempDir(), "ca.der")
	if err := os.WriteFile(cert, der, 0o600); err != nil {
		t.Fatal(err)
	}
	made, err := exec.Command(keytool, "-importcert", "-noprompt", "-alias", "ca", "-file", cert, "-keystore", path, "-storetype", "JKS", "-storepass", "changeit").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, made)
	}
	parsed, _ := x509.ParseCertificate(der)
	want := x509.NewCertPool()
	want.AddCert(parsed)
	for password, opens := range map[string]bool{"": true, "changeit": true, "wrong": false} {
		pool, err := trustStore(props{"ssl.truststore.location": path, "ssl.truststore.password": password})
		if opens && (err != nil || !want.Equal(pool)) {
			t.Errorf("password %q: %v", password, err)
		}
		if !opens && (err == nil || !strings.Contains(err.Error(), "ssl.truststore.password: the password does not open")) {
			t.Errorf("password %q: %v", password, err)
		}
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{4, 12, 30, len(whole) / 2, len(whole) - 1} {
		if err := os.WriteFile(path, whole[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := trustStore(props{"ssl.truststore.location": path}); err == nil {
			t.Errorf("%d of %d bytes are a trust store", size, len(whole))
		}
	}
}
