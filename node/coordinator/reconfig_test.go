package coordinator

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kdrill/testdata/freeport"

	"github.com/go-zookeeper/zk"

	"kdrill/node/coordinator/proto"
	"kdrill/node/coordinator/tree"
)

var reconfigurable = []string{"reconfigEnabled=true", "skipACL=yes", "snapCount=50", "maxSessionTimeout=120000"}

// join adds a node to the test whose configuration names the others too; it is no member yet.
func (e *ensemble) join(id int, settings ...string) *process {
	e.t.Helper()
	e.nodes = append(e.nodes, newEnsemble(e.t, 1, settings...).nodes[0])
	p := e.nodes[len(e.nodes)-1]
	ports := freeport.Find(e.t, 2)
	p.id, p.server = id, fmt.Sprintf("server.%d=127.0.0.1:%d:%d", id, ports[0], ports[1])
	path := filepath.Join(p.dir, "zoo.cfg")
	b, err := os.ReadFile(path)
	if err != nil {
		e.t.Fatal(err)
	}
	text := string(b)
	for _, o := range e.nodes {
		text += o.server + "\n"
	}
	writeFile(e.t, path, text)
	writeFile(e.t, filepath.Join(p.dir, "myid"), fmt.Sprint(id))
	return p
}

// line is a node's server line for a reconfiguration.
func (p *process) line() string { return p.server + ";" + p.client }

// config are the members as a client of one node sees them.
func (p *process) config(t *testing.T) (text string, stat *zk.Stat) {
	t.Helper()
	c, _ := client(t, time.Minute, p.client)
	defer c.Close()
	must[string](t)(c.Sync(tree.ConfigPath))
	data, stat, err := c.Get(tree.ConfigPath)
	if err != nil {
		t.Fatal(err)
	}
	return string(data), stat
}

// An ensemble grows by a node, an observer comes, old nodes go: nothing is lost, and each node starts again with the
// members of now, those of its own file aside.
func TestMembersJoinAndLeaveWhileClientsWrite(t *testing.T) {
	e := startEnsemble(t, 3, reconfigurable...)
	c, _ := client(t, time.Minute, e.addresses()...)
	written := 0
	write := func() {
		t.Helper()
		for range 60 { // more than a snapshot
			must[string](t)(c.Create(fmt.Sprintf("/n%d", written), nil, 0, anyone))
			written++
		}
	}
	write()
	four := e.join(4, reconfigurable...)
	four.start()
	eventually(t, "4 serves as a follower without a vote", func() bool { return four.mode() == "follower" })
	_, stat, changes, err := c.GetW(tree.ConfigPath)
	if err != nil {
		t.Fatal(err)
	}
	before := stat.Mzxid
	eventually(t, "4 is taken in", func() bool { // a leader that is new has to hear from it first
		stat, err = c.IncrementalReconfig([]string{four.line()}, nil, before)
		return err == nil
	})
	if event := <-changes; event.Type != zk.EventNodeDataChanged {
		t.Errorf("%+v", event)
	}
	version := stat.Mzxid
	for _, p := range e.nodes {
		text, stat := p.config(t)
		if !strings.Contains(text, four.server+":participant;"+four.client+"\n") || !strings.HasSuffix(text, fmt.Sprintf("\nversion=%x", version)) || stat.Version != -1 {
			t.Errorf("at %d: %+v\n%s", p.id, stat, text)
		}
	}
	if _, err := c.IncrementalReconfig(nil, []string{"4"}, 0); err == nil {
		t.Error("the version of before is accepted")
	}
	five := e.join(5, reconfigurable...)
	five.start()
	eventually(t, "5 serves", func() bool { return five.mode() != "" })
	eventually(t, "5 is taken in", func() bool {
		_, err := c.IncrementalReconfig([]string{five.server + ":observer;" + five.client}, nil, version)
		return err == nil
	})
	eventually(t, "5 is an observer", func() bool { return five.mode() == "observer" })
	write()

	// 1, and the leader if it is another one, go; what is left serves without them.
	leader := e.leader()
	leaving := []string{"1"}
	if leader.id != 1 && leader.id < 4 {
		leaving = append(leaving, fmt.Sprint(leader.id))
	}
	eventually(t, strings.Join(leaving, " and ")+" go", func() bool {
		_, err := c.IncrementalReconfig(nil, leaving, -1)
		return err == nil
	})
	for _, id := range leaving {
		for _, p := range e.nodes {
			if fmt.Sprint(p.id) == id {
				p.kill()
			}
		}
	}
	left := e.leader()
	eventually(t, "a leader of those that stay", func() bool {
		left = e.leader()
		return !strings.Contains(strings.Join(leaving, " "), fmt.Sprint(left.id))
	})
	write()

	// All start again, from the files that the change has left.
	for _, p := range e.nodes {
		p.kill()
	}
	for _, p := range e.nodes {
		p.start()
	}
	left = e.leader()
	if text, _ := left.config(t); strings.Contains(text, "server.1=") || !strings.Contains(text, "server.4=") || !strings.Contains(text, "server.5=") {
		t.Errorf("after all began again:\n%s", text)
	}
	eventually(t, "5 is an observer", func() bool { return five.mode() == "observer" })
	b, err := os.ReadFile(filepath.Join(four.dir, "zoo.cfg"))
	if err != nil || !strings.Contains(string(b), "dynamicConfigFile=") || strings.Contains(string(b), "\nserver.") {
		t.Errorf("%v\n%s", err, b)
	}
	again, _ := client(t, time.Minute, five.client)
	must[string](t)(again.Sync("/"))
	for i := range written {
		if found, _, err := again.Exists(fmt.Sprintf("/n%d", i)); !found || err != nil {
			t.Fatalf("/n%d of %d: %v %v", i, written, found, err)
		}
	}
	eventually(t, "1, which was removed, serves without a vote", func() bool { return e.nodes[0].mode() == "follower" })
}

