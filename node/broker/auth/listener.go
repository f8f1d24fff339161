package auth

import (
	"crypto/tls"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"kdrill/node/wire"
)

// Properties are those of one listener, by Apache's names: the listener's own where it has one, else the broker's.
type Properties interface {
	Text(key string) string // "" if there is none
	// Own is Text without the broker's.
	Own(key string) string
	// Key is the property that Text takes a value from.
	Key(key string) string
}

// Mechanisms that are known here.
const (
	Plain       = "PLAIN"
	ScramSHA256 = "SCRAM-SHA-256"
	ScramSHA512 = "SCRAM-SHA-512"
)

func isScram(mechanism string) bool { return mechanism == ScramSHA256 || mechanism == ScramSHA512 }

// Listener is how the peers of one listener prove who they are. It is made by [ReadListener]; nothing of it changes but its
// key and trust store, which [Listener.Use] exchanges.
type Listener struct {
	Protocol   string    // PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL
	tls        *tlsRules // nil: plain text
	stores     atomic.Pointer[Stores]
	rules      Rules
	mechanisms []string
	users      map[string]string        // of PLAIN, with their passwords
	lifetimes  map[string]time.Duration // of an authentication, by mechanism; 0 for ever
	maxReceive int
	delay      time.Duration
}

// UsesTLS says whether the connections of a listener with this security protocol are encrypted.
func UsesTLS(protocol string) bool { return protocol == "SSL" || protocol == "SASL_SSL" }

func usesSASL(protocol string) bool { return strings.HasPrefix(protocol, "SASL_") }

// ReadListener reads what concerns one listener, but for its key and trust store; between is whether brokers connect to
// each other by it. reject is told of each wrong property.
func ReadListener(protocol string, between bool, p Properties, reject func(key, format string, args ...any)) *Listener {
	l := &Listener{
		Protocol: protocol, users: map[string]string{}, lifetimes: map[string]time.Duration{},
		maxReceive: number(p.Text("sasl.server.max.receive.size")), delay: millis(p.Text("connection.failed.authentication.delay.ms")),
	}
	refuse := rejecter(p, reject)
	var err error
	if l.rules, err = ParseRules(p.Text("ssl.principal.mapping.rules")); err != nil {
		refuse(wrong("ssl.principal.mapping.rules", "%w", err))
	}
	if UsesTLS(protocol) {
		l.tls, err = readTLS(protocol, between, p)
		refuse(err)
	}
	if usesSASL(protocol) {
		l.readMechanisms(p, refuse)
	}
	return l
}

// rejecter makes a function that reports the mistakes in an error, if there is one.
func rejecter(p Properties, reject func(key, format string, args ...any)) func(error) {
	return func(err error) {
		if m, ok := err.(*mistake); ok {
			reject(p.Key(m.key), "%v", m.err)
		} else if err != nil {
			reject("listeners", "%v", err)
		}
	}
}

func (l *Listener) readMechanisms(p Properties, refuse func(error)) {
	listed := p.Text("sasl.enabled.mechanisms")
	if strings.Trim(listed, " ,") == "" {
		refuse(wrong("sasl.enabled.mechanisms", "names no mechanism"))
	}
	for item := range strings.SplitSeq(listed, ",") {
		name := strings.ToUpper(strings.TrimSpace(item))
		switch {
		case name == "":
			continue
		case name != Plain && !isScram(name):
			refuse(wrong("sasl.enabled.mechanisms", "%s is not supported: set it to some of %s, %s, %s", name, Plain, ScramSHA256, ScramSHA512))
			continue
		}
		l.mechanisms = append(l.mechanisms, name)
		prefix := strings.ToLower(name) + "."
		l.lifetimes[name] = millis(first(p, prefix+"connections.max.reauth.ms", "connections.max.reauth.ms"))
		if name != Plain {
			continue
		}
		login, err := readLogin(p, name)
		if err != nil {
			refuse(err)
			continue
		}
		l.users = login.users()
	}
}

// readLogin reads the login module of a mechanism.
func readLogin(p Properties, mechanism string) (login, error) {
	key := strings.ToLower(mechanism) + ".sasl.jaas.config"
	text := p.Text(key)
	if text == "" {
		key = "sasl.jaas.config"
		text = p.Text(key)
	}
	if text == "" {
		return login{}, wrong("sasl.enabled.mechanisms", "%s needs a login module: set listener.name.NAME.%s.sasl.jaas.config", mechanism, strings.ToLower(mechanism))
	}
	l, err := parseLogin(text)
	if err != nil {
		return login{}, wrong(key, "%w", err)
	}
	want := "org.apache.kafka.common.security.scram.ScramLoginModule"
	if mechanism == Plain {
		want = "org.apache.kafka.common.security.plain.PlainLoginModule"
	}
	if l.module != want {
		return login{}, wrong(key, "%s is not the login module of %s, which is %s", l.module, mechanism, want)
	}
	return l, nil
}

// Security is what a server of the listener follows.
func (l *Listener) Security(lookup Lookup) wire.Security {
	s := wire.Security{FailureDelay: l.delay}
	if l.tls != nil {
		s.TLS = l.accepting
	}
	if usesSASL(l.Protocol) {
		s.MaxReceive = l.maxReceive
		s.SASL = func(info *wire.ConnInfo) wire.Authenticator {
			return &authenticator{listener: l, info: info, lookup: lookup, now: time.Now}
		}
	} else if l.tls != nil {
		s.Identify = l.identify
	}
	return s
}

// identify names the principal of a certificate.
func (l *Listener) identify(state tls.ConnectionState) (string, error) {
	if len(state.PeerCertificates) == 0 {
		return wire.Anonymous, nil
	}
	name, err := distinguishedName(state.PeerCertificates[0])
	if err != nil {
		return "", err
	}
	if name, err = l.rules.Name(name); err != nil {
		return "", err
	}
	return "User:" + name, nil
}

// first is the first value that is there.
func first(p Properties, keys ...string) string {
	for _, k := range keys {
		if text := p.Text(k); text != "" {
			return text
		}
	}
	return ""
}

// number reads a whole number that was checked before, 0 if there is none.
func number(text string) int {
	n, _ := strconv.Atoi(strings.TrimSpace(text))
	return n
}

func millis(text string) time.Duration { return time.Duration(number(text)) * time.Millisecond }

// String hides what is secret.
func (l *Listener) String() string { return fmt.Sprintf("%s %v", l.Protocol, l.mechanisms) }
