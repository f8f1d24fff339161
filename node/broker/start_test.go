package broker

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// refused runs a broker that cannot start, in this process, and returns what it says.
func refused(t *testing.T, properties string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "server.properties")
	if err := os.WriteFile(path, []byte(properties), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), ample)
	defer cancel()
	err := Run(ctx, path, new(bytes.Buffer))
	if err == nil {
		t.Fatalf("the broker started with\n%s", properties)
	}
	return err.Error()
}

// silent is the address of a server that accepts connections and says nothing.
func silent(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

func TestABrokerThatCannotStartSaysWhy(t *testing.T) {
	zookeeper := silent(t)
	for _, c := range []struct{ name, properties, want string }{
		{"wrong property", "broker.id=1\nzookeeper.connect=h\nnum.partitions=x", "server.properties:3: num.partitions:"},
		{"port in use", "broker.id=1\nzookeeper.connect=" + zookeeper + "\nzookeeper.connection.timeout.ms=200\nlisteners=PLAINTEXT://" + zookeeper, zookeeper + " is in use by another process"},
		{"address of another machine", "broker.id=1\nzookeeper.connect=" + zookeeper + "\nzookeeper.connection.timeout.ms=200\nlisteners=PLAINTEXT://192.0.2.1:9092", "192.0.2.1:9092"},
		{
			"no ZooKeeper", "broker.id=1\nlisteners=PLAINTEXT://127.0.0.1:0\nzookeeper.connection.timeout.ms=200\nzookeeper.connect=" + zookeeper,
			"no ZooKeeper server at " + zookeeper + " gave a session within 200ms",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if said := refused(t, c.properties); !strings.Contains(said, c.want) {
				t.Errorf("said %q, want %q", said, c.want)
			}
		})
	}
	if said := Run(t.Context(), filepath.Join(t.TempDir(), "absent.properties"), new(bytes.Buffer)); said == nil || !strings.Contains(said.Error(), "absent.properties") {
		t.Errorf("no file: %v", said)
	}
}

func TestABrokerThatWaitsForZooKeeperCanBeStopped(t *testing.T) {
	path := filepath.Join(t.TempDir(), "server.properties")
	text := "broker.id=1\nlisteners=PLAINTEXT://127.0.0.1:0\nzookeeper.connect=" + silent(t)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	said := &watched{phrase: "connecting to ZooKeeper", seen: stop}
	if err := Run(ctx, path, said); err != nil {
		t.Errorf("stopped with %v", err)
	}
}

// watched is a log that calls seen when something is said.
type watched struct {
	mu     sync.Mutex
	phrase string
	seen   func()
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if bytes.Contains(p, []byte(w.phrase)) {
		w.seen()
	}
	return len(p), nil
}

func (c *testCluster) testRefusedStarts(t *testing.T) {
	data := filepath.Join(c.dir, "broker1", "data")
	base := fmt.Sprintf("listeners=PLAINTEXT://127.0.0.1:0\nzookeeper.connect=%s\nzookeeper.session.timeout.ms=2000\n", c.zookeeper)
	if said := refused(t, base+"broker.id=9\nlog.dirs="+data); !strings.Contains(said, "another process holds") {
		t.Errorf("log directory of a running broker: %q", said)
	}
	secured := strings.Replace(base, "PLAINTEXT://", "SSL://", 1) + "broker.id=9\nlog.dirs=" + t.TempDir() + "\nssl.keystore.type=PEM\nssl.keystore.location=/proc/none"
	if said := refused(t, secured); !strings.Contains(said, "server.properties:7: ssl.keystore.location: open /proc/none") {
		t.Errorf("key store that is not there: %q", said)
	}
	foreign := t.TempDir()
	if err := os.WriteFile(filepath.Join(foreign, "meta.properties"), []byte("version=0\nbroker.id=9\ncluster.id=AAAAAAAAAAAAAAAAAAAAAA\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if said := refused(t, base+"broker.id=9\nlog.dirs="+foreign); !strings.Contains(said, "AAAAAAAAAAAAAAAAAAAAAA") {
		t.Errorf("log directory of another cluster: %q", said)
	}
	if said := refused(t, base+"broker.id=9\nlog.dirs=/proc/none"); !strings.Contains(said, "/proc/none") {
		t.Errorf("log directory that cannot be made: %q", said)
	}
}
