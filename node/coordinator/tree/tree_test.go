package tree

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kdrill/node/coordinator/proto"
)

var alice = proto.ID{Scheme: "digest", ID: "alice:x"}

// step is one operation on a tree; want is its path or ok, or the error.
type step struct {
	op      string
	path    string
	data    string
	version int32
	flags   int32
	session int64
	acl     []proto.ACL
	who     []proto.ID
	want    string
}

// play runs the steps, each in a transaction of its own that is rolled back if it fails.
func play(t *testing.T, tree *Tree, steps []step) {
	t.Helper()
	for i, s := range steps {
		x := tree.Begin(int64(i+1), int64(1000+i), s.who)
		got, code := "ok", proto.OK
		acl := s.acl
		if acl == nil {
			acl = proto.Anyone()
		}
		switch s.op {
		case "create":
			got, _, code = x.Create(s.path, []byte(s.data), acl, s.flags, s.session)
		case "delete":
			code = x.Delete(s.path, s.version)
		case "set":
			_, code = x.SetData(s.path, []byte(s.data), s.version)
		case "acl":
			_, code = x.SetACL(s.path, acl, s.version)
		case "check":
			code = x.Check(s.path, s.version)
		case "end":
			x.DropSession(s.session)
		}
		if code != proto.OK {
			got = code.String()
			x.Rollback()
		}
		if got != s.want {
			t.Errorf("step %d %s %s: %s, want %s", i+1, s.op, s.path, got, s.want)
		}
	}
}

