package coordinator

import (
	"crypto/tls"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"kdrill/node/config"
	"kdrill/node/coordinator/state"
)

// settings is a zoo.cfg.
type settings struct {
	id                     uint64
	tick                   time.Duration
	dataDir, logDir        string
	clientAddr             string      // "" if there are only TLS clients
	secureAddr             string      // "" if there are none
	tls                    *tls.Config // of secureAddr
	maxConnections         int         // per address, 0 for no limit
	minSession, maxSession time.Duration
	snapCount              uint64
	snapRetain             int
	words                  map[string]bool // four-letter words that are answered
	maxBuffer              int
	members                []member
	rules                  state.Rules
	superDigest            string        // who is super, as user:base64
	reapEvery              time.Duration // how often containers are looked at
	adminAddr              string        // "" for no admin server
	adminURL               string        // where its commands are
	metricsAddr            string        // "" for no Prometheus metrics
	unused                 []config.Entry
}

// member is a server.N line.
type member struct {
	id         uint64
	quorumAddr string
	text       string

	electionAddr, clientAddr string // of no use but to be shown
}

// known are names of Apache ZooKeeper's configuration that mean nothing here (yet).
var known = []string{
	"initLimit", "syncLimit", "electionAlg", "leaderServes", "connectToLearnerMasterLimit", "globalOutstandingLimit",
	"preAllocSize", "commitLogCount", "maxCnxns", "clientPortListenBacklog", "secureClientPortAddress",
	"observerMasterPort", "peerType", "standaloneEnabled", "dynamicConfigFile", "skipACL", "quorumListenOnAllIPs",
	"cnxTimeout", "fsync.warningthresholdms", "forceSync", "localSessionsEnabled", "localSessionsUpgradingEnabled", "sslQuorum",
	"portUnification", "traceFile", "emulate353TTLNodes", "serverCnxnFactory", "authProvider",
	"requireClientAuthScheme", "client.portUnification", "watchManagerName", "tcpKeepAlive", "syncEnabled", "snapSizeLimitInKb",
	"multiAddress.enabled", "DigestAuthenticationProvider.digestAlg", "enforce.auth.enabled", "enforce.auth.schemes",
	"audit.enable", "maxResponseCacheSize", "maxGetChildrenResponseCacheSize", "jvm.pause.monitor", "flushDelay", "maxBatchSize",
}

var knownPrefixes = []string{
	"autopurge.", "admin.", "metricsProvider.", "ssl.", "quorum.", "kerberos.", "group.", "weight.", "authProvider.", "jvm.", "zookeeper.",
	"sslQuorum", "multiAddress.", "request_", "throttled", "connection", "throttle", "readOnlyMode",
}

