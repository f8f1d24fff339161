package coordinator

import (
	"slices"
	"testing"
	"time"

	"kdrill/node/coordinator/proto"
)

func sorted(names []string) []string { slices.Sort(names); return names }

// playScript plays the whole script against the node at addr. A reply that Apache does not give is awaited for silence.
func playScript(t testing.TB, addr string, silence time.Duration) []string {
	p := &player{t: t, addr: addr, silence: silence, clients: map[string]*rawClient{}, sessions: map[int64]string{}}
	p.open("a")
	p.open("b")
	p.read("a", proto.OpSync, "/", false, showString)
	for _, scene := range []func(*player){
		sceneFresh, scenePaths, sceneVersions, sceneSequences, sceneEphemerals, sceneKinds, sceneOneShot, scenePersistent, sceneAgain,
		sceneACL, sceneMulti, sceneMultiRead, sceneQuota, sceneOdd, sceneEnd,
	} {
		scene(p)
	}
	return p.lines
}

func sceneFresh(p *player) {
	for _, path := range []string{"/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"} {
		p.read("a", proto.OpGetACL, path, false, both(showACL, showStat))
		p.list("a", path, false)
	}
	p.get("a", "/", false)
	p.get("a", "/zookeeper/quota", false)
	p.do("a", "whoami", proto.OpWhoAmI, nil, showIDs)
	p.read("a", proto.OpGetAllChildrenNumber, "/", false, showInt)
}

func scenePaths(p *player) {
	for _, path := range []string{"", "x", "/x/", "//x", "/./x", "/x/../y", "/x\x00", "/x\x01", "/", "/none/x", "/zookeeper", "/zookeeper/own", "/ü"} {
		p.create("a", path, "data", 0)
		p.get("a", path, false)
		p.exists("a", path, false)
		p.list("a", path, false)
		p.read("a", proto.OpGetChildren, path, false, showNames)
		p.read("a", proto.OpGetACL, path, false, both(showACL, showStat))
		p.set("a", path, "", 5)
		p.do("a", "check "+path, proto.OpCheck, (&proto.PathVersion{Path: path, Version: 9}).Encode, nil)
		p.setACL("a", path, proto.Anyone(), 7)
		p.delete("a", path, 5)
		p.read("a", proto.OpGetAllChildrenNumber, path, false, showInt)
	}
	p.delete("a", "/zookeeper/own", -1)
	p.delete("a", "/zookeeper/config", -1)
	p.delete("a", "/zookeeper/quota", -1)
	p.delete("a", "/zookeeper", -1)
	p.delete("a", "/", -1)
	p.set("a", "/zookeeper/config", "x", -1)
}

func sceneVersions(p *player) {
	p.create("a", "/v", "one", 0)
	p.create("a", "/v", "one", 0)
	p.set("a", "/v", "two", 0)
	p.set("a", "/v", "three", 0)
	p.set("a", "/v", "", -1)
	p.get("a", "/v", false)
	p.setACL("a", "/v", proto.Anyone(), 3)
	p.setACL("a", "/v", proto.Anyone(), 0)
	p.setACL("a", "/v", proto.Anyone(), -1)
	p.set("a", "/v", "x", -2)
	p.do("a", "check 3", proto.OpCheck, (&proto.PathVersion{Path: "/v", Version: 3}).Encode, nil)
	p.do("a", "check 4", proto.OpCheck, (&proto.PathVersion{Path: "/v", Version: 4}).Encode, nil)
	p.create("a", "/v/child", "", 0)
	p.delete("a", "/v", -1)
	p.delete("a", "/v/child", 1)
	p.delete("a", "/v/child", 0)
	p.exists("a", "/v", false)
	p.delete("a", "/v", 7)
	p.delete("a", "/v", -1)
	p.delete("a", "/v", -1)
	p.set("a", "/v", "x", -1)
	p.exists("a", "/v", false)
	p.get("a", "/v", false)
	p.list("a", "/v", false)
	p.setACL("a", "/v", proto.Anyone(), -1)
}

