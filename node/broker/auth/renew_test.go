package auth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// authority signs certificates.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	pem  string
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := new(authority)
	a.key, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(48 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	a.cert, _ = x509.ParseCertificate(der)
	a.pem = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return a
}

// issue is the PEM text of a new key and its certificate.
func (a *authority) issue(t *testing.T, subject string, ends time.Duration, usage x509.ExtKeyUsage, hosts ...string) string {
	t.Helper()
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: subject}, DNSNames: hosts, ExtKeyUsage: []x509.ExtKeyUsage{usage},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(ends),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	secret, _ := x509.MarshalPKCS8PrivateKey(key)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})) + string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// TestStoresMayReplaceOthers tries, in place of the stores of an open listener, others.
func TestStoresMayReplaceOthers(t *testing.T) {
	one, two := newAuthority(t, "one"), newAuthority(t, "two")
	const day, every = 24 * time.Hour, x509.ExtKeyUsageAny
	ours, both := one.issue(t, "b", day, every, "h"), one.pem+two.pem
	type stores = [2]string // key store, trust store
	for _, c := range []struct {
		name      string
		between   bool
		more      props
		now, next stores
		want      string // of why not, "" if they may
	}{
		{name: "another key", next: stores{one.issue(t, "b", day, every, "h"), one.pem}},
		{name: "another name beside", next: stores{one.issue(t, "b", day, every, "g", "h"), one.pem}},
		{name: "the subject in capitals", next: stores{one.issue(t, "B", day, every, "h"), one.pem}},
		{name: "another subject", next: stores{one.issue(t, "c", day, every, "h"), one.pem}, want: "ssl.keystore.location: the certificate is of CN=c, that in use is of CN=b"},
		{name: "another subject, allowed", more: props{"ssl.allow.dn.changes": "true"}, next: stores{one.issue(t, "c", day, every, "h"), one.pem}},
		{name: "a name less", now: stores{one.issue(t, "b", day, every, "g", "h"), one.pem}, next: stores{ours, one.pem}, want: "lacks the subject alternative name DNS:g of that in use"},
		{name: "a name less, allowed", more: props{"ssl.allow.san.changes": "TRUE"}, now: stores{one.issue(t, "b", day, every, "g", "h"), one.pem}, next: stores{ours, one.pem}},
		{name: "no key store", next: stores{"", one.pem}, want: "a listener with SSL needs a certificate"},
		{name: "no certificate in it", next: stores{"garbage", one.pem}, want: "is not PEM"},
		{name: "a trust store where none was", now: stores{ours, ""}, next: stores{ours, one.pem}, want: "cannot be given one while it is open"},
		{name: "no trust store", next: stores{ours, ""}, want: "cannot be taken away"},
		{name: "trust in others, of clients", next: stores{ours, two.pem}},
		{name: "trust in others, between brokers", between: true, next: stores{ours, two.pem}, want: "the trust store does not trust their certificate"},
		{name: "trust in more, between brokers", between: true, next: stores{ours, both}},
		{name: "another's certificate, between brokers", between: true, now: stores{ours, both}, next: stores{two.issue(t, "b", day, every, "h"), both}},
		{name: "all at once, between brokers", between: true, next: stores{two.issue(t, "b", day, every, "h"), two.pem}, want: "would not trust the new certificate"},
		{name: "less trust too early, between brokers", between: true, now: stores{ours, both}, next: stores{two.issue(t, "b", day, every, "h"), two.pem}, want: "does not trust the certificate in use"},
		{name: "an expired one, between brokers", between: true, next: stores{one.issue(t, "b", -time.Hour, every, "h"), one.pem}, want: "expired"},
		{name: "after one that expired, between brokers", between: true, now: stores{one.issue(t, "b", -time.Hour, every, "h"), one.pem}, next: stores{ours, one.pem}},
		{name: "not for clients, between brokers", between: true, next: stores{one.issue(t, "b", day, x509.ExtKeyUsageServerAuth, "h"), one.pem}},
		{name: "not for clients, which are asked", between: true, more: props{"ssl.client.auth": "required"}, next: stores{one.issue(t, "b", day, x509.ExtKeyUsageServerAuth, "h"), one.pem}, want: "incompatible key usage"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.now == (stores{}) {
				c.now = stores{ours, one.pem}
			}
			p := props{"ssl.enabled.protocols": "TLSv1.3", "ssl.keystore.type": "PEM", "ssl.truststore.type": "PEM"}
			maps.Copy(p, c.more)
			l := ReadListener("SSL", c.between, p, func(key, format string, args ...any) { t.Fatalf(key+": "+format, args...) })
			now, err := readStores("SSL", storesAt(t, p, c.now))
			if err != nil {
				t.Fatal(err)
			}
			l.Use(now)
			var refused []string
			next := l.ReadStores(storesAt(t, p, c.next), func(key, format string, args ...any) {
				refused = append(refused, key+": "+fmt.Sprintf(format, args...))
			})
			if got := strings.Join(refused, "; "); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("refused %q, want %q", got, c.want)
			}
			if (next == nil) != (c.want != "") {
				t.Errorf("stores %v", next)
			}
		})
	}
}

