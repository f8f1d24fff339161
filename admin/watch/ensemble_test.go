package watch

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"kdrill/testdata/freeport"
	"kdrill/testdata/stage"

	"github.com/go-zookeeper/zk"

	"kdrill/node/coordinator"
)

// testEnsemble is a quorum of coordinators in this process, each behind a proxy that can hang.
type testEnsemble struct {
	addresses []string // of the proxies
	direct    []string
	proxies   []*proxy
}

func startEnsemble(t *testing.T, n int) *testEnsemble {
	t.Helper()
	var servers strings.Builder
	ports := make([]int, n)
	for i := range n {
		ports[i] = freeport.One(t)
		if n > 1 {
			fmt.Fprintf(&servers, "server.%d=127.0.0.1:%d:%d\n", i+1, freeport.One(t), freeport.One(t))
		}
	}
	e := &testEnsemble{}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	t.Cleanup(func() {
		stop()
		running.Wait()
	})
	for i, port := range ports {
		dir := t.TempDir()
		config := fmt.Sprintf("tickTime=100\ninitLimit=10\nsyncLimit=5\ndataDir=%s\nclientPortAddress=127.0.0.1\nclientPort=%d\n%s", dir, port, servers.String())
		path := filepath.Join(dir, "zoo.cfg")
		for name, data := range map[string]string{path: config, filepath.Join(dir, "myid"): fmt.Sprintln(i + 1)} {
			if err := os.WriteFile(name, []byte(data), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		var log bytes.Buffer
		running.Go(func() {
			if err := coordinator.Run(ctx, path, &log); err != nil && ctx.Err() == nil {
				t.Errorf("coordinator %d: %v\n%s", i+1, err, log.String())
			}
		})
		e.direct = append(e.direct, fmt.Sprintf("127.0.0.1:%d", port))
		p := startProxy(t, e.direct[i])
		e.proxies, e.addresses = append(e.proxies, p), append(e.addresses, p.Addr().String())
	}
	return e
}

// client opens a session of its own.
func client(t *testing.T, addresses ...string) *zk.Conn {
	t.Helper()
	conn, events, err := zk.Connect(addresses, 10*time.Second, zk.WithLogger(quiet{}), zk.WithLogInfo(false))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	limit := time.After(2 * time.Minute)
	for conn.State() != zk.StateHasSession {
		select {
		case <-events:
		case <-limit:
			t.Fatal("no session")
		}
	}
	return conn
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}

// proxy forwards connections. While it hangs it accepts them and forwards nothing.
type proxy struct {
	net.Listener
	mu    sync.Mutex
	hung  chan struct{} // closed when it goes on; nil while it does not hang
	conns int           // that are open
}

func startProxy(t *testing.T, to string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{Listener: l}
	t.Cleanup(func() {
		p.hang(false)
		l.Close()
	})
	go func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			p.opened(1)
			go func() {
				defer p.opened(-1)
				p.forward(from, to)
			}()
		}
	}()
	return p
}

func (p *proxy) forward(from net.Conn, to string) {
	defer from.Close()
	p.wait()
	server, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		defer server.Close()
		_, _ = io.Copy(server, &waiting{from, p})
	}()
	_, _ = io.Copy(from, &waiting{server, p})
}

// waiting reads, and keeps what it read to itself while the proxy hangs.
type waiting struct {
	net.Conn
	p *proxy
}

func (w *waiting) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	w.p.wait()
	return n, err
}

func (p *proxy) wait() {
	p.mu.Lock()
	hung := p.hung
	p.mu.Unlock()
	if hung != nil {
		<-hung
	}
}

func (p *proxy) hang(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case on && p.hung == nil:
		p.hung = make(chan struct{})
	case !on && p.hung != nil:
		close(p.hung)
		p.hung = nil
	}
}

func (p *proxy) opened(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns += n
}

// serving is the proxy that the only session behind proxies goes through. Others may have been tried before it.
func (e *testEnsemble) serving(t *testing.T) (serving *proxy) {
	t.Helper()
	stage.Eventually(t, 2*time.Minute, "one connection is left", func() bool {
		open := slices.DeleteFunc(slices.Clone(e.proxies), func(p *proxy) bool { return p.connections() == 0 })
		if len(open) == 1 {
			serving = open[0]
		}
		return len(open) == 1
	})
	return serving
}

func (p *proxy) connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.conns
}