func sceneSequences(p *player) {
	p.create("a", "/s", "", 0)
	for range 3 {
		p.create("a", "/s/n-", "x", proto.FlagSequential)
	}
	p.delete("a", "/s/n-0000000001", -1)
	p.create("a", "/s/", "x", proto.FlagSequential)
	p.create("a", "/s/e-", "x", proto.FlagSequential|proto.FlagEphemeral)
	p.list("a", "/s", false)
	p.create("a", "/s/n-0000000005", "", 0)
	p.create("a", "/s/n-", "", proto.FlagSequential)
	p.createAs("a", "/s/two-", proto.OpCreate2, proto.FlagSequential)
	p.list("a", "/s", false)
	p.read("a", proto.OpGetAllChildrenNumber, "/s", false, showInt)
}

func sceneEphemerals(p *player) {
	p.open("e")
	p.create("e", "/e", "", proto.FlagEphemeral)
	p.createAs("e", "/e2", proto.OpCreate2, proto.FlagEphemeral)
	p.create("e", "/e/child", "", 0)
	p.create("e", "/e/child", "", proto.FlagEphemeral)
	p.exists("a", "/e", true)
	p.do("e", "getEphemerals /", proto.OpGetEphemerals, func(e *proto.Encoder) { e.String("/") }, showNames)
	p.do("e", "getEphemerals /e2", proto.OpGetEphemerals, func(e *proto.Encoder) { e.String("/e2") }, showNames)
	p.do("a", "getEphemerals /", proto.OpGetEphemerals, func(e *proto.Encoder) { e.String("/e") }, showNames)
	p.do("e", "close", proto.OpCloseSession, nil, nil)
	p.expectEnd("e")
	p.ping("a")
	p.exists("a", "/e2", false)
	p.list("a", "/", false)
}

func sceneKinds(p *player) {
	p.createAs("a", "/k", proto.OpCreateContainer, proto.FlagContainer)
	p.createAs("a", "/ks-", proto.OpCreateContainer, proto.FlagSequential)
	p.create("a", "/k4", "", proto.FlagContainer)
	p.exists("a", "/k4", false)
	p.createAs("a", "/k42", proto.OpCreate2, proto.FlagContainer)
	p.create("a", "/k5", "", proto.FlagTTL)
	p.create("a", "/k6", "", proto.FlagTTLSequential)
	p.create("a", "/k7", "", 7)
	p.create("a", "/k-1", "", -1)
	p.createTTL("a", "/t", proto.FlagTTL, 60_000)
	p.createTTL("a", "/t-", proto.FlagTTLSequential, 60_000)
	p.createTTL("a", "/t0", proto.FlagTTL, 0)
	p.createTTL("a", "/t-1", proto.FlagTTL, -1)
	p.createTTL("a", "/tbig", proto.FlagTTL, 1<<40-1)
	p.createTTL("a", "/tbig2", proto.FlagTTL, 1<<40)
	p.createTTL("a", "/tp", 0, 1000)
	p.createTTL("a", "/te", 1, 1000)
	p.create("a", "/k/child", "", 0)
	p.create("a", "/k/e", "", proto.FlagEphemeral)
	p.create("a", "/t/child", "", 0)
	p.exists("a", "/k", true)
	p.delete("a", "/k/child", -1)
	p.delete("a", "/k/e", -1)
	p.until("a", "/k")
	p.ping("a")
	p.createTTL("a", "/short", proto.FlagTTL, 100)
	p.until("a", "/short")
}

// until waits until a znode is gone, which is noted as one line.
func (p *player) until(client, path string) {
	c := p.clients[client]
	eventually(p.t, path+" goes", func() bool {
		c.xid++
		var e proto.Encoder
		e.Int(c.xid)
		e.Int(int32(proto.OpExists))
		e.String(path)
		e.Bool(false)
		c.send(e.B)
		for {
			d := proto.NewDecoder(c.receive())
			xid, _, code := d.Int(), d.Long(), proto.Code(d.Int())
			if xid == proto.XidNotification {
				kind, state := d.Int(), d.Int()
				p.note("%s: event %d state %d %s", client, kind, state, d.String())
				continue
			}
			if code == proto.NoNode {
				p.note("%s: %s is gone", client, path)
			}
			return code == proto.NoNode
		}
	})
}

