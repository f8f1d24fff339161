package auth

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/wire"
)

func TestLoginModules(t *testing.T) {
	for text, want := range map[string]string{
		`a.B required;`:                              "a.B map[]",
		`a.B REQUIRED u="x y" v=z ;`:                 "a.B map[u:x y v:z]",
		`a.B required u="say \"hi\" \\ =;" w='q';`:   `a.B map[u:say "hi" \ =; w:q]`,
		"a.B\n required\n user_alice=\"a\"\n b = c;": "a.B map[b:c user_alice:a]",
		`a.B required`:                               "semicolon",
		`a.B;`:                                       "class and a flag",
		`a.B maybe u=x;`:                             "none of required",
		`a.B required u;`:                            "not name=",
		`a.B required u=x; c.D required v=y;`:        "more than one",
		`a.B required u="secret;`:                    "does not end",
		``:                                           "semicolon",
	} {
		l, err := parseLogin(text)
		got := fmt.Sprint(l.module, " ", l.options)
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) || strings.Contains(got, "secret") {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
	l, _ := parseLogin(`m required username="u" user_a="1" user_b_c="2";`)
	if got := l.users(); !maps.Equal(got, map[string]string{"a": "1", "b_c": "2"}) {
		t.Errorf("users %v", got)
	}
}

func TestPrincipalsFromCertificates(t *testing.T) {
	const name = "CN=Kafka-1,OU=Service Users,O=Org,L=Paris,C=FR"
	for rules, want := range map[string]string{
		"":                                       name,
		"DEFAULT":                                name,
		`RULE:^CN=(.*?),OU=Service Users.*$/$1/`: "Kafka-1",
		`RULE:^CN=(.*?),OU=Service Users.*$/$1/L`:             "kafka-1",
		`RULE:^CN=(.*?),OU=(.*?),O=(.*?),L.*$/$1@$2_x/U`:      "KAFKA-1@SERVICE USERS_X",
		`RULE:^.*OU=Other.*$/no/, RULE:^cn=.*$/no/,DEFAULT`:   name,
		`RULE:^.*[Cc][Nn]=([a-zA-Z0-9.-]*).*$/$1/L , DEFAULT`: "kafka-1",
		`RULE:^CN=(.*?),.*$/a\/$1/`:                           `a\/Kafka-1`,
		`RULE:^.*OU=Other.*$/$1/`:                             "no rule",
		`RULE:^CN=/x`:                                         "does not begin with",
		`RULE:^CN=(/x/`:                                       "is no pattern",
		`DEFAULT,nonsense`:                                    "does not begin with",
		`RULE:Kafka/x/`:                                       "no rule", // the whole name has to fit
	} {
		parsed, err := ParseRules(rules)
		got := ""
		if err == nil {
			got, err = parsed.Name(name)
		}
		if err != nil {
			got = err.Error()
		}
		if got != want && (err == nil || !strings.Contains(got, want)) {
			t.Errorf("%s: got %s, want %s", rules, got, want)
		}
	}
}

func TestDistinguishedNamesAreThoseOfJava(t *testing.T) {
	oid := func(n ...int) asn1.ObjectIdentifier { return n }
	part := func(id asn1.ObjectIdentifier, value string) pkix.RelativeDistinguishedNameSET {
		return pkix.RelativeDistinguishedNameSET{{Type: id, Value: value}}
	}
	raw, err := asn1.Marshal(pkix.RDNSequence{
		part(oid(0, 9, 2342, 19200300, 100, 1, 25), "org"), part(oid(2, 5, 4, 6), "FR"), part(oid(2, 5, 4, 10), `Smith, "Sons" & Co`),
		part(oid(2, 5, 4, 5), "7"), part(oid(2, 5, 4, 3), "#a b "),
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := distinguishedName(&x509.Certificate{RawSubject: raw})
	want := `CN=\#a b\ ,2.5.4.5=#130137,O=Smith\, \"Sons\" & Co,C=FR,DC=org`
	if got != want || err != nil {
		t.Errorf("got %s %v, want %s", got, err, want)
	}
}

func credentialOf(password string, salt []byte) Credential {
	salted, _ := pbkdf2.Key(sha256.New, password, salt, 4096, sha256.Size)
	return NewCredential(ScramSHA256, salt, salted, 4096)
}

func TestCredentials(t *testing.T) {
	c := credentialOf("pencil", []byte("salt"))
	again, err := ParseCredential(c.String())
	if err != nil || again.String() != c.String() {
		t.Errorf("%v became %v, %v", c, again, err)
	}
	for _, text := range []string{"", "salt", "salt=!,stored_key=YQ==,server_key=YQ==,iterations=1", "salt=YQ==,stored_key=YQ==,server_key=YQ==,iterations=0", "salt=YQ==,stored_key=YQ==,iterations=5"} {
		if _, err := ParseCredential(text); err == nil || text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestScramIsThatOfTheRFC replays the example of RFC 7677, section 3.
func TestScramIsThatOfTheRFC(t *testing.T) {
	salt, _ := base64.StdEncoding.DecodeString("W22ZaJ0SNY7soEsUEjb6gQ==")
	start := func() *scramServer {
		s := newScramServer(ScramSHA256, func(_, name string, token bool) (Identity, bool) {
			return Identity{Credential: credentialOf("pencil", salt), User: name}, name == "user" && !token
		})
		s.nonce = func() string { return "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0" }
		return s
	}
	const hello = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
	const proof = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
	s := start()
	if got, err := s.step(hello); err != nil || got != "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096" {
		t.Fatalf("first: %s %v", got, err)
	}
	if got, err := s.step(proof); err != nil || got != "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=" || !s.done {
		t.Errorf("last: %s %v", got, err)
	}
	for _, wrong := range []string{
		"", "n,,", "n=user", "p=tls-unique,,n=user,r=x", "n,,n=nobody,r=x", "n,a=other,n=user,r=x", "n,,n=us=er,r=x", "n,,n=user,r=", "n,,m=x,n=user,r=x",
	} {
		if got, err := start().step(wrong); err == nil {
			t.Errorf("%q is answered with %q", wrong, got)
		}
	}
	for _, wrong := range []string{
		"", strings.Replace(proof, "p=d", "p=e", 1), strings.Replace(proof, "c=biws", "c=eSws", 1), strings.Replace(proof, "k0,p", "k1,p", 1),
		strings.Replace(proof, ",p=", ",x=", 1), "c=biws,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", strings.Replace(proof, "dHzb", "", 1),
	} {
		s := start()
		if _, err := s.step(hello); err != nil {
			t.Fatal(err)
		}
		if got, err := s.step(wrong); err == nil || s.done {
			t.Errorf("%q is answered with %q", wrong, got)
		}
	}
}

// TestTokensByScram lets a client in that shows a delegation token, until the token or the listener's patience ends.
func TestTokensByScram(t *testing.T) {
	for name, c := range map[string]struct {
		extension string
		patience  string
		want      string // principal, by token, for how long
	}{
		"a token":                            {",tokenauth=true", "0", "User:alice true 900"},
		"a token that outlasts the patience": {",x=y,tokenauth=TRUE", "500", "User:alice true 500"},
		"a user of that name":                {",tokenauth=false", "0", "User:t0k3n false 0"},
		"a user of that name, briefly":       {"", "500", "User:t0k3n false 500"},
	} {
		t.Run(name, func(t *testing.T) {
			now := time.UnixMilli(1_000_000)
			info := new(wire.ConnInfo)
			credential := CredentialOf(ScramSHA256, "secret", MinIterations)
			a := &authenticator{listener: plainListener(t, props{"connections.max.reauth.ms": c.patience}), info: info, now: func() time.Time { return now }}
			a.lookup = func(_, name string, token bool) (Identity, bool) {
				if token {
					return Identity{Credential: credential, User: "alice", Expires: now.Add(900 * time.Millisecond)}, name == "t0k3n"
				}
				return Identity{Credential: credential, User: name}, true
			}
			bare := "n=t0k3n,r=abc" + c.extension
			conversation(a, hello(1, ScramSHA256), token("n,,"+bare))
			last := "c=biws,r=" + a.scram.fullNonce
			answer, err := a.Answer(token(last + ",p=" + proofOf(t, "secret", credential, bare+","+a.scram.first+","+last)))
			if err != nil {
				t.Fatal(err)
			}
			got := fmt.Sprint(info.Principal, " ", info.ByToken, " ", answer.(*kmsg.SASLAuthenticateResponse).SessionLifetimeMillis)
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			now = now.Add(time.Hour)
			if err := a.Admit(); (err == nil) != strings.HasSuffix(c.want, " 0") {
				t.Errorf("an hour later: %v", err)
			}
		})
	}
}

// proofOf is the client's side of SCRAM-SHA-256.
func proofOf(t *testing.T, password string, c Credential, signed string) string {
	t.Helper()
	salted, err := pbkdf2.Key(sha256.New, password, c.Salt, c.Iterations, sha256.Size)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(key []byte, text string) []byte {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(text))
		return mac.Sum(nil)
	}
	proof := sign(salted, "Client Key")
	for i, b := range sign(c.StoredKey, signed) {
		proof[i] ^= b
	}
	return base64.StdEncoding.EncodeToString(proof)
}

// props are properties of a test.
type props map[string]string

func (p props) Text(key string) string { return p[key] }
func (p props) Own(key string) string  { return p[key] }
func (p props) Key(key string) string  { return key }

func plainListener(t *testing.T, more props) *Listener {
	t.Helper()
	p := props{
		"sasl.enabled.mechanisms": "PLAIN, SCRAM-SHA-256", "sasl.jaas.config": "x required;", "plain.sasl.jaas.config": `org.apache.kafka.common.security.plain.PlainLoginModule required user_u="p" user_v="q";`,
	}
	maps.Copy(p, more)
	return ReadListener("SASL_PLAINTEXT", false, p, func(key, format string, args ...any) { t.Errorf(key+": "+format, args...) })
}

// conversation replays requests; each answer is its error code, and "closed" if the connection ends.
func conversation(a wire.Authenticator, steps ...kmsg.Request) (answers []string) {
	for _, s := range steps {
		resp, err := a.Answer(s)
		code := int16(0)
		switch resp := resp.(type) {
		case *kmsg.SASLHandshakeResponse:
			code = resp.ErrorCode
		case *kmsg.SASLAuthenticateResponse:
			code = resp.ErrorCode
		}
		text := "ok"
		if code != 0 {
			text = kerr.ErrorForCode(code).(*kerr.Error).Message
		}
		if err != nil {
			text += " closed"
		}
		answers = append(answers, text)
	}
	return answers
}

func hello(version int16, mechanism string) kmsg.Request {
	return &kmsg.SASLHandshakeRequest{Version: version, Mechanism: mechanism}
}

func token(text string) kmsg.Request {
	return &kmsg.SASLAuthenticateRequest{Version: 2, SASLAuthBytes: []byte(text)}
}

func TestConversations(t *testing.T) {
	limited := props{"connections.max.reauth.ms": "1000"}
	for _, c := range []struct {
		name     string
		more     props
		steps    []kmsg.Request
		want     string
		admitted bool
	}{
		{"right password", nil, []kmsg.Request{hello(1, Plain), token("\x00u\x00p")}, "[ok ok]", true},
		{"with an id", nil, []kmsg.Request{hello(1, Plain), token("u\x00u\x00p")}, "[ok ok]", true},
		{"another's id", nil, []kmsg.Request{hello(1, Plain), token("v\x00u\x00p")}, "[ok SASL_AUTHENTICATION_FAILED closed]", false},
		{"wrong password", nil, []kmsg.Request{hello(1, Plain), token("\x00u\x00q")}, "[ok SASL_AUTHENTICATION_FAILED closed]", false},
		{"no password", nil, []kmsg.Request{hello(1, Plain), token("\x00nobody\x00")}, "[ok SASL_AUTHENTICATION_FAILED closed]", false},
		{"no token", nil, []kmsg.Request{hello(1, Plain), token("")}, "[ok SASL_AUTHENTICATION_FAILED closed]", false},
		{"unknown mechanism", nil, []kmsg.Request{hello(1, "GSSAPI")}, "[UNSUPPORTED_SASL_MECHANISM closed]", false},
		{"token first", nil, []kmsg.Request{token("\x00u\x00p")}, "[ILLEGAL_SASL_STATE closed]", false},
		{"two handshakes", nil, []kmsg.Request{hello(1, Plain), hello(1, Plain)}, "[ok ILLEGAL_SASL_STATE closed]", false},
		{"again, for nothing", nil, []kmsg.Request{hello(1, Plain), token("\x00u\x00p"), hello(1, Plain)}, "[ok ok ILLEGAL_SASL_STATE closed]", true},
		{"again", limited, []kmsg.Request{hello(1, Plain), token("\x00u\x00p"), hello(1, Plain), token("\x00u\x00p")}, "[ok ok ok ok]", true},
		{"meanwhile", limited, []kmsg.Request{hello(1, Plain), token("\x00u\x00p"), hello(1, Plain)}, "[ok ok ok]", false},
		{"as another", limited, []kmsg.Request{hello(1, Plain), token("\x00u\x00p"), hello(1, Plain), token("\x00v\x00q")}, "[ok ok ok SASL_AUTHENTICATION_FAILED closed]", false},
		{"by another way", limited, []kmsg.Request{hello(1, Plain), token("\x00u\x00p"), hello(1, ScramSHA256)}, "[ok ok SASL_AUTHENTICATION_FAILED closed]", true},
		{"handshake alone", nil, []kmsg.Request{hello(1, ScramSHA256)}, "[ok]", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := plainListener(t, c.more).Security(func(_, _ string, _ bool) (Identity, bool) { return Identity{}, false }).SASL(new(wire.ConnInfo))
			if got := fmt.Sprint(conversation(a, c.steps...)); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			if err := a.Admit(); (err == nil) != c.admitted {
				t.Errorf("admitted: %v", err)
			}
		})
	}
}

func TestTokensWithoutHeadersAndExpiry(t *testing.T) {
	now := time.Unix(1000, 0)
	info := new(wire.ConnInfo)
	a := &authenticator{listener: plainListener(t, props{"plain.connections.max.reauth.ms": "500"}), info: info, now: func() time.Time { return now }}
	if got := fmt.Sprint(conversation(a, hello(0, Plain))); got != "[ok]" || !a.Raw() {
		t.Fatalf("handshake version 0: %s, raw %v", got, a.Raw())
	}
	if answer, err := a.Token([]byte("\x00u\x00p")); err != nil || answer == nil || a.Raw() || info.Principal != "User:u" {
		t.Errorf("token: %q %v, principal %s", answer, err, info.Principal)
	}
	now = now.Add(499 * time.Millisecond)
	if err := a.Admit(); err != nil {
		t.Error(err)
	}
	now = now.Add(time.Millisecond)
	if err := a.Admit(); err == nil {
		t.Error("an authentication does not expire")
	}
}

func FuzzScram(f *testing.F) {
	f.Add("n,,n=user,r=x", "c=biws,r=xy,p=YQ==")
	f.Fuzz(func(t *testing.T, first, last string) {
		s := newScramServer(ScramSHA512, func(string, string, bool) (Identity, bool) {
			return Identity{Credential: Credential{Salt: []byte("s"), StoredKey: make([]byte, 64), ServerKey: make([]byte, 64), Iterations: 4096}}, true
		})
		if _, err := s.step(first); err != nil {
			return
		}
		if _, err := s.step(last); err == nil {
			t.Errorf("%q and %q prove something", first, last)
		}
	})
}