// load reads a zoo.cfg and the myid file beside the data.
func load(path string) (*settings, error) {
	f, err := config.Load(path)
	if err != nil {
		return nil, err
	}
	s := &settings{}
	s.tick = time.Duration(f.Int("tickTime", 3000, 10, 600_000)) * time.Millisecond
	f.Require("dataDir")
	s.dataDir = f.String("dataDir", "")
	s.logDir = f.String("dataLogDir", s.dataDir)
	s.maxConnections = int(f.Int("maxClientCnxns", 60, 0, 1<<30))
	s.snapCount = uint64(f.Int("snapCount", 10_000, 2, 1<<30))
	s.snapRetain = int(f.Int("autopurge.snapRetainCount", 3, 1, 1000))
	s.maxBuffer = int(f.Int("jute.maxbuffer", 0xfffff, 1024, 1<<28))
	s.minSession = sessionLimit(f, "minSessionTimeout", 2*s.tick)
	s.maxSession = sessionLimit(f, "maxSessionTimeout", 20*s.tick)
	if s.minSession > s.maxSession {
		f.Reject("minSessionTimeout", "%d ms is more than maxSessionTimeout, %d ms", s.minSession.Milliseconds(), s.maxSession.Milliseconds())
	}
	s.words = map[string]bool{}
	for _, word := range f.List("4lw.commands.whitelist", "srvr") {
		s.words[word] = true
	}
	s.reapEvery = time.Duration(f.Int("znode.container.checkIntervalMs", 60_000, 10, 1<<31-1)) * time.Millisecond
	s.superDigest = f.String(prefixed(f, "DigestAuthenticationProvider.superDigest"), "")
	for key, rule := range map[string]state.Rules{
		"extendedTypesEnabled": state.AllowTTL, "enforceQuota": state.EnforceHard, "reconfigEnabled": state.AllowReconfig,
	} {
		if f.Bool(prefixed(f, key), false) {
			s.rules |= rule
		}
	}
	s.readHTTP(f)
	s.members = members(f)
	s.readTLS(f)
	s.readClientPort(f)
	s.unused = f.Unused()
	for _, e := range s.unused {
		if !slices.Contains(known, e.Key) && !slices.ContainsFunc(knownPrefixes, func(p string) bool { return strings.HasPrefix(e.Key, p) }) {
			f.Reject(e.Key, "unknown key")
		}
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	if err := s.readID(); err != nil {
		return nil, err
	}
	for _, m := range s.members {
		if m.id == s.id && s.clientAddr == "" {
			s.clientAddr = m.clientAddr
		}
	}
	return s, nil
}

// readClientPort reads where clients connect, which a node's own server line may say too.
func (s *settings) readClientPort(f *config.File) {
	host, port := f.String("clientPortAddress", "127.0.0.1"), strconv.FormatInt(f.Int("clientPort", 0, 0, 65535), 10)
	if f.Has("clientPort") {
		s.clientAddr = net.JoinHostPort(host, port)
		return
	}
	missing := func(m member) bool { return m.clientAddr == "" }
	if s.secureAddr == "" && (len(s.members) == 0 || slices.ContainsFunc(s.members, missing)) {
		f.Require("clientPort")
	}
	for i, m := range s.members {
		if m.clientAddr != "" && !strings.Contains(m.clientAddr, ":") {
			s.members[i].clientAddr = net.JoinHostPort(host, m.clientAddr)
		}
	}
}

// readHTTP reads what is served over HTTP. The admin server is off unless it is asked for: on one machine with several
// nodes its default port would be taken.
func (s *settings) readHTTP(f *config.File) {
	s.adminURL = f.String("admin.commandURL", "/commands")
	addr, port := f.String("admin.serverAddress", "127.0.0.1"), f.Int("admin.serverPort", 8080, 0, 65535)
	if f.Bool("admin.enableServer", f.Has("admin.serverPort")) {
		s.adminAddr = net.JoinHostPort(addr, strconv.FormatInt(port, 10))
	}
	class := f.String("metricsProvider.className", "")
	addr, port = f.String("metricsProvider.httpHost", "127.0.0.1"), f.Int("metricsProvider.httpPort", 7000, 0, 65535)
	f.Bool("metricsProvider.exportJvmInfo", true)
	switch class {
	case prometheusProvider:
		s.metricsAddr = net.JoinHostPort(addr, strconv.FormatInt(port, 10))
	case "", "org.apache.zookeeper.metrics.impl.DefaultMetricsProvider":
	default:
		f.Reject("metricsProvider.className", "%q: there is only %s", class, prometheusProvider)
	}
}

// prefixed is the name under which the file sets key: settings that are system properties at Apache may be given
// with their whole name.
func prefixed(f *config.File, key string) string {
	if whole := "zookeeper." + key; f.Has(whole) {
		return whole
	}
	return key
}

func sessionLimit(f *config.File, key string, fallback time.Duration) time.Duration {
	ms := f.Int(key, -1, -1, 1<<31-1)
	if ms == -1 { // Apache's way to say: as if it were not set
		return fallback
	}
	return time.Duration(ms) * time.Millisecond
}

// members reads server.N=host:quorumPort:electionPort[:participant][;clientPort].
func members(f *config.File) []member {
	var list []member
	for e := range f.Prefixed("server.") {
		id, err := strconv.ParseUint(strings.TrimPrefix(e.Key, "server."), 10, 8)
		if err != nil || id == 0 || id > 254 {
			f.Reject(e.Key, "the number after server. must be from 1 to 254")
			continue
		}
		addr, clientAddr, _ := strings.Cut(e.Value, ";")
		quorumAddr, electionAddr, role, ok := cutMember(strings.TrimSpace(addr))
		switch {
		case !ok:
			f.Reject(e.Key, "%q is not host:quorumPort:electionPort", e.Value)
		case role != "" && role != "participant":
			f.Reject(e.Key, "role %q: only participants are supported", role)
		default:
			list = append(list, member{id: id, quorumAddr: quorumAddr, electionAddr: electionAddr, clientAddr: strings.TrimSpace(clientAddr), text: e.Key + "=" + strings.TrimSuffix(strings.TrimSpace(addr), ":participant") + ":participant" + clientSuffix(clientAddr)})
		}
	}
	slices.SortFunc(list, func(a, b member) int { return int(a.id) - int(b.id) })
	return list
}

// clientSuffix is how /zookeeper/config shows the client address of a server line.
func clientSuffix(addr string) string {
	addr = strings.TrimSpace(addr)
	switch {
	case addr == "":
		return ""
	case strings.Contains(addr, ":"):
		return ";" + addr
	}
	return ";0.0.0.0:" + addr
}

// cutMember takes apart host:quorumPort:electionPort[:role]; the host may be [IPv6].
func cutMember(s string) (quorumAddr, electionAddr, role string, ok bool) {
	host, rest := "", ""
	if strings.HasPrefix(s, "[") {
		host, rest, ok = strings.Cut(s[1:], "]:")
	} else {
		host, rest, ok = strings.Cut(s, ":")
	}
	parts := strings.Split(rest, ":")
	if !ok || host == "" || len(parts) < 1 || len(parts) > 3 {
		return "", "", "", false
	}
	for _, port := range parts[:min(2, len(parts))] {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return "", "", "", false
		}
	}
	if len(parts) == 3 {
		role = parts[2]
	}
	if len(parts) >= 2 {
		electionAddr = net.JoinHostPort(host, parts[1])
	}
	return net.JoinHostPort(host, parts[0]), electionAddr, role, true
}