func sceneOneShot(p *player) {
	p.exists("b", "/w", true)
	p.create("a", "/w", "1", 0)
	p.ping("b")
	p.get("b", "/w", true)
	p.exists("b", "/w", true)
	p.list("b", "/w", true)
	p.set("a", "/w", "2", -1)
	p.set("a", "/w", "3", -1)
	p.ping("b")
	p.create("a", "/w/c", "", 0)
	p.create("a", "/w/d", "", 0)
	p.ping("b")
	p.get("b", "/w/c", true)
	p.list("b", "/w/c", true)
	p.list("b", "/w", true)
	p.read("b", proto.OpGetChildren, "/w/d", true, showNames)
	p.delete("a", "/w/c", -1)
	p.delete("a", "/w/d", -1)
	p.ping("b")
	p.get("b", "/w/none", true)
	p.list("b", "/w/none", true)
	p.create("a", "/w/none", "", 0)
	p.ping("b")
	p.setACL("a", "/w", proto.Anyone(), -1)
	p.ping("b")
	p.get("b", "/w", true)
	p.delete("b", "/w/none", -1)
	p.delete("b", "/w", -1)
	p.ping("b")
}

func scenePersistent(p *player) {
	p.create("a", "/p", "", 0)
	p.watches("b", "addWatch", proto.OpAddWatch, "/p", proto.WatchPersistent)
	p.create("a", "/p/x", "", 0)
	p.set("a", "/p", "1", -1)
	p.set("a", "/p", "2", -1)
	p.set("a", "/p/x", "2", -1)
	p.delete("a", "/p/x", -1)
	p.ping("b")
	p.watches("b", "checkWatches", proto.OpCheckWatches, "/p", proto.WatchedAny)
	p.watches("b", "checkWatches", proto.OpCheckWatches, "/p/x", proto.WatchedAny)
	p.watches("b", "checkWatches", proto.OpCheckWatches, "/p", 9)
	p.watches("b", "removeWatches", proto.OpRemoveWatches, "/p", proto.WatchedAny)
	p.watches("b", "removeWatches", proto.OpRemoveWatches, "/p", proto.WatchedAny)
	p.watches("b", "removeWatches", proto.OpRemoveWatches, "/p", 0)
	p.set("a", "/p", "3", -1)
	p.ping("b")
	p.watches("b", "addWatch", proto.OpAddWatch, "/p", proto.WatchRecursive)
	p.watches("b", "addWatch", proto.OpAddWatch, "/p", 2)
	p.create("a", "/p/x", "", 0)
	p.create("a", "/p/x/y", "", 0)
	p.set("a", "/p/x/y", "4", -1)
	p.set("a", "/p", "4", -1)
	p.create("a", "/px", "", 0)
	p.delete("a", "/p/x/y", -1)
	p.delete("a", "/p/x", -1)
	p.delete("a", "/p", -1)
	p.create("a", "/p", "", 0)
	p.ping("b")
	p.watches("b", "removeWatches", proto.OpRemoveWatches, "/p", proto.WatchedAny)
	p.watches("b", "addWatch", proto.OpAddWatch, "/", proto.WatchRecursive)
	p.create("a", "/px/deep", "", 0)
	p.delete("a", "/px/deep", -1)
	p.ping("b")
	p.watches("b", "removeWatches", proto.OpRemoveWatches, "/", proto.WatchedAny)
	p.get("b", "/p", true)
	p.list("b", "/p", true)
	p.watches("b", "checkWatches", proto.OpCheckWatches, "/p", proto.WatchedData)
	p.watches("b", "checkWatches", proto.OpCheckWatches, "/p", proto.WatchedChildren)
	p.watches("b", "removeWatches", proto.OpRemoveWatches, "/p", proto.WatchedData)
	p.set("a", "/p", "5", -1)
	p.ping("b")
	p.watches("b", "removeWatches", proto.OpRemoveWatches, "/p", proto.WatchedChildren)
	p.create("a", "/p/z", "", 0)
	p.ping("b")
	p.multi("a", "seen by one watch", proto.OpMulti,
		part{proto.OpCreate, newZnode("/p/m", "", 0, proto.Anyone()).Encode}, part{proto.OpDelete, (&proto.PathVersion{Path: "/p/m", Version: -1}).Encode})
	p.ping("b")
}

