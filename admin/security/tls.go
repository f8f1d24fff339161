package security

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"strings"

	"kdrill/node/certs"
)

// tls reads the settings whose names begin with prefix: stores in PEM, PKCS12 or JKS.
func (f *file) tls(prefix string) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	data, key, err := f.read(prefix+"truststore.certificates", prefix+"truststore.location", prefix+"ca.location", prefix+"ca")
	if err != nil {
		return nil, err
	}
	if data != nil {
		if config.RootCAs, err = certs.Trusted(data, f.get(prefix+"truststore.password")); err != nil {
			return nil, f.storeError(prefix+"truststore", key, prefix, err)
		}
	}
	if err := f.identity(config, prefix); err != nil {
		return nil, err
	}
	// Present and empty switches the check of the host name off, as with Apache's clients.
	if value, ok := f.props.Get(prefix + "endpoint.identification.algorithm"); ok && strings.TrimSpace(value) == "" {
		trustAnyName(config)
	}
	return config, nil
}

// identity sets the client's own certificate, if there is one.
func (f *file) identity(config *tls.Config, prefix string) error {
	chain, from, err := f.read(prefix+"keystore.certificate.chain", prefix+"certificate.location", prefix+"keystore.location")
	if err != nil || chain == nil {
		return err
	}
	private, key, err := f.read(prefix+"keystore.key", prefix+"key.location")
	if err != nil {
		return err
	}
	var pair *tls.Certificate
	switch whole := from == prefix+"keystore.location"; {
	case private != nil:
		from = key
		pair, err = certs.FromPEM(chain, private, f.get(prefix+"key.password"))
	case whole:
		pair, err = certs.Identity(chain, f.get(prefix+"keystore.password"), f.get(prefix+"key.password"))
	default:
		return f.errorf(from, "a certificate needs its key: set %skeystore.key or %skey.location", prefix, prefix)
	}
	if err != nil {
		return f.storeError(prefix+"keystore", from, prefix, err)
	}
	config.Certificates = []tls.Certificate{*pair}
	return nil
}

// storeError names the setting that is to be mended: that of a password, or key.
func (f *file) storeError(store, key, prefix string, err error) error {
	switch {
	case errors.Is(err, certs.ErrKeyEncrypted):
		return f.errorf(key, "%v: set %skey.password", err, prefix)
	case errors.Is(err, certs.ErrKeyPassword):
		return f.errorf(prefix+"key.password", "%v", err)
	case errors.Is(err, certs.ErrStorePassword):
		return f.errorf(store+".password", "%v", err)
	}
	return f.errorf(key, "%v", err)
}

// read returns the store that the first of keys that is set stands for: PEM, or the path of a file.
func (f *file) read(keys ...string) (data []byte, key string, err error) {
	for _, key := range keys {
		value := f.get(key)
		if value == "" {
			continue
		}
		if strings.HasPrefix(value, "-----BEGIN") {
			return certs.Flow(value), key, nil
		}
		data, err := os.ReadFile(value)
		if err != nil {
			return nil, key, f.errorf(key, "cannot read the file: %v", reason(err))
		}
		return data, key, nil
	}
	return nil, "", nil
}

// trustAnyName verifies the chain but not the host name.
func trustAnyName(config *tls.Config) {
	config.InsecureSkipVerify = true
	config.VerifyConnection = func(state tls.ConnectionState) error {
		if len(state.PeerCertificates) == 0 {
			return errors.New("the server shows no certificate")
		}
		options := x509.VerifyOptions{Roots: config.RootCAs, Intermediates: x509.NewCertPool()}
		for _, c := range state.PeerCertificates[1:] {
			options.Intermediates.AddCert(c)
		}
		_, err := state.PeerCertificates[0].Verify(options)
		return err
	}
}

// reason leaves the path out of a file error: errorf names where it stands.
func reason(err error) error {
	if e, ok := errors.AsType[*os.PathError](err); ok {
		return e.Err
	}
	return err
}