// readID finds out which of the members this node is.
func (s *settings) readID() error {
	if len(s.members) == 0 {
		s.id = 1
		return nil
	}
	path := filepath.Join(s.dataDir, "myid")
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return config.Errorf("%s is missing: write the number of this node's server line into it", path)
	}
	if err != nil {
		return config.Errorf("myid: %w", err)
	}
	text := strings.TrimSpace(string(b))
	s.id, err = strconv.ParseUint(text, 10, 8)
	if err != nil || s.id == 0 {
		return config.Errorf("%s holds %.20q: it must be a number from 1 to 255", path, text)
	}
	if !slices.ContainsFunc(s.members, func(m member) bool { return m.id == s.id }) {
		return config.Errorf("%s says %d, but the configuration has no server.%d", path, s.id, s.id)
	}
	return nil
}

// membership is the data of /zookeeper/config, empty for a node on its own.
func (s *settings) membership() []byte {
	if len(s.members) == 0 {
		return []byte{}
	}
	var b strings.Builder
	for _, m := range s.members {
		b.WriteString(m.text + "\n")
	}
	b.WriteString("version=0")
	return []byte(b.String())
}

// electionTicks, of raftTick each, is the silence after which a leader is given up. It does not follow tickTime far:
// people wait for elections.
func (s *settings) electionTicks() int {
	return int(max(300*time.Millisecond, min(s.tick/4, 500*time.Millisecond)) / raftTick)
}

const raftTick = 25 * time.Millisecond
