package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Anonymous is the principal of a peer that did not have to say who it is.
const Anonymous = "User:ANONYMOUS"

// Security is how the connections of a listener are protected, and how their peers prove who they are.
type Security struct {
	// TLS is what a new connection follows: it may change from one to the next. nil: plain text.
	TLS func() *tls.Config
	// Identify names the principal at the other end of a TLS connection, for listeners without SASL.
	Identify func(tls.ConnectionState) (principal string, err error)
	// SASL begins the authentication of a connection; nil where none is asked for.
	SASL func(*ConnInfo) Authenticator
	// MaxReceive bounds the frames of peers that have not authenticated yet, sasl.server.max.receive.size.
	MaxReceive int
	// FailureDelay is how long a peer that failed waits for its answer, connection.failed.authentication.delay.ms.
	FailureDelay time.Duration
}

// Authenticator is the authentication of one connection. It sets [ConnInfo.Principal].
type Authenticator interface {
	// Answer takes a SaslHandshake or SaslAuthenticate request. With an error the connection ends after the response.
	Answer(kmsg.Request) (kmsg.Response, error)
	// Raw says that the next frame is a token without a header, as it is after SaslHandshake version 0.
	Raw() bool
	// Token takes such a frame and returns the one to answer with, nil for none. After an error the connection ends.
	Token([]byte) ([]byte, error)
	// Admit says why another request cannot be served, nil if it can.
	Admit() error
}

// Keys of the requests that authenticate.
const (
	keySASLHandshake    = 17
	keySASLAuthenticate = 36
)

// handshakeTime bounds a TLS handshake.
const handshakeTime = 30 * time.Second

// refusedError ends a connection whose peer could not prove who it is.
type refusedError struct{ error }

func (e refusedError) Unwrap() error { return e.error }

func (s *Server) authenticated(could bool) {
	if s.Authenticated != nil {
		s.Authenticated(could)
	}
}

// secure does what comes before the first request: it returns the connection that frames are read from.
func (s *Server) secure(ctx context.Context, conn net.Conn, info *ConnInfo) (net.Conn, error) {
	if s.Security.TLS == nil {
		return conn, nil
	}
	limit, cancel := context.WithTimeout(ctx, handshakeTime)
	defer cancel()
	secured := tls.Server(conn, s.Security.TLS())
	if err := secured.HandshakeContext(limit); err != nil {
		s.authenticated(false)
		s.delay(ctx)
		return nil, refusedError{fmt.Errorf("TLS handshake: %w", err)}
	}
	if s.Security.Identify != nil {
		principal, err := s.Security.Identify(secured.ConnectionState())
		if err != nil {
			s.authenticated(false)
			s.delay(ctx)
			return nil, refusedError{err}
		}
		info.Principal = principal
	}
	if s.Security.SASL == nil {
		s.authenticated(true)
	}
	return secured, nil
}

// delay holds up a peer that failed to authenticate, so that guessing takes time.
func (s *Server) delay(ctx context.Context) { rest(ctx, s.Security.FailureDelay) }

// rest waits for d or until ctx ends.
func rest(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// limit bounds the next frame.
func (c *served) limit() int {
	if c.auth != nil && c.Security.MaxReceive > 0 && c.auth.Admit() != nil {
		return min(c.Security.MaxReceive, c.MaxRequestBytes)
	}
	return c.MaxRequestBytes
}

// authenticate answers a request that is part of SASL.
func (c *served) authenticate(ctx context.Context, h header, body kmsg.Request) error {
	response, err := c.auth.Answer(body)
	c.proved(err)
	if err != nil {
		c.delay(ctx)
	}
	if response != nil {
		response.SetVersion(h.Version)
		err = errors.Join(err, c.reply(h.CorrelationID, response))
	}
	if err != nil {
		return refusedError{err}
	}
	return nil
}

// proved tells how a step of authentication ended, if that decides it. What a client does that was let in once counts no more.
func (c *served) proved(err error) {
	switch {
	case c.proven:
	case err != nil:
		c.authenticated(false)
	case c.auth.Admit() == nil:
		c.proven = true
		c.authenticated(true)
	}
}

// token answers a frame that is a token of SASL without a header.
func (c *served) token(ctx context.Context, frame []byte) error {
	answer, err := c.auth.Token(frame)
	c.proved(err)
	if err != nil {
		c.delay(ctx)
		return refusedError{err}
	}
	if answer == nil {
		return nil
	}
	_, err = c.conn.Write(endFrame(append(beginFrame(nil), answer...)))
	return err
}
