package coordinator

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"strconv"
	"strings"

	"kdrill/node/config"
)

// readTLS reads the port for TLS clients: secureClientPort and ssl.*, with stores that are PEM files. As at Apache a
// client needs a certificate unless ssl.clientAuth says otherwise.
func (s *settings) readTLS(f *config.File) {
	if !f.Has("secureClientPort") {
		return
	}
	port := strconv.FormatInt(f.Int("secureClientPort", 0, 0, 65535), 10)
	s.secureAddr = net.JoinHostPort(f.String("secureClientPortAddress", "127.0.0.1"), port)
	f.String("serverCnxnFactory", "") // Apache needs to be told to use Netty
	s.tls = &tls.Config{MinVersion: tls.VersionTLS12}

	keys := pemFile(f, "ssl.keyStore")
	if keys == "" {
		return
	}
	certificate, err := tls.LoadX509KeyPair(keys, keys)
	if err != nil {
		f.Reject("ssl.keyStore.location", "%v", err)
	}
	s.tls.Certificates = []tls.Certificate{certificate}

	switch f.OneOf("ssl.clientAuth", "need", "want", "none") {
	case "none":
		return
	case "want":
		s.tls.ClientAuth = tls.VerifyClientCertIfGiven
	default:
		s.tls.ClientAuth = tls.RequireAndVerifyClientCert
	}
	trusted := pemFile(f, "ssl.trustStore")
	if trusted == "" {
		return
	}
	b, err := os.ReadFile(trusted)
	if err != nil {
		f.Reject("ssl.trustStore.location", "%v", err)
		return
	}
	s.tls.ClientCAs = x509.NewCertPool()
	if !s.tls.ClientCAs.AppendCertsFromPEM(b) {
		f.Reject("ssl.trustStore.location", "%s holds no certificate", trusted)
	}
}

// pemFile returns the location of a store; "" if it is missing or of another kind.
func pemFile(f *config.File, store string) string {
	path, kind := f.String(store+".location", ""), f.String(store+".type", "")
	f.Require(store + ".location")
	switch {
	case path == "":
		return ""
	case kind != "" && !strings.EqualFold(kind, "PEM"), kind == "" && !strings.HasSuffix(strings.ToLower(path), ".pem"):
		f.Reject(store+".location", "only PEM files can be read here: convert it, or name one and set %s.type=PEM", store)
		return ""
	}
	return path
}
