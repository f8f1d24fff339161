package auth

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/wire"
)

// authenticator is the SASL conversation of one connection: handshake, tokens, and all that again before the
// authentication expires.
type authenticator struct {
	listener *Listener
	info     *wire.ConnInfo
	lookup   Lookup
	now      func() time.Time

	mechanism string // of the conversation that is under way, "" if none is
	raw       bool   // its tokens have no headers
	scram     *scramServer

	proven  string // the mechanism that proved the principal, "" before
	expires time.Time
}

// errState is told to a client that asks out of turn.
var errState = errors.New("request out of turn: SASL is a handshake and then tokens")

// Raw implements [wire.Authenticator].
func (a *authenticator) Raw() bool { return a.raw }

// Admit implements [wire.Authenticator].
func (a *authenticator) Admit() error {
	switch {
	case a.proven == "":
		return errors.New("the client has to authenticate first, with SASL")
	case a.mechanism != "":
		return errors.New("the client is just authenticating again")
	case !a.expires.IsZero() && !a.now().Before(a.expires):
		return errors.New("the authentication expired (connections.max.reauth.ms, or its delegation token), and the client did not authenticate again")
	}
	return nil
}

// Answer implements [wire.Authenticator].
func (a *authenticator) Answer(req kmsg.Request) (kmsg.Response, error) {
	switch req := req.(type) {
	case *kmsg.SASLHandshakeRequest:
		return a.handshake(req)
	case *kmsg.SASLAuthenticateRequest:
		return a.authenticate(req)
	}
	return nil, errState
}

func (a *authenticator) handshake(req *kmsg.SASLHandshakeRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.SASLHandshakeResponse)
	resp.SupportedMechanisms = a.listener.mechanisms
	switch {
	case a.mechanism != "", a.proven != "" && a.expires.IsZero():
		resp.ErrorCode = kerr.IllegalSaslState.Code
		return resp, errState
	case !slices.Contains(a.listener.mechanisms, req.Mechanism):
		resp.ErrorCode = kerr.UnsupportedSaslMechanism.Code
		return resp, fmt.Errorf("mechanism %q is not enabled here, only %s", req.Mechanism, strings.Join(a.listener.mechanisms, ", "))
	case a.proven != "" && a.proven != req.Mechanism:
		resp.ErrorCode = kerr.SaslAuthenticationFailed.Code
		return resp, fmt.Errorf("the mechanism cannot change from %s to %s when a client authenticates again", a.proven, req.Mechanism)
	}
	a.mechanism, a.raw = req.Mechanism, req.Version == 0
	if isScram(a.mechanism) {
		a.scram = newScramServer(a.mechanism, a.lookup)
	}
	return resp, nil
}

func (a *authenticator) authenticate(req *kmsg.SASLAuthenticateRequest) (kmsg.Response, error) {
	resp := req.ResponseKind().(*kmsg.SASLAuthenticateResponse)
	resp.SASLAuthBytes = []byte{}
	if a.mechanism == "" {
		resp.ErrorCode = kerr.IllegalSaslState.Code
		return resp, errState
	}
	answer, err := a.step(req.SASLAuthBytes)
	if err != nil {
		text := a.complaint()
		resp.ErrorCode, resp.ErrorMessage = kerr.SaslAuthenticationFailed.Code, &text
		return resp, err
	}
	resp.SASLAuthBytes = answer
	if a.mechanism == "" && !a.expires.IsZero() {
		resp.SessionLifetimeMillis = max(a.expires.Sub(a.now()).Milliseconds(), 0)
	}
	return resp, nil
}

// complaint is all that a client is told: not whether the user exists.
func (a *authenticator) complaint() string {
	if a.mechanism == Plain {
		return "Authentication failed: Invalid username or password"
	}
	return "Authentication failed during authentication due to invalid credentials with SASL mechanism " + a.mechanism
}

// Token implements [wire.Authenticator].
func (a *authenticator) Token(token []byte) ([]byte, error) { return a.step(token) }

// step takes one token. The conversation is over when mechanism is empty again.
func (a *authenticator) step(token []byte) (answer []byte, err error) {
	who, byToken, done := Identity{}, false, true
	if a.mechanism == Plain {
		who.User, err = a.plain(token)
		answer = []byte{}
	} else {
		var text string
		text, err = a.scram.step(string(token))
		who, byToken, done, answer = a.scram.identity, a.scram.token, a.scram.done, []byte(text)
	}
	if err != nil {
		return nil, fmt.Errorf("SASL %s: %w", a.mechanism, err)
	}
	if done {
		return answer, a.prove(who, byToken)
	}
	return answer, nil
}

// prove ends a conversation: the client is who it says, until its token or the listener's patience ends.
func (a *authenticator) prove(who Identity, byToken bool) error {
	principal := "User:" + who.User
	if a.proven != "" && principal != a.info.Principal {
		return fmt.Errorf("the principal cannot change from %s to %s when a client authenticates again", a.info.Principal, principal)
	}
	a.info.Principal, a.info.ByToken, a.proven = principal, byToken, a.mechanism
	a.expires = who.Expires
	if lifetime := a.listener.lifetimes[a.mechanism]; lifetime > 0 {
		if most := a.now().Add(lifetime); a.expires.IsZero() || most.Before(a.expires) {
			a.expires = most
		}
	}
	a.mechanism, a.raw, a.scram = "", false, nil
	return nil
}

// plain checks a token of PLAIN: [authorization id] NUL user NUL password.
func (a *authenticator) plain(token []byte) (user string, err error) {
	parts := strings.Split(string(token), "\x00")
	if len(parts) != 3 || parts[1] == "" || parts[2] == "" {
		return "", errors.New("the token is not [id] NUL user NUL password")
	}
	user = parts[1]
	if parts[0] != "" && parts[0] != user {
		return "", errors.New("the client asks for another's authorization id")
	}
	want, known := a.listener.users[user]
	if equal := subtle.ConstantTimeCompare([]byte(want), []byte(parts[2])); !known || equal != 1 {
		return "", fmt.Errorf("user %q is unknown, or the password is wrong", user)
	}
	return user, nil
}
