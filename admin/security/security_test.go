package security

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// makeIdentity writes a self-signed certificate and its key.
func makeIdentity(t *testing.T) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certificate, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{certificate: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certificate, key
}

const jaasLine = `sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
  username="alice" \
  password="s3cret \\"quoted\\"";
`

func TestWhatAClientPropertiesAsksFor(t *testing.T) {
	certificate, key := makeIdentity(t)
	tests := []struct {
		name, text string
		options    int
		ignored    string
	}{
		{"nothing", "", 0, ""},
		{"plaintext, with what has no effect", "security.protocol=PLAINTEXT\nrequest.timeout.ms=3000\nclient.id=x\n", 0, "request.timeout.ms client.id"},
		{"plain", "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\n" + jaasLine, 1, ""},
		{"scram over TLS", "security.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-512\nssl.truststore.type=PEM\nssl.truststore.location=" + certificate + "\n" + jaasLine, 2, ""},
		{"TLS with a certificate of its own", "security.protocol=SSL\nssl.certificate.location=" + certificate + "\nssl.key.location=" + key + "\n", 1, ""},
		{"TLS without the check of the name", "security.protocol=SSL\nssl.endpoint.identification.algorithm=\nssl.ca=" + certificate, 1, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := parse("client.properties", []byte(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			if len(s.Options) != tt.options || strings.Join(s.Ignored, " ") != tt.ignored {
				t.Errorf("%d options, ignored %q", len(s.Options), s.Ignored)
			}
		})
	}
}

func TestMistakesAreNamedWithLineAndKeyAndWithoutSecrets(t *testing.T) {
	certificate, _ := makeIdentity(t)
	tests := []struct{ text, want string }{
		{"# a comment\n\nsecurity.protocl=SSL\n", "client.properties:3: security.protocl: not a client setting of Kafka; remove it or mend its name"},
		{"security.protocol=TLS\n", "client.properties:1: security.protocol: must be PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL"},
		{"security.protocol=SASL_SSL\n", "client.properties: sasl.mechanism: is missing; set PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"},
		{"security.protocol=SASL_SSL\nsasl.mechanism=GSSAPI\n", "client.properties:2: sasl.mechanism: must be PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"},
		{"security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\nsasl.jaas.config=x username=s3cret;\n", `client.properties:3: sasl.jaas.config: must read: <login module> required username="…" password="…";`},
		{"security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\nsasl.jaas.config=x required password=s3cret;\n", "client.properties:3: sasl.jaas.config: needs username and password"},
		{"security.protocol=SSL\nssl.truststore.location=/none.pem\n", "client.properties:2: ssl.truststore.location: cannot read the file: no such file or directory"},
		{"security.protocol=SSL\nssl.truststore.type=JKS\nssl.truststore.location=/none.jks\n", "client.properties:3: ssl.truststore.location: cannot read the file: no such file or directory"},
		{"security.protocol=SSL\nssl.keystore.location=" + certificate + "\n", "client.properties:2: ssl.keystore.location: no private key is there"},
		{"security.protocol=SSL\nssl.certificate.location=" + certificate + "\n", "client.properties:2: ssl.certificate.location: a certificate needs its key: set ssl.keystore.key or ssl.key.location"},
		{"sasl.jaas.config=s3cret \\u12", "client.properties: not a properties file: look for an unfinished escape such as \\u12"},
	}
	for _, tt := range tests {
		_, err := parse("client.properties", []byte(tt.text))
		if err == nil || err.Error() != tt.want {
			t.Errorf("%q:\n%v, want\n%s", tt.text, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q tells a secret", err)
		}
	}
}

func TestJAASLines(t *testing.T) {
	tests := []struct {
		line, user, password string
		ok                   bool
	}{
		{`org.apache.kafka.common.security.plain.PlainLoginModule required username="alice" password="a b;c=\"d\"";`, "alice", `a b;c="d"`, true},
		{`a.B required username=alice password='x';`, "alice", "x", true},
		{`a.B REQUIRED username="alice" password="x" ;`, "alice", "x", true},
		{`a.B required;`, "", "", true},
		{`a.B required username="alice" password="x"`, "", "", false}, // no semicolon
		{`a.B username="alice";`, "", "", false},                      // no flag
		{`a.B required username="alice`, "", "", false},               // no closing quote
		{``, "", "", false},
	}
	for _, tt := range tests {
		options, ok := jaas(tt.line)
		if ok != tt.ok || ok && (options["username"] != tt.user || options["password"] != tt.password) {
			t.Errorf("%s: %v %v", tt.line, options, ok)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\n" + jaasLine)
	f.Add("security.protocol=SSL\nssl.ca=x\n")
	f.Add("a\\\n=b\n!x\n:c")
	f.Fuzz(func(t *testing.T, text string) {
		const secret = "tellnobody"
		_, err := parse("f", []byte(text+"\nsasl.jaas.config="+secret))
		if err != nil && strings.Contains(err.Error(), secret) && !strings.Contains(text, secret) {
			t.Errorf("%v", err)
		}
	})
}
