package security

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"software.sslmate.com/src/go-pkcs12"
)

// javaStores are a key store and a trust store with the certificate and key of makeIdentity, as keytool makes them.
func javaStores(t *testing.T) (keys, trust string) {
	t.Helper()
	certificate, key := makeIdentity(t)
	block := func(path string) []byte {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := pem.Decode(data)
		return b.Bytes
	}
	c, err := x509.ParseCertificate(block(certificate))
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.ParsePKCS8PrivateKey(block(key))
	if err != nil {
		t.Fatal(err)
	}
	store, err := pkcs12.Modern.Encode(private.(*ecdsa.PrivateKey), c, nil, "storepass")
	if err != nil {
		t.Fatal(err)
	}
	trusted, err := pkcs12.Modern.EncodeTrustStore([]*x509.Certificate{c}, "trustpass")
	if err != nil {
		t.Fatal(err)
	}
	keys, trust = filepath.Join(t.TempDir(), "keys.p12"), filepath.Join(t.TempDir(), "trust.p12")
	for path, data := range map[string][]byte{keys: store, trust: trusted} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return keys, trust
}

// write puts text into a file.
func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "zk.properties")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestZooKeeperSettingsAreThoseOfApachesTools shakes hands with a server that wants a certificate.
func TestZooKeeperSettingsAreThoseOfApachesTools(t *testing.T) {
	keys, trust := javaStores(t)
	const kafka = "zookeeper.ssl.client.enable=true\nzookeeper.clientCnxnSocket=org.apache.zookeeper.ClientCnxnSocketNetty\n" +
		"zookeeper.ssl.keystore.location=KEYS\nzookeeper.ssl.keystore.password=storepass\n" +
		"zookeeper.ssl.truststore.location=TRUST\nzookeeper.ssl.truststore.password=trustpass\n"
	tests := []struct {
		name, text, server string // the server's name that the client asks for
		refused            string
	}{
		{"Kafka's names", kafka, "127.0.0.1", ""},
		{"another host", kafka, "zk.example", "zk.example"},
		{"another host, unchecked", kafka + "zookeeper.ssl.endpoint.identification.algorithm=\n", "zk.example", ""},
		{"without zookeeper. in front", strings.ReplaceAll(kafka, "zookeeper.ssl.", "ssl."), "127.0.0.1", ""},
		{"ZooKeeper's names", "zookeeper.client.secure=true\nzookeeper.ssl.keyStore.location=KEYS\nzookeeper.ssl.keyStore.password=storepass\n" +
			"zookeeper.ssl.trustStore.location=TRUST\nzookeeper.ssl.trustStore.password=trustpass\nzookeeper.ssl.hostnameVerification=false\n", "zk.example", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := strings.NewReplacer("KEYS", keys, "TRUST", trust).Replace(tt.text)
			config, ignored, err := LoadZooKeeper(write(t, text))
			if err != nil || len(ignored) > 0 {
				t.Fatal(ignored, err)
			}
			server := &tls.Config{Certificates: config.Certificates, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: config.RootCAs}
			l, err := tls.Listen("tcp", "127.0.0.1:0", server)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			served := make(chan error, 1)
			go func() {
				conn, err := l.Accept()
				if err == nil {
					err = conn.(*tls.Conn).Handshake()
					conn.Close()
				}
				served <- err
			}()
			config.ServerName = tt.server
			conn, err := tls.Dial("tcp", l.Addr().String(), config)
			if err == nil {
				conn.Close()
			}
			serverErr := <-served
			switch {
			case tt.refused == "" && (err != nil || serverErr != nil):
				t.Errorf("client: %v, server: %v", err, serverErr)
			case tt.refused != "" && (err == nil || !strings.Contains(err.Error(), tt.refused)):
				t.Errorf("%v, want one about %s", err, tt.refused)
			}
		})
	}
}

func TestMistakesInZooKeeperSettingsAreNamed(t *testing.T) {
	keys, trust := javaStores(t)
	for text, want := range map[string]string{
		"zookeeper.ssl.truststore.locaton=x\n":                                                          ":1: zookeeper.ssl.truststore.locaton: not a TLS setting of ZooKeeper; remove it or mend its name",
		"ssl.truststore.location=/none.jks\n":                                                           ":1: zookeeper.ssl.truststore.location: cannot read the file: no such file or directory",
		"zookeeper.ssl.trustStore.location=" + trust + "\nzookeeper.ssl.trustStore.password=s3cret\n":   ":2: zookeeper.ssl.truststore.password: the password does not open the store",
		"zookeeper.ssl.keystore.location=" + keys + "\n\nzookeeper.ssl.keystore.password=s3cret":        ":3: zookeeper.ssl.keystore.password: the password does not open the store",
		"zookeeper.ssl.keystore.location=" + keys + "\nzookeeper.ssl.keystore.password=storepass\n#x\n": "",
		"zookeeper.ssl.client.enable=false\nzookeeper.ssl.keystore.location=/none\n":                    "",
	} {
		config, _, err := LoadZooKeeper(write(t, text))
		switch {
		case want == "" && err != nil, want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%q: %v, want %q", text, err, want)
		case err != nil && strings.Contains(err.Error(), "s3cret"):
			t.Errorf("%q tells a secret", err)
		case strings.Contains(text, "enable=false") && config != nil:
			t.Error("TLS, though it is switched off")
		}
	}
	if _, ignored, err := LoadZooKeeper(write(t, "zookeeper.connect=h:1\nzookeeper.ssl.protocol=TLSv1.3\n")); err != nil || strings.Join(ignored, " ") != "zookeeper.connect zookeeper.ssl.protocol" {
		t.Errorf("ignored %q, %v", ignored, err)
	}
}
