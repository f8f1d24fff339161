package coordinator

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sync/errgroup"

	"kdrill/node/coordinator/members"
	"kdrill/node/coordinator/quorum"
	"kdrill/node/coordinator/store"
	"kdrill/node/memory"
)

// folder is where a node keeps its files, below dataDir and dataLogDir.
const folder = "raft"

// Run serves one node as the zoo.cfg at configPath says, until ctx is done. Its log goes to out. The error is one
// sentence that says what to do.
func Run(ctx context.Context, configPath string, out io.Writer) error {
	s, err := load(configPath)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: s.logLevel}))
	for _, e := range s.unused {
		if slices.ContainsFunc(protecting, func(p string) bool { return strings.HasPrefix(e.Key, p) }) {
			log.Warn("setting known to ZooKeeper, not used: nobody has to authenticate here, beware who can connect", "key", e.Key, "line", e.Line)
			continue
		}
		log.Info("setting known to ZooKeeper, not used", "key", e.Key, "line", e.Line)
	}
	memory.Tune(50)
	n, err := newNode(s, log)
	if err != nil {
		return fmt.Errorf("coordinator %d: %w", s.id, err)
	}
	if err := n.run(ctx); err != nil {
		return fmt.Errorf("coordinator %d: %w", s.id, err)
	}
	log.Info("coordinator stopped", "id", s.id)
	return nil
}

// node is what one process runs.
type node struct {
	server  *Server
	quorum  *quorum.Node
	clients []net.Listener

	admin, metrics net.Listener // nil if they are not served
}

func newNode(s *settings, log *slog.Logger) (n *node, err error) {
	var clients []net.Listener
	defer func() {
		if err != nil {
			for _, l := range clients {
				l.Close()
			}
		}
	}()
	for _, at := range []struct{ key, addr string }{{"clientPort", s.clientAddr}, {"secureClientPort", s.secureAddr}} {
		l, err := listenAt(at.key, at.addr)
		switch {
		case err != nil:
			return nil, err
		case l == nil:
			continue
		case at.key == "secureClientPort":
			l = tls.NewListener(l, s.tls)
		}
		clients = append(clients, l)
	}
	admin, err := listenAt("admin.serverPort", s.adminAddr)
	if err != nil {
		return nil, err
	}
	metrics, err := listenAt("metricsProvider.httpPort", s.metricsAddr)
	if err != nil {
		return nil, err
	}
	quorumListener, err := s.quorumListener()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil && quorumListener != nil {
			quorumListener.Close()
		}
	}()
	st, found, err := store.Open(store.Config{
		LogDir: filepath.Join(s.logDir, folder), SnapshotDir: filepath.Join(s.dataDir, folder),
		SegmentBytes: 4 << 20, Trailing: min(1000, s.snapCount), Snapshots: s.snapRetain, PurgeEvery: s.purgeEvery, SlowSync: s.slowSync, Log: log,
	}, s.quorumMembers(s.members).Genesis())
	if err != nil {
		return nil, err
	}
	for _, path := range found.SkippedSnapshots {
		log.Warn("snapshot is not whole, an older one is used", "file", path)
	}
	if found.TruncatedBytes > 0 {
		log.Warn("cut off the end of the log: a write that was not finished", "file", found.TruncatedFile, "bytes", found.TruncatedBytes)
	}
	server := newServer(s, log, clients[0].Addr().String())
	q, err := quorum.New(quorum.Config{
		ID: s.id, Addr: s.quorumAddr(), Members: s.quorumMembers(s.members), Listener: quorumListener, Store: st, Applier: server, Log: log,
		Tick: raftTick, ElectionTicks: s.electionTicks(), SnapshotCount: s.snapCount, SnapshotBytes: 4 << 20,
	})
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	server.quorum, server.slowSyncs = q, st.SlowSyncs
	server.meet()
	log.Info("coordinator started", "id", s.id, "members", max(1, len(server.machine.Members())), "snapshot", found.SnapshotIndex, "entries", found.Entries, "data", s.dataDir)
	return &node{server: server, quorum: q, clients: clients, admin: admin, metrics: metrics}, nil
}

// quorumAddr is where the other members reach this node, "" if it is on its own.
func (s *settings) quorumAddr() string {
	if m, ok := s.members.Find(s.id); ok {
		return m.QuorumAddr()
	}
	return ""
}

func (s *settings) quorumListener() (net.Listener, error) {
	if len(s.members) == 0 {
		return nil, nil
	}
	l, err := net.Listen("tcp", s.quorumAddr())
	if err != nil {
		return nil, listenError(fmt.Sprintf("server.%d", s.id), err)
	}
	return l, nil
}

// quorumMembers are members as the quorum knows them: a node on its own is the only voter.
func (s *settings) quorumMembers(list members.List) quorum.Members {
	q := quorum.Members{Voters: map[uint64]string{}, Observers: map[uint64]string{}}
	for _, m := range list {
		if m.Observer {
			q.Observers[m.ID] = m.QuorumAddr()
		} else {
			q.Voters[m.ID] = m.QuorumAddr()
		}
	}
	if len(list) == 0 {
		q.Voters[s.id] = ""
	}
	return q
}

// listenAt listens on addr, or returns nil if that is empty.
func listenAt(key, addr string) (net.Listener, error) {
	if addr == "" {
		return nil, nil
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, listenError(key, err)
	}
	return l, nil
}

func listenError(key string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s: %w: stop what uses the port or choose another one", key, err)
	}
	return fmt.Errorf("%s: %w", key, err)
}

func (n *node) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return n.quorum.Run(ctx) })
	g.Go(func() error { return n.server.run(ctx, n.clients) })
	if n.admin != nil {
		g.Go(func() error { return serveHTTP(ctx, n.admin, n.server.admin()) })
	}
	if n.metrics != nil {
		g.Go(func() error { return serveHTTP(ctx, n.metrics, n.server.prometheus()) })
	}
	return diskError(g.Wait())
}

func diskError(err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w: stopped, nothing was acknowledged that is not on disk; free some space and start the node again", err)
	case errors.Is(err, syscall.EIO), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: stopped, nothing was acknowledged that is not on disk; mend the disk and start the node again", err)
	}
	return err
}
