package settings

import (
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"kdrill/node/config"
	"kdrill/node/wire"
)

// Settings are what a broker follows of its server.properties.
type Settings struct {
	Values // everything by Apache's names

	BrokerID            int32
	Rack                string
	Listening           // from the beginning
	InterBrokerListener string
	Dialer              wire.Dialer // connects to the listener between brokers
	LogDirs             []string
	HTTP                string // host:port of /metrics and /healthz, empty for none
	ZooKeeper           ZooKeeper

	storeless error // what is wrong with the stores that the file names; /config/brokers may name others
}

// ZooKeeper says where the ensemble is.
type ZooKeeper struct {
	Servers           []string // host:port
	Chroot            string   // such as /kafka, or empty
	SessionTimeout    time.Duration
	ConnectionTimeout time.Duration
}

// Load reads server.properties. The error holds everything that is wrong with it, one line each. If that is only key and
// trust stores, [Settings.Begin] says so, since ZooKeeper may name others.
func Load(path string) (*Settings, error) {
	file, err := config.Load(path)
	if err != nil {
		return nil, err
	}
	return read(file)
}

func read(file *config.File) (*Settings, error) {
	s := &Settings{Values: checked(file)}
	s.BrokerID = int32(s.Int("broker.id"))
	switch {
	case !file.Has("broker.id"):
		file.Require("broker.id")
	case s.Has("broker.id") && s.BrokerID < 0:
		file.Reject("broker.id", "%d: must be 0 or more", s.BrokerID)
	}
	s.Rack = s.Text("broker.rack")
	s.readListeners(file)
	s.readSecurity(file)
	s.readLogDir(file)
	s.readZooKeeper(file)
	s.readHTTP(file)
	s.agree(file)
	if class := s.Text("replica.selector.class"); class != "" && class != rackSelector {
		file.Reject("replica.selector.class", "%q: there is only %s", class, rackSelector)
	}
	wrong := file.Err() != nil
	s.readStores(s.Values, file.Reject)
	if s.storeless = file.Err(); wrong {
		return nil, s.storeless
	}
	return s, nil
}

// rackSelector is the class that Kafka ships to have consumers read from a replica in their rack.
const rackSelector = "org.apache.kafka.common.replica.RackAwareReplicaSelector"

func (s *Settings) readListeners(file *config.File) {
	s.Listening = readListening(s.Values, file.Reject)
	s.InterBrokerListener = strings.ToUpper(s.Text("inter.broker.listener.name"))
	if s.InterBrokerListener != "" && s.Has("security.inter.broker.protocol") {
		file.Reject("security.inter.broker.protocol", "excludes inter.broker.listener.name: set only one of them")
	}
	if s.InterBrokerListener == "" {
		s.InterBrokerListener = s.Text("security.inter.broker.protocol")
		if s.InterBrokerListener == "PLAINTEXT" && len(s.Advertised) > 0 && !s.advertises("PLAINTEXT") {
			s.InterBrokerListener = s.Advertised[0].Name
		}
	}
	if len(s.Advertised) > 0 && !s.advertises(s.InterBrokerListener) {
		file.Reject("inter.broker.listener.name", "no advertised listener is named %s", s.InterBrokerListener)
	}
}

func (s *Settings) readHTTP(file *config.File) {
	if s.HTTP = s.Text(HTTPListener); s.HTTP == "" {
		return
	}
	if _, port, err := net.SplitHostPort(s.HTTP); err != nil {
		file.Reject(HTTPListener, "%q is not host:port, such as 127.0.0.1:9404", s.HTTP)
	} else if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		file.Reject(HTTPListener, "%q is not a port", port)
	}
}

func (s *Settings) readLogDir(file *config.File) {
	key := "log.dirs"
	if !s.Has(key) {
		key = "log.dir"
	}
	dirs := List(s.Text(key))
	if len(dirs) == 0 {
		file.Reject(key, "names no directory")
		return
	}
	for i, dir := range dirs {
		if slices.Contains(dirs[:i], dir) {
			file.Reject(key, "%s is there twice", dir)
		}
	}
	s.LogDirs = dirs
}

func (s *Settings) readZooKeeper(file *config.File) {
	const key = "zookeeper.connect"
	servers, chroot, _ := strings.Cut(s.Text(key), "/")
	s.ZooKeeper = ZooKeeper{
		Servers:        List(servers),
		SessionTimeout: s.Millis("zookeeper.session.timeout.ms"),
	}
	s.ZooKeeper.ConnectionTimeout = s.ZooKeeper.SessionTimeout
	if s.Has("zookeeper.connection.timeout.ms") {
		s.ZooKeeper.ConnectionTimeout = s.Millis("zookeeper.connection.timeout.ms")
	}
	if chroot = strings.Trim(chroot, "/"); chroot != "" {
		s.ZooKeeper.Chroot = "/" + chroot
	}
	if s.ZooKeeper.SessionTimeout <= 0 {
		file.Reject("zookeeper.session.timeout.ms", "must be more than 0")
	}
	if !file.Has(key) {
		file.Require(key)
		return
	}
	for i, server := range s.ZooKeeper.Servers {
		if !strings.Contains(server, ":") {
			server += ":2181"
			s.ZooKeeper.Servers[i] = server
		}
		host, port, err := net.SplitHostPort(server)
		if _, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil || host == "" {
			file.Reject(key, "%q is not host:port", server)
		}
	}
	if len(s.ZooKeeper.Servers) == 0 {
		file.Reject(key, "names no server")
	}
}
