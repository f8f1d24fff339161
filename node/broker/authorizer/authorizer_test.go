package authorizer

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	topic    = kmsg.ACLResourceTypeTopic
	literal  = kmsg.ACLResourcePatternTypeLiteral
	prefixed = kmsg.ACLResourcePatternTypePrefixed
)

// rulesOf reads lists: "orders: allow User:alice Read" or, for a prefix, "ord*: …"; "*" is every name. A host may follow.
func rulesOf(t *testing.T, s Settings, lines ...string) *Rules {
	t.Helper()
	r := New(s)
	for _, line := range lines {
		name, rest, _ := strings.Cut(line, ": ")
		on := Resource{topic, name, literal}
		if prefix, ok := strings.CutSuffix(name, "*"); ok && prefix != "" {
			on = Resource{topic, prefix, prefixed}
		}
		words := append(strings.Fields(rest), AnyHost)
		e := Entry{Principal: words[1], Host: words[3]}
		var known, knownToo bool
		e.Permission, known = keyOf(permissionNames, words[0])
		e.Operation, knownToo = keyOf(operationNames, words[2])
		if !known || !knownToo {
			t.Fatalf("%q is no list", line)
		}
		r = r.With(on, append(slices.Clone(r.Entries(on)), e))
	}
	return r
}

func TestDecisions(t *testing.T) {
	open := Settings{AllowIfNoACLIsFound: true}
	super := Settings{SuperUsers: ParseSuperUsers("User:root; User:CN=a,O=b ;")}
	for _, c := range []struct {
		name     string
		settings Settings
		lists    []string
		who      string // user, perhaps @host
		op       string
		on       string
		want     bool
	}{
		{"no list", Settings{}, nil, "alice", "Read", "t", false},
		{"no list, open", open, nil, "alice", "Read", "t", true},
		{"list of another topic, open", open, []string{"u: allow User:bob Read"}, "alice", "Read", "t", true},
		{"list for another, open", open, []string{"t: allow User:bob Read"}, "alice", "Read", "t", false},
		{"allowed", Settings{}, []string{"t: allow User:alice Read"}, "alice", "Read", "t", true},
		{"another operation", Settings{}, []string{"t: allow User:alice Read"}, "alice", "Write", "t", false},
		{"all operations", Settings{}, []string{"t: allow User:alice All"}, "alice", "AlterConfigs", "t", true},
		{"everybody", Settings{}, []string{"t: allow User:* Read"}, "alice", "Read", "t", true},
		{"every topic", Settings{}, []string{"*: allow User:alice Read"}, "alice", "Read", "t", true},
		{"prefix", Settings{}, []string{"or*: allow User:alice Read"}, "alice", "Read", "orders", true},
		{"prefix that is the name", Settings{}, []string{"orders*: allow User:alice Read"}, "alice", "Read", "orders", true},
		{"longer prefix", Settings{}, []string{"orders-*: allow User:alice Read"}, "alice", "Read", "orders", false},
		{"two prefixes", Settings{}, []string{"a*: allow User:bob Read", "o*: allow User:bob Read", "ord*: allow User:alice Read", "z*: allow User:bob Read"}, "alice", "Read", "orders", true},
		{"denied wins", Settings{}, []string{"t: allow User:alice Read", "t: deny User:alice Read"}, "alice", "Read", "t", false},
		{"denied by prefix wins", Settings{}, []string{"t: allow User:alice Read", "t*: deny User:* Read"}, "alice", "Read", "t", false},
		{"all denied", Settings{}, []string{"t: allow User:alice Read", "*: deny User:alice All"}, "alice", "Read", "t", false},
		{"another is denied", Settings{}, []string{"t: allow User:* Read", "t: deny User:bob Read"}, "alice", "Read", "t", true},
		{"read implies describe", Settings{}, []string{"t: allow User:alice Read"}, "alice", "Describe", "t", true},
		{"write implies describe", Settings{}, []string{"t: allow User:alice Write"}, "alice", "Describe", "t", true},
		{"delete implies describe", Settings{}, []string{"t: allow User:alice Delete"}, "alice", "Describe", "t", true},
		{"alter implies describe", Settings{}, []string{"t: allow User:alice Alter"}, "alice", "Describe", "t", true},
		{"create implies nothing", Settings{}, []string{"t: allow User:alice Create"}, "alice", "Describe", "t", false},
		{"alter configs implies describe configs", Settings{}, []string{"t: allow User:alice AlterConfigs"}, "alice", "DescribeConfigs", "t", true},
		{"denying read does not deny describe", Settings{}, []string{"t: allow User:alice Describe", "t: deny User:alice Read"}, "alice", "Describe", "t", true},
		{"host", Settings{}, []string{"t: allow User:alice Read 10.0.0.1"}, "alice@10.0.0.1", "Read", "t", true},
		{"another host", Settings{}, []string{"t: allow User:alice Read 10.0.0.1"}, "alice@10.0.0.2", "Read", "t", false},
		{"denied from one host", Settings{}, []string{"t: allow User:alice Read", "t: deny User:alice Read 10.0.0.2"}, "alice@10.0.0.2", "Read", "t", false},
		{"super user", super, []string{"t: deny User:root All"}, "root", "Write", "t", true},
		{"super user with commas", super, nil, "CN=a,O=b", "Write", "t", true},
		{"no super user", super, nil, "alice", "Write", "t", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			op, _ := keyOf(operationNames, c.op)
			if got := rulesOf(t, c.settings, c.lists...).Allowed(who(c.who), op, topic, c.on); got != c.want {
				t.Errorf("allowed: %v, want %v", got, c.want)
			}
		})
	}
}

