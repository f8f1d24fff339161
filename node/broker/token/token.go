package token

import (
	"crypto/hmac"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"

	"kdrill/node/layout"
)

// Principal is who somebody is: a type, in practice User, and a name.
type Principal struct{ Type, Name string }

// User is the only type of principal that tokens are for.
const User = "User"

// ParsePrincipal reads type:name.
func ParsePrincipal(text string) (Principal, error) {
	kind, name, ok := strings.Cut(text, ":")
	if !ok || kind == "" {
		return Principal{}, fmt.Errorf("%q is no principal such as User:alice", text)
	}
	return Principal{kind, name}, nil
}

func (p Principal) String() string { return p.Type + ":" + p.Name }

// Token is all that is known of a token but its secret. Times are milliseconds since 1970.
type Token struct {
	ID                string
	Owner             Principal   // for whom it stands
	Requester         Principal   // who had it made
	Renewers          []Principal // who may prolong and end it beside the owner
	Issued, Ends, Max int64       // Ends may be moved, but not past Max
}

// Expired says whether a token has ended.
func (t Token) Expired(now int64) bool { return t.Max < now || t.Ends < now }

// Concerns says whether somebody has to do with a token, and may see it for that.
func (t Token) Concerns(who Principal) bool { return who == t.Requester || t.mayChange(who) }

func (t Token) mayChange(who Principal) bool {
	return who == t.Owner || slices.Contains(t.Renewers, who)
}

// Key makes tokens. Lifetimes are milliseconds.
type Key struct {
	Secret      string // delegation.token.secret.key
	MaxLifetime int64  // delegation.token.max.lifetime.ms
	Lifetime    int64  // delegation.token.expiry.time.ms: how long a token lasts that nobody renews
}

// HMAC is the secret of a token.
func (k Key) HMAC(id string) []byte {
	mac := hmac.New(sha512.New, []byte(k.Secret))
	mac.Write([]byte(id))
	return mac.Sum(nil)
}

// Password is a token's secret as clients use it.
func (k Key) Password(id string) string { return base64.StdEncoding.EncodeToString(k.HMAC(id)) }

// Make fills in when a token ends. A most of 0 or less is the longest there is.
func (k Key) Make(t Token, most, now int64) Token {
	if most <= 0 || most > k.MaxLifetime {
		most = k.MaxLifetime
	}
	t.Issued, t.Max = now, now+most
	t.Ends = min(t.Max, now+k.Lifetime)
	return t
}

// Renew moves the end of a token to a period from now; a negative one is the usual.
func (k Key) Renew(t Token, who Principal, period, now int64) (Token, error) {
	switch {
	case !t.mayChange(who):
		return t, kerr.DelegationTokenOwnerMismatch
	case t.Expired(now):
		return t, kerr.DelegationTokenExpired
	}
	if period < 0 {
		period = k.Lifetime
	}
	t.Ends = endAfter(t, period, now)
	return t, nil
}

// Expire moves the end of a token to a period from now; with a negative one it ends at once, and is to be removed.
func (k Key) Expire(t Token, who Principal, period, now int64) (after Token, remove bool, err error) {
	switch {
	case !t.mayChange(who):
		return t, false, kerr.DelegationTokenOwnerMismatch
	case period < 0:
		t.Ends = now
		return t, true, nil
	case t.Expired(now):
		return t, false, kerr.DelegationTokenExpired
	}
	t.Ends = endAfter(t, period, now)
	return t, false, nil
}

// endAfter is a period from now, but not past the token's last moment; periods may be absurd.
func endAfter(t Token, period, now int64) int64 { return now + min(period, t.Max-now) }

// Encode is a token's znode.
func (t Token) Encode() []byte {
	renewers := make([]string, 0, len(t.Renewers))
	for _, r := range t.Renewers {
		renewers = append(renewers, layout.Sanitize(r.String()))
	}
	return layout.Encode(layout.DelegationTokenInfo{
		Version: 3, Owner: layout.Sanitize(t.Owner.String()), TokenRequester: layout.Sanitize(t.Requester.String()), Renewers: renewers,
		IssueTimestamp: t.Issued, MaxTimestamp: t.Max, ExpiryTimestamp: t.Ends, TokenID: t.ID,
	})
}

// Decode is the inverse of Encode, and reads what older brokers wrote.
func Decode(path string, data []byte) (Token, error) {
	info, err := layout.Decode[layout.DelegationTokenInfo](path, data)
	if err != nil {
		return Token{}, err
	}
	if info.Version < 1 || info.Version > 3 {
		return Token{}, fmt.Errorf("%s: version %d is not known", path, info.Version)
	}
	t := Token{ID: info.TokenID, Issued: info.IssueTimestamp, Max: info.MaxTimestamp, Ends: info.ExpiryTimestamp}
	if t.Owner, err = desanitized(path, info.Owner); err != nil {
		return Token{}, err
	}
	t.Requester = t.Owner
	if info.Version >= 3 {
		if t.Requester, err = desanitized(path, info.TokenRequester); err != nil {
			return Token{}, err
		}
	}
	for _, text := range info.Renewers {
		r, err := desanitized(path, text)
		if err != nil {
			return Token{}, err
		}
		t.Renewers = append(t.Renewers, r)
	}
	return t, nil
}

func desanitized(path, text string) (Principal, error) {
	plain, err := layout.Unsanitize(text)
	if err != nil {
		return Principal{}, fmt.Errorf("%s: %w", path, err)
	}
	p, err := ParsePrincipal(plain)
	if err != nil {
		return Principal{}, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}