func sceneAgain(p *player) {
	p.create("a", "/again", "", 0)
	p.create("a", "/again/old", "", 0)
	p.open("r")
	p.setWatches("r", proto.OpSetWatches, p.base, []string{"/again", "/gone"}, []string{"/again", "/later"}, []string{"/again", "/gone"})
	p.create("a", "/later", "", 0)
	p.ping("r")
	now := int64(1) << 62
	p.setWatches("r", proto.OpSetWatches, now, []string{"/again"}, []string{"/much/later"}, []string{"/again"})
	p.set("a", "/again", "x", -1)
	p.create("a", "/again/new", "", 0)
	p.ping("r")
	p.do("r", "setWatches2", proto.OpSetWatches2, func(e *proto.Encoder) {
		e.Long(now)
		e.Strings([]string{"/again"})
		e.Strings(nil)
		e.Strings(nil)
		e.Strings([]string{"/later"})
		e.Strings([]string{"/again/new"})
	}, nil)
	p.create("a", "/later/child", "", 0)
	p.create("a", "/again/new/child", "", 0)
	p.set("a", "/again", "y", -1)
	p.ping("r")
	p.do("r", "close", proto.OpCloseSession, nil, nil)
}

func (p *player) setWatches(client string, op proto.Op, zxid int64, data, exist, child []string) {
	p.do(client, "setWatches", op, func(e *proto.Encoder) {
		e.Long(zxid)
		e.Strings(data)
		e.Strings(exist)
		e.Strings(child)
	}, nil)
}

func sceneACL(p *player) {
	p.open("c")
	world, readOnly := proto.ID{Scheme: "world", ID: "anyone"}, int32(proto.PermRead)
	alice := proto.ID{Scheme: "digest", ID: "alice:aYXlLOpEooaV1cRAvUL1fp9Qt7E="}
	for _, acl := range [][]proto.ACL{
		{},
		{{Perms: 31, ID: proto.ID{Scheme: "auth"}}},
		{{Perms: 31, ID: proto.ID{Scheme: "nonsense", ID: "x"}}},
		{{Perms: 31, ID: proto.ID{Scheme: "world", ID: "nobody"}}},
		{{Perms: 31, ID: proto.ID{Scheme: "digest", ID: "x"}}},
		{{Perms: 31, ID: proto.ID{Scheme: "digest", ID: "x:y:z"}}},
		{{Perms: 31, ID: proto.ID{Scheme: "digest", ID: ":y"}}},
		{{Perms: 31, ID: proto.ID{Scheme: "ip", ID: "nowhere"}}},
		{{Perms: 31, ID: proto.ID{Scheme: "ip", ID: "10.0.0.0/33"}}},
		{{Perms: 31, ID: proto.ID{Scheme: "ip", ID: "10.0.0.0/8"}}},
		{{Perms: 31, ID: proto.ID{Scheme: "super", ID: "x"}}},
		{{Perms: 31, ID: proto.ID{Scheme: "sasl", ID: "x"}}},
		{{Perms: 31, ID: proto.ID{Scheme: "x509", ID: "x"}}},
		{{Perms: 0, ID: world}},
		{{Perms: 31, ID: world}, {Perms: 31, ID: world}},
		{{Perms: 99, ID: world}},
	} {
		p.createACL("a", "/acl-", "", proto.FlagSequential, acl)
	}
	p.list("a", "/", false)
	p.createACL("a", "/own", "x", 0, []proto.ACL{{Perms: readOnly, ID: world}, {Perms: 31, ID: alice}})
	p.read("a", proto.OpGetACL, "/own", false, both(showACL, showStat))
	p.set("a", "/own", "y", -1)
	p.create("a", "/own/child", "", 0)
	p.setACL("a", "/own", proto.Anyone(), -1)
	p.createACL("a", "/closed", "x", 0, []proto.ACL{{Perms: 31, ID: alice}})
	p.get("a", "/closed", false)
	p.exists("a", "/closed", false)
	p.list("a", "/closed", false)
	p.read("a", proto.OpGetACL, "/closed", false, both(showACL, showStat))
	p.read("a", proto.OpGetAllChildrenNumber, "/closed", false, showInt)
	p.do("a", "check closed", proto.OpCheck, (&proto.PathVersion{Path: "/closed", Version: -1}).Encode, nil)
	p.auth("c", "digest", "alice:secret")
	p.do("c", "whoami", proto.OpWhoAmI, nil, showIDs)
	p.createACL("c", "/mine", "x", 0, []proto.ACL{{Perms: 31, ID: proto.ID{Scheme: "auth"}}})
	p.read("c", proto.OpGetACL, "/mine", false, both(showACL, showStat))
	p.read("a", proto.OpGetACL, "/mine", false, both(showACL, showStat))
	p.get("a", "/mine", false)
	p.get("c", "/mine", false)
	p.create("c", "/mine/child", "", 0)
	p.delete("a", "/mine/child", -1)
	p.delete("c", "/mine/child", -1)
	p.delete("a", "/mine", -1)
	p.auth("c", "digest", "bob:secret")
	p.createACL("c", "/ours", "x", 0, []proto.ACL{{Perms: 1, ID: proto.ID{Scheme: "auth"}}, {Perms: 1, ID: world}})
	p.read("c", proto.OpGetACL, "/ours", false, both(showACL, showStat))
	p.auth("c", "ip", "")
	p.auth("c", "digest", "super:secret")
	p.do("c", "whoami", proto.OpWhoAmI, nil, showIDs)
	p.get("c", "/closed", false)
	p.read("c", proto.OpGetACL, "/closed", false, both(showACL, showStat))
	p.set("c", "/zookeeper/quota", "x", -1)
	p.open("d")
	p.auth("d", "world", "anyone")
	p.expectEnd("d")
	p.open("d")
	p.auth("d", "nonsense", "x")
	p.expectEnd("d")
}

