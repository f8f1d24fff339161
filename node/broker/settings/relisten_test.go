package settings

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// Every case starts with INSIDE, that between brokers, and OUTSIDE, which has port 0, open at port 4242.
func TestListenersComeAndGo(t *testing.T) {
	const both = "INSIDE://127.0.0.1:9091,OUTSIDE://127.0.0.1:0"
	pem := selfSigned(t)
	login := `org.apache.kafka.common.security.plain.PlainLoginModule required user_alice="x";`
	for _, c := range []struct {
		name, listeners, advertised, protocols string
		own                                    map[string]string // of listeners: name without its prefix
		want                                   string            // listeners and what is advertised, or why not
	}{
		{name: "nothing changes", listeners: both, want: "same"},
		{name: "the port in place of 0", listeners: "INSIDE://127.0.0.1:9091,OUTSIDE://127.0.0.1:4242", want: "same"},
		{name: "one comes", listeners: both + ",NEW://:9093", want: "INSIDE://127.0.0.1:9091 OUTSIDE://127.0.0.1:4242 NEW://:9093; INSIDE://127.0.0.1:9091 OUTSIDE://127.0.0.1:4242 NEW://localhost:9093"},
		{name: "in small letters", listeners: both + ",new://:9093", advertised: both + ",new://h:1", want: "INSIDE://127.0.0.1:9091 OUTSIDE://127.0.0.1:4242 NEW://:9093; INSIDE://127.0.0.1:9091 OUTSIDE://127.0.0.1:4242 NEW://h:1"},
		{name: "one goes", listeners: "INSIDE://127.0.0.1:9091", want: "INSIDE://127.0.0.1:9091; INSIDE://127.0.0.1:9091"},
		{name: "another is told", listeners: both, advertised: "OUTSIDE://example.org:1,INSIDE://127.0.0.1:9091", want: "INSIDE://127.0.0.1:9091 OUTSIDE://127.0.0.1:4242; OUTSIDE://example.org:1 INSIDE://127.0.0.1:9091"},
		{name: "one is not told", listeners: both, advertised: "INSIDE://127.0.0.1:9091", want: "INSIDE://127.0.0.1:9091 OUTSIDE://127.0.0.1:4242; INSIDE://127.0.0.1:9091"},
		{name: "with TLS", listeners: both + ",TLS://:1", own: map[string]string{"tls.ssl.keystore.location": pem, "tls.ssl.keystore.type": "PEM"}, want: "INSIDE://127.0.0.1:9091 OUTSIDE://127.0.0.1:4242 TLS://:1; INSIDE://127.0.0.1:9091 OUTSIDE://127.0.0.1:4242 TLS://localhost:1"},
		{name: "with SASL", listeners: both + ",LOGIN://:1", own: map[string]string{"login.sasl.enabled.mechanisms": "PLAIN", "login.plain.sasl.jaas.config": login}, want: "INSIDE://127.0.0.1:9091 OUTSIDE://127.0.0.1:4242 LOGIN://:1; INSIDE://127.0.0.1:9091 OUTSIDE://127.0.0.1:4242 LOGIN://localhost:1"},

		{name: "with TLS but no certificate", listeners: both + ",TLS://:1", want: "a listener with SSL needs a certificate"},
		{name: "with SASL but no login", listeners: both + ",LOGIN://:1", own: map[string]string{"login.sasl.enabled.mechanisms": "PLAIN"}, want: "listener.name.login.sasl.enabled.mechanisms: PLAIN needs a login module"},
		{name: "none", listeners: " ", want: "listeners: names no listener"},
		{name: "no address", listeners: both + ",NEW", want: `listeners: "NEW" is not NAME://host:port`},
		{name: "twice", listeners: both + ",NEW://:1,new://:2", want: "listener NEW is there twice"},
		{name: "of a port that another has", listeners: both + ",NEW://:9091", want: "INSIDE and NEW have the same port"},
		{name: "that between brokers goes", listeners: "OUTSIDE://127.0.0.1:0", want: "brokers reach each other by listener INSIDE"},
		{name: "that between brokers is not told", listeners: both, advertised: "OUTSIDE://127.0.0.1:0", want: "brokers reach each other by listener INSIDE"},
		{name: "that between brokers moves", listeners: "INSIDE://127.0.0.1:9092", want: "listener INSIDE is open at 127.0.0.1:9091: that cannot change"},
		{name: "one moves", listeners: "INSIDE://127.0.0.1:9091,OUTSIDE://127.0.0.1:4243", want: "listener OUTSIDE is open at 127.0.0.1:4242: that cannot change"},
		{name: "another protocol", listeners: both, protocols: "INSIDE:PLAINTEXT,OUTSIDE:SSL", want: "listener OUTSIDE is open with PLAINTEXT: that cannot change"},
		{name: "no protocol", listeners: both, protocols: "INSIDE:PLAINTEXT", want: "listeners: listener OUTSIDE is not in listener.security.protocol.map"},
		{name: "of no protocol", listeners: both + ",X://:1", want: "listener X is not in listener.security.protocol.map"},
		{name: "of an unknown protocol", listeners: both + ",X://:1", protocols: "INSIDE:PLAINTEXT,OUTSIDE:PLAINTEXT,X:QUIC", want: `"QUIC" of listener X is none of`},
		{name: "told but not there", listeners: both, advertised: both + ",NEW://h:1", want: "advertised.listeners: NEW is not among the listeners"},
		{name: "told to be everywhere", listeners: both + ",NEW://0.0.0.0:1", want: "0.0.0.0 of listener NEW is no address that others can reach"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := load(t, "listeners="+both, "listener.security.protocol.map=INSIDE:PLAINTEXT,OUTSIDE:PLAINTEXT", "inter.broker.listener.name=INSIDE")
			if err != nil {
				t.Fatal(err)
			}
			s.Bound("OUTSIDE", 4242)
			own := map[string]string{"listeners": c.listeners, "listener.security.protocol.map": "INSIDE:PLAINTEXT,OUTSIDE:PLAINTEXT,NEW:PLAINTEXT,TLS:SSL,LOGIN:SASL_PLAINTEXT"}
			if c.advertised != "" {
				own["advertised.listeners"] = c.advertised
			}
			if c.protocols != "" {
				own["listener.security.protocol.map"] = c.protocols
			}
			for name, value := range c.own {
				own[ownPrefix+name] = value
			}
			v, wrong := s.With(own, nil)
			if wrong != nil {
				t.Fatal(wrong)
			}
			next, err := s.Relisten(&s.Listening, v)
			got := fmt.Sprint(err)
			if err == nil {
				got = texts(next.Listeners) + "; " + texts(next.Advertised)
			}
			if next == &s.Listening {
				got = "same"
			}
			if err == nil && got != c.want || !strings.Contains(got, c.want) {
				t.Fatalf("got  %s\nwant %s", got, c.want)
			}
			if err == nil && next.Security["INSIDE"] != s.Security["INSIDE"] {
				t.Error("a listener that stays is another")
			}
			if err := s.CheckListeners(&s.Listening, cmp.Or(next, &s.Listening), nil, own); err != nil && got == c.want {
				t.Error(err)
			}
		})
	}
}

