package coordinator

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"kdrill/testdata/freeport"

	"kdrill/node/coordinator/proto"
)

// keyStore writes a key with a certificate that it signed itself to a PEM file, and to stores as Java's programs make them.
func keyStore(t *testing.T) (path string, certificate tls.Certificate, pool *x509.CertPool, keys, trust string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	der := must[[]byte](t)(x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key))
	secret := must[[]byte](t)(x509.MarshalPKCS8PrivateKey(key))
	public := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	private := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
	path = filepath.Join(t.TempDir(), "store.pem")
	writeFile(t, path, string(public)+string(private))
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(public)
	leaf := must[*x509.Certificate](t)(x509.ParseCertificate(der))
	keys, trust = filepath.Join(t.TempDir(), "keys"), filepath.Join(t.TempDir(), "trust")
	writeFile(t, keys, string(must[[]byte](t)(pkcs12.Modern.Encode(key, leaf, nil, "secret"))))
	writeFile(t, trust, string(must[[]byte](t)(pkcs12.Modern.EncodeTrustStore([]*x509.Certificate{leaf}, "secret"))))
	return path, must[tls.Certificate](t)(tls.X509KeyPair(public, private)), pool, keys, trust
}

func TestTLSClientsNeedACertificateThatIsTrusted(t *testing.T) {
	path, certificate, pool, keys, trust := keyStore(t)
	password := filepath.Join(t.TempDir(), "password")
	writeFile(t, password, "secret\n")
	for name, settings := range map[string][]string{
		"PEM": {"ssl.keyStore.location=" + path, "ssl.trustStore.location=" + path},
		"PKCS12": {
			"ssl.keyStore.location=" + keys, "ssl.keyStore.password=secret", "ssl.keyStore.type=PKCS12",
			"ssl.trustStore.location=" + trust, "ssl.trustStore.passwordPath=" + password,
		},
	} {
		t.Run(name, func(t *testing.T) { onlyTrustedClients(t, settings, certificate, pool) })
	}
}

// onlyTrustedClients starts a node with settings and tries to get in.
func onlyTrustedClients(t *testing.T, settings []string, certificate tls.Certificate, pool *x509.CertPool) {
	t.Helper()
	_, stranger, _, _, _ := keyStore(t)
	addr := fmt.Sprintf("127.0.0.1:%d", freeport.One(t))
	_, port, _ := net.SplitHostPort(addr)
	startEnsemble(t, 1, append(settings, "secureClientPort="+port)...)
	open := func(own ...tls.Certificate) (*rawClient, error) {
		c, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: pool, Certificates: own})
		if err != nil {
			return nil, err
		}
		t.Cleanup(func() { c.Close() })
		raw := &rawClient{Conn: c, t: t}
		raw.send(connectRequest(4*time.Second, 0, make([]byte, 16), 0))
		_, err = raw.next()
		return raw, err
	}
	c, err := open(certificate)
	if err != nil {
		t.Fatal(err)
	}
	if c.create("/over-tls", 0); c.code != proto.OK {
		t.Errorf("create: %v", c.code)
	}
	if _, err := open(); err == nil {
		t.Error("a client without a certificate was let in")
	}
	if _, err := open(stranger); err == nil {
		t.Error("a client with a strange certificate was let in")
	}
}

func TestWhereClientsConnectMayStandInTheServerLine(t *testing.T) {
	for text, want := range map[string]string{
		"clientPort=5\nserver.1=h:1:2\nserver.2=h:3:4":                            "127.0.0.1:5",
		"server.1=h:1:2;7\nserver.2=h:3:4;8":                                      "127.0.0.1:7",
		"server.1=h:1:2:participant;0.0.0.0:7\nserver.2=h:3:4;8":                  "0.0.0.0:7",
		"server.1=h:1:2;7\nserver.2=h:3:4":                                        "clientPort is missing",
		"secureClientPort=1\nssl.keyStore.location=zoo.cfg\nssl.clientAuth=none":  "no such file",
		"secureClientPort=1\nssl.clientAuth=none":                                 "ssl.keyStore.location is missing",
		"secureClientPort=1\nssl.keyStore.location=none.pem\nssl.clientAuth=none": "no such file",
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "zoo.cfg")
		writeFile(t, path, "dataDir="+dir+"\n"+text+"\n")
		writeFile(t, filepath.Join(dir, "myid"), "1")
		got := ""
		if s, err := load(path); err != nil {
			got = err.Error()
		} else {
			got = s.clientAddr
		}
		if !strings.Contains(got, want) {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}
