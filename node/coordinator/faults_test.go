package coordinator

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"kdrill/node/coordinator/proto"
)

func TestABrokenConfigurationIsOneClearSentence(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port
	trio := "server.1=127.0.0.1:2888:3888\nserver.2=127.0.0.1:2889:3889\nserver.3=127.0.0.1:2890:3890\n"
	for name, c := range map[string]struct{ cfg, myid, want string }{
		"no data folder":    {"clientPort=2181\n", "", "zoo.cfg: dataDir is missing"},
		"no port":           {"dataDir=DIR\n", "", "zoo.cfg: clientPort is missing"},
		"not a number":      {"dataDir=DIR\nclientPort=x\n", "", `zoo.cfg:2: clientPort: "x" is not a whole number`},
		"unknown key":       {"dataDir=DIR\nclientPort=2181\nclientProt=2181\n", "", "zoo.cfg:3: clientProt: unknown key"},
		"bad server line":   {"dataDir=DIR\nclientPort=2181\nserver.1=localhost\n", "1", `zoo.cfg:3: server.1: "localhost" is not host:quorumPort:electionPort`},
		"bad server number": {"dataDir=DIR\nclientPort=2181\nserver.x=localhost:1:2\n", "1", "zoo.cfg:3: server.x: the number after server. must be from 1 to 254"},
		"bad role":          {"dataDir=DIR\nclientPort=2181\nserver.1=localhost:1:2:king\n", "1", `zoo.cfg:3: server.1: role "king": it must be participant or observer`},
		"only observers":    {"dataDir=DIR\nclientPort=2181\nserver.1=localhost:1:2:observer\nserver.2=localhost:3:4:observer\n", "1", "zoo.cfg:3: server.1: all are observers: somebody has to vote"},
		"no dynamic file":   {"dataDir=DIR\nclientPort=2181\ndynamicConfigFile=DIR/none\n", "1", "zoo.cfg:3: dynamicConfigFile: configuration: open "},
		"session limits":    {"dataDir=DIR\nclientPort=2181\nminSessionTimeout=9\nmaxSessionTimeout=8\n", "", "zoo.cfg:3: minSessionTimeout: 9 ms is more than maxSessionTimeout, 8 ms"},
		"no myid":           {"dataDir=DIR\nclientPort=2181\n" + trio, "", "myid is missing: write the number of this node's server line into it"},
		"myid not a number": {"dataDir=DIR\nclientPort=2181\n" + trio, "one", `myid holds "one": it must be a number from 1 to 255`},
		"myid of nobody":    {"dataDir=DIR\nclientPort=2181\n" + trio, "4", "myid says 4, but the configuration has no server.4"},
		"port in use":       {fmt.Sprintf("dataDir=DIR\nclientPort=%d\n", port), "", "address already in use: stop what uses the port or choose another one"},
		"quorum port in use": {
			fmt.Sprintf("dataDir=DIR\nclientPort=0\nserver.1=127.0.0.1:%d:1\nserver.2=127.0.0.1:1:2\n", port), "1",
			"server.1: listen tcp",
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "zoo.cfg")
			writeFile(t, path, strings.ReplaceAll(c.cfg, "DIR", dir))
			if c.myid != "" {
				writeFile(t, filepath.Join(dir, "myid"), c.myid)
			}
			err := Run(t.Context(), path, &logBuffer{})
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v\nwant %s", err, c.want)
			}
		})
	}
}

func TestANodeThatCannotWriteStopsAndSaysSo(t *testing.T) {
	e := newEnsemble(t, 1)
	p := e.nodes[0]
	p.start("COORDINATOR_FILE_LIMIT=700000") // as good as a full disk
	p.serving()
	c, events := client(t, time.Minute, p.client)
	acknowledged := 0
	for {
		if _, err := c.Create(fmt.Sprintf("/n%d", acknowledged), make([]byte, 1000), 0, anyone); err != nil {
			break
		}
		acknowledged++
	}
	<-p.exited
	if code := p.command.ProcessState.ExitCode(); code != 1 || !strings.Contains(p.log.String(), "write-ahead log") {
		t.Errorf("exit status %d:\n%s", code, p.log)
	}
	p.start() // with space again
	waitFor(t, events, zk.StateHasSession)
	for i := range acknowledged {
		if found, _, err := c.Exists(fmt.Sprintf("/n%d", i)); err != nil || !found {
			t.Fatalf("/n%d of %d was acknowledged and is lost: %v", i, acknowledged, err)
		}
	}
}

