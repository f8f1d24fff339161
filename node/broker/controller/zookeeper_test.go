package controller

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"kdrill/testdata/freeport"

	"github.com/go-zookeeper/zk"

	"kdrill/node/coordinator"
)

// zooKeeper runs a coordinator for the time of a test and returns its address.
func zooKeeper(t testing.TB) string {
	t.Helper()
	dir, port := t.TempDir(), freeport.One(t)
	config := fmt.Sprintf("tickTime=200\ndataDir=%s\nclientPort=%d\nmaxClientCnxns=0\nmaxSessionTimeout=60000\n", dir, port)
	path := filepath.Join(dir, "zoo.cfg")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	serving, ended := &lineWatch{text: "coordinator serving", seen: make(chan struct{})}, make(chan error, 1)
	go func() { ended <- coordinator.Run(ctx, path, serving) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("coordinator: %v", err)
		}
	})
	select {
	case <-serving.seen:
	case <-time.After(ample):
		t.Fatal("the coordinator does not serve")
	}
	return fmt.Sprintf("127.0.0.1:%d", port)
}

// lineWatch closes seen when a line of a log contains text.
type lineWatch struct {
	text string
	seen chan struct{}
	once sync.Once
}

func (w *lineWatch) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte(w.text)) {
		w.once.Do(func() { close(w.seen) })
	}
	return len(line), nil
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}

// connect opens a session that ends with the test.
func connect(t testing.TB, address string, timeout time.Duration, dial zk.Dialer) *zk.Conn {
	t.Helper()
	conn, events, err := zk.Connect([]string{address}, timeout, zk.WithDialer(dial), zk.WithLogger(quiet{}), zk.WithLogInfo(false))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	for conn.State() != zk.StateHasSession {
		select {
		case <-events:
		case <-time.After(ample):
			t.Fatalf("no session with the coordinator at %s", address)
		}
	}
	return conn
}

func testLog(t testing.TB, id int32) *slog.Logger {
	if testing.Verbose() {
		return slog.New(slog.NewTextHandler(t.Output(), nil)).With("broker", id)
	}
	return slog.New(slog.DiscardHandler)
}