func TestOperationsFollowZooKeepersRules(t *testing.T) {
	readOnly := []proto.ACL{{Perms: proto.PermRead, ID: proto.ID{Scheme: "world", ID: "anyone"}}, {Perms: proto.PermAll, ID: alice}}
	for name, steps := range map[string][]step{
		"paths": {
			{op: "create", path: "", want: "bad arguments"},
			{op: "create", path: "a", want: "bad arguments"},
			{op: "create", path: "/a/", want: "no node"},
			{op: "create", path: "//a", want: "bad arguments"},
			{op: "create", path: "/./a", want: "no node"},
			{op: "create", path: "/a\x00b", want: "bad arguments"},
			{op: "create", path: "/", want: "node exists"},
			{op: "create", path: "/...", want: "/..."},
			{op: "create", path: "/ü 1", want: "/ü 1"},
		},
		"parents": {
			{op: "create", path: "/a/b", want: "no node"},
			{op: "create", path: "/a", want: "/a"},
			{op: "create", path: "/a", want: "node exists"},
			{op: "create", path: "/a/b", want: "/a/b"},
			{op: "delete", path: "/a", version: -1, want: "not empty"},
			{op: "delete", path: "/a/b", version: -1, want: "ok"},
			{op: "delete", path: "/a", version: 0, want: "ok"},
			{op: "delete", path: "/a", version: 0, want: "no node"},
		},
		"reserved": {
			{op: "delete", path: "/", version: -1, want: "bad arguments"},
			{op: "delete", path: "/zookeeper", version: -1, want: "bad arguments"},
			{op: "delete", path: "/zookeeper/quota", version: -1, want: "bad arguments"},
			{op: "set", path: "/zookeeper/config", version: -1, want: "no auth"},
		},
		"versions": {
			{op: "create", path: "/a", want: "/a"},
			{op: "set", path: "/a", version: 1, want: "bad version"},
			{op: "set", path: "/a", version: 0, want: "ok"},
			{op: "set", path: "/a", version: -1, want: "ok"},
			{op: "check", path: "/a", version: 2, want: "ok"},
			{op: "check", path: "/a", version: 1, want: "bad version"},
			{op: "check", path: "/b", version: -1, want: "no node"},
			{op: "delete", path: "/a", version: 1, want: "bad version"},
			{op: "delete", path: "/a", version: 2, want: "ok"},
		},
		"sequences count creates, not children": {
			{op: "create", path: "/s", want: "/s"},
			{op: "create", path: "/s/n-", flags: 2, want: "/s/n-0000000000"},
			{op: "create", path: "/s/plain", want: "/s/plain"},
			{op: "create", path: "/s/n-", flags: 2, want: "/s/n-0000000002"},
			{op: "delete", path: "/s/n-0000000002", version: -1, want: "ok"},
			{op: "create", path: "/s/", flags: 2, want: "/s/0000000003"},
			{op: "create", path: "/s/e", flags: 3, session: 5, want: "/s/e0000000004"},
		},
		"ephemerals": {
			{op: "create", path: "/e", flags: 1, session: 7, want: "/e"},
			{op: "create", path: "/e/child", want: "no children for ephemerals"},
			{op: "create", path: "/other", flags: 1, session: 8, want: "/other"},
			{op: "end", session: 7, want: "ok"},
			{op: "check", path: "/e", version: -1, want: "no node"},
			{op: "check", path: "/other", version: 0, want: "ok"},
		},
		"unknown kinds of znodes": {
			{op: "create", path: "/c", flags: 4, want: "/c"},
			{op: "create", path: "/c", flags: 5, want: "bad arguments"},
			{op: "create", path: "/c", flags: 9, want: "bad arguments"},
			{op: "create", path: "/c", flags: -1, want: "bad arguments"},
		},
		"acl": {
			{op: "create", path: "/a", acl: []proto.ACL{}, want: "invalid acl"},
			{op: "create", path: "/a", acl: []proto.ACL{{Perms: 31, ID: proto.ID{Scheme: "nonsense", ID: "x"}}}, want: "invalid acl"},
			{op: "create", path: "/a", acl: []proto.ACL{{Perms: 31, ID: proto.ID{Scheme: "auth"}}}, want: "invalid acl"},
			{op: "create", path: "/a", acl: readOnly, want: "/a"},
			{op: "set", path: "/a", version: -1, want: "no auth"},
			{op: "set", path: "/a", version: -1, who: []proto.ID{alice}, want: "ok"},
			{op: "create", path: "/a/b", want: "no auth"},
			{op: "create", path: "/a/b", who: []proto.ID{alice}, want: "/a/b"},
			{op: "delete", path: "/a/b", version: -1, want: "no auth"},
			{op: "acl", path: "/a", version: 0, want: "no auth"},
			{op: "acl", path: "/a", version: 1, who: []proto.ID{alice}, want: "bad version"},
			{op: "acl", path: "/a", version: 0, who: []proto.ID{alice}, want: "ok"},
			{op: "delete", path: "/a/b", version: -1, want: "ok"},
			{op: "create", path: "/mine", acl: []proto.ACL{{Perms: 31, ID: proto.ID{Scheme: "auth"}}}, who: []proto.ID{alice}, want: "/mine"},
			{op: "check", path: "/mine", version: -1, want: "no auth"},
			{op: "check", path: "/mine", version: -1, who: []proto.ID{alice}, want: "ok"},
		},
	} {
		t.Run(name, func(t *testing.T) { play(t, New(nil), steps) })
	}
}

