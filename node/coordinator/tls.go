package coordinator

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"strconv"
	"strings"

	"kdrill/node/certs"
	"kdrill/node/config"
)

// readTLS reads the port for TLS clients: secureClientPort and ssl.*, with stores of type PEM, PKCS12 or JKS. As at Apache a
// client needs a certificate unless ssl.clientAuth says otherwise.
func (s *settings) readTLS(f *config.File) {
	if !f.Has("secureClientPort") {
		return
	}
	port := strconv.FormatInt(f.Int("secureClientPort", 0, 0, 65535), 10)
	s.secureAddr = net.JoinHostPort(f.String("secureClientPortAddress", "127.0.0.1"), port)
	f.String("serverCnxnFactory", "") // Apache needs to be told to use Netty
	s.tls = &tls.Config{MinVersion: tls.VersionTLS12}

	data, password := readStore(f, "ssl.keyStore")
	if data == nil {
		return
	}
	certificate, err := certs.Identity(data, password, password)
	if err != nil {
		rejectStore(f, "ssl.keyStore", err)
		return
	}
	s.tls.Certificates = []tls.Certificate{*certificate}

	switch f.OneOf("ssl.clientAuth", "need", "want", "none") {
	case "none":
		return
	case "want":
		s.tls.ClientAuth = tls.VerifyClientCertIfGiven
	default:
		s.tls.ClientAuth = tls.RequireAndVerifyClientCert
	}
	if data, password = readStore(f, "ssl.trustStore"); data == nil {
		return
	}
	if s.tls.ClientCAs, err = certs.Trusted(data, password); err != nil {
		rejectStore(f, "ssl.trustStore", err)
	}
}

// readStore reads a store's file, and its password, which may stand in a file too; nil if there is none.
func readStore(f *config.File, store string) (data []byte, password string) {
	path, kind := f.String(store+".location", ""), f.String(store+".type", "")
	password = f.String(store+".password", "")
	if from := f.String(store+".passwordPath", ""); from != "" {
		b, err := os.ReadFile(from)
		if err != nil {
			f.Reject(store+".passwordPath", "%v", err)
		}
		password = strings.TrimRight(string(b), "\r\n")
	}
	f.Require(store + ".location")
	if path == "" {
		return nil, ""
	}
	data, err := os.ReadFile(path)
	switch {
	case err != nil:
		f.Reject(store+".location", "%v", err)
		return nil, ""
	case strings.EqualFold(kind, "PEM") && !certs.IsPEM(data):
		f.Reject(store+".type", "%s is not PEM", path)
		return nil, ""
	}
	return data, password
}

func rejectStore(f *config.File, store string, err error) {
	if errors.Is(err, certs.ErrStorePassword) || errors.Is(err, certs.ErrKeyPassword) || errors.Is(err, certs.ErrKeyEncrypted) {
		f.Reject(store+".password", "%v", err)
		return
	}
	f.Reject(store+".location", "%v", err)
}