func sceneMulti(p *player) {
	create := func(path string, op proto.Op, flags int32) part {
		return part{op, newZnode(path, "m", flags, proto.Anyone()).Encode}
	}
	check := func(path string, version int32) part {
		return part{proto.OpCheck, (&proto.PathVersion{Path: path, Version: version}).Encode}
	}
	remove := func(path string, version int32) part {
		return part{proto.OpDelete, (&proto.PathVersion{Path: path, Version: version}).Encode}
	}
	set := func(path string, version int32) part {
		return part{proto.OpSetData, (&proto.SetData{Path: path, Data: []byte("s"), Version: version}).Encode}
	}
	p.multi("a", "nothing", proto.OpMulti)
	p.multi("a", "all kinds", proto.OpMulti, create("/m", proto.OpCreate, 0), create("/m/2-", proto.OpCreate2, 2), create("/m/c", proto.OpCreateContainer, 4),
		create("/m/e", proto.OpCreate, 1), create("/m/c4", proto.OpCreate, 4), set("/m", 0), check("/m", 1), remove("/m/e", 0))
	ttl := proto.CreateTTL{Create: *newZnode("/m/t", "", proto.FlagTTL, proto.Anyone()), TTL: 60_000}
	p.multi("a", "ttl", proto.OpMulti, part{proto.OpCreateTTL, ttl.Encode})
	p.multi("a", "ttl without a ttl", proto.OpMulti, create("/m/5", proto.OpCreate, 5))
	p.multi("a", "fails at the end", proto.OpMulti, create("/m/x", proto.OpCreate, 0), set("/m", -1), check("/m", 99))
	p.multi("a", "fails at the start", proto.OpMulti, check("/m", 99), create("/m/x", proto.OpCreate, 0), set("/m", -1), part{proto.OpCreateTTL, ttl.Encode})
	p.multi("a", "fails in the middle", proto.OpMulti, create("/m/x/y", proto.OpCreate, 0), create("/m/x", proto.OpCreate, 0))
	p.multi("a", "bad path", proto.OpMulti, create("/m/x", proto.OpCreate, 0), create("m", proto.OpCreate, 0))
	p.multi("a", "create, delete, create", proto.OpMulti, create("/m/x", proto.OpCreate, 0), remove("/m/x", 0), create("/m/x", proto.OpCreate, 0), set("/m/x", 0), set("/m/x", 0))
	p.multi("a", "sequences", proto.OpMulti, create("/m/s-", proto.OpCreate, 2), create("/m/s-", proto.OpCreate, 2), remove("/m/s-0000000099", -1))
	p.multi("a", "sequences", proto.OpMulti, create("/m/s-", proto.OpCreate, 2), create("/m/s-", proto.OpCreate, 2))
	p.multi("a", "invalid flags", proto.OpMulti, create("/m/f", proto.OpCreate, 9), create("/m/f", proto.OpCreate, 0))
	p.multi("a", "acl", proto.OpMulti, set("/m", -1), set("/closed", -1))
	p.exists("a", "/m", false)
	p.list("a", "/m", false)
	p.exists("a", "/m/x", false)
}

