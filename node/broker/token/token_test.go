package token

import (
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"

	"kdrill/node/broker/auth"
	"kdrill/node/layout"
)

var (
	alice = Principal{User, "alice"}
	bob   = Principal{User, "bob"}
	carol = Principal{User, "carol"}
	eve   = Principal{User, "eve"}

	key = Key{Secret: "shared by brokers", MaxLifetime: 1000, Lifetime: 100}
)

func TestLifetimes(t *testing.T) {
	for _, c := range []struct{ most, wantEnds, wantMax int64 }{
		{-1, 5100, 6000}, {0, 5100, 6000}, {50, 5050, 5050}, {500, 5100, 5500}, {5000, 5100, 6000},
	} {
		made := key.Make(Token{ID: "t", Owner: alice}, c.most, 5000)
		if made.Issued != 5000 || made.Ends != c.wantEnds || made.Max != c.wantMax {
			t.Errorf("at most %d: %+v", c.most, made)
		}
	}
}

// Carol had the token made for alice, bob may renew it.
func TestWhoMayChangeWhat(t *testing.T) {
	made := key.Make(Token{ID: "t", Owner: alice, Requester: carol, Renewers: []Principal{bob}}, -1, 5000) // ends at 5100, at 6000 at the latest
	for _, c := range []struct {
		name   string
		expire bool
		who    Principal
		period int64
		now    int64
		ends   int64
		remove bool
		err    error
	}{
		{"the owner renews", false, alice, 300, 5050, 5350, false, nil},
		{"a renewer renews", false, bob, -1, 5050, 5150, false, nil},
		{"for longer than there is", false, bob, 1 << 62, 5050, 6000, false, nil},
		{"at the last moment", false, bob, -1, 5100, 5200, false, nil},
		{"too late", false, bob, -1, 5101, 0, false, kerr.DelegationTokenExpired},
		{"the requester renews", false, carol, -1, 5050, 0, false, kerr.DelegationTokenOwnerMismatch},
		{"somebody renews", false, eve, -1, 5050, 0, false, kerr.DelegationTokenOwnerMismatch},
		{"the owner ends it", true, alice, -1, 5050, 5050, true, nil},
		{"a renewer ends it after its end", true, bob, -1, 9000, 9000, true, nil},
		{"soon", true, bob, 10, 5050, 5060, false, nil},
		{"later than there is", true, bob, 1 << 62, 5050, 6000, false, nil},
		{"soon, too late", true, bob, 10, 5101, 0, false, kerr.DelegationTokenExpired},
		{"somebody ends it", true, eve, -1, 5050, 0, false, kerr.DelegationTokenOwnerMismatch},
	} {
		t.Run(c.name, func(t *testing.T) {
			after, remove, err := made, false, error(nil)
			if c.expire {
				after, remove, err = key.Expire(made, c.who, c.period, c.now)
			} else {
				after, err = key.Renew(made, c.who, c.period, c.now)
			}
			if !errors.Is(err, c.err) || remove != c.remove || err == nil && after.Ends != c.ends {
				t.Errorf("ends %d, removed %v, %v", after.Ends, remove, err)
			}
		})
	}
	for who, want := range map[Principal]bool{alice: true, bob: true, carol: true, eve: false} {
		if made.Concerns(who) != want {
			t.Errorf("concerns %v: %v", who, !want)
		}
	}
}

func TestZnodes(t *testing.T) {
	odd := Principal{User, "CN=a b,O=c/d"}
	made := key.Make(Token{ID: "MkFyTnA", Owner: odd, Requester: carol, Renewers: []Principal{bob, odd}}, -1, 5000)
	const want = `{"version":3,"owner":"User%3ACN%3Da%20b%2CO%3Dc%2Fd","tokenRequester":"User%3Acarol","renewers":["User%3Abob","User%3ACN%3Da%20b%2CO%3Dc%2Fd"],` +
		`"issueTimestamp":5000,"maxTimestamp":6000,"expiryTimestamp":5100,"tokenId":"MkFyTnA"}`
	if got := string(made.Encode()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	path := layout.DelegationToken(made.ID)
	again, err := Decode(path, made.Encode())
	if err != nil || again.Owner != odd || again.Requester != carol || !slices.Equal(again.Renewers, made.Renewers) || again.Ends != made.Ends || again.Max != made.Max || again.Issued != made.Issued {
		t.Errorf("%+v %v", again, err)
	}
	old, err := Decode(path, []byte(`{"version":1,"owner":"User%3Aalice","renewers":[],"issueTimestamp":1,"maxTimestamp":3,"expiryTimestamp":2,"tokenId":"t"}`))
	if err != nil || old.Requester != alice || old.Ends != 2 {
		t.Errorf("version 1: %+v %v", old, err)
	}
	for _, wrong := range []string{"", "{}", `{"version":4,"owner":"User%3Aa"}`, `{"version":1,"owner":"a"}`, `{"version":3,"owner":"User%3Aa"}`, `{"version":1,"owner":"User%3Aa","renewers":["%"]}`} {
		if got, err := Decode(path, []byte(wrong)); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %+v %v", wrong, got, err)
		}
	}
}

// The secret is that of other brokers with the same key: HMAC-SHA-512 of RFC 4231, test case 2.
func TestSecretsAreHMACs(t *testing.T) {
	const want = "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"
	if got := hex.EncodeToString(Key{Secret: "Jefe"}.HMAC("what do ya want for nothing?")); got != want {
		t.Errorf("got %s", got)
	}
}

func TestCache(t *testing.T) {
	c := NewCache(key)
	made := key.Make(Token{ID: "t", Owner: alice}, -1, 5000)
	c.Put(made)
	got, ok := c.Find(key.HMAC("t"))
	if !ok || got.Owner != alice {
		t.Errorf("found %+v %v", got, ok)
	}
	first, ok := c.Identity(auth.ScramSHA512, "t")
	if !ok || first.User != "alice" || first.Expires.UnixMilli() != 5100 || len(first.StoredKey) != 64 {
		t.Errorf("identity %+v %v", first, ok)
	}
	made.Ends = 5500
	c.Put(made)
	second, _ := c.Identity(auth.ScramSHA512, "t")
	if second.Expires.UnixMilli() != 5500 || string(second.Salt) != string(first.Salt) {
		t.Error("a renewed token has another credential, or the old end")
	}
	if _, ok := c.Identity(auth.Plain, "t"); ok {
		t.Error("a token by PLAIN")
	}
	c.Remove("t")
	if _, ok := c.Identity(auth.ScramSHA256, "t"); ok || len(c.All()) != 0 {
		t.Error("a token that was removed")
	}
	if _, ok := c.Find(key.HMAC("t")); ok {
		t.Error("the secret of a token that was removed")
	}
	if _, ok := c.Find(nil); ok {
		t.Error("no secret at all")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(key.Make(Token{ID: "t", Owner: alice, Requester: carol, Renewers: []Principal{bob}}, -1, 5000).Encode())
	f.Add([]byte(`{"version":1,"owner":"User%3Aalice","renewers":["%2"],"maxTimestamp":1e3}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		read, err := Decode("/t", data)
		if err != nil {
			return
		}
		again, err := Decode("/t", read.Encode())
		if err != nil || again.Owner != read.Owner || again.Requester != read.Requester || !slices.Equal(again.Renewers, read.Renewers) {
			t.Errorf("%+v became %+v, %v", read, again, err)
		}
	})
}
