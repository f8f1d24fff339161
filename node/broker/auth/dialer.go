package auth

import (
	"crypto/tls"
	"crypto/x509"
	"errors"

	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"kdrill/node/wire"
)

// ReadDialer reads how this broker proves to other brokers who it is; p are the properties of the listener between
// brokers. reject is told of each wrong property.
func ReadDialer(protocol string, p Properties, reject func(key, format string, args ...any)) wire.Dialer {
	var d wire.Dialer
	refuse := rejecter(p, reject)
	var err error
	if usesTLS(protocol) {
		d.TLS, err = clientTLS(p)
		refuse(err)
	}
	if usesSASL(protocol) {
		d.SASL, err = readMechanism(p)
		refuse(err)
	}
	return d
}

// readMechanism reads sasl.mechanism.inter.broker.protocol with its login module.
func readMechanism(p Properties) (sasl.Mechanism, error) {
	const key = "sasl.mechanism.inter.broker.protocol"
	name := p.Text(key)
	if name != Plain && !isScram(name) {
		return nil, wrong(key, "%s is not supported: set it to %s, %s or %s", name, Plain, ScramSHA256, ScramSHA512)
	}
	login, err := readLogin(p, name)
	if err != nil {
		return nil, err
	}
	user, password := login.options["username"], login.options["password"]
	if user == "" || password == "" {
		return nil, wrong(key, "brokers authenticate to each other by %s: its login module needs username and password", name)
	}
	switch name {
	case Plain:
		return plain.Auth{User: user, Pass: password}.AsMechanism(), nil
	case ScramSHA256:
		return scram.Auth{User: user, Pass: password}.AsSha256Mechanism(), nil
	}
	return scram.Auth{User: user, Pass: password}.AsSha512Mechanism(), nil
}

// clientTLS reads ssl.* for the side that opens connections.
func clientTLS(p Properties) (*tls.Config, error) {
	config := new(tls.Config)
	if err := limits(config, p); err != nil {
		return nil, err
	}
	certificate, err := keyStore(p)
	if err != nil {
		return nil, err
	}
	if certificate != nil {
		config.Certificates = []tls.Certificate{*certificate}
	}
	if config.RootCAs, err = trustStore(p); err != nil {
		return nil, err
	}
	if p.Text("ssl.endpoint.identification.algorithm") == "" {
		config.InsecureSkipVerify = true // the chain is verified below, only the host's name is not
		config.VerifyConnection = func(state tls.ConnectionState) error { return verifyChain(state, config.RootCAs) }
	}
	return config, nil
}

func verifyChain(state tls.ConnectionState, roots *x509.CertPool) error {
	if len(state.PeerCertificates) == 0 {
		return errors.New("the broker showed no certificate")
	}
	options := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
	for _, c := range state.PeerCertificates[1:] {
		options.Intermediates.AddCert(c)
	}
	_, err := state.PeerCertificates[0].Verify(options)
	return err
}
