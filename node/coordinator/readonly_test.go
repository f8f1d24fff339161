package coordinator

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kdrill/node/coordinator/proto"
	"kdrill/testdata/need"
)

// readOnlyRequest is the first frame of a client that accepts to read only.
func readOnlyRequest(session int64, password []byte) []byte {
	b := connectRequest(30*time.Second, session, password, 0)
	b[len(b)-1] = 1
	return b
}

// connectReadOnly connects as such a client once the node takes one; it says how the node answers.
func connectReadOnly(t testing.TB, addr string) (*rawClient, string) {
	t.Helper()
	var c *rawClient
	var frame []byte
	eventually(t, "a client that accepts to read only is taken", func() bool {
		c = dial(t, addr)
		c.send(readOnlyRequest(0, make([]byte, 16)))
		var err error
		frame, err = c.next()
		return err == nil
	})
	d := proto.NewDecoder(frame)
	d.Int()
	timeout, id, secret, readOnly := d.Int(), d.Long(), d.Buffer(), d.Bool()
	return c, fmt.Sprintf("timeout %v, session %v, password %d bytes, read-only %v", timeout > 0, id != 0, len(secret), readOnly)
}

// playReadOnly is what clients of a node of three hear when the two others are gone, and then are back.
func playReadOnly(t *testing.T, e *ensemble) []string {
	var lines []string
	note := func(format string, args ...any) {
		lines = append(lines, fmt.Sprintf(format, args...))
	}
	p := e.nodes[0]
	before := dial(t, p.client)
	s := before.connect(time.Minute)
	before.create("/a", 0)
	before.create("/own", 1) // makes a session that may be local one of the ensemble
	note("isro %q", p.word("isro"))
	for _, o := range e.nodes[1:] {
		o.kill()
	}
	eventually(t, "the node is without a quorum, and reads", func() bool { return p.word("isro") == "ro" })
	note("Mode: %s", p.mode())
	plain := dial(t, p.client)
	plain.send(connectRequest(30*time.Second, 0, make([]byte, 16), 0))
	_, err := plain.next()
	note("a client that wants to write: %v", err)
	c, how := connectReadOnly(t, p.client)
	note("a new client: %s", how)
	again := dial(t, p.client)
	again.send(readOnlyRequest(s.Session, s.Password))
	_, err = again.next()
	note("a client with a session: %v", err)
	ask := func(what string, op proto.Op, body func(*proto.Encoder)) {
		b := c.request(op, body)
		note("%s: %v, %d bytes", what, c.code, len(b))
	}
	path := func(path string) func(*proto.Encoder) {
		return func(e *proto.Encoder) { e.String(path); e.Bool(true) }
	}
	ask("get", proto.OpGetData, path("/a"))
	ask("exists", proto.OpExists, path("/none"))
	ask("list", proto.OpGetChildren2, path("/a"))
	ask("acl", proto.OpGetACL, func(e *proto.Encoder) { e.String("/a") })
	ask("whoami", proto.OpWhoAmI, nil)
	ask("sync", proto.OpSync, func(e *proto.Encoder) { e.String("/a") })
	ask("create", proto.OpCreate, newZnode("/b", "", 0, proto.Anyone()).Encode)
	ask("create2", proto.OpCreate2, newZnode("/b", "", 0, proto.Anyone()).Encode)
	ask("delete", proto.OpDelete, (&proto.PathVersion{Path: "/a", Version: -1}).Encode)
	ask("set", proto.OpSetData, (&proto.SetData{Path: "/a", Version: -1}).Encode)
	ask("set acl", proto.OpSetACL, func(e *proto.Encoder) { e.String("/a"); proto.EncodeACL(e, proto.Anyone()); e.Int(-1) })
	ask("multi", proto.OpMulti, proto.MultiEnd.Encode)
	ask("reconfig", proto.OpReconfig, func(e *proto.Encoder) { e.B = append(e.B, reconfigBody()...) })
	for _, o := range e.nodes[1:] {
		o.start()
	}
	c.SetReadDeadline(time.Now().Add(time.Minute))
	_, err = c.Read(make([]byte, 1))
	note("with a quorum again: ends %v", err != nil && !strings.Contains(err.Error(), "timeout"))
	eventually(t, "the quorum is back", func() bool { return p.word("isro") == "rw" })
	back := dial(t, p.client)
	s = back.reconnect(s, 0)
	note("the session from before lives: %v", s.Session != 0)
	return lines
}

func TestANodeWithoutAQuorumAnswersReadsIfItMay(t *testing.T) {
	t.Parallel()
	settings := []string{"readonlymode.enabled=true", "maxSessionTimeout=120000"}
	ours := playReadOnly(t, startEnsemble(t, 3, settings...))
	want := `isro "rw"
Mode: read-only
a client that wants to write: EOF
a new client: timeout true, session true, password 16 bytes, read-only true
a client with a session: EOF
get: ok, 72 bytes
exists: no node, 0 bytes
list: ok, 72 bytes
acl: ok, 95 bytes
whoami: ok, 23 bytes
sync: not in read-only mode, 0 bytes
create: not in read-only mode, 0 bytes
create2: not in read-only mode, 0 bytes
delete: not in read-only mode, 0 bytes
set: not in read-only mode, 0 bytes
set acl: not in read-only mode, 0 bytes
multi: not in read-only mode, 0 bytes
reconfig: not in read-only mode, 0 bytes
with a quorum again: ends true
the session from before lives: true`
	if got := strings.Join(ours, "\n"); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if testing.Short() {
		return
	}
	// Apache opens no session of the ensemble in this mode: it takes new clients only where sessions may be local.
	settings = append(settings, "JVM=readonlymode.enabled=true", "localSessionsEnabled=true", "localSessionsUpgradingEnabled=true")
	if theirs := strings.Join(playReadOnly(t, startApache(t, 3, settings...)), "\n"); theirs != want {
		t.Errorf("Apache\n%s\nwant\n%s", theirs, want)
	}
}

const kazooReads = `
import sys
from kazoo.client import KazooClient, KeeperState
from kazoo.exceptions import NotReadOnlyCallError

zk = KazooClient(hosts=sys.argv[1], timeout=20, read_only=True)
zk.start(60)
assert zk.client_state == KeeperState.CONNECTED_RO, zk.client_state
assert zk.get("/a")[0] == b""
try:
    zk.create("/b")
    assert False
except NotReadOnlyCallError:
    pass
zk.stop()
print("read")
`

func TestKazooReadsWithoutAQuorum(t *testing.T) {
	need.File(t, "/usr/share/doc/python3-kazoo", "python3-kazoo")
	python := need.Program(t, "/usr/bin/python3", "python3")
	e := startEnsemble(t, 3, "readonlymode.enabled=true", "maxSessionTimeout=120000")
	c := dial(t, e.nodes[0].client)
	c.connect(time.Minute)
	c.create("/a", 0)
	e.nodes[1].kill()
	e.nodes[2].kill()
	script := filepath.Join(t.TempDir(), "reads.py")
	writeFile(t, script, kazooReads)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, python, script, e.nodes[0].client).CombinedOutput(); err != nil || !strings.Contains(string(out), "read") {
		t.Errorf("%v\n%s", err, out)
	}
}
