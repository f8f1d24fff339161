package broker

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"kdrill/node/broker/authorizer"
	"kdrill/node/broker/settings"
	"kdrill/node/broker/token"
	"kdrill/node/layout"
	"kdrill/node/wire"
)

// patiently keeps a client from asking once more what takes long on a busy machine: that would make a second token.
var patiently = kgo.RequestTimeoutOverhead(time.Minute)

func (s *securedCluster) userAdmin(t *testing.T, name string) *kadm.Client {
	return kadm.NewClient(s.user(t, name, patiently))
}

// withToken are the options of a client that has a token, by either mechanism.
func (s *securedCluster) withToken(made kadm.DelegationToken, strong bool) []kgo.Opt {
	has := scram.Auth{User: made.TokenID, Pass: base64.StdEncoding.EncodeToString(made.HMAC), IsToken: true}
	by := has.AsSha256Mechanism()
	if strong {
		by = has.AsSha512Mechanism()
	}
	return []kgo.Opt{kgo.DialTLSConfig(s.trust("")), kgo.SASL(by)}
}

// testTokens has alice get a token, which others use, renew and end. Only alice may read the topic.
func (s *securedCluster) testTokens(t *testing.T) {
	alice, bob := s.userAdmin(t, "alice"), s.userAdmin(t, "bob")
	made, err := alice.CreateDelegationToken(t.Context(), kadm.CreateDelegationToken{Renewers: []kadm.Principal{{Type: "User", Name: "bob"}}, MaxLifetime: time.Hour})
	if err != nil || made.Owner.Name != "alice" || made.MaxTimestamp.Sub(made.IssueTimestamp) != time.Hour {
		t.Fatalf("create: %+v %v", made, err)
	}
	s.awaitPing(t, true, "SCRAM", s.withToken(made, false)...)
	s.awaitPing(t, true, "SCRAM", s.withToken(made, true)...)

	s.create(t, "by-token", 1, nil)
	s.allow(t, kadm.NewACLs().Topics("by-token").Allow("User:alice").Operations(kadm.OpAll))
	produce(t, s.through(t, "SCRAM", s.withToken(made, true)...), "by-token", 0, 10)
	err = s.user(t, "bob", kgo.RecordRetries(0)).ProduceSync(t.Context(), &kgo.Record{Topic: "by-token"}).FirstErr()
	if !errors.Is(err, kerr.TopicAuthorizationFailed) {
		t.Errorf("bob writes what only alice may: %v", err)
	}

	_, err = kadm.NewClient(s.through(t, "SCRAM", s.withToken(made, true)...)).CreateDelegationToken(t.Context(), kadm.CreateDelegationToken{})
	if !errors.Is(err, kerr.DelegationTokenRequestNotAllowed) {
		t.Errorf("a token by a token: %v", err)
	}
	if _, err = s.admin(t).DescribeDelegationTokens(t.Context()); !errors.Is(err, kerr.DelegationTokenRequestNotAllowed) {
		t.Errorf("tokens in plain text: %v", err)
	}
	s.eventually("bob sees the token", func() bool {
		all, err := bob.DescribeDelegationTokens(t.Context(), kadm.Principal{Type: "User", Name: "alice"})
		return err == nil && len(all) == 1 && all[0].TokenID == made.TokenID && string(all[0].HMAC) == string(made.HMAC)
	})
	s.setPassword(t, "eve", "drop")
	s.awaitPing(t, true, "SCRAM", kgo.DialTLSConfig(s.trust("")), kgo.SASL(scramAs("eve", "drop")))
	eve := kadm.NewClient(s.through(t, "SCRAM", kgo.DialTLSConfig(s.trust("")), kgo.SASL(scramAs("eve", "drop"))))
	if _, err = eve.RenewDelegationToken(t.Context(), made.HMAC, time.Hour); !errors.Is(err, kerr.DelegationTokenOwnerMismatch) {
		t.Errorf("eve renews: %v", err)
	}
	if ends, err := bob.RenewDelegationToken(t.Context(), made.HMAC, 2*time.Hour); err != nil || !ends.Equal(made.MaxTimestamp) {
		t.Errorf("bob renews: %v %v", ends, err)
	}
	if _, err := bob.ExpireDelegationToken(t.Context(), made.HMAC, -time.Millisecond); err != nil {
		t.Errorf("bob ends it: %v", err)
	}
	s.awaitPing(t, false, "SCRAM", s.withToken(made, true)...)
	s.testTokenEnds(t, alice)
}