func texts(listeners []Listener) string {
	var all []string
	for _, l := range listeners {
		host, _, _ := strings.Cut(l.Address(), ":")
		all = append(all, fmt.Sprintf("%s://%s:%d", l.Name, host, l.Port))
	}
	return strings.Join(all, " ")
}

func TestWhereABrokerListensIsItsOwn(t *testing.T) {
	s, err := load(t)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range addresses() {
		if !s.Dynamic(name) {
			t.Errorf("%s needs a restart", name)
		}
		if err := s.CheckDynamic(name, "A://:1", true); err == nil || !strings.Contains(err.Error(), "set it for each broker, not for all") {
			t.Errorf("%s for all brokers: %v", name, err)
		}
	}
	if err := s.CheckDynamic("inter.broker.listener.name", "A", false); err == nil {
		t.Error("the listener between brokers can be another at once")
	}
	if names := slices.Sorted(maps.Keys(s.Security)); !slices.Equal(names, []string{"PLAINTEXT"}) {
		t.Errorf("listeners %v", names)
	}
}

func TestABrokerBeginsWithTheListenersOfZooKeeper(t *testing.T) {
	start := func(own map[string]string) (*Settings, error) {
		s, err := load(t, "listeners=INSIDE://127.0.0.1:9091,OLD://127.0.0.1:0", "listener.security.protocol.map=INSIDE:PLAINTEXT,OLD:PLAINTEXT", "inter.broker.listener.name=INSIDE")
		if err != nil {
			t.Fatal(err)
		}
		v, wrong := s.With(own, nil)
		if wrong != nil {
			t.Fatal(wrong)
		}
		return s, s.Restart(v)
	}
	s, err := start(map[string]string{"listeners": "INSIDE://127.0.0.1:9092,NEW://127.0.0.1:9093", "listener.security.protocol.map": "INSIDE:PLAINTEXT,NEW:PLAINTEXT"})
	if got := texts(s.Listeners); err != nil || got != "INSIDE://127.0.0.1:9092 NEW://127.0.0.1:9093" || s.Security["OLD"] != nil || s.Security["NEW"] == nil {
		t.Errorf("listeners %s, %v", got, err)
	}
	if s, err = start(map[string]string{"listeners": "OLD://127.0.0.1:9092"}); err == nil || len(s.Listeners) != 2 {
		t.Errorf("a broker that others cannot reach: %v", err)
	}
	if s, err = start(map[string]string{"num.io.threads": "3"}); err != nil || len(s.Listeners) != 2 {
		t.Errorf("listeners that nobody changed: %v", err)
	}
}
