package ensemble

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"software.sslmate.com/src/go-pkcs12"

	"kdrill/admin/security"
	"kdrill/testdata/freeport"
	"kdrill/testdata/need"
)

// TestApacheZooKeeperOverTLS talks to a real one that has only a secure port and wants a certificate, with the settings
// that Apache's tools would get.
func TestApacheZooKeeperOverTLS(t *testing.T) {
	command := need.ZooKeeper(t)
	dir, port := t.TempDir(), freeport.One(t)
	keys, trust := identity(t, dir)
	startZooKeeper(t, command, dir, fmt.Sprintf("tickTime=2000\ndataDir=%s\nsecureClientPort=%d\nadmin.enableServer=false\n4lw.commands.whitelist=*\n"+
		"serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory\n"+
		"ssl.keyStore.location=%s\nssl.keyStore.password=secret\nssl.trustStore.location=%s\nssl.trustStore.password=secret\n", dir, port, keys, trust))
	settings := filepath.Join(dir, "client.properties")
	write(t, settings, fmt.Sprintf("zookeeper.ssl.client.enable=true\nzookeeper.ssl.keystore.location=%s\nzookeeper.ssl.keystore.password=secret\n"+
		"zookeeper.ssl.truststore.location=%s\nzookeeper.ssl.truststore.password=secret\n", keys, trust))
	secure, _, err := security.LoadZooKeeper(settings)
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", port)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	p := NewProber()
	p.TLS = secure
	for {
		said, err := p.Server(ctx, address, true)
		if err == nil {
			if said.Role != "standalone" || said.Znodes < 5 || said.Watches < 0 {
				t.Errorf("srvr and mntr: %+v", said)
			}
			break
		}
		select {
		case <-ctx.Done():
			t.Fatal("it does not answer: ", err)
		case <-time.After(100 * time.Millisecond):
		}
	}
	events := make(chan zk.Event, 100)
	session, err := Connect(Config{Servers: []string{address}, Timeout: 10 * time.Second, Access: Access{TLS: secure}, Event: func(e zk.Event) { events <- e }})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	for connected := false; !connected; {
		select {
		case e := <-events:
			connected = e.State == zk.StateHasSession
		case <-ctx.Done():
			t.Fatal("no session")
		}
	}
	if _, err := session.Create("/over-tls", nil, 0, zk.WorldACL(zk.PermAll)); err != nil {
		t.Error(err)
	}
	if _, err := NewProber().Server(ctx, address, false); err == nil || !strings.Contains(err.Error(), "--zk-tls-config-file") {
		t.Errorf("without TLS: %v, want a hint", err)
	}
}

// identity makes a key with its own certificate, and a trust store that holds that.
func identity(t *testing.T, dir string) (keys, trust string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	own, err := pkcs12.Modern.Encode(key, certificate, nil, "secret")
	if err != nil {
		t.Fatal(err)
	}
	others, err := pkcs12.Modern.EncodeTrustStore([]*x509.Certificate{certificate}, "secret")
	if err != nil {
		t.Fatal(err)
	}
	keys, trust = filepath.Join(dir, "keys.p12"), filepath.Join(dir, "trust.p12")
	write(t, keys, string(own))
	write(t, trust, string(others))
	return keys, trust
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
