package auth

import (
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"kdrill/node/wire"
)

// ReadDialer reads how this broker proves to other brokers who it is; l is the listener between brokers, p are its
// properties. reject is told of each wrong property.
func ReadDialer(l *Listener, p Properties, reject func(key, format string, args ...any)) wire.Dialer {
	var d wire.Dialer
	if l.tls != nil {
		d.TLS = l.dialing
	}
	if usesSASL(l.Protocol) {
		var err error
		d.SASL, err = readMechanism(p)
		rejecter(p, reject)(err)
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