// testTokenEnds keeps a connection until its token ends, and sees the token go.
func (s *securedCluster) testTokenEnds(t *testing.T, owner *kadm.Client) {
	made, err := owner.CreateDelegationToken(t.Context(), kadm.CreateDelegationToken{MaxLifetime: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	s.awaitPing(t, true, "SCRAM", s.withToken(made, true)...)
	if _, err := owner.ExpireDelegationToken(t.Context(), made.HMAC, 200*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	s.awaitPing(t, false, "SCRAM", s.withToken(made, true)...)
	s.eventually("the token is gone everywhere", func() bool {
		all, err := owner.DescribeDelegationTokens(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return len(all) == 0
	})
	if _, err := owner.RenewDelegationToken(t.Context(), made.HMAC, time.Hour); !errors.Is(err, kerr.DelegationTokenNotFound) {
		t.Errorf("a token that is gone is renewed: %v", err)
	}
}

// requestOf makes a request as it comes in over a listener.
func requestOf(listener, principal string, byToken bool, body kmsg.Request) *wire.Request {
	return &wire.Request{Key: body.Key(), Body: body, Conn: &wire.ConnInfo{Listener: listener, Principal: principal, ByToken: byToken, Remote: hostAddr("127.0.0.1:1")}}
}

type hostAddr string

func (a hostAddr) Network() string { return "tcp" }
func (a hostAddr) String() string  { return string(a) }

// tokenless is a broker that only knows its listeners.
func tokenless() *Broker {
	b := &Broker{log: discard(), settings: new(settings.Settings)}
	var listening settings.Listening
	for _, protocol := range []string{"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"} {
		listening.Listeners = append(listening.Listeners, settings.Listener{Name: protocol, Protocol: protocol})
	}
	b.listening.Store(&listening)
	return b
}

func TestWhereTokensMayBeAskedFor(t *testing.T) {
	name := "bob"
	for _, c := range []struct {
		listener, who string
		byToken       bool
		req           kmsg.CreateDelegationTokenRequest
		want          *kerr.Error
	}{
		{"PLAINTEXT", wire.Anonymous, false, kmsg.CreateDelegationTokenRequest{}, kerr.DelegationTokenRequestNotAllowed},
		{"SSL", wire.Anonymous, false, kmsg.CreateDelegationTokenRequest{}, kerr.DelegationTokenRequestNotAllowed},
		{"SSL", "User:alice", false, kmsg.CreateDelegationTokenRequest{}, kerr.DelegationTokenAuthDisabled},
		{"SASL_PLAINTEXT", "User:alice", false, kmsg.CreateDelegationTokenRequest{}, kerr.DelegationTokenAuthDisabled},
		{"SASL_SSL", "User:alice", true, kmsg.CreateDelegationTokenRequest{}, kerr.DelegationTokenRequestNotAllowed},
		{"SASL_SSL", "User:alice", false, kmsg.CreateDelegationTokenRequest{Renewers: []kmsg.CreateDelegationTokenRequestRenewer{{PrincipalType: "Group"}}}, kerr.InvalidPrincipalType},
		{"SASL_SSL", "User:alice", false, kmsg.CreateDelegationTokenRequest{OwnerPrincipalName: &name}, kerr.DelegationTokenAuthorizationFailed},
		{"SASL_SSL", "User:bob", false, kmsg.CreateDelegationTokenRequest{OwnerPrincipalName: &name}, kerr.DelegationTokenAuthDisabled},
	} {
		b := tokenless()
		b.acls = &acls{log: discard()}
		b.acls.rules.Store(authorizer.New(authorizer.Settings{}))
		resp := b.createToken(t.Context(), requestOf(c.listener, c.who, c.byToken, &c.req), &c.req)
		if resp.ErrorCode != c.want.Code || resp.ExpiryTimestamp != -1 || len(resp.HMAC) != 0 {
			t.Errorf("%s over %s: %v, want %v", c.who, c.listener, kerr.ErrorForCode(resp.ErrorCode), c.want)
		}
	}
	b := tokenless()
	asks := requestOf("SASL_SSL", "User:alice", false, &kmsg.RenewDelegationTokenRequest{})
	for what, code := range map[string]int16{
		"renew":    b.renewToken(t.Context(), asks, &kmsg.RenewDelegationTokenRequest{}).ErrorCode,
		"expire":   b.expireToken(t.Context(), asks, &kmsg.ExpireDelegationTokenRequest{}).ErrorCode,
		"describe": b.describeTokens(t.Context(), asks, &kmsg.DescribeDelegationTokenRequest{}).ErrorCode,
	} {
		if code != kerr.DelegationTokenAuthDisabled.Code {
			t.Errorf("%s: %v", what, kerr.ErrorForCode(code))
		}
	}
}

// The key has two names; without one there are no tokens.
func TestTheKeyOfTokens(t *testing.T) {
	for property, want := range map[string]string{"delegation.token.secret.key=new": "new", "delegation.token.master.key=old": "old", "": ""} {
		made := newTokens(nil, newDoors(t, nil, property).settings.Values, nil, discard())
		if (made != nil) != (want != "") || made != nil && (made.key.Secret != want || made.key.Lifetime != 86_400_000 || made.key.MaxLifetime != 604_800_000) {
			t.Errorf("%q makes tokens %+v", property, made)
		}
	}
}

// Alice has two tokens, one of which bob may renew; carol has one that alice had made.
func TestWhoSeesWhichTokens(t *testing.T) {
	b := tokenless()
	key := token.Key{Secret: "s"}
	b.tokens = &tokens{key: key, cache: token.NewCache(key), log: discard()}
	user := func(name string) token.Principal { return token.Principal{Type: token.User, Name: name} }
	b.tokens.cache.Put(token.Token{ID: "a", Owner: user("alice"), Requester: user("alice")})
	b.tokens.cache.Put(token.Token{ID: "ab", Owner: user("alice"), Requester: user("alice"), Renewers: []token.Principal{user("bob")}})
	b.tokens.cache.Put(token.Token{ID: "c", Owner: user("carol"), Requester: user("alice")})
	b.acls = &acls{log: discard()}
	rules := authorizer.New(authorizer.Settings{})
	for kind, entry := range map[kmsg.ACLResourceType]authorizer.Entry{
		kmsg.ACLResourceTypeDelegationToken: {Principal: "User:dave", Host: authorizer.AnyHost, Operation: kmsg.ACLOperationDescribe, Permission: kmsg.ACLPermissionTypeAllow},
		kmsg.ACLResourceTypeUser:            {Principal: "User:erin", Host: authorizer.AnyHost, Operation: kmsg.ACLOperationDescribeTokens, Permission: kmsg.ACLPermissionTypeAllow},
	} {
		name := map[kmsg.ACLResourceType]string{kmsg.ACLResourceTypeDelegationToken: "a", kmsg.ACLResourceTypeUser: "User:carol"}[kind]
		rules = rules.With(authorizer.Resource{Type: kind, Name: name, Pattern: kmsg.ACLResourcePatternTypeLiteral}, []authorizer.Entry{entry})
	}
	b.acls.rules.Store(rules)
	for _, c := range []struct {
		who    string
		owners []string // nil: all
		want   string
	}{
		{"alice", nil, "a ab c"},
		{"alice", []string{}, ""},
		{"alice", []string{"carol", "bob"}, "ab c"},
		{"bob", nil, "ab"},
		{"carol", nil, "c"},
		{"dave", nil, "a"},
		{"erin", nil, "c"},
		{"erin", []string{"bob"}, ""},
		{"eve", nil, ""},
	} {
		req := kmsg.NewPtrDescribeDelegationTokenRequest()
		if c.owners != nil {
			req.Owners = []kmsg.DescribeDelegationTokenRequestOwner{}
		}
		for _, o := range c.owners {
			req.Owners = append(req.Owners, kmsg.DescribeDelegationTokenRequestOwner{PrincipalType: token.User, PrincipalName: o})
		}
		var got []string
		for _, d := range b.describeTokens(t.Context(), requestOf("SASL_SSL", "User:"+c.who, false, req), req).TokenDetails {
			got = append(got, d.TokenID)
		}
		slices.Sort(got)
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s sees %v of %v, want %s", c.who, got, c.owners, c.want)
		}
	}
}

// toolTokens has Apache's tool make, show, renew and end a token, and its producer use it.
func (s *securedCluster) toolTokens(t *testing.T, tool func(input, class string, args ...string) string, commandConfig string) {
	t.Helper()
	const command = "org.apache.kafka.tools.DelegationTokenCommand"
	run := func(args ...string) string {
		t.Helper()
		return tool("", command, append([]string{"--bootstrap-server", fmt.Sprintf("127.0.0.1:%d", s.ports["SCRAM"][1]), "--command-config", commandConfig}, args...)...)
	}
	made := run("--create", "--max-life-time-period", "3600000", "--renewer-principal", "User:alice")
	says(t, made, "Created delegation token with tokenId", "User:hal", "[User:alice]")
	line := strings.Fields(made[strings.LastIndex(made, "\n\n")+1:])
	i := slices.IndexFunc(line, func(word string) bool { return strings.HasSuffix(word, "==") })
	if i < 1 {
		t.Fatalf("no token in\n%s", made)
	}
	id, password := line[i-1], line[i]
	says(t, run("--describe", "--owner-principal", "User:hal"), "Total number of tokens : 1", id, password)
	says(t, run("--renew", "--renew-time-period", "-1", "--hmac", password), "Completed renew operation")
	s.awaitPing(t, true, "SCRAM", kgo.DialTLSConfig(s.trust("")), kgo.SASL(scram.Auth{User: id, Pass: password, IsToken: true}.AsSha512Mechanism()))
	withToken := s.authority.write("token.properties", []byte(fmt.Sprintf(`security.protocol=SASL_SSL
sasl.mechanism=SCRAM-SHA-256
sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username="%s" password="%s" tokenauth="true";
ssl.truststore.type=PEM
ssl.truststore.location=%s/ca.pem
`, id, password, s.dirOf())))
	tool("5\n", "kafka.tools.ConsoleProducer", fmt.Sprintf("--bootstrap-server=127.0.0.1:%d", s.ports["SCRAM"][1]), "--producer.config", withToken, "--topic", "tools-1")
	s.consume(t, "tools-1", 6)
	says(t, run("--expire", "--expiry-time-period", "-1", "--hmac", password), "Completed expire operation")
	if left := s.children(layout.DelegationTokens); len(left) != 0 {
		t.Errorf("tokens that are left: %v", left)
	}
}
