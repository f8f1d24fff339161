package coordinator

import (
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"kdrill/node/coordinator/tree"
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
		"isro": func(s *Server, b *strings.Builder) {
			if s.readsOnly() {
				b.WriteString("ro")
				return
			}
			b.WriteString("rw")
		},
		"srst": func(s *Server, b *strings.Builder) {
			s.stats.reset()
			b.WriteString("Server stats reset.\n")
		},
		"crst": func(s *Server, b *strings.Builder) {
			s.resetConnections()
			b.WriteString("Connection stats reset.\n")
		},
		"dirs": func(s *Server, b *strings.Builder) {
			data, logs := s.diskUse()
			fmt.Fprintf(b, "datadir_size: %d\nlogdir_size: %d\n", data, logs)
		},
		"wchc": wchc, "wchp": wchp,
		"gtmk": func(s *Server, b *strings.Builder) { fmt.Fprint(b, s.traceMask.Load()) },
		"stmk": func(s *Server, b *strings.Builder) { fmt.Fprint(b, s.traceMask.Load()) },
		"hash": func(*Server, *strings.Builder) {}, // no digests are kept, as at Apache's with digest.enabled=false
		"wchs": func(s *Server, b *strings.Builder) {
			conns, paths, total := s.watches.count()
			fmt.Fprintf(b, "%d connections watching %d paths\nTotal watches:%d\n", conns, paths, total)
		},
	}
}

// withoutQuorum are the words that make sense when the node does not serve.
var withoutQuorum = []string{"ruok", "conf", "envi", "isro"}

// fourLetters answers a word; the connection ends then. stmk is followed by the mask, eight bytes.
func (c *conn) fourLetters(word string, rest io.Reader) {
	s := c.server
	if mask := make([]byte, 8); word == "stmk" && s.answers(word) {
		if _, err := io.ReadFull(rest, mask); err != nil {
			return
		}
		s.traceMask.Store(int64(binary.BigEndian.Uint64(mask)))
	}
	var b strings.Builder
	up := s.isUp()
	s.mu.RLock()
	defer s.mu.RUnlock()
	up = up || s.readsOnly()
	switch {
	case !s.answers(word):
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

// answers says whether the whitelist has a word.
func (s *Server) answers(word string) bool { return s.cfg.words[word] || s.cfg.words["*"] }

// raw queues bytes that are not a frame.
func (c *conn) raw(text string) {
	c.out.Put(func(b []byte) []byte { return append(b, text...) })
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
	data, logs := s.diskUse()
	secure := "-1"
	if s.cfg.secureAddr != "" {
		_, secure, _ = net.SplitHostPort(s.cfg.secureAddr)
	}
	fmt.Fprintf(b, "clientPort=%s\nsecureClientPort=%s\ndataDir=%s\ndataDirSize=%d\ndataLogDir=%s\ndataLogSize=%d\n", port, secure,
		s.cfg.dataDir, data, s.cfg.logDir, logs)
	fmt.Fprintf(b, "tickTime=%d\nmaxClientCnxns=%d\nminSessionTimeout=%d\nmaxSessionTimeout=%d\n", s.cfg.tick.Milliseconds(),
		s.cfg.maxConnections, s.cfg.minSession.Milliseconds(), s.cfg.maxSession.Milliseconds())
	fmt.Fprintf(b, "clientPortListenBacklog=-1\nserverId=%d\n", s.cfg.id)
	if len(s.cfg.members) > 0 {
		kind := 0
		if s.observes() {
			kind = 1
		}
		me, _ := s.machine.Members().Find(s.cfg.id)
		fmt.Fprintf(b, "initLimit=%d\nsyncLimit=%d\n", s.cfg.initLimit, s.cfg.syncLimit)
		fmt.Fprintf(b, "electionAlg=3\nelectionPort=%s\nquorumPort=%s\npeerType=%d\nmembership: \n%s\n", me.ElectionPort, me.QuorumPort, kind, s.membership())
	}
}

// membership is the data of /zookeeper/config.
func (s *Server) membership() string {
	data, _, _ := s.machine.Tree.Data(tree.ConfigPath)
	return string(data)
}

func envi(_ *Server, b *strings.Builder) {
	host, _ := os.Hostname()
	dir, _ := os.Getwd()
	fmt.Fprintf(b, "Environment:\nzookeeper.version=%s\nhost.name=%s\n", versionLine, host)
	fmt.Fprintf(b, "os.name=%s\nos.arch=%s\nuser.dir=%s\n", runtime.GOOS, runtime.GOARCH, dir)
}

func mntr(s *Server, b *strings.Builder) {
	for _, m := range s.metrics() {
		fmt.Fprintf(b, "zk_%s\t%v\n", m.name, m.text())
	}
}

func wchc(s *Server, b *strings.Builder) {
	paths := s.watches.paths()
	for _, id := range slices.Sorted(maps.Keys(paths)) {
		fmt.Fprintf(b, "%s\n", hexID(id))
		for _, path := range paths[id] {
			fmt.Fprintf(b, "\t%s\n", path)
		}
	}
	b.WriteByte('\n')
}

func wchp(s *Server, b *strings.Builder) {
	sessions := s.watches.sessions()
	for _, path := range slices.Sorted(maps.Keys(sessions)) {
		fmt.Fprintf(b, "%s\n", path)
		for _, id := range sessions[path] {
			fmt.Fprintf(b, "\t%s\n", hexID(id))
		}
	}
	b.WriteByte('\n')
}

// resetConnections sets the counters of all connections to 0.
func (s *Server) resetConnections() {
	for _, c := range s.connections() {
		c.received.Store(0)
		c.sent.Store(0)
	}
}

// diskUse is the number of bytes in the folders for snapshots and for the log.
func (s *Server) diskUse() (data, logs int64) {
	return folderSize(filepath.Join(s.cfg.dataDir, folder)), folderSize(filepath.Join(s.cfg.logDir, folder))
}

func folderSize(dir string) (size int64) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			size += info.Size()
		}
	}
	return size
}