func TestATornLogIsRecoveredAndSaidSo(t *testing.T) {
	e := startEnsemble(t, 1)
	p := e.nodes[0]
	c, events := client(t, time.Minute, p.client)
	must[string](t)(c.Create("/kept", nil, 0, anyone))
	p.kill()
	logs, err := filepath.Glob(filepath.Join(p.dir, folder, "log-*"))
	if err != nil || len(logs) != 1 {
		t.Fatal(logs, err)
	}
	b, err := os.ReadFile(logs[0])
	if err != nil {
		t.Fatal(err)
	}
	// A frame's head without its payload, behind all that was written; the file goes on with zeros.
	copy(b[len(bytes.TrimRight(b, "\x00"))+64:], []byte{0, 0, 1, 0, 1, 2, 3, 4, 5})
	writeFile(t, logs[0], string(b))
	waitFor(t, events, zk.StateDisconnected)
	p.start()
	waitFor(t, events, zk.StateHasSession)
	if found, _, err := c.Exists("/kept"); !found || err != nil {
		t.Error(found, err)
	}
	if !strings.Contains(p.log.String(), "cut off the end of the log") {
		t.Errorf("log:\n%s", p.log)
	}
}

func TestMalformedFramesEndOnlyTheirConnection(t *testing.T) {
	e := startEnsemble(t, 3)
	good := dial(t, e.nodes[0].client)
	good.connect(time.Minute)
	r := rand.New(rand.NewPCG(1, 2))
	garbage := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	for name, b := range map[string][]byte{
		"huge frame":      {0x7f, 0xff, 0xff, 0xff},
		"negative length": {0xff, 0xff, 0xff, 0xff},
		"empty connect":   {0, 0, 0, 0},
		"short connect":   {0, 0, 0, 4, 0, 0, 0, 0},
		"noise":           garbage(1000),
	} {
		t.Run(name, func(t *testing.T) {
			bad := dial(t, e.nodes[0].client)
			bad.Write(b)
			bad.SetReadDeadline(time.Now().Add(time.Minute))
			if n, err := bad.Read(make([]byte, 1)); n > 0 || !strings.Contains(fmt.Sprint(err), "EOF") && !strings.Contains(fmt.Sprint(err), "reset") {
				t.Errorf("%d bytes, %v", n, err)
			}
		})
	}
	for op, b := range map[proto.Op][]byte{
		proto.OpCreate: {0, 0, 0, 9, 'x'}, proto.OpMulti: {1}, proto.OpGetData: {}, proto.OpSetWatches: {1, 2}, proto.OpAuth: {0}, proto.OpSync: {},
	} {
		t.Run(fmt.Sprintf("request %d", op), func(t *testing.T) {
			bad := dial(t, e.nodes[0].client)
			bad.connect(time.Minute)
			bad.send(append(binary.BigEndian.AppendUint32([]byte{0, 0, 0, 1}, uint32(op)), b...))
			bad.SetReadDeadline(time.Now().Add(time.Minute))
			answer := make([]byte, 20)
			n, err := bad.Read(answer)
			if err == nil { // answered with an error: just as well
				if n < 20 || int32(binary.BigEndian.Uint32(answer[16:])) >= 0 {
					t.Errorf("accepted: %x", answer[:n])
				}
			}
		})
	}
	// The port of the other nodes.
	cfg, err := os.ReadFile(filepath.Join(e.nodes[0].dir, "zoo.cfg"))
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(cfg), "server.1=")
	parts := strings.SplitN(line, ":", 3)
	for _, b := range [][]byte{garbage(500), []byte("kdrill2\n"), append([]byte("kdrill2\n"), garbage(100)...)} {
		peer := dial(t, parts[0]+":"+parts[1])
		peer.Write(b)
		peer.Close()
	}
	if good.create("/fine", 0); good.code != proto.OK {
		t.Errorf("the node is not well: %v", good.code)
	}
}

func TestTooManyConnectionsOfOneAddressAreRefused(t *testing.T) {
	e := newEnsemble(t, 1)
	p := e.nodes[0]
	path := filepath.Join(p.dir, "zoo.cfg")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, path, strings.Replace(string(b), "maxClientCnxns=0", "maxClientCnxns=2", 1))
	p.start()
	p.serving()
	first := dial(t, p.client)
	first.connect(time.Minute)
	second := dial(t, p.client)
	second.connect(time.Minute)
	third := dial(t, p.client)
	third.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := third.Read(make([]byte, 1)); !strings.Contains(fmt.Sprint(err), "EOF") {
		t.Errorf("the third: %v", err)
	}
	first.Close()
	eventually(t, "there is room again", func() bool { return p.mode() == "standalone" })
}
