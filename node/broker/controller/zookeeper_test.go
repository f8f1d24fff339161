package controller

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"kdrill/testdata/need"
)

// server is the ZooKeeper that the tests of this package share; the first one starts it.
var server struct {
	sync.Mutex
	address string
	process *exec.Cmd
	dir     string
}

func TestMain(m *testing.M) {
	code := m.Run()
	if server.process != nil {
		_ = server.process.Process.Kill()
		_ = server.process.Wait()
		_ = os.RemoveAll(server.dir)
	}
	os.Exit(code)
}

// zooKeeper returns the address of a ZooKeeper without znodes.
func zooKeeper(t testing.TB) string {
	t.Helper()
	server.Lock()
	defer server.Unlock()
	if server.process == nil {
		startZooKeeper(t)
	}
	wipe(t, connect(t, server.address, 10*time.Second))
	return server.address
}

func startZooKeeper(t testing.TB) {
	t.Helper()
	java := need.Program(t, "java", "default-jre-headless")
	var jars []string
	for _, name := range []string{"zookeeper", "zookeeper-jute", "slf4j-api", "slf4j-nop", "netty-all", "snappy-java", "metrics-core"} {
		jars = append(jars, need.File(t, "/usr/share/java/"+name+".jar", "zookeeper libslf4j-java"))
	}
	dir, err := os.MkdirTemp("", "zookeeper")
	if err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	config := fmt.Sprintf("tickTime=200\ndataDir=%s\nclientPortAddress=127.0.0.1\nclientPort=%d\nadmin.enableServer=false\nmaxClientCnxns=0\nmaxSessionTimeout=60000\n", dir, port)
	path := filepath.Join(dir, "zoo.cfg")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	process := exec.Command(java, "-Xmx256m", "-cp", strings.Join(jars, ":"), "org.apache.zookeeper.server.ZooKeeperServerMain", path)
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	server.process, server.dir, server.address = process, dir, fmt.Sprintf("127.0.0.1:%d", port)
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}

// connect opens a session that ends with the test.
func connect(t testing.TB, address string, timeout time.Duration) *zk.Conn {
	t.Helper()
	conn, _ := connectThrough(t, address, timeout, net.DialTimeout)
	return conn
}

func connectThrough(t testing.TB, address string, timeout time.Duration, dial zk.Dialer) (*zk.Conn, <-chan zk.Event) {
	t.Helper()
	conn, events, err := zk.Connect([]string{address}, timeout, zk.WithDialer(dial), zk.WithLogger(quiet{}), zk.WithLogInfo(false))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	for conn.State() != zk.StateHasSession {
		select {
		case <-events:
		case <-time.After(20 * time.Second):
			t.Fatalf("no session with ZooKeeper at %s within 20 s", address)
		}
	}
	return conn, events
}

func wipe(t testing.TB, conn *zk.Conn) {
	t.Helper()
	tm := &term{store: &store{ctx: t.Context(), conn: conn}}
	names, _, err := conn.Children("/")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if name == "zookeeper" {
			continue
		}
		paths, err := tm.tree("/" + name)
		if err != nil {
			t.Fatal(err)
		}
		err = parallelInOrder(paths, func(path string) error { return conn.Delete(path, -1) })
		if err != nil {
			t.Fatal(err)
		}
	}
}

// parallelInOrder deletes level by level, the deepest first.
func parallelInOrder(paths []string, do func(string) error) error {
	levels := map[int][]string{}
	deepest := 0
	for _, p := range paths {
		n := strings.Count(p, "/")
		levels[n] = append(levels[n], p)
		deepest = max(deepest, n)
	}
	for n := deepest; n > 0; n-- {
		if err := parallel(len(levels[n]), func(i int) error {
			if err := do(levels[n][i]); err != nil && err != zk.ErrNoNode {
				return err
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

func testLog(t testing.TB, id int32) *slog.Logger {
	if testing.Verbose() {
		return slog.New(slog.NewTextHandler(t.Output(), nil)).With("broker", id)
	}
	return slog.New(slog.DiscardHandler)
}