// All voters are replaced by others, which have to be there first.
func TestAnEnsembleMovesToOtherNodes(t *testing.T) {
	e := startEnsemble(t, 3, reconfigurable...)
	old := e.nodes
	raw := dial(t, old[0].client)
	raw.connect(2 * time.Minute)
	raw.create("/kept", 0)
	var lines []string
	for id := 4; id <= 6; id++ {
		lines = append(lines, e.join(id, reconfigurable...).line())
	}
	move := func() proto.Code {
		raw.request(proto.OpReconfig, func(e *proto.Encoder) {
			e.Int(-1)
			e.Int(-1)
			e.String(strings.Join(lines, ","))
			e.Long(-1)
		})
		return raw.code
	}
	if code := move(); code != proto.NewConfigNoQuorum {
		t.Errorf("to nodes that are not there: %v", code)
	}
	if text, _ := old[1].config(t); !strings.HasSuffix(text, "00000000") {
		t.Errorf("the members are others:\n%s", text)
	}
	for _, p := range e.nodes[3:] {
		p.start()
	}
	for _, p := range e.nodes[3:] {
		p.serving()
	}
	eventually(t, "the ensemble moves", func() bool { return move() == proto.OK })
	for _, p := range old {
		p.kill()
	}
	c, _ := client(t, time.Minute, e.nodes[3].client, e.nodes[4].client, e.nodes[5].client)
	if found, _, err := c.Exists("/kept"); !found || err != nil {
		t.Error(found, err)
	}
	must[string](t)(c.Create("/after", nil, 0, anyone))
}

// Other ports of a member are used at once: clients and the other nodes come there, who is connected stays, and the node
// starts again there.
func TestAMemberMovesToOtherPorts(t *testing.T) {
	e := startEnsemble(t, 3, reconfigurable...)
	mover := e.leader()
	var others []*process
	for _, p := range e.nodes {
		if p != mover {
			others = append(others, p)
		}
	}
	stays, before := dial(t, mover.client), mover.client
	stays.connect(2 * time.Minute)
	stays.create("/before", 0)
	c, _ := client(t, time.Minute, others[0].client, others[1].client)
	ports := freeport.Find(t, 3)
	mover.server, mover.client = fmt.Sprintf("server.%d=127.0.0.1:%d:%d", mover.id, ports[0], ports[1]), fmt.Sprintf("127.0.0.1:%d", ports[2])
	eventually(t, "its ports are others", func() bool {
		_, err := c.IncrementalReconfig([]string{fmt.Sprintf("%s;%d", mover.server, ports[2])}, nil, -1)
		return err == nil
	})
	mover.serving()
	eventually(t, "nobody is taken at the old port", func() bool {
		conn, err := net.Dial("tcp", before)
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	if conf := mover.word("conf"); !strings.Contains(conf, fmt.Sprintf("clientPort=%d\n", ports[2])) {
		t.Errorf("its configuration says\n%s", conf)
	}
	eventually(t, "all three are in step", func() bool { return strings.Contains(e.leader().word("mntr"), "zk_synced_followers\t2\n") })
	if stays.create("/after", 0); stays.code != proto.OK {
		t.Errorf("who was connected: %v", stays.code)
	}
	others[0].kill() // now the one that has moved is needed
	c, _ = client(t, time.Minute, others[1].client)
	must[string](t)(c.Create("/needed", nil, 0, anyone))
	mover.kill()
	mover.start()
	mover.serving()
	c, _ = client(t, time.Minute, mover.client)
	must[string](t)(c.Create("/again", nil, 0, anyone))
}
