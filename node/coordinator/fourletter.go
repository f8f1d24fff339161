package coordinator

import (
	"fmt"
	"maps"
	"net"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// fourLetterWord writes the answer to one of ZooKeeper's four-letter words. The caller holds the state's read lock.
type fourLetterWord func(s *Server, b *strings.Builder)

// versionLine is what clients take for the server's version. The form of the date is that of ZooKeeper up to 3.5, which
// every client can read.
const versionLine = "3.9.0-kdrill, built on 01/01/2026 00:00 GMT"

func fourLetterWords() map[string]fourLetterWord {
	return map[string]fourLetterWord{
		"ruok": func(_ *Server, b *strings.Builder) { b.WriteString("imok") },
		"srvr": srvr, "stat": stat, "mntr": mntr, "conf": conf, "cons": cons, "dump": dump, "envi": envi,
		"isro": func(_ *Server, b *strings.Builder) { b.WriteString("rw") },
		"srst": func(s *Server, b *strings.Builder) {
			s.stats.reset()
			b.WriteString("Server stats reset.\n")
		},
		"wchs": func(s *Server, b *strings.Builder) {
			conns, paths, total := s.watches.count()
			fmt.Fprintf(b, "%d connections watching %d paths\nTotal watches:%d\n", conns, paths, total)
		},
	}
}

// withoutQuorum are the words that make sense when the node does not serve.
var withoutQuorum = []string{"ruok", "conf", "envi", "isro"}

// fourLetters answers a word; the connection ends then.
func (c *conn) fourLetters(word string) {
	s := c.server
	var b strings.Builder
	up := s.isUp()
	s.mu.RLock()
	defer s.mu.RUnlock()
	switch {
	case !s.cfg.words[word] && !s.cfg.words["*"]:
		fmt.Fprintf(&b, "%s is not executed because it is not in the whitelist.\n", word)
	case word == "isro" && !up:
		b.WriteString("null")
	case !up && !slices.Contains(withoutQuorum, word):
		b.WriteString("This ZooKeeper instance is not currently serving requests\n")
	default:
		s.words[word](s, &b)
	}
	c.raw(b.String())
}

// raw queues bytes that are not a frame.
func (c *conn) raw(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out = append(c.out, text...)
	c.changed.Broadcast()
}

func srvr(s *Server, b *strings.Builder) {
	fmt.Fprintf(b, "Zookeeper version: %s\n", versionLine)
	serverState(s, b)
}

func stat(s *Server, b *strings.Builder) {
	fmt.Fprintf(b, "Zookeeper version: %s\nClients:\n", versionLine)
	connections(s, b)
	b.WriteByte('\n')
	serverState(s, b)
}

func serverState(s *Server, b *strings.Builder) {
	least, mean, most := s.stats.latencies()
	fmt.Fprintf(b, "Latency min/avg/max: %d/%s/%d\n", least, decimal(mean), most)
	fmt.Fprintf(b, "Received: %d\nSent: %d\n", s.stats.received.Load(), s.stats.sent.Load())
	fmt.Fprintf(b, "Connections: %d\nOutstanding: %d\n", len(s.connections()), s.stats.outstanding.Load())
	fmt.Fprintf(b, "Zxid: %s\nMode: %s\nNode count: %d\n", hexID(s.machine.Zxid()), s.mode(), s.nodeCount())
	if s.mode() == "leader" {
		b.WriteString("Proposal sizes last/min/max: -1/-1/-1\n")
	}
}

// nodeCount counts as ZooKeeper does, which has its root under two names.
func (s *Server) nodeCount() int { return s.machine.Tree.Len() + 1 }

// decimal prints a number with at most four digits behind the point, but at least one.
func decimal(v float64) string {
	text := strings.TrimRight(strconv.FormatFloat(v, 'f', 4, 64), "0")
	if strings.HasSuffix(text, ".") {
		return text + "0"
	}
	return text
}

func (s *Server) connections() []*conn {
	s.connMu.Lock()
	defer s.connMu.Unlock()
	return slices.SortedFunc(maps.Keys(s.conns), func(a, b *conn) int { return a.since.Compare(b.since) })
}

func connections(s *Server, b *strings.Builder) {
	for _, c := range s.connections() {
		connected := 0
		if c.session.Load() != 0 {
			connected = 1
		}
		fmt.Fprintf(b, " /%s[%d](queued=0,recved=%d,sent=%d)\n", c.nc.RemoteAddr(), connected, c.received.Load(), c.sent.Load())
	}
}

func cons(s *Server, b *strings.Builder) {
	for _, c := range s.connections() {
		id := c.session.Load()
		if o := s.machine.Session(id); o != nil {
			fmt.Fprintf(b, " /%s[1](queued=0,recved=%d,sent=%d,sid=%s,lop=NA,est=%d,to=%d)\n", c.nc.RemoteAddr(),
				c.received.Load(), c.sent.Load(), hexID(id), c.since.UnixMilli(), o.TimeoutMs)
			continue
		}
		fmt.Fprintf(b, " /%s[0](queued=0,recved=%d,sent=%d)\n", c.nc.RemoteAddr(), c.received.Load(), c.sent.Load())
	}
	b.WriteByte('\n')
}

func dump(s *Server, b *strings.Builder) {
	sessions := s.machine.Sessions()
	fmt.Fprintf(b, "SessionTracker dump:\nGlobal Sessions(%d):\n", len(sessions))
	for _, o := range sessions {
		fmt.Fprintf(b, "%s\t%dms\n", hexID(o.ID), o.TimeoutMs)
	}
	owners := s.machine.Tree.EphemeralOwners()
	fmt.Fprintf(b, "ephemeral nodes dump:\nSessions with Ephemerals (%d):\n", len(owners))
	for _, id := range owners {
		fmt.Fprintf(b, "%s:\n", hexID(id))
		for _, path := range s.machine.Tree.Ephemerals(id) {
			fmt.Fprintf(b, "\t%s\n", path)
		}
	}
}

func conf(s *Server, b *strings.Builder) {
	_, port, _ := net.SplitHostPort(s.addr)
	fmt.Fprintf(b, "clientPort=%s\nsecureClientPort=-1\ndataDir=%s\ndataLogDir=%s\n", port, s.cfg.dataDir, s.cfg.logDir)
	fmt.Fprintf(b, "tickTime=%d\nmaxClientCnxns=%d\nminSessionTimeout=%d\nmaxSessionTimeout=%d\n", s.cfg.tick.Milliseconds(),
		s.cfg.maxConnections, s.cfg.minSession.Milliseconds(), s.cfg.maxSession.Milliseconds())
	fmt.Fprintf(b, "clientPortListenBacklog=-1\nserverId=%d\n", s.cfg.id)
	if len(s.cfg.members) > 0 {
		b.WriteString("electionAlg=3\npeerType=0\nmembership: \n")
		b.Write(s.cfg.membership())
		b.WriteByte('\n')
	}
}

func envi(_ *Server, b *strings.Builder) {
	host, _ := os.Hostname()
	dir, _ := os.Getwd()
	fmt.Fprintf(b, "Environment:\nzookeeper.version=%s\nhost.name=%s\n", versionLine, host)
	fmt.Fprintf(b, "os.name=%s\nos.arch=%s\nuser.dir=%s\n", runtime.GOOS, runtime.GOARCH, dir)
}

func mntr(s *Server, b *strings.Builder) {
	put := func(key string, value any) { fmt.Fprintf(b, "zk_%s\t%v\n", key, value) }
	least, mean, most := s.stats.latencies()
	_, _, watched := s.watches.count()
	put("version", versionLine)
	put("server_state", s.mode())
	put("avg_latency", decimal(mean))
	put("max_latency", most)
	put("min_latency", least)
	put("packets_received", s.stats.received.Load())
	put("packets_sent", s.stats.sent.Load())
	put("num_alive_connections", len(s.connections()))
	put("outstanding_requests", s.stats.outstanding.Load())
	put("znode_count", s.nodeCount())
	put("watch_count", watched)
	put("ephemerals_count", s.machine.Tree.EphemeralCount())
	put("approximate_data_size", s.machine.Tree.Size())
	put("global_sessions", len(s.machine.Sessions()))
	put("local_sessions", 0)
	if files, err := os.ReadDir("/proc/self/fd"); err == nil {
		put("open_file_descriptor_count", len(files))
	}
	put("uptime", time.Since(s.started).Milliseconds())
	if status := s.quorum.Status(); s.mode() == "leader" {
		put("learners", status.Voters-1)
		put("synced_followers", status.Synced)
		put("synced_observers", 0)
		put("quorum_size", status.Voters)
		put("pending_syncs", 0)
	}
}
