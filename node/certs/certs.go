package certs

import (
	"bytes"
	"crypto"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"

	keystore "github.com/pavlo-v-chernykh/keystore-go/v4"
	"software.sslmate.com/src/go-pkcs12"
)

// What a password may have to do with an error.
var (
	ErrStorePassword = errors.New("the password does not open the store, or it is none of type JKS or PKCS12")
	ErrKeyPassword   = errors.New("the password does not open the private key")
	ErrKeyEncrypted  = errors.New("the private key is encrypted and there is no password for it")
)

// Identity reads the first private key of a store and its certificates. keyPassword is that of the key, where it differs
// from that of the store.
func Identity(store []byte, password, keyPassword string) (*tls.Certificate, error) {
	switch {
	case IsPEM(store):
		return FromPEM(store, store, keyPassword)
	case isJKS(store):
		if keyPassword == "" {
			keyPassword = password
		}
		return identityJKS(store, password, keyPassword)
	}
	secret, leaf, others, err := pkcs12.DecodeChain(store, password)
	if err != nil {
		return nil, fmt.Errorf("%w (%v)", ErrStorePassword, err)
	}
	c := &tls.Certificate{PrivateKey: secret, Leaf: leaf, Certificate: [][]byte{leaf.Raw}}
	for _, other := range others {
		c.Certificate = append(c.Certificate, other.Raw)
	}
	return c, nil
}

// Trusted reads the certificates of a trust store. Like Java it reads one of type JKS without a password, too, and then does not
// know whether somebody changed it.
func Trusted(store []byte, password string) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	if IsPEM(store) {
		if !pool.AppendCertsFromPEM(store) {
			return nil, errNoCertificate
		}
		return pool, nil
	}
	list, err := trusted(store, password)
	if err != nil {
		return nil, fmt.Errorf("%w (%v)", ErrStorePassword, err)
	}
	if len(list) == 0 {
		return nil, errNoCertificate
	}
	for _, c := range list {
		pool.AddCert(c)
	}
	return pool, nil
}

var errNoCertificate = errors.New("no certificate is there")

// isJKS tells Java's own form from PKCS12.
func isJKS(data []byte) bool { return bytes.HasPrefix(data, []byte{0xfe, 0xed, 0xfe, 0xed}) }

func identityJKS(data []byte, store, key string) (*tls.Certificate, error) {
	ks := keystore.New()
	if err := ks.Load(bytes.NewReader(data), []byte(store)); err != nil {
		return nil, fmt.Errorf("%w (%v)", ErrStorePassword, err)
	}
	for _, alias := range ks.Aliases() {
		if !ks.IsPrivateKeyEntry(alias) {
			continue
		}
		entry, err := ks.GetPrivateKeyEntry(alias, []byte(key))
		if err != nil {
			return nil, fmt.Errorf("%w %s (%v)", ErrKeyPassword, alias, err)
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
	return nil, errNoKey
}

func trusted(data []byte, password string) ([]*x509.Certificate, error) {
	if !isJKS(data) {
		return pkcs12.DecodeTrustStore(data, password)
	}
	if password == "" {
		data = resealed(data)
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

// resealed is a store of type JKS as if it had been written with an empty password: it ends with the SHA-1 of the password,
// these words and all that is before.
func resealed(store []byte) []byte {
	if len(store) < sha1.Size {
		return store
	}
	content := store[:len(store)-sha1.Size]
	sum := sha1.Sum(append([]byte("Mighty Aphrodite"), content...))
	return append(bytes.Clone(content), sum[:]...)
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
