package coordinator

import (
	"bufio"
	"context"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kdrill/testdata/need"
)

const kazooJourney = `
import sys, threading
from kazoo.client import KazooClient
from kazoo.exceptions import BadVersionError, NoNodeError, NodeExistsError, NotEmptyError, RuntimeInconsistency
from kazoo.recipe.lock import Lock

zk = KazooClient(hosts=sys.argv[1], timeout=30)
zk.start(60)
assert zk.create("/app", b"one") == "/app"
try:
    zk.create("/app")
    assert False
except NodeExistsError:
    pass
seen = threading.Event()
zk.get("/app", watch=lambda e: seen.set())
zk.set("/app", b"two", version=0)
assert seen.wait(60)
data, stat = zk.get("/app")
assert data == b"two" and stat.version == 1
path, stat = zk.create("/app/n-", b"x", ephemeral=True, sequence=True, include_data=True)
assert path == "/app/n-0000000000" and stat.ephemeralOwner == zk.client_id[0], (path, stat)
assert zk.get_children("/app") == ["n-0000000000"]
try:
    zk.delete("/app")
    assert False
except NotEmptyError:
    pass
t = zk.transaction()
t.check("/app", 1)
t.create("/app/a")
t.set_data("/app", b"three")
results = t.commit()
assert results[0] is True and results[1] == "/app/a" and results[2].version == 2, results
t = zk.transaction()
t.create("/app/b")
t.check("/app", 1)
t.delete("/app/a")
results = t.commit()
assert [type(r) for r in results][1:] == [BadVersionError, RuntimeInconsistency], results
assert zk.exists("/app/b") is None and zk.exists("/app/a")
assert zk.sync("/app") == "/app"
zk.add_auth("digest", "alice:secret")
acls, _ = zk.get_acls("/app")
zk.set_acls("/app", acls)
zk.ensure_path("/locks/one/deep")
lock = Lock(zk, "/locks/mutex")
assert lock.acquire(timeout=60)
other = KazooClient(hosts=sys.argv[1], timeout=30)
other.start(60)
waiting = Lock(other, "/locks/mutex")
assert not waiting.acquire(blocking=False)
lock.release()
assert waiting.acquire(timeout=60)
other.stop()
zk.delete("/app", recursive=True)
try:
    zk.get("/app")
    assert False
except NoNodeError:
    pass
assert zk.server_version() >= (3, 8)
zk.stop()
print("journey done")
`

func TestKazooCreatesListsSetsWatchesAndDeletes(t *testing.T) {
	need.File(t, "/usr/share/doc/python3-kazoo", "python3-kazoo")
	python := need.Program(t, "/usr/bin/python3", "python3")
	e := startEnsemble(t, 3)
	script := filepath.Join(t.TempDir(), "journey.py")
	writeFile(t, script, kazooJourney)
	out, err := exec.CommandContext(t.Context(), python, script, strings.Join(e.addresses(), ",")).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "journey done") {
		t.Errorf("%v\n%s", err, out)
	}
}

// Locks, elections, barriers, queues, counters and parties of kazoo go on when the leader is killed in the middle.
func TestKazoosRecipesSurviveTheLossOfANode(t *testing.T) {
	need.File(t, "/usr/share/doc/python3-kazoo", "python3-kazoo")
	python := need.Program(t, "/usr/bin/python3", "python3")
	e := startEnsemble(t, 3, "maxSessionTimeout=60000")
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	recipes := exec.CommandContext(ctx, python, filepath.Join("testdata", "recipes.py"), strings.Join(e.addresses(), ","))
	var mistakes strings.Builder
	recipes.Stderr = &mistakes
	in, err := recipes.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := recipes.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := recipes.Start(); err != nil {
		t.Fatal(err)
	}
	said := ""
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if said = lines.Text(); said == "lose" {
			e.leader().kill()
			e.leader()
			io.WriteString(in, "lost\n")
		}
	}
	if err := recipes.Wait(); err != nil || said != "done" {
		t.Errorf("%v, last said %q\n%s", err, said, &mistakes)
	}
}

// Debian's script leaves out jars that the shell needs: the class path is given here.
var shellJars = []string{
	"zookeeper", "zookeeper-jute", "commons-cli", "slf4j-api", "slf4j-simple", "netty-all", "netty-common", "netty-handler", "netty-transport",
	"netty-buffer", "jackson-core", "jackson-databind", "jackson-annotations", "snappy-java", "metrics-core", "jline2", "jline",
}

func TestZooKeepersShellCreatesListsSetsWatchesAndDeletes(t *testing.T) {
	need.File(t, "/usr/share/zookeeper/bin/zkCli.sh", "zookeeper")
	java := need.Program(t, "java", "default-jre-headless")
	e := startEnsemble(t, 3)
	var path []string
	for _, jar := range shellJars {
		path = append(path, "/usr/share/java/"+jar+".jar")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	shell := exec.CommandContext(ctx, java, "-cp", strings.Join(path, ":"), "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
		"org.apache.zookeeper.ZooKeeperMain", "-server", strings.Join(e.addresses(), ","))
	shell.Stdin = strings.NewReader(strings.Join([]string{
		"create /app one", "create -s -e /app/n- two", "ls -s /app", "get -w /app", "set /app three", "get -s /app", "stat /app", "getAcl /app",
		"sync /app", "getAllChildrenNumber /app", "getEphemerals /app", "whoami", "config", "delete /app/n-0000000000", "delete /app", "stat /app",
		"close", "quit",
	}, "\n") + "\n")
	out, err := shell.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		"Created /app\n", "Created /app/n-0000000000\n", "[n-0000000000]", "one\n", "type:NodeDataChanged path:/app", "three\n",
		"dataVersion = 1", "'world,'anyone\n: cdrwa", "Sync is OK", "server.1=127.0.0.1", "Node does not exist: /app",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q", want)
		}
	}
	if t.Failed() {
		t.Logf("%s", out)
	}
}
