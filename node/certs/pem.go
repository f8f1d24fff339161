package certs

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/youmark/pkcs8"
)

// IsPEM says whether data is PEM.
func IsPEM(data []byte) bool { return bytes.Contains(data, []byte("-----BEGIN ")) }

var errNoKey = errors.New("no private key is there")

// FromPEM reads certificates from chain, and the private key of the first one, which password opens if it is encrypted.
func FromPEM(chain, key []byte, password string) (*tls.Certificate, error) {
	c := new(tls.Certificate)
	for block, rest := pem.Decode(chain); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			c.Certificate = append(c.Certificate, block.Bytes)
		}
	}
	if len(c.Certificate) == 0 {
		return nil, errNoCertificate
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
	return nil, errNoKey
}

func privateKey(block *pem.Block, password string) (crypto.PrivateKey, error) {
	if block.Type == "ENCRYPTED PRIVATE KEY" {
		if password == "" {
			return nil, ErrKeyEncrypted
		}
		secret, err := pkcs8.ParsePKCS8PrivateKey(block.Bytes, []byte(password))
		if err != nil {
			return nil, fmt.Errorf("%w (%v)", ErrKeyPassword, err)
		}
		return secret, nil
	}
	if block.Headers["DEK-Info"] != "" {
		return nil, errors.New("the private key is encrypted in OpenSSL's old way: write it anew with openssl pkey")
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

var pemForm = regexp.MustCompile(`(-----BEGIN [A-Z ]+-----)([^-]*)(-----END [A-Z ]+-----)`)

// Flow gives PEM that stands in a property, perhaps on one line, the line breaks that it needs.
func Flow(text string) []byte {
	return []byte(pemForm.ReplaceAllStringFunc(text, func(block string) string {
		m := pemForm.FindStringSubmatch(block)
		return m[1] + "\n" + strings.Join(strings.Fields(m[2]), "\n") + "\n" + m[3] + "\n"
	}))
}
