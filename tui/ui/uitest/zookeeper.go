package uitest

import (
	"fmt"
	"path"
	"strings"
	"time"

	"kdrill/admin"
	"kdrill/admin/znodes"
	"kdrill/tui/ui"
)

// sessionOf is the session of a broker in the fixtures.
func sessionOf(broker int32) int64 { return 0x1a21365865c0000 + int64(broker) }

// Sessions are those of three brokers, of the console and of one more client.
func Sessions() admin.Sessions {
	all := admin.Sessions{At: Now}
	add := func(id int64, owner string, timeout time.Duration, ephemerals ...string) {
		all.List = append(all.List, admin.Session{
			ID: admin.SessionID(id), Owner: owner, Timeout: timeout, Client: fmt.Sprintf("127.0.0.1:%d", 40000+id%100), Connected: admin.ConnectedYes,
			Server: "127.0.0.1:2182", HeardAt: Now, Ephemerals: ephemerals,
		})
	}
	add(sessionOf(1), "broker-1", 2*time.Second, "/brokers/ids/1")
	add(sessionOf(2), "broker-2", 2*time.Second, "/brokers/ids/2", "/controller")
	add(sessionOf(3), "broker-3", 2*time.Second, "/brokers/ids/3")
	add(sessionOf(40), admin.Own, 2*time.Second)
	add(sessionOf(41), "", 30*time.Second, "/lock/n-0000000007", "/lock/주문")
	return all
}

// Quiet is the healthy cluster whose broker-2 stands still, and whose coordinators do not tell all.
func Quiet() ui.Data {
	d := Healthy()
	s := *d.Snapshot
	s.Sessions = Sessions()
	s.Sessions.Hidden = "a coordinator does not allow dump: add it to 4lw.commands.whitelist in its zoo.cfg, or open its admin server (admin.enableServer, admin.serverPort)"
	s.Sessions.List[1].HeardAt = Now.Add(-1300 * time.Millisecond)
	s.Sessions.List[4].Connected, s.Sessions.List[4].HeardAt = admin.ConnectedNo, Now.Add(-12*time.Second)
	s.Coordinators = append([]admin.Coordinator(nil), s.Coordinators...)
	c := &s.Coordinators[2]
	c.Role, c.Error, c.Answered = "", "has not answered for 500 ms", Now.Add(-12*time.Second)
	s.Coordinators[0].Details = &admin.CoordinatorDetails{LatencyMin: 0, LatencyMax: 7, Received: 10, Sent: 12, Learners: -1, Synced: -1, Watches: -1, Ephemerals: -1, DataBytes: -1, Hidden: "does not allow mntr: add it to 4lw.commands.whitelist in its zoo.cfg, or open its admin server (admin.enableServer, admin.serverPort)"}
	d.Snapshot, d.Health = &s, admin.Check(&s)
	return d
}

// KRaft is a cluster without ZooKeeper.
func KRaft() ui.Data {
	d := Healthy()
	s := *d.Snapshot
	s.Mode, s.Controller, s.Sessions = admin.ModeKRaft, 101, admin.Sessions{}
	s.Coordinators = nil
	for i := range int32(3) {
		c := admin.Coordinator{ID: 101 + i, Address: fmt.Sprintf("127.0.0.1:%d", 9191+i), Role: "follower", Zxid: 4711 - int64(i), Lag: int64(i), Answered: s.At}
		if i == 0 {
			c.Role = "leader"
		}
		s.Coordinators = append(s.Coordinators, c)
	}
	s.Coordinators[2].Role, s.Coordinators[2].Error, s.Coordinators[2].Lag = "", "has not fetched for 12s", 230
	for _, id := range []int32{1, 2, 104} { // brokers, and a controller that has no vote yet
		s.Observers = append(s.Observers, admin.Coordinator{ID: id, Role: "observer", Zxid: 4708, Lag: 3, Answered: s.At})
	}
	s.ControllerEpoch = 5
	d.Snapshot, d.Status, d.Health = &s, nil, admin.Check(&s)
	return d
}

// Znodes is a view of the fixtures' tree: wide names, binary data, many children, one that may not be read.
func Znodes() *znodes.View {
	v := &znodes.View{At: Now, Online: true, Server: "127.0.0.1:2182", Entries: map[string]*znodes.Entry{}, FollowedAll: true}
	add := func(at, data string, owner int64, total int, children ...string) {
		n := len(v.Entries)
		v.Entries[at] = &znodes.Entry{
			Node: znodes.Node{Path: at, Data: []byte(data), Children: children, ACL: []znodes.ACL{{Scheme: "world", ID: "anyone", Perms: "cdrwa"}}, Stat: znodes.Stat{
				Czxid: 0x100000000 + int64(n), Mzxid: 0x100000040 + int64(n), Pzxid: 0x100000040 + int64(n), Created: Now.Add(-48 * time.Hour), Modified: Now.Add(-time.Duration(n) * time.Minute),
				Version: int32(n % 4), Cversion: int32(total), Owner: owner, Length: len(data), Children: total,
			}},
			Total: total, Whole: true, Opened: children != nil,
		}
	}
	add("/", "", 0, 6, "brokers", "controller", "crowd", "hidden", "주문-내역", "zookeeper")
	add("/brokers", "", 0, 3, "ids", "seqid", "topics")
	add("/brokers/ids", "", 0, 3, "1", "2", "3")
	for id := range int32(3) {
		add(fmt.Sprintf("/brokers/ids/%d", id+1), fmt.Sprintf(`{"version":5,"host":"127.0.0.1","port":%d,"rack":null,"endpoints":["PLAINTEXT://127.0.0.1:%d"]}`, 9092+id, 9092+id), sessionOf(id+1), 0)
	}
	add("/brokers/seqid", "", 0, 0)
	add("/brokers/topics", "", 0, 4)
	add("/controller", `{"version":2,"brokerid":2}`, sessionOf(2), 0)
	var names []string
	for i := range 8 {
		names = append(names, fmt.Sprintf("%05d", i))
	}
	add("/crowd", "\x00\xff\x1b[2J binary", 0, 100_000, names...)
	for _, name := range names {
		add(path.Join("/crowd", name), strings.Repeat("x", 300), 0, 0)
	}
	add("/hidden", "", 0, 0)
	v.Entries["/hidden"].Error = "its ACL does not permit to read it"
	add("/주문-내역", "메모: 입금 확인", 0, 0)
	add("/zookeeper", "", 0, 2)
	v.Changes = []znodes.Change{
		{At: Now.Add(-3 * time.Second), Path: "/brokers/topics/orders", What: znodes.Created, Node: v.Entries["/controller"].Node},
		{At: Now.Add(-2 * time.Second), Path: "/brokers/ids/2", What: znodes.Deleted},
		{At: Now.Add(-time.Second), Path: "/brokers/ids/2", What: znodes.Changed, Node: v.Entries["/brokers/ids/2"].Node},
	}
	v.Followed = 12
	return v
}
