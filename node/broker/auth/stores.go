package auth

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"

	keystore "github.com/pavlo-v-chernykh/keystore-go/v4"
	"github.com/youmark/pkcs8"
	"software.sslmate.com/src/go-pkcs12"
)

// mistake is something wrong with one property.
type mistake struct {
	key string
	err error
}

func (m *mistake) Error() string { return m.key + ": " + m.err.Error() }
func (m *mistake) Unwrap() error { return m.err }

func wrong(key, format string, args ...any) error { return &mistake{key, fmt.Errorf(format, args...)} }

// keyStore reads ssl.keystore.*: the certificate that a side shows, nil if none is configured.
func keyStore(p Properties) (*tls.Certificate, error) {
	key, chain, location := p.Text("ssl.keystore.key"), p.Text("ssl.keystore.certificate.chain"), p.Text("ssl.keystore.location")
	password := p.Text("ssl.key.password")
	if password == "" {
		password = p.Text("ssl.keystore.password")
	}
	switch {
	case key != "" || chain != "":
		if !isPEM(p, "ssl.keystore.type") {
			return nil, wrong("ssl.keystore.key", "needs ssl.keystore.type=PEM")
		}
		return at("ssl.keystore.key")(certificateFromPEM(flow(chain), flow(key), p.Text("ssl.key.password")))
	case location == "":
		return nil, nil
	}
	data, err := os.ReadFile(location)
	if err != nil {
		return nil, wrong("ssl.keystore.location", "%w", err)
	}
	if isPEM(p, "ssl.keystore.type") {
		return at("ssl.keystore.location")(certificateFromPEM(data, data, p.Text("ssl.key.password")))
	}
	if isJKS(data) {
		return at("ssl.keystore.location")(certificateFromJKS(data, p.Text("ssl.keystore.password"), password))
	}
	secret, leaf, others, err := pkcs12.DecodeChain(data, p.Text("ssl.keystore.password"))
	if err != nil {
		return nil, wrong("ssl.keystore.location", "%s is no key store of type JKS or PKCS12 that ssl.keystore.password opens (%w); a PEM file needs ssl.keystore.type=PEM", location, err)
	}
	c := &tls.Certificate{PrivateKey: secret, Leaf: leaf, Certificate: [][]byte{leaf.Raw}}
	for _, other := range others {
		c.Certificate = append(c.Certificate, other.Raw)
	}
	return c, nil
}

// trustStore reads ssl.truststore.*: whose certificates are believed, nil if none is configured.
func trustStore(p Properties) (*x509.CertPool, error) {
	location, given := p.Text("ssl.truststore.location"), p.Text("ssl.truststore.certificates")
	pool := x509.NewCertPool()
	switch {
	case given != "":
		if !isPEM(p, "ssl.truststore.type") {
			return nil, wrong("ssl.truststore.certificates", "needs ssl.truststore.type=PEM")
		}
		if !pool.AppendCertsFromPEM(flow(given)) {
			return nil, wrong("ssl.truststore.certificates", "holds no certificate")
		}
		return pool, nil
	case location == "":
		return nil, nil
	}
	data, err := os.ReadFile(location)
	if err != nil {
		return nil, wrong("ssl.truststore.location", "%w", err)
	}
	if isPEM(p, "ssl.truststore.type") {
		if !pool.AppendCertsFromPEM(data) {
			return nil, wrong("ssl.truststore.location", "%s holds no certificate", location)
		}
		return pool, nil
	}
	certificates, err := trusted(data, p.Text("ssl.truststore.password"))
	if err != nil || len(certificates) == 0 {
		return nil, wrong("ssl.truststore.location", "%s is no trust store of type JKS or PKCS12 with certificates that ssl.truststore.password opens (%v); a PEM file needs ssl.truststore.type=PEM", location, err)
	}
	for _, c := range certificates {
		pool.AddCert(c)
	}
	return pool, nil
}

func at(key string) func(*tls.Certificate, error) (*tls.Certificate, error) {
	return func(c *tls.Certificate, err error) (*tls.Certificate, error) {
		if err != nil {
			return nil, wrong(key, "%w", err)
		}
		return c, nil
	}
}

func isPEM(p Properties, key string) bool { return strings.EqualFold(p.Text(key), "PEM") }

// isJKS tells Java's own form from PKCS12; Java opens either, whatever the type says.
func isJKS(data []byte) bool { return bytes.HasPrefix(data, []byte{0xfe, 0xed, 0xfe, 0xed}) }