func TestStatCountsAsClientsSeeIt(t *testing.T) {
	tree := New(nil)
	if stat, _ := tree.Stat("/"); stat.Cversion != -1 || stat.NumChildren != 1 {
		t.Errorf("fresh root: %+v", stat)
	}
	play(t, tree, []step{
		{op: "create", path: "/a", want: "/a"},
		{op: "create", path: "/b", want: "/b"},
		{op: "create", path: "/c", want: "/c"},
		{op: "create", path: "/d", want: "/d"},
		{op: "set", path: "/a", data: "xyz", version: -1, want: "ok"},
		{op: "create", path: "/a/1", want: "/a/1"},
		{op: "delete", path: "/a/1", version: -1, want: "ok"},
	})
	if stat, _ := tree.Stat("/"); stat.Cversion != 3 || stat.NumChildren != 5 {
		t.Errorf("root after four creates: %+v", stat)
	}
	got, _ := tree.Stat("/a")
	want := proto.Stat{Czxid: 1, Mzxid: 5, Pzxid: 7, Ctime: 1000, Mtime: 1004, Version: 1, Cversion: 2, DataLength: 3}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAFailedTransactionLeavesNoTrace(t *testing.T) {
	tree := New([]byte("config"))
	play(t, tree, []step{
		{op: "create", path: "/a", data: "1", want: "/a"},
		{op: "create", path: "/a/b", want: "/a/b"},
		{op: "create", path: "/e", flags: 1, session: 9, want: "/e"},
	})
	before := dump(tree)
	size := tree.Size()

	x := tree.Begin(10, 5000, nil)
	x.SetData("/a", []byte("longer"), -1)
	x.Create("/a/c", nil, proto.Anyone(), proto.FlagEphemeral, 9)
	x.Delete("/a/b", -1)
	x.Create("/a/b", []byte("again"), proto.Anyone(), 0, 0)
	x.SetACL("/a", []proto.ACL{{Perms: 1, ID: alice}}, -1)
	x.DropSession(9)
	if len(x.Events) < 6 {
		t.Fatalf("events: %v", x.Events)
	}
	x.Rollback()

	if diff := cmp.Diff(before, dump(tree)); diff != "" || tree.Size() != size || len(x.Events) > 0 {
		t.Errorf("size %d, was %d\n%s", tree.Size(), size, diff)
	}
	if got := tree.Ephemerals(9); !slices.Equal(got, []string{"/e"}) {
		t.Errorf("ephemerals: %v", got)
	}
}

func TestAnEndedSessionIsToldAsDeletions(t *testing.T) {
	tree := New(nil)
	play(t, tree, []step{
		{op: "create", path: "/p", want: "/p"},
		{op: "create", path: "/p/b", flags: 1, session: 3, want: "/p/b"},
		{op: "create", path: "/p/a", flags: 1, session: 3, want: "/p/a"},
	})
	x := tree.Begin(9, 0, nil)
	x.DropSession(3)
	want := []Event{
		{proto.NodeDeleted, "/p/a", proto.Anyone()},
		{proto.NodeChildrenChanged, "/p", proto.Anyone()},
		{proto.NodeDeleted, "/p/b", proto.Anyone()},
		{proto.NodeChildrenChanged, "/p", proto.Anyone()},
	}
	if diff := cmp.Diff(want, x.Events); diff != "" {
		t.Error(diff)
	}
}

func TestASnapshotIsTheWholeTree(t *testing.T) {
	tree := New([]byte("config"))
	play(t, tree, []step{
		{op: "create", path: "/a", data: "1", want: "/a"},
		{op: "create", path: "/a-", want: "/a-"}, // sorts between /a and /a/b
		{op: "create", path: "/a/b", flags: 3, session: 4, want: "/a/b0000000000"},
		{op: "acl", path: "/a", acl: []proto.ACL{{Perms: 1, ID: alice}}, version: -1, want: "ok"},
	})
	x := tree.Begin(8, 0, nil)
	x.Create("/null", nil, proto.Anyone(), 0, 0)
	var e proto.Encoder
	tree.Freeze().Encode(&e)
	restored, err := Decode(proto.NewDecoder(e.B))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(dump(tree), dump(restored)); diff != "" || restored.Size() != tree.Size() {
		t.Errorf("size %d, was %d\n%s", restored.Size(), tree.Size(), diff)
	}
	if data, _, _ := restored.Data("/null"); data != nil {
		t.Error("null data came back empty")
	}
	if got := restored.Ephemerals(4); len(got) != 1 {
		t.Errorf("ephemerals: %v", got)
	}
}

func FuzzDecode(f *testing.F) {
	var e proto.Encoder
	New([]byte("config")).Freeze().Encode(&e)
	f.Add(e.B)
	f.Fuzz(func(t *testing.T, b []byte) {
		tree, err := Decode(proto.NewDecoder(b))
		if err != nil {
			return
		}
		var again proto.Encoder
		tree.Freeze().Encode(&again)
		if second, err := Decode(proto.NewDecoder(again.B)); err != nil || second.Len() != tree.Len() {
			t.Errorf("does not come back: %v", err)
		}
	})
}

// dump is everything in a tree, by path.
func dump(t *Tree) map[string]string {
	all := map[string]string{}
	for _, path := range t.nodes.Keys() {
		data, stat, _ := t.Data(path)
		acl, _, _ := t.ACL(path)
		names, _, _ := t.Children(path)
		all[path] = fmt.Sprintf("%q %+v %v %s", data, stat, acl, strings.Join(names, ","))
	}
	return all
}
