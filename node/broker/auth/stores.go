package auth

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"

	"kdrill/node/certs"
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
	if err := oneSource(p, "ssl.keystore", "ssl.keystore.key", key+chain); err != nil {
		return nil, err
	}
	switch {
	case key == "" && chain != "":
		return nil, wrong("ssl.keystore.certificate.chain", "goes with ssl.keystore.key, which is not set")
	case key != "" && chain == "":
		return nil, wrong("ssl.keystore.key", "goes with ssl.keystore.certificate.chain, which is not set")
	case key != "":
		c, err := certs.FromPEM(certs.Flow(chain), certs.Flow(key), p.Text("ssl.key.password"))
		if err != nil {
			return nil, wrong("ssl.keystore.key", "%w", err)
		}
		return c, nil
	case location == "":
		return nil, nil
	}
	data, err := readStore(p, "ssl.keystore")
	if err != nil {
		return nil, err
	}
	c, err := certs.Identity(data, p.Text("ssl.keystore.password"), p.Text("ssl.key.password"))
	switch {
	case errors.Is(err, certs.ErrKeyEncrypted):
		return nil, wrong("ssl.keystore.location", "%w: set ssl.key.password", err)
	case errors.Is(err, certs.ErrKeyPassword):
		return nil, wrong("ssl.key.password", "%w", err)
	case errors.Is(err, certs.ErrStorePassword):
		return nil, wrong("ssl.keystore.password", "%w", err)
	case err != nil:
		return nil, wrong("ssl.keystore.location", "%w", err)
	}
	return c, nil
}

// trustStore reads ssl.truststore.*: whose certificates are believed, nil if none is configured.
func trustStore(p Properties) (*x509.CertPool, error) {
	location, given := p.Text("ssl.truststore.location"), p.Text("ssl.truststore.certificates")
	if err := oneSource(p, "ssl.truststore", "ssl.truststore.certificates", given); err != nil {
		return nil, err
	}
	switch {
	case given != "":
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(certs.Flow(given)) {
			return nil, wrong("ssl.truststore.certificates", "holds no certificate")
		}
		return pool, nil
	case location == "":
		return nil, nil
	}
	data, err := readStore(p, "ssl.truststore")
	if err != nil {
		return nil, err
	}
	pool, err := certs.Trusted(data, p.Text("ssl.truststore.password"))
	switch {
	case errors.Is(err, certs.ErrStorePassword):
		return nil, wrong("ssl.truststore.password", "%w", err)
	case err != nil:
		return nil, wrong("ssl.truststore.location", "%w", err)
	}
	return pool, nil
}

// oneSource says what contradicts itself in where a store comes from, as Kafka does: a file, or what property gives.
func oneSource(p Properties, store, property, given string) error {
	pem, password := isPEM(p, store+".type"), p.Text(store+".password")
	switch {
	case given != "" && !pem:
		return wrong(property, "needs %s.type=PEM", store)
	case given != "" && p.Text(store+".location") != "":
		return wrong(property, "excludes %s.location: set only one of them", store)
	case password != "" && pem:
		return wrong(store+".password", "excludes %s.type=PEM: only a private key in it may have a password, ssl.key.password", store)
	case password != "" && p.Text(store+".location") == "":
		return wrong(store+".password", "is the password of %s.location, which is not set", store)
	}
	return nil
}

// readStore reads a store's file. As at Kafka PEM has to be named as such; Java tells the other types apart itself.
func readStore(p Properties, store string) ([]byte, error) {
	location := p.Text(store + ".location")
	data, err := os.ReadFile(location)
	switch {
	case err != nil:
		return nil, wrong(store+".location", "%w", err)
	case isPEM(p, store+".type") && !certs.IsPEM(data):
		return nil, wrong(store+".location", "%s is not PEM: leave out %s.type=PEM for a store of type JKS or PKCS12", location, store)
	case !isPEM(p, store+".type") && certs.IsPEM(data):
		return nil, wrong(store+".location", "%s: a PEM file needs %s.type=PEM", location, store)
	}
	return data, nil
}

func isPEM(p Properties, key string) bool { return strings.EqualFold(p.Text(key), "PEM") }
