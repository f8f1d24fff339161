package coordinator

import (
	"crypto/tls"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"kdrill/node/config"
	"kdrill/node/coordinator/members"
	"kdrill/node/coordinator/state"
	"kdrill/node/coordinator/store"
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
	allConnections         int         // of all addresses, 0 for no limit
	minSession, maxSession time.Duration
	snapCount              uint64
	snapRetain             int
	purgeEvery             time.Duration   // between removals of old snapshots; 0: whenever there is a new one
	slowSync               time.Duration   // a sync of the log that takes longer is counted
	words                  map[string]bool // four-letter words that are answered
	maxBuffer              int
	path                   string       // of the zoo.cfg
	members                members.List // empty for a node on its own
	version                int64        // of the members, as the file says
	initLimit, syncLimit   int64        // shown only: Raft has limits of its own, see electionTicks
	logLevel               slog.Level
	readOnly               bool // reads are answered without a quorum too, to clients that accept that
	rules                  state.Rules
	superDigest            string        // who is super, as user:base64
	reapEvery              time.Duration // how often containers are looked at
	adminAddr              string        // "" for no admin server
	adminURL               string        // where its commands are
	metricsAddr            string        // "" for no Prometheus metrics
	unused                 []config.Entry
}

// known are names of Apache ZooKeeper's configuration that mean nothing here (yet).
var known = []string{
	"electionAlg", "leaderServes", "connectToLearnerMasterLimit", "globalOutstandingLimit",
	"preAllocSize", "commitLogCount", "txnLogSizeLimitInKb", "oraclePath", "maxTimeToWaitForEpoch", "clientTcpKeepAlive",
	"largeRequestMaxBytes", "largeRequestThreshold", "maxWriteQueuePollTime", "forward_learner_requests_to_commit_processor_disabled",
	"serializeLastProcessedZxid.enabled", "quorumCnxnTimeoutMs", "electionPortBindRetry", "digest.enabled", "bitHashCacheSize",
	"outstandingHandshake.limit", "maxInProcessingDeadWatchers", "clientPortListenBacklog", "secureClientPortAddress",
	"observerMasterPort", "peerType", "quorumListenOnAllIPs",
	"cnxTimeout", "forceSync", "localSessionsEnabled", "localSessionsUpgradingEnabled", "sslQuorum",
	"portUnification", "traceFile", "emulate353TTLNodes", "serverCnxnFactory", "authProvider",
	"requireClientAuthScheme", "client.portUnification", "watchManagerName", "tcpKeepAlive", "syncEnabled", "snapSizeLimitInKb",
	"multiAddress.enabled", "DigestAuthenticationProvider.digestAlg", "enforce.auth.enabled", "enforce.auth.schemes",
	"maxResponseCacheSize", "jaasLoginRenew", "allowSaslFailedClients", "sessionRequireClientSASLAuth", "requireKerberosConfig", "letAnySaslUserDoX",
	"ensembleAuthName", "enableEagerACLCheck", "closeSessionTxn.enabled", "datadir.autocreate", "db.autocreate", "secureServerCnxnFactory",
	"ephemeralZNodeDeletionOnSessionCloseOrExpire", "forceSnapshotSync", "snapshotSizeFactor", "fips-mode", "client.certReload",
	"leaderConnectDelayDuringRetryMs", "request.timeout", "superUser", "intBufferStartingSizeBytes", "IPAuthenticationProvider.usexforwardedfor", "maxGetChildrenResponseCacheSize", "jvm.pause.monitor", "flushDelay", "maxBatchSize",
}

// protecting begin names that keep somebody out at Apache.
var protecting = []string{
	"requireClientAuthScheme", "enforce.auth.", "sessionRequireClientSASLAuth", "zookeeper.sessionRequireClientSASLAuth", "zookeeper.enforce.auth.", "quorum.auth.", "authProvider.",
}

var knownPrefixes = []string{
	"admin.", "znode.container.", "learner.", "leader.", "observer.", "fastleader.", "commitProcessor.", "requestThrottle", "requestStale",
	"watcherClean", "snapshot.", "netty.", "nio.", "X509AuthenticationProvider.", "DigestAuthenticationProvider.", "metricsProvider.", "ssl.", "quorum.", "kerberos.", "group.", "weight.", "authProvider.", "jvm.", "zookeeper.",
	"audit.", "follower.", "security.", "superUser.", "SASLAuthenticationProvider.", "sasl.", "messageTracker.", "pathStats.",
	"sslQuorum", "multiAddress.", "request_", "throttled", "connection", "throttle",
}