func who(text string) Who {
	user, host, found := strings.Cut(text, "@")
	if !found {
		host = "127.0.0.1"
	}
	return Who{"User:" + user, host}
}

func TestAnyResource(t *testing.T) {
	for _, c := range []struct {
		name  string
		lists []string
		want  bool
	}{
		{"nothing", nil, false},
		{"one topic", []string{"t: allow User:alice Write"}, true},
		{"a prefix", []string{"t*: allow User:* Write"}, true},
		{"only reading", []string{"t: allow User:alice Read"}, false},
		{"all is denied", []string{"t: allow User:alice Write", "*: deny User:alice Write"}, false},
		{"the same is denied", []string{"t: allow User:alice Write", "t: deny User:alice All"}, false},
		{"a shorter prefix is denied", []string{"tea: allow User:alice Write", "t*: deny User:* Write"}, false},
		{"a longer prefix is denied", []string{"t*: allow User:alice Write", "tea*: deny User:alice Write"}, true},
		{"a topic below the prefix is denied", []string{"t*: allow User:alice Write", "tea: deny User:alice Write"}, true},
		{"every topic but some", []string{"*: allow User:alice Write", "t*: deny User:alice Write"}, true},
		{"another is denied", []string{"t: allow User:alice Write", "t: deny User:bob Write"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := rulesOf(t, Settings{}, c.lists...).AllowedAny(who("alice"), kmsg.ACLOperationWrite, topic); got != c.want {
				t.Errorf("allowed: %v, want %v", got, c.want)
			}
		})
	}
}

func TestOperations(t *testing.T) {
	r := rulesOf(t, Settings{}, "t: allow User:alice Read", "t: allow User:alice AlterConfigs")
	if got, want := r.Operations(who("alice"), topic, "t"), int32(1<<3|1<<8|1<<10|1<<11); got != want {
		t.Errorf("alice %b, want %b", got, want)
	}
	if got, want := (*Rules)(nil).Operations(who("alice"), topic, "t"), int32(0b110111111000); got != want {
		t.Errorf("without rules %b, want %b", got, want)
	}
}

func TestFilters(t *testing.T) {
	r := rulesOf(t, Settings{}, "orders: allow User:alice Read", "orders: deny User:bob Write", "ord*: allow User:bob All", "*: allow User:carol Describe", "other: allow User:alice Read")
	name := func(s string) *string { return &s }
	all := Filter{Type: kmsg.ACLResourceTypeAny, Pattern: kmsg.ACLResourcePatternTypeAny, Operation: kmsg.ACLOperationAny, Permission: kmsg.ACLPermissionTypeAny}
	with := func(change func(*Filter)) Filter {
		f := all
		change(&f)
		return f
	}
	for _, c := range []struct {
		name string
		f    Filter
		want string
	}{
		{"all", all, "*:1 ord:1 orders:2 other:1"},
		{"another type", with(func(f *Filter) { f.Type = kmsg.ACLResourceTypeGroup }), ""},
		{"literal name", with(func(f *Filter) { f.Name, f.Pattern = name("orders"), literal }), "orders:2"},
		{"prefixed name", with(func(f *Filter) { f.Name, f.Pattern = name("ord"), prefixed }), "ord:1"},
		{"prefix of another", with(func(f *Filter) { f.Name, f.Pattern = name("orders"), prefixed }), ""},
		{"any of that name", with(func(f *Filter) { f.Name = name("orders") }), "orders:2"},
		{"what concerns a name", with(func(f *Filter) { f.Name, f.Pattern = name("orders"), kmsg.ACLResourcePatternTypeMatch }), "*:1 ord:1 orders:2"},
		{"all prefixes", with(func(f *Filter) { f.Pattern = prefixed }), "ord:1"},
		{"principal", with(func(f *Filter) { f.Principal = name("User:alice") }), "orders:1 other:1"},
		{"host", with(func(f *Filter) { f.Host = name("10.0.0.1") }), ""},
		{"operation", with(func(f *Filter) { f.Operation = kmsg.ACLOperationWrite }), "orders:1"},
		{"permission", with(func(f *Filter) { f.Permission = kmsg.ACLPermissionTypeDeny }), "orders:1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, l := range r.Select(c.f) {
				got = append(got, fmt.Sprint(l.Name, ":", len(l.Entries)))
			}
			if text := strings.Join(got, " "); text != c.want || !c.f.Valid() {
				t.Errorf("got %s, want %s", text, c.want)
			}
		})
	}
	if (Filter{}).Valid() {
		t.Error("a filter of unknown types is valid")
	}
}