// storesAt are properties that name two files.
func storesAt(t *testing.T, p props, content [2]string) props {
	t.Helper()
	p = maps.Clone(p)
	for i, key := range locations() {
		if content[i] == "" {
			continue
		}
		p[key] = filepath.Join(t.TempDir(), "store")
		if err := os.WriteFile(p[key], []byte(content[i]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// TestStoresAreReadAgain changes the files of stores, and what names them.
func TestStoresAreReadAgain(t *testing.T) {
	one := newAuthority(t, "one")
	p := storesAt(t, props{"ssl.enabled.protocols": "TLSv1.3", "ssl.keystore.type": "PEM", "ssl.truststore.type": "PEM"},
		[2]string{one.issue(t, "b", time.Hour, x509.ExtKeyUsageAny, "h"), one.pem})
	never := func(key, format string, args ...any) { t.Helper(); t.Errorf(key+": "+format, args...) }
	l := ReadListener("SSL", true, p, never)
	first := l.ReadStores(p, never)
	l.Use(first)
	if again := l.ReadStores(p, never); again != nil {
		t.Error("read again though nothing changed")
	}
	write := func(text string, later time.Duration) {
		if err := os.WriteFile(p["ssl.keystore.location"], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(p["ssl.keystore.location"], time.Time{}, time.Now().Add(later)); err != nil {
			t.Fatal(err)
		}
	}
	write(one.issue(t, "b", time.Hour, x509.ExtKeyUsageAny, "h"), time.Minute)
	second := l.ReadStores(p, never)
	if second == nil || slices.Equal(second.shown.Certificate[0], first.shown.Certificate[0]) {
		t.Fatalf("the file was written, its certificate is not taken: %v", second)
	}
	if shown := l.accepting().Certificates[0].Certificate[0]; !slices.Equal(shown, first.shown.Certificate[0]) {
		t.Error("stores are used that were only read")
	}
	l.Use(second)
	for _, config := range []*x509.Certificate{l.accepting().Certificates[0].Leaf, l.dialing().Certificates[0].Leaf} {
		if config != second.shown.Leaf {
			t.Error("the new certificate is not shown")
		}
	}
	write("half a file", 2*time.Minute)
	refused := false
	if l.ReadStores(p, func(string, string, ...any) { refused = true }); !refused {
		t.Error("a broken file is taken")
	}
	if err := os.Remove(p["ssl.keystore.location"]); err != nil {
		t.Fatal(err)
	}
	if again := l.ReadStores(p, never); again != nil {
		t.Error("a file that is gone is taken for a change")
	}
	other := maps.Clone(p)
	other["ssl.key.password"] = "x"
	refused = false
	if l.ReadStores(other, func(string, string, ...any) { refused = true }); !refused {
		t.Error("a property changed, and its file is gone: not told")
	}
}
