package state

import (
	"strings"
	"testing"

	"kdrill/node/coordinator/proto"
	"kdrill/node/coordinator/tree"
)

const (
	pair        = "server.1=a:1:2:participant;0.0.0.0:3\nserver.2=b:1:2:participant;0.0.0.0:3\nversion=0"
	established = "server.1=a:1:2:participant;0.0.0.0:3\nserver.2=b:1:2:participant;0.0.0.0:3\nversion=100000000"
	allowed     = AllowReconfig | StandaloneEnabled | SkipACL
)

func reconfig(joining, leaving, all string, version int64, rules Rules) *Command {
	return &Command{Kind: Request, Session: 7, Op: proto.OpReconfig, Rules: rules, Body: body(func(e *proto.Encoder) {
		e.String(joining)
		e.String(leaving)
		e.String(all)
		e.Long(version)
	})}
}

func TestReconfigIsRefusedOrBegins(t *testing.T) {
	whole := "server.5=a:1:2;3,server.6=b:1:2;3"
	for name, c := range map[string]struct {
		joining, leaving, all string
		version               int64
		rules                 Rules
		want                  proto.Code
		begun                 bool
	}{
		"switched off":          {"server.3=c:1:2;3", "", "", -1, SkipACL, proto.ReconfigDisabled, false},
		"not permitted":         {"server.3=c:1:2;3", "", "", -1, AllowReconfig, proto.NoAuth, false},
		"another version":       {"server.3=c:1:2;3", "", "", 9, allowed, proto.BadVersion, false},
		"joins":                 {"server.3=c:1:2;3", "", "", 1 << 32, allowed, proto.OK, true},
		"joins without ports":   {"server.3=c:1", "", "", -1, allowed, proto.BadArguments, false},
		"joins where 1 is":      {"server.3=a:1:9;9", "", "", -1, allowed, proto.BadArguments, false},
		"1 changes":             {"server.1=a:4:5:observer;6,server.3=c:1:2;3", "", "", -1, allowed, proto.OK, true},
		"1 leaves":              {"", "1", "", -1, allowed, proto.BadArguments, false},
		"1 leaves, one is fine": {"", "1", "", -1, allowed &^ StandaloneEnabled, proto.OK, true},
		"all leave":             {"", "1,2", "", -1, allowed &^ StandaloneEnabled, proto.BadArguments, false},
		"all are others":        {"", "", whole, -1, allowed, proto.OK, true},
		"all are nonsense":      {"", "", "servers=many", -1, allowed, proto.BadArguments, false},
	} {
		t.Run(name, func(t *testing.T) {
			m := New([]byte(pair))
			open(m, 7)
			r := m.Apply(1, node, reconfig(c.joining, c.leaving, c.all, c.version, c.rules))
			if r.Code != c.want || r.Begun != c.begun || (m.Change() != nil) != c.begun {
				t.Errorf("%v, begun %v, change %v", r.Code, r.Begun, m.Change())
			}
			if data, _, _ := m.Tree.Data(tree.ConfigPath); string(data) != established {
				t.Errorf("the members are others already: %s", data)
			}
		})
	}
	alone := New(nil)
	open(alone, 7)
	if r := alone.Apply(1, node, reconfig("", "", whole, -1, allowed)); r.Code != proto.Unimplemented {
		t.Errorf("a node on its own: %v", r.Code)
	}
}

func TestTheLeadersVerdictSettlesAReconfig(t *testing.T) {
	m := New([]byte(pair))
	open(m, 7)
	ask := reconfig("server.3=c:1:2:observer;3", "", "", -1, allowed)
	settle := func(code proto.Code) Result {
		return m.Apply(1, 2, &Command{Kind: Settle, Change: m.Change().Number, Code: code, Time: 5})
	}
	m.Apply(1, node, ask)
	if r := m.Apply(1, node, ask); r.Code != proto.ReconfigInProgress {
		t.Errorf("a second one: %v", r.Code)
	}
	if r := settle(proto.NewConfigNoQuorum); r.Code != proto.NewConfigNoQuorum || !r.Settled || m.Change() != nil || len(m.Members()) != 2 || m.Reconfigured() {
		t.Errorf("%+v", r)
	}
	m.Apply(1, node, ask)
	late := &Command{Kind: Settle, Change: m.Change().Number}
	r := settle(proto.OK)
	data, stat, _ := m.Tree.Data(tree.ConfigPath)
	want := strings.Replace(pair, "version=0", "server.3=c:1:2:observer;0.0.0.0:3\nversion=100000004", 1)
	if string(data) != want || m.Version() != r.Zxid || r.Zxid != 0x100000004 || len(r.Events) != 1 || stat.Version != -1 || stat.Mzxid != r.Zxid {
		t.Errorf("%x %+v %+v\n%s", r.Zxid, r, stat, data)
	}
	if r := m.Apply(1, 2, late); r.Settled || r.Zxid != 0x100000004 {
		t.Errorf("settled twice: %+v", r)
	}
	if r := m.Apply(1, node, reconfig("", "3", "", 0, allowed)); r.Code != proto.BadVersion {
		t.Errorf("the version of before: %v", r.Code)
	}
	if r := m.Apply(1, node, reconfig("", "3", "", m.Version(), allowed)); !r.Begun {
		t.Errorf("the version of now: %v", r.Code)
	}
}