// TestZnodesAreApaches compares with what kafka-acls leaves in ZooKeeper.
func TestZnodesAreApaches(t *testing.T) {
	const data = `{"version":1,"acls":[{"principal":"User:alice","permissionType":"Allow","operation":"DescribeConfigs","host":"*"}]}`
	entries := []Entry{{"User:alice", "*", kmsg.ACLOperationDescribeConfigs, kmsg.ACLPermissionTypeAllow}}
	if got := string(Encode(entries)); got != data {
		t.Errorf("got %s", got)
	}
	if got, err := Decode([]byte(data)); err != nil || !slices.Equal(got, entries) {
		t.Errorf("got %v %v", got, err)
	}
	if _, err := Decode([]byte(strings.Replace(data, "Allow", "Perhaps", 1))); err == nil {
		t.Error("an unknown permission is accepted")
	}
	for on, want := range map[Resource]string{
		{topic, "t", literal}:                                 `/kafka-acl/Topic/t /kafka-acl-changes/acl_changes_ Topic:t`,
		{kmsg.ACLResourceTypeCluster, ClusterName, literal}:   `/kafka-acl/Cluster/kafka-cluster /kafka-acl-changes/acl_changes_ Cluster:kafka-cluster`,
		{kmsg.ACLResourceTypeTransactionalId, "a:b", literal}: `/kafka-acl/TransactionalId/a:b /kafka-acl-changes/acl_changes_ TransactionalId:a:b`,
		{kmsg.ACLResourceTypeGroup, "g", prefixed}:            `/kafka-acl-extended/prefixed/Group/g /kafka-acl-extended-changes/acl_changes_ {"version":1,"resourceType":"GROUP","name":"g","patternType":"PREFIXED"}`,
	} {
		path, notice := on.Notice()
		if got := fmt.Sprint(on.Path(), " ", path, " ", string(notice)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if got, err := ParseNotice(notice); err != nil || got != on {
			t.Errorf("%s became %v %v", notice, got, err)
		}
	}
	for _, wrong := range []string{"", "Topic", "Topic:", "Nothing:x", "{", `{"resourceType":"TOPIC","name":"x","patternType":"LITERAL"}`} {
		if on, err := ParseNotice([]byte(wrong)); err == nil {
			t.Errorf("%q became %v", wrong, on)
		}
	}
}

func FuzzZnodes(f *testing.F) {
	f.Add([]byte(`{"version":1,"acls":[{"principal":"User:a","permissionType":"Deny","operation":"All","host":"*"}]}`))
	f.Add([]byte(`Topic:x`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if entries, err := Decode(data); err == nil {
			if again, err := Decode(Encode(entries)); err != nil || !slices.Equal(again, entries) {
				t.Errorf("%v became %v %v", entries, again, err)
			}
		}
		if on, err := ParseNotice(data); err == nil && on.Name == "" {
			t.Errorf("%q names nothing", data)
		}
	})
}

// BenchmarkAllowed asks among 2,000 lists of topics, 1,000 of them of prefixes.
func BenchmarkAllowed(b *testing.B) {
	r := New(Settings{})
	e := []Entry{{"User:alice", AnyHost, kmsg.ACLOperationWrite, kmsg.ACLPermissionTypeAllow}}
	for i := range 1000 {
		r = r.With(Resource{topic, fmt.Sprint("topic-", i), literal}, e).With(Resource{topic, fmt.Sprint("team-", i, "-"), prefixed}, e)
	}
	who := Who{"User:alice", "127.0.0.1"}
	for b.Loop() {
		if !r.Allowed(who, kmsg.ACLOperationWrite, topic, "team-500-orders") {
			b.Fatal("not allowed")
		}
	}
}
