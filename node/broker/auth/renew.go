package auth

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

// Stores are the key store and the trust store of one listener: what it shows to others, and whom it believes. They are
// immutable.
type Stores struct {
	shown          *tls.Certificate
	trusted        *x509.CertPool // nil: none is configured
	server, client *tls.Config

	given    map[string]string    // the properties they were read by
	modified map[string]time.Time // when their files were written, by path
}

// Renewable are the properties that may change while a listener is open, for itself alone: those of its stores.
func Renewable() []string {
	return []string{
		"ssl.key.password",
		"ssl.keystore.certificate.chain",
		"ssl.keystore.key",
		"ssl.keystore.location",
		"ssl.keystore.password",
		"ssl.keystore.type",
		"ssl.truststore.certificates",
		"ssl.truststore.location",
		"ssl.truststore.password",
		"ssl.truststore.type",
	}
}

// ReadStores reads the stores that p names for the listener, nil if they are those in use: the same properties, and files
// that nobody wrote since. reject is told why they cannot be used, or not in place of those in use; then they are nil, too.
func (l *Listener) ReadStores(p Properties, reject func(key, format string, args ...any)) *Stores {
	now := l.stores.Load()
	if l.tls == nil || now != nil && now.asNamed(p) {
		return nil
	}
	next, err := readStores(l.Protocol, p)
	if err == nil {
		next.server, next.client = l.tls.server(next), l.tls.client(next)
		err = l.tls.mayReplace(now, next)
	}
	if err != nil {
		rejecter(p, reject)(err)
		return nil
	}
	return next
}

// Use has connections follow these stores from now on. Those that are open stay as they are.
func (l *Listener) Use(s *Stores) { l.stores.Store(s) }

func readStores(protocol string, p Properties) (s *Stores, err error) {
	s = &Stores{given: named(p), modified: map[string]time.Time{}}
	for _, key := range locations() { // before they are read, lest a change meanwhile be missed
		if path := p.Text(key); path != "" {
			s.modified[path], _ = writtenAt(path)
		}
	}
	if s.shown, err = keyStore(p); err != nil {
		return nil, err
	}
	if s.shown == nil {
		return nil, wrong("ssl.keystore.location", "a listener with %s needs a certificate: set ssl.keystore.location and ssl.keystore.type=PEM, or ssl.keystore.key and ssl.keystore.certificate.chain", protocol)
	}
	s.trusted, err = trustStore(p)
	return s, err
}

// named are the properties that name stores.
func named(p Properties) map[string]string {
	given := map[string]string{}
	for _, key := range Renewable() {
		given[key] = p.Text(key)
	}
	return given
}

func locations() []string { return []string{"ssl.keystore.location", "ssl.truststore.location"} }

// asNamed says whether p names these stores, and their files are as they were. A file that is gone is no change: secrets may
// be there only while a broker starts.
func (s *Stores) asNamed(p Properties) bool {
	if !maps.Equal(s.given, named(p)) {
		return false
	}
	for path, before := range s.modified {
		if now, ok := writtenAt(path); ok && !now.Equal(before) {
			return false
		}
	}
	return true
}

func writtenAt(path string) (time.Time, bool) {
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}, false
	}
	return info.ModTime(), true
}

// mayReplace says why stores cannot take the place of those in use, nil if there are none, by the rules of Kafka's
// SslFactory: clients that know the listener must still recognize it, and brokers must reach each other whether they have
// the new stores already or not; beyond those, the new store must trust the new certificate.
func (r *tlsRules) mayReplace(now, next *Stores) error {
	switch {
	case now == nil:
		now = next
	case now.trusted == nil && next.trusted != nil:
		return wrong("ssl.truststore.location", "the listener has no trust store, and cannot be given one while it is open: edit server.properties and restart the broker")
	case now.trusted != nil && next.trusted == nil:
		return wrong("ssl.truststore.location", "the trust store of a listener cannot be taken away while it is open")
	}
	before, after := now.shown.Leaf, next.shown.Leaf
	if !r.allowSubject {
		had, errHad := distinguishedName(before)
		has, errHas := distinguishedName(after)
		if err := errors.Join(errHad, errHas); err != nil {
			return wrong("ssl.keystore.location", "%w", err)
		}
		if !strings.EqualFold(had, has) {
			return wrong("ssl.keystore.location", "the certificate is of %s, that in use is of %s: use one with the same subject, or start the broker with ssl.allow.dn.changes=true", has, had)
		}
	}
	if lost := without(names(before), names(after)); len(lost) > 0 && !r.allowNames {
		return wrong("ssl.keystore.location", "the certificate lacks the subject alternative name %s of that in use: use one that has it, or start the broker with ssl.allow.san.changes=true", strings.Join(lost, ", "))
	}
	if !r.between {
		return nil
	}
	if err := r.trusts(next, next); err != nil {
		return wrong("ssl.truststore.location", "brokers could not connect to each other, the trust store does not trust their certificate: %w", err)
	}
	const steps = "%w: trust the authorities of both first, then change the certificate, then trust only the new one"
	if err := r.trusts(now, next); err != nil {
		return wrong("ssl.keystore.location", "brokers that have the old stores would not trust the new certificate: "+steps, err)
	}
	if err := r.trusts(next, now); err != nil && time.Now().Before(before.NotAfter) { // one that expired nobody trusts any more
		return wrong("ssl.truststore.location", "the trust store does not trust the certificate in use: "+steps, err)
	}
	return nil
}

// trusts says why a broker with these stores would not trust one that shows the certificate of others.
func (r *tlsRules) trusts(s, others *Stores) error {
	uses := []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	if r.config.ClientAuth != tls.NoClientCert {
		uses = append(uses, x509.ExtKeyUsageClientAuth)
	}
	for _, use := range uses {
		if err := verifyChain(others.chain(), s.trusted, use); err != nil {
			return err
		}
	}
	return nil
}

// chain are the certificates that are shown. One that is no certificate vouches for none.
func (s *Stores) chain() []*x509.Certificate {
	var chain []*x509.Certificate
	for _, der := range s.shown.Certificate {
		if c, err := x509.ParseCertificate(der); err == nil {
			chain = append(chain, c)
		}
	}
	return chain
}

// names are the subject alternative names of a certificate.
func names(c *x509.Certificate) []string {
	var all []string
	for _, name := range c.DNSNames {
		all = append(all, "DNS:"+name)
	}
	for _, ip := range c.IPAddresses {
		all = append(all, "IP:"+ip.String())
	}
	for _, address := range c.EmailAddresses {
		all = append(all, "email:"+address)
	}
	for _, uri := range c.URIs {
		all = append(all, "URI:"+uri.String())
	}
	return all
}

// without are those of all that others lack.
func without(all, others []string) []string {
	return slices.DeleteFunc(all, func(name string) bool { return slices.Contains(others, name) })
}