// load reads a zoo.cfg and the myid file beside the data.
func load(path string) (*settings, error) {
	f, err := config.Load(path)
	if err != nil {
		return nil, err
	}
	s := &settings{path: path}
	s.tick = time.Duration(f.Int("tickTime", 3000, 10, 600_000)) * time.Millisecond
	f.Require("dataDir")
	s.dataDir = f.String("dataDir", "")
	s.logDir = f.String("dataLogDir", s.dataDir)
	s.maxConnections = int(f.Int("maxClientCnxns", 60, 0, 1<<30))
	s.snapCount = uint64(f.Int("snapCount", 10_000, 2, 1<<30))
	s.snapRetain = int(f.Int("autopurge.snapRetainCount", 3, 1, 1000))
	if s.purgeEvery = time.Duration(f.Int("autopurge.purgeInterval", 0, 0, 1_000_000)) * time.Hour; f.Has("autopurge.purgeInterval") && s.purgeEvery == 0 {
		s.purgeEvery = store.Never // so Apache takes an explicit 0; without the line old snapshots go with each new one
	}
	s.allConnections = int(f.Int(prefixed(f, "maxCnxns"), 0, 0, 1<<30))
	s.slowSync = time.Duration(f.Int(prefixed(f, "fsync.warningthresholdms"), 1000, -1, 1<<31-1)) * time.Millisecond
	s.initLimit = f.Int("initLimit", 10, 0, 1<<31-1)
	s.syncLimit = f.Int("syncLimit", 5, 0, 1<<31-1)
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
	if f.OneOf(prefixed(f, "skipACL"), "no", "yes", "true", "false") == "yes" { // Apache's own word
		s.rules |= state.SkipACL
	}
	s.readLogLevel(f)
	s.readOnly = f.Bool(prefixed(f, "readonlymode.enabled"), false)
	s.readHTTP(f)
	s.readMembers(f)
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
	if m, ok := s.members.Find(s.id); ok && s.clientAddr == "" {
		s.clientAddr = m.ClientAddr()
		if !m.ClientHostSaid {
			s.clientAddr = net.JoinHostPort(f.String("clientPortAddress", "127.0.0.1"), m.ClientPort)
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
	missing := func(m members.Member) bool { return m.ClientPort == "" }
	if s.secureAddr == "" && (len(s.members) == 0 || slices.ContainsFunc(s.members, missing)) {
		f.Require("clientPort")
	}
}

// logLevels are log4j's.
var logLevels = map[string]slog.Level{
	"ALL": slog.LevelDebug, "TRACE": slog.LevelDebug, "DEBUG": slog.LevelDebug, "INFO": slog.LevelInfo, "WARN": slog.LevelWarn,
	"ERROR": slog.LevelError, "FATAL": slog.LevelError, "OFF": slog.LevelError + 1,
}

// readLogLevel reads the level of the log in log4j's form: a level, and appenders that mean nothing here.
func (s *settings) readLogLevel(f *config.File) {
	const key = "zookeeper.root.logger"
	word, _, _ := strings.Cut(f.String(key, "INFO"), ",")
	level, ok := logLevels[strings.ToUpper(strings.TrimSpace(word))]
	if !ok {
		f.Reject(key, "%q is none of TRACE, DEBUG, INFO, WARN, ERROR, OFF", word)
	}
	s.logLevel = level
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
	if _, ok := s.members.Find(s.id); !ok {
		return config.Errorf("%s says %d, but the configuration has no server.%d", path, s.id, s.id)
	}
	return nil
}

// membership is the data of /zookeeper/config, empty for a node on its own.
func (s *settings) membership() []byte {
	if len(s.members) == 0 {
		return []byte{}
	}
	return []byte(s.members.Text(s.version))
}

// electionTicks, of raftTick each, is the silence after which a leader is given up. It does not follow tickTime far:
// people wait for elections.
func (s *settings) electionTicks() int {
	return int(max(300*time.Millisecond, min(s.tick/4, 500*time.Millisecond)) / raftTick)
}

const raftTick = 25 * time.Millisecond
