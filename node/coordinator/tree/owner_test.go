package tree

import (
	"slices"
	"testing"

	"kdrill/node/coordinator/proto"
)

func TestContainersAndTTLZnodesEndWhenTheyAreLeftAlone(t *testing.T) {
	tree := New(nil)
	at := func(time int64, change func(*Txn)) { change(tree.Begin(time, time, nil)) }
	at(1000, func(x *Txn) {
		x.CreateContainer("/container", nil, proto.Anyone(), proto.FlagContainer)
		x.CreateContainer("/unused", nil, proto.Anyone(), proto.FlagContainer)
		x.CreateTTL("/ttl", nil, proto.Anyone(), proto.FlagTTL, 500)
		x.Create("/container/child", nil, proto.Anyone(), 0, 0)
	})
	over := func(time int64, want ...string) {
		t.Helper()
		if got := tree.Over(time); !slices.Equal(got, want) {
			t.Errorf("over at %d: %v, want %v", time, got, want)
		}
	}
	over(1500)
	over(1501, "/ttl")
	at(1400, func(x *Txn) { x.SetData("/ttl", nil, -1) })
	over(1501)
	at(1500, func(x *Txn) { x.Create("/ttl/child", nil, proto.Anyone(), 0, 0) })
	over(9000)
	at(1600, func(x *Txn) { x.Delete("/ttl/child", -1); x.Delete("/container/child", -1) })
	over(1901, "/container", "/ttl")

	var e proto.Encoder
	tree.Freeze().Encode(&e)
	restored, err := Decode(proto.NewDecoder(e.B))
	if err != nil || !slices.Equal(restored.Over(1901), tree.Over(1901)) {
		t.Errorf("after a snapshot: %v %v", restored.Over(1901), err)
	}
	at(1700, func(x *Txn) {
		if code := x.Reap("/ttl"); code != proto.NotEmpty {
			t.Errorf("/ttl was deleted before its time: %v", code)
		}
	})
	at(1901, func(x *Txn) {
		if a, b, c := x.Reap("/ttl"), x.Reap("/container"), x.Reap("/gone"); a != proto.OK || b != proto.OK || c != proto.NoNode {
			t.Error(a, b, c)
		}
		if len(x.Events) != 4 {
			t.Errorf("events: %v", x.Events)
		}
	})
	over(9000)
	if stat, _ := tree.Stat("/unused"); stat.EphemeralOwner != 0 {
		t.Errorf("a client sees the owner %x of a container", stat.EphemeralOwner)
	}
}

func TestQuotasCountAndHardLimitsRefuse(t *testing.T) {
	tree := New(nil)
	enforce := true
	do := func(change func(*Txn) proto.Code) proto.Code {
		x := tree.Begin(1, 1, nil)
		x.Enforce = enforce
		code := change(x)
		if code != proto.OK {
			x.Rollback()
		}
		return code
	}
	create := func(path, data string) proto.Code {
		return do(func(x *Txn) proto.Code {
			_, _, code := x.Create(path, []byte(data), proto.Anyone(), 0, 0)
			return code
		})
	}
	stats := func(want string) {
		t.Helper()
		if data, _, _ := tree.Data("/zookeeper/quota/a/zookeeper_stats"); string(data) != want {
			t.Errorf("stats %s, want %s", data, want)
		}
	}
	create("/a", "123")
	create("/ab", "not below /a")
	create("/zookeeper/quota/a", "")
	create("/zookeeper/quota/a/zookeeper_limits", "count=1,bytes=1=;byteHardLimit=6;countHardLimit=3")
	create("/zookeeper/quota/a/zookeeper_stats", "")
	stats("count=1,bytes=3")
	if code := create("/a/b", "4"); code != proto.OK {
		t.Errorf("beyond a limit that is advice: %v", code)
	}
	stats("count=2,bytes=4")
	if code := create("/a/c", "567"); code != proto.QuotaExceeded {
		t.Errorf("beyond the hard limit of bytes: %v", code)
	}
	create("/a/c", "5")
	if code := create("/a/d", ""); code != proto.QuotaExceeded {
		t.Errorf("beyond the hard limit of znodes: %v", code)
	}
	enforce = false
	if code := create("/a/d", "678"); code != proto.OK {
		t.Errorf("with limits not enforced: %v", code)
	}
	stats("count=4,bytes=8")
	size := tree.Size()
	do(func(x *Txn) proto.Code {
		x.Delete("/a/d", -1)
		x.SetData("/a/c", []byte("much longer"), -1)
		return proto.BadVersion
	})
	if stats("count=4,bytes=8"); tree.Size() != size {
		t.Errorf("size %d after a rollback, was %d", tree.Size(), size)
	}
	do(func(x *Txn) proto.Code { return x.Delete("/a/d", -1) })
	stats("count=3,bytes=5")
}

func FuzzAmounts(f *testing.F) {
	f.Add([]byte("count=3,bytes=1=;byteHardLimit=20;countHardLimit=4"))
	f.Add([]byte("=,;="))
	f.Fuzz(func(t *testing.T, b []byte) {
		a := parseAmounts(b)
		again := parseAmounts([]byte(a.String()))
		if again.get("count") != a.get("count") || again.get("bytes") != a.get("bytes") {
			t.Errorf("%q became %q", b, a)
		}
	})
}