func sceneMultiRead(p *player) {
	p.multi("a", "reads", proto.OpMultiRead, part{proto.OpGetData, pathAndWatch("/m")}, part{proto.OpGetChildren, pathAndWatch("/m")},
		part{proto.OpGetData, pathAndWatch("/none")}, part{proto.OpGetChildren, pathAndWatch("/closed")}, part{proto.OpGetData, pathAndWatch("/m/x")})
	p.multi("a", "no reads", proto.OpMultiRead)
}

func sceneQuota(p *player) {
	p.create("a", "/q", "12345", 0)
	p.create("a", "/q/x", "123", 0)
	p.create("a", "/zookeeper/quota/q", "", 0)
	p.create("a", "/zookeeper/quota/q/zookeeper_limits", "count=3,bytes=-1=;byteHardLimit=20;countHardLimit=4", 0)
	p.create("a", "/zookeeper/quota/q/zookeeper_stats", "count=0,bytes=0", 0)
	stats := func() { p.get("a", "/zookeeper/quota/q/zookeeper_stats", false) }
	stats()
	p.create("a", "/q/y", "1", 0)
	p.create("a", "/q/z", "", 0)
	stats()
	p.create("a", "/q/more", "", 0)
	p.create("a", "/q/x/more", "", 0)
	p.set("a", "/q/y", "123456789012", -1)
	p.set("a", "/q/y", "1234567890123", -1)
	stats()
	p.delete("a", "/q/z", -1)
	p.set("a", "/q/y", "1", -1)
	stats()
	p.create("a", "/qq", "not counted", 0)
	p.create("a", "/q/last", "", 0)
	p.multi("a", "over the quota", proto.OpMulti, part{proto.OpSetData, (&proto.SetData{Path: "/q", Version: -1, Data: []byte("new")}).Encode},
		part{proto.OpCreate, newZnode("/q/1", "", 0, proto.Anyone()).Encode}, part{proto.OpCreate, newZnode("/q/2", "", 0, proto.Anyone()).Encode})
	stats()
	p.set("a", "/zookeeper/quota/q/zookeeper_limits", "count=1,bytes=1", -1)
	p.create("a", "/q/soft", "only advice", 0)
	stats()
	p.delete("a", "/zookeeper/quota/q/zookeeper_limits", -1)
	p.create("a", "/q/free", "", 0)
	stats()
}

func sceneOdd(p *player) {
	p.raw("a", "reconfig", proto.OpReconfig, reconfigBody())
	p.do("a", "sasl", proto.OpSASL, func(e *proto.Encoder) { e.Buffer([]byte("token")) }, showBuffer)
	p.read("a", proto.OpSync, "/nowhere", false, showString)
	p.read("a", proto.OpSync, "", false, showString)
	p.read("a", proto.OpExists, "/m", false, showStat)
}

func sceneEnd(p *player) {
	p.do("b", "close", proto.OpCloseSession, nil, nil)
	p.expectEnd("b")
	p.do("a", "close", proto.OpCloseSession, nil, nil)
	p.expectEnd("a")
	p.open("z")
	p.clients["z"].wait = p.silence
	p.do("z", "check alone", proto.OpCheck, (&proto.PathVersion{Path: "/", Version: -1}).Encode, nil)
}