func certificateFromPEM(chain, key []byte, password string) (*tls.Certificate, error) {
	c := new(tls.Certificate)
	for block, rest := pem.Decode(chain); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			c.Certificate = append(c.Certificate, block.Bytes)
		}
	}
	if len(c.Certificate) == 0 {
		return nil, errors.New("no certificate is there")
	}
	for block, rest := pem.Decode(key); block != nil; block, rest = pem.Decode(rest) {
		if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
			continue
		}
		secret, err := privateKey(block, password)
		if err != nil {
			return nil, err
		}
		c.PrivateKey = secret
		return c, matches(c)
	}
	return nil, errors.New("no private key is there")
}

func privateKey(block *pem.Block, password string) (crypto.PrivateKey, error) {
	if block.Type == "ENCRYPTED PRIVATE KEY" {
		if password == "" {
			return nil, errors.New("the private key is encrypted: set ssl.key.password")
		}
		secret, err := pkcs8.ParsePKCS8PrivateKey(block.Bytes, []byte(password))
		if err != nil {
			return nil, fmt.Errorf("ssl.key.password does not open the private key: %w", err)
		}
		return secret, nil
	}
	if secret, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
		return secret, nil
	}
	if secret, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return secret, nil
	}
	secret, err := x509.ParseECPrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("a %s of this kind cannot be read", block.Type)
	}
	return secret, nil
}

// matches checks that a private key is that of the first certificate.
func matches(c *tls.Certificate) (err error) {
	if c.Leaf, err = x509.ParseCertificate(c.Certificate[0]); err != nil {
		return err
	}
	signer, ok := c.PrivateKey.(crypto.Signer)
	public, comparable := c.Leaf.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !comparable || !public.Equal(signer.Public()) {
		return errors.New("the private key is not that of the first certificate")
	}
	return nil
}

func certificateFromJKS(data []byte, store, key string) (*tls.Certificate, error) {
	ks := keystore.New()
	if err := ks.Load(bytes.NewReader(data), []byte(store)); err != nil {
		return nil, fmt.Errorf("ssl.keystore.password does not open the key store: %w", err)
	}
	for _, alias := range ks.Aliases() {
		if !ks.IsPrivateKeyEntry(alias) {
			continue
		}
		entry, err := ks.GetPrivateKeyEntry(alias, []byte(key))
		if err != nil {
			return nil, fmt.Errorf("ssl.key.password does not open the key %s: %w", alias, err)
		}
		c := new(tls.Certificate)
		for _, link := range entry.CertificateChain {
			c.Certificate = append(c.Certificate, link.Content)
		}
		if len(c.Certificate) == 0 {
			return nil, fmt.Errorf("the key %s has no certificate", alias)
		}
		if c.PrivateKey, err = x509.ParsePKCS8PrivateKey(entry.PrivateKey); err != nil {
			return nil, err
		}
		return c, matches(c)
	}
	return nil, errors.New("no private key is there")
}

// trusted returns the certificates of a trust store.
func trusted(data []byte, password string) ([]*x509.Certificate, error) {
	if !isJKS(data) {
		return pkcs12.DecodeTrustStore(data, password)
	}
	ks := keystore.New()
	if err := ks.Load(bytes.NewReader(data), []byte(password)); err != nil {
		return nil, err
	}
	var found []*x509.Certificate
	for _, alias := range ks.Aliases() {
		if !ks.IsTrustedCertificateEntry(alias) {
			continue
		}
		entry, err := ks.GetTrustedCertificateEntry(alias)
		if err != nil {
			return nil, err
		}
		c, err := x509.ParseCertificate(entry.Certificate.Content)
		if err != nil {
			return nil, err
		}
		found = append(found, c)
	}
	return found, nil
}

var pemForm = regexp.MustCompile(`(-----BEGIN [A-Z ]+-----)([^-]*)(-----END [A-Z ]+-----)`)

// flow gives PEM that stands in a property, perhaps on one line, the line breaks that it needs.
func flow(text string) []byte {
	return []byte(pemForm.ReplaceAllStringFunc(text, func(block string) string {
		m := pemForm.FindStringSubmatch(block)
		return m[1] + "\n" + strings.Join(strings.Fields(m[2]), "\n") + "\n" + m[3] + "\n"
	}))
}
