package security

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"strings"
)

// tls reads certificates in PEM, the type that needs no Java to make.
func (f *file) tls() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	trusted, key, err := f.pemOf("ssl.truststore.certificates", "ssl.truststore.location", "ssl.ca.location", "ssl.ca")
	if err != nil {
		return nil, err
	}
	if trusted != nil {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(trusted) {
			return nil, f.errorf(key, "holds no certificate in PEM")
		}
	}
	if err := f.identity(config); err != nil {
		return nil, err
	}
	// Present and empty switches the check of the host name off, as with Apache's clients.
	if value, ok := f.props.Get("ssl.endpoint.identification.algorithm"); ok && strings.TrimSpace(value) == "" {
		trustAnyName(config)
	}
	return config, nil
}

// identity sets the client's own certificate, if there is one.
func (f *file) identity(config *tls.Config) error {
	chain, key, err := f.pemOf("ssl.keystore.certificate.chain", "ssl.certificate.location", "ssl.keystore.location")
	if err != nil || chain == nil {
		return err
	}
	private, from, err := f.pemOf("ssl.keystore.key", "ssl.key.location", "ssl.keystore.location")
	if err != nil {
		return err
	}
	if private == nil {
		return f.errorf(key, "a certificate needs its key: set ssl.keystore.key or ssl.key.location")
	}
	if encrypted(private) {
		return f.errorf(from, "the key is encrypted, which is not supported; decrypt it with openssl pkey")
	}
	pair, err := tls.X509KeyPair(chain, private)
	if err != nil {
		return f.errorf(key, "certificate and key do not fit together or are not PEM")
	}
	config.Certificates = []tls.Certificate{pair}
	return nil
}

// pemOf returns the PEM that the first of keys that is set stands for: a key that ends in location names a file.
func (f *file) pemOf(keys ...string) (data []byte, key string, err error) {
	for _, key := range keys {
		value := f.get(key)
		if value == "" {
			continue
		}
		kind := strings.Join(strings.Split(key, ".")[:2], ".") + ".type"
		if t := f.get(kind); strings.HasSuffix(key, ".location") && t != "" && !strings.EqualFold(t, "PEM") {
			return nil, key, f.errorf(kind, "only PEM is supported; convert the store with keytool and openssl")
		}
		if strings.HasPrefix(value, "-----BEGIN") {
			return []byte(value), key, nil
		}
		data, err := os.ReadFile(value)
		if err != nil {
			return nil, key, f.errorf(key, "cannot read the file: %v", reason(err))
		}
		if !strings.Contains(string(data), "-----BEGIN") {
			return nil, key, f.errorf(key, "the file is not PEM; convert the store with keytool and openssl and set %s=PEM", kind)
		}
		return data, key, nil
	}
	return nil, "", nil
}

func encrypted(data []byte) bool {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "" {
			return true
		}
	}
	return false
}

// trustAnyName verifies the chain but not the host name.
func trustAnyName(config *tls.Config) {
	config.InsecureSkipVerify = true
	config.VerifyConnection = func(state tls.ConnectionState) error {
		if len(state.PeerCertificates) == 0 {
			return errors.New("the broker shows no certificate")
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
