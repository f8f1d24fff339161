package wire

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl"
)

// Dialer connects to brokers of one listener.
type Dialer struct {
	TLS  func() *tls.Config // what a new connection follows; nil: plain text
	SASL sasl.Mechanism     // nil: none
}

// Dial connects to a broker without TLS or SASL.
func Dial(ctx context.Context, address, clientID string) (*Client, error) {
	return Dialer{}.Dial(ctx, address, clientID)
}

// Dial connects to a broker and proves who asks, if need be. A connection that has to be authenticated again after a
// time (KIP-368) sees to it between its requests.
func (d Dialer) Dial(ctx context.Context, address, clientID string) (*Client, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	if d.TLS != nil {
		if conn, err = d.secure(ctx, conn, address); err != nil {
			return nil, err
		}
	}
	c := NewClient(conn, clientID)
	if d.SASL == nil {
		return c, nil
	}
	c.login = func(ctx context.Context) (time.Duration, error) { return c.authenticate(ctx, d.SASL, address) }
	if err := c.logIn(ctx); err != nil {
		c.Close()
		return nil, fmt.Errorf("connection to %s: %w", address, err)
	}
	return c, nil
}

func (d Dialer) secure(ctx context.Context, conn net.Conn, address string) (net.Conn, error) {
	config := d.TLS()
	if config.ServerName == "" {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			host = address
		}
		config = config.Clone()
		config.ServerName = host
	}
	secured := tls.Client(conn, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, fmt.Errorf("TLS handshake with %s: %w", address, err)
	}
	return secured, nil
}

// authenticate says who asks. lifetime is how long that holds, 0 for ever.
func (c *Client) authenticate(ctx context.Context, mechanism sasl.Mechanism, address string) (lifetime time.Duration, err error) {
	hello := kmsg.NewPtrSASLHandshakeRequest()
	hello.Version, hello.Mechanism = 1, mechanism.Name()
	answer, err := c.exchange(ctx, hello)
	if err != nil {
		return 0, fmt.Errorf("SASL handshake: %w", err)
	}
	if r := answer.(*kmsg.SASLHandshakeResponse); r.ErrorCode != 0 {
		return 0, fmt.Errorf("SASL handshake for %s: %w, the broker has %s", mechanism.Name(), kerr.ErrorForCode(r.ErrorCode), strings.Join(r.SupportedMechanisms, ", "))
	}
	session, token, err := mechanism.Authenticate(ctx, address)
	for done := false; err == nil && !done; {
		step := kmsg.NewPtrSASLAuthenticateRequest()
		step.Version, step.SASLAuthBytes = 1, token
		if answer, err = c.exchange(ctx, step); err != nil {
			break
		}
		r := answer.(*kmsg.SASLAuthenticateResponse)
		if r.ErrorCode != 0 {
			text := ""
			if r.ErrorMessage != nil {
				text = ": " + *r.ErrorMessage
			}
			return 0, fmt.Errorf("SASL %s: %w%s", mechanism.Name(), kerr.ErrorForCode(r.ErrorCode), text)
		}
		lifetime = time.Duration(r.SessionLifetimeMillis) * time.Millisecond
		done, token, err = session.Challenge(r.SASLAuthBytes)
	}
	if err != nil {
		return 0, fmt.Errorf("SASL %s: %w", mechanism.Name(), err)
	}
	return lifetime, nil
}

// logIn authenticates while no other request is under way.
func (c *Client) logIn(ctx context.Context) error {
	c.turn.Lock()
	defer c.turn.Unlock()
	if !c.due(time.Now()) { // somebody else was faster
		return nil
	}
	lifetime, err := c.login(ctx)
	if err != nil {
		return err
	}
	next := int64(0)
	if lifetime > 0 { // ahead of time, as clients are asked to
		next = time.Now().Add(lifetime * 85 / 100).UnixNano()
	}
	c.expires.Store(next)
	return nil
}

// due says whether the connection has to be authenticated.
func (c *Client) due(now time.Time) bool {
	expires := c.expires.Load()
	return expires == never && c.login != nil || expires > 0 && now.UnixNano() >= expires
}

// never stands in [Client].expires before the first authentication.
const never = -1
