package auth

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"slices"
	"strings"
)

// tlsRules are what the connections of a listener follow for as long as it is open, whatever its stores are.
type tlsRules struct {
	config       tls.Config // versions, ciphers, certificates of clients
	nameVerified bool       // a broker that is connected to has to have a certificate for its host
	between      bool       // brokers connect to each other by this listener
	// May a new certificate have another subject, or lack names that the one before had?
	allowSubject, allowNames bool
}

// readTLS reads ssl.*, but for the stores. With SASL certificates of clients are only asked for where the listener's own
// ssl.client.auth says so (KIP-684).
func readTLS(protocol string, between bool, p Properties) (*tlsRules, error) {
	r := &tlsRules{
		nameVerified: p.Text("ssl.endpoint.identification.algorithm") != "", between: between,
		allowSubject: strings.EqualFold(p.Text("ssl.allow.dn.changes"), "true"),
		allowNames:   strings.EqualFold(p.Text("ssl.allow.san.changes"), "true"),
	}
	wanted := p.Text("ssl.client.auth")
	if usesSASL(protocol) {
		wanted = p.Own("ssl.client.auth")
	}
	switch wanted {
	case "required":
		r.config.ClientAuth = tls.RequireAndVerifyClientCert
	case "requested":
		r.config.ClientAuth = tls.VerifyClientCertIfGiven
	}
	return r, limits(&r.config, p)
}

// limits reads which versions and ciphers are allowed.
func limits(config *tls.Config, p Properties) error {
	versions := map[string]uint16{"TLSv1": tls.VersionTLS10, "TLSv1.1": tls.VersionTLS11, "TLSv1.2": tls.VersionTLS12, "TLSv1.3": tls.VersionTLS13}
	for item := range strings.SplitSeq(p.Text("ssl.enabled.protocols"), ",") {
		name := strings.TrimSpace(item)
		v, ok := versions[name]
		if !ok {
			return wrong("ssl.enabled.protocols", "%q is none of TLSv1, TLSv1.1, TLSv1.2, TLSv1.3", name)
		}
		if config.MinVersion == 0 || v < config.MinVersion {
			config.MinVersion = v
		}
		config.MaxVersion = max(config.MaxVersion, v)
	}
	for item := range strings.SplitSeq(p.Text("ssl.cipher.suites"), ",") {
		name := strings.TrimSpace(item)
		if name == "" {
			continue
		}
		suites := tls.CipherSuites()
		i := slices.IndexFunc(suites, func(s *tls.CipherSuite) bool { return s.Name == name })
		if i < 0 {
			return wrong("ssl.cipher.suites", "%q is no cipher suite that is supported here", name)
		}
		config.CipherSuites = append(config.CipherSuites, suites[i].ID)
	}
	return nil
}

// server is what the side that accepts connections follows.
func (r *tlsRules) server(s *Stores) *tls.Config {
	config := r.config.Clone()
	config.Certificates, config.ClientCAs = []tls.Certificate{*s.shown}, s.trusted
	return config
}

// client is what the side that opens connections follows.
func (r *tlsRules) client(s *Stores) *tls.Config {
	config := r.config.Clone()
	config.ClientAuth = tls.NoClientCert
	config.Certificates, config.RootCAs = []tls.Certificate{*s.shown}, s.trusted
	if !r.nameVerified {
		config.InsecureSkipVerify = true // the chain is verified below, only the host's name is not
		config.VerifyConnection = func(state tls.ConnectionState) error {
			return verifyChain(state.PeerCertificates, s.trusted, x509.ExtKeyUsageServerAuth)
		}
	}
	return config
}

// verifyChain verifies the first certificate by those that come with it.
func verifyChain(chain []*x509.Certificate, roots *x509.CertPool, use x509.ExtKeyUsage) error {
	if len(chain) == 0 {
		return errors.New("the broker showed no certificate")
	}
	options := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{use}}
	for _, c := range chain[1:] {
		options.Intermediates.AddCert(c)
	}
	_, err := chain[0].Verify(options)
	return err
}

// accepting is what the next connection follows that is accepted.
func (l *Listener) accepting() *tls.Config { return l.stores.Load().server }

// dialing is what the next connection follows that is opened to another broker.
func (l *Listener) dialing() *tls.Config { return l.stores.Load().client }
