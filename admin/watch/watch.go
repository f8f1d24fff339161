package watch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-zookeeper/zk"

	"kdrill/admin/ensemble"
	"kdrill/node/layout"
)

// Config says what to watch.
type Config struct {
	Connect string        // host:port,host:port/chroot
	Session time.Duration // asked of ZooKeeper, 2 s if 0: how soon a hung coordinator is left
	// MaxPartitions bounds the watches on partition states, 50,000 if 0. What is beyond is not watched.
	MaxPartitions int
	Access        ensemble.Access
	Log           *slog.Logger
}

// readers is how many paths are read at once: enough to fill a connection, few enough to leave a coordinator alone.
const readers = 16

// Watcher follows one cluster.
type Watcher struct {
	cfg     Config
	servers []string
	chroot  string

	updates chan Update
	queue   *ensemble.Queue
	conn    *ensemble.Session
	online  atomic.Bool
	syncing atomic.Bool // Synced is still owed

	mu         sync.Mutex
	connection int            // counts the connections; with each one everything is read again
	seen       map[string]int // topics and states: the connection they were last read over
	states     int            // how many of them are states
}

// New makes a watcher; Run makes it watch.
func New(cfg Config) *Watcher {
	if cfg.Session <= 0 {
		cfg.Session = 2 * time.Second
	}
	if cfg.MaxPartitions <= 0 {
		cfg.MaxPartitions = 50_000
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	w := &Watcher{cfg: cfg, updates: make(chan Update, 256), seen: map[string]int{}}
	w.servers, w.chroot = ensemble.Servers(cfg.Connect)
	return w
}

// Updates is the channel that Run feeds; closed when Run returns.
func (w *Watcher) Updates() <-chan Update { return w.updates }

// Reread reads the state of one partition again: somebody saw that it is newer than what came up last.
func (w *Watcher) Reread(topic string, partition int32) {
	if w.online.Load() {
		w.queue.Push(layout.State(topic, partition))
	}
}

// Session is the session over which everything is read; nil until Run has opened it.
func (w *Watcher) Session() *ensemble.Session { return w.conn }

// Run watches until ctx ends.
func (w *Watcher) Run(ctx context.Context) error {
	defer close(w.updates)
	if len(w.servers) == 0 {
		return fmt.Errorf("%q names no ZooKeeper server: write host:port,…/chroot", w.cfg.Connect)
	}
	inbox := ensemble.NewInbox()
	w.queue = ensemble.NewQueue(func() {
		if w.online.Load() && w.syncing.CompareAndSwap(true, false) {
			w.send(ctx, Synced{})
		}
	})
	conn, err := ensemble.Connect(ensemble.Config{Servers: w.servers, Timeout: w.cfg.Session, Event: inbox.Put, Access: w.cfg.Access, Log: w.cfg.Log})
	if err != nil {
		return err
	}
	w.conn = conn
	var tasks sync.WaitGroup
	defer tasks.Wait()
	defer conn.Close()
	for range readers {
		tasks.Go(func() { w.read(ctx) })
	}
	for {
		events, ok := inbox.Take(ctx)
		if !ok {
			return ctx.Err()
		}
		for _, e := range events {
			w.handle(ctx, e)
		}
	}
}

func (w *Watcher) handle(ctx context.Context, e zk.Event) {
	if e.Type != zk.EventSession {
		if strings.HasPrefix(e.Path, w.chroot+"/") {
			w.queue.Push(strings.TrimPrefix(e.Path, w.chroot))
		}
		return
	}
	switch e.State {
	case zk.StateHasSession:
		w.online.Store(true)
		w.syncing.Store(true)
		w.mu.Lock()
		w.connection++
		w.mu.Unlock()
		w.send(ctx, Online{Server: e.Server, Session: w.conn.SessionID()})
		w.queue.Push(layout.Controller, layout.ControllerEpoch, layout.BrokerIDs, layout.Topics, layout.ConfigChanges)
	case zk.StateDisconnected, zk.StateExpired:
		if w.online.CompareAndSwap(true, false) {
			w.send(ctx, Offline{})
		}
	}
}

// read is one of the readers.
func (w *Watcher) read(ctx context.Context) {
	for {
		path, ok := w.queue.Next(ctx)
		if !ok {
			return
		}
		if err := w.readPath(ctx, path); err != nil {
			// Either the connection is lost, and everything is read again over the next one, or reading again does not help.
			w.cfg.Log.Debug("znode not read", "path", path, "err", err)
		}
		w.queue.Done(path)
	}
}

func (w *Watcher) send(ctx context.Context, u Update) {
	select {
	case w.updates <- u:
	case <-ctx.Done():
	}
}

// readPath reads one znode, leaves a watch on it and sends what it says.
func (w *Watcher) readPath(ctx context.Context, path string) error {
	switch path {
	case layout.BrokerIDs:
		return w.readBrokers(ctx)
	case layout.Topics:
		return w.readTopics(ctx)
	case layout.ConfigChanges:
		_, _, err := w.children(path)
		w.send(ctx, Configs{})
		return err
	}
	data, stat, err := w.get(path)
	if err != nil {
		return err
	}
	switch {
	case path == layout.Controller:
		return w.readController(ctx, data, stat)
	case path == layout.ControllerEpoch:
		if epoch, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 32); err == nil {
			w.send(ctx, ControllerEpoch{Epoch: int32(epoch)})
		}
		return nil
	case stat == nil: // gone: its parent's children say so
		return nil
	case strings.HasPrefix(path, layout.BrokerIDs+"/"):
		return w.readBroker(ctx, path, data, stat)
	case strings.HasSuffix(path, "/state"):
		return w.readState(ctx, path, data, stat)
	}
	return w.readTopic(ctx, path, data, stat)
}

// get reads a znode and watches it; a nil stat means that it does not exist, its creation is watched then.
func (w *Watcher) get(path string) ([]byte, *zk.Stat, error) {
	for {
		data, stat, _, err := w.conn.GetW(w.chroot + path)
		if !errors.Is(err, zk.ErrNoNode) {
			return data, stat, err
		}
		exists, _, _, err := w.conn.ExistsW(w.chroot + path)
		if err != nil || !exists {
			return nil, nil, err
		}
	}
}

func (w *Watcher) children(path string) ([]string, *zk.Stat, error) {
	for {
		names, stat, _, err := w.conn.ChildrenW(w.chroot + path)
		if !errors.Is(err, zk.ErrNoNode) {
			return names, stat, err
		}
		exists, _, _, err := w.conn.ExistsW(w.chroot + path)
		if err != nil || !exists {
			return nil, nil, err
		}
	}
}
