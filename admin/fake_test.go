package admin

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// fake is a Kafka cluster in this process whose brokers can hang: they accept connections and never answer, as a
// process that got SIGSTOP does.
type fake struct {
	*kfake.Cluster
	addrs []string
	hung  []atomic.Bool

	mu       sync.Mutex
	requests map[int16]int // by API key
}

func newFake(t testing.TB, brokers int, opts ...kfake.Opt) *fake {
	t.Helper()
	f := &fake{hung: make([]atomic.Bool, brokers), requests: map[int16]int{}}
	next := 0
	listen := func(network, address string) (net.Listener, error) {
		ln, err := net.Listen(network, address)
		if err == nil {
			ln = &hangingListener{ln, &f.hung[next]}
			next++
		}
		return ln, err
	}
	cluster, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(brokers), kfake.ListenFn(listen)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	f.Cluster, f.addrs = cluster, cluster.ListenAddrs()
	return f
}

// count counts requests from now on.
func (f *fake) count() {
	f.Control(func(r kmsg.Request) (kmsg.Response, error, bool) {
		f.KeepControl()
		f.mu.Lock()
		defer f.mu.Unlock()
		f.requests[r.Key()]++
		return nil, nil, false
	})
}

func (f *fake) counted() (total int, byKey map[string]int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	byKey = map[string]int{}
	for key, n := range f.requests {
		byKey[kmsg.NameForKey(key)] = n
		total += n
	}
	return total, byKey
}

type hangingListener struct {
	net.Listener
	hung *atomic.Bool
}

func (l *hangingListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &hangingConn{Conn: conn, hung: l.hung, closed: make(chan struct{})}, nil
}

// hangingConn swallows what the broker would answer while it hangs.
type hangingConn struct {
	net.Conn
	hung   *atomic.Bool
	closed chan struct{}
	once   sync.Once
}

func (c *hangingConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.hung.Load() {
		<-c.closed
		return 0, net.ErrClosed
	}
	return n, err
}

func (c *hangingConn) Write(b []byte) (int, error) {
	if c.hung.Load() {
		return len(b), nil
	}
	return c.Conn.Write(b)
}

func (c *hangingConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// observe runs an observer until the test ends.
func observe(t testing.TB, cfg Config, interest Interest) *Observer {
	t.Helper()
	o := NewObserver(cfg)
	o.SetInterest(interest)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- o.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		<-done
	})
	return o
}

// await returns the first snapshot that holds.
func await(t testing.TB, o *Observer, what string, holds func(*Snapshot) bool) *Snapshot {
	t.Helper()
	limit := time.After(2 * time.Minute)
	var last *Snapshot
	for {
		select {
		case last = <-o.Snapshots():
			if holds(last) {
				return last
			}
		case <-limit:
			t.Fatalf("never: %s; last seen %+v", what, last)
		}
	}
}
