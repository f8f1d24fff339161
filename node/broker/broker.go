package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-zookeeper/zk"
	"golang.org/x/sync/errgroup"

	"kdrill/node/broker/controller"
	"kdrill/node/broker/group"
	"kdrill/node/broker/metadata"
	"kdrill/node/broker/quota"
	"kdrill/node/broker/replica"
	"kdrill/node/broker/settings"
	"kdrill/node/broker/txn"
	"kdrill/node/layout"
	"kdrill/node/log"
)

// Broker is one running broker. [Run] makes and runs it.
type Broker struct {
	settings  *settings.Settings
	live      atomic.Pointer[settings.Values] // settings with what was changed since; never nil
	loggers   *loggers
	log       *slog.Logger
	listeners *listeners
	listening atomic.Pointer[settings.Listening] // where that is now; nil until the first sockets are bound
	clusterID string

	zk           *session
	registration *registration
	cache        *metadata.Cache
	internals    *internalTopics
	configs      *topicConfigs
	entities     *entities
	quotas       *quota.Quotas
	connections  *connections
	acls         *acls   // nil: everybody may do everything
	tokens       *tokens // nil: there are none
	replicas     *replica.Replicas
	controller   *controller.Controller
	groups       *group.Coordinator
	transactions *txn.Coordinator
	peers        *peers
	markerPeers  *peers
	verifyPeers  *peers
	producerIDs  *producerIDs
	handlers     map[int16]handler
	requests     *requests
	web          net.Listener  // of /metrics and /healthz, nil for none
	reconfigure  sync.Mutex    // held while changed properties are taken in
	failed       chan error    // why the log directory cannot be used any more; has room for one
	dirFailures  chan struct{} // has room for one: the controller is to be told that replicas went offline
}

// assemble makes the parts of a broker and connects them. Nothing runs yet.
func (b *Broker) assemble(dirs *log.Dirs) {
	s := b.settings
	b.cache = metadata.New()
	b.failed, b.dirFailures = make(chan error, 1), make(chan struct{}, 1)
	b.internals = newInternalTopics(b.cache, b.countPartitions, b.loggers.named(authorizerLogger))
	b.peers = newPeers(s.Dialer, fmt.Sprintf("broker-%d", s.BrokerID))
	b.markerPeers = newPeers(s.Dialer, fmt.Sprintf("broker-%d-markers", s.BrokerID))
	b.verifyPeers = newPeers(s.Dialer, fmt.Sprintf("broker-%d-txn", s.BrokerID))
	b.producerIDs = &producerIDs{zk: b.zk, broker: s.BrokerID}
	b.registration = newRegistration(b.zk, s.BrokerID, b.describe, patience(s.ZooKeeper.SessionTimeout), b.log)
	b.configs = newTopicConfigs(b.zk, b.topicConfigChanged, b.brokerConfigChanged, b.log)
	b.quotas = quota.New(windows(s.Values, "quota.window"), windows(s.Values, "controller.quota.window"))
	b.connections = newConnections(s, b.quotas)
	b.entities = newEntities(b.zk, b.limitsChanged, b.log)
	b.configs.others = b.entities.Take
	b.acls = newACLs(b.zk, s, b.log)
	b.replicas = replica.New(replica.Config{
		BrokerID: s.BrokerID, BrokerEpoch: b.registration.epoch.Load, Dirs: dirs, Settings: replicaSettings(s.Values),
		TopicConfig: b.configs.Overrides,
		Endpoint:    b.endpoint,
		Alive:       func(id int32) bool { return b.cache.Current().Alive(id) },
		Rack:        b.rackOf(),
		Hosted: func(topic string, partition int32) bool {
			_, ok := b.cache.Current().Partition(topic, partition)
			return ok
		},
		Dial: func(ctx context.Context, address string) (replica.Fetcher, error) {
			conn, err := s.Dialer.Dial(ctx, address, fmt.Sprintf("broker-%d-fetcher", s.BrokerID))
			if err != nil {
				return nil, err
			}
			conn.Recycle() // a fetcher appends what one answer holds before it asks again
			return conn, nil
		},
		AlterPartition: b.askAlterPartition,
		OnLead:         b.lead,
		OnResign:       b.resign,
		OnMarker:       b.marked,
		Verify:         b.verify,
		OnFailure:      b.logFailed,
		Log:            b.loggers.named(replicaLogger),
	})
	b.controller = controller.New(controller.Config{
		BrokerID: s.BrokerID, ZK: b.zk.Conn, Registered: b.registration.Registered, Dial: b.dialRegistered,
		Settings: controllerSettings(s), Log: b.loggers.named(controllerLogger),
		UncleanLeaderElection: func() bool { return b.values().Bool("unclean.leader.election.enable") },
	})
	b.tokens = newTokens(b.zk, s.Values, b.controller.Active, b.log)
	b.groups, b.transactions = b.newGroups(), b.newTransactions()
	b.handlers, b.requests = b.routes(), newRequests()
}

// describe is the broker's registration.
func (b *Broker) describe(at time.Time) layout.BrokerRegistration {
	r := layout.BrokerRegistration{
		Version: 5, Port: -1, JMXPort: -1, Timestamp: strconv.FormatInt(at.UnixMilli(), 10), Rack: b.settings.Rack,
		SecurityProtocol: map[string]string{}, Features: map[string]any{},
	}
	for _, l := range b.listening.Load().Advertised {
		if r.Host == "" && l.Protocol == "PLAINTEXT" {
			r.Host, r.Port = l.Host, int32(l.Port)
		}
		r.Endpoints = append(r.Endpoints, l.Name+"://"+l.Address())
		r.SecurityProtocol[l.Name] = l.Protocol
	}
	return r
}

// endpoint is where another broker is reached.
func (b *Broker) endpoint(id int32) (address string, ok bool) {
	e, ok := b.cache.Current().Endpoint(id, b.settings.InterBrokerListener)
	return e.Address(), ok
}

func (b *Broker) dialRegistered(ctx context.Context, to layout.BrokerRegistration) (controller.Peer, error) {
	for _, e := range to.Endpoints {
		if address, ok := strings.CutPrefix(e, b.settings.InterBrokerListener+"://"); ok {
			return b.settings.Dialer.Dial(ctx, address, fmt.Sprintf("controller-%d", b.settings.BrokerID))
		}
	}
	return nil, fmt.Errorf("broker has no listener %s, only %v", b.settings.InterBrokerListener, to.Endpoints)
}

// topicConfigChanged passes a topic's new configuration on.
func (b *Broker) topicConfigChanged(topic string) {
	b.replicas.ConfigChanged(topic)
	b.controller.ConfigChanged()
}

// logFailed tells the controller of a log directory that failed; without any left the broker stops. Others have the data.
func (b *Broker) logFailed(dir string, left int, err error) {
	if left > 0 {
		select {
		case b.dirFailures <- struct{}{}:
		default: // it will be told
		}
		return
	}
	select {
	case b.failed <- fmt.Errorf("log directory %s failed at %w; mend the disk or free some space, then start the broker again", dir, err):
	default: // the first failure is enough
	}
}

// tellFailures tells the controller that replicas here went offline, by a notification in ZooKeeper, until ctx ends.
func (b *Broker) tellFailures(ctx context.Context) error {
	const failure = 1
	for {
		select {
		case <-b.dirFailures:
		case <-ctx.Done():
			return nil
		}
		notice := layout.Encode(layout.LogDirEvent{Version: 1, Broker: b.settings.BrokerID, Event: failure})
		if _, err := b.zk.create(ctx, layout.LogDirEventPrefix, notice, zk.FlagSequence); err != nil && ctx.Err() == nil {
			b.log.Error("controller not told of a log directory that failed", "err", err)
		}
	}
}

// serve runs all parts. When ctx ends it hands leadership over first; when a part fails it stops the others.
func (b *Broker) serve(ctx context.Context) error {
	alive, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	parts, alive := errgroup.WithContext(alive)
	serving, refuse := context.WithCancel(alive)
	defer refuse()
	for _, l := range b.listening.Load().Listeners {
		b.open(l)
	}
	answered := make(chan struct{})
	parts.Go(func() error {
		defer close(answered)
		return b.listeners.Run(serving)
	})
	for _, run := range []func(context.Context) error{b.replicas.Run, b.controller.Run, b.tellFailures, b.configs.Run, b.acls.Run, b.tokens.Run, b.registration.Run, b.groups.Run, b.transactions.Run, b.internals.Run} {
		parts.Go(func() error { return run(alive) })
	}
	if b.web != nil {
		parts.Go(func() error { return serveHTTP(alive, b.web, b.http()) })
		b.log.Info("metrics served", "address", b.web.Addr())
	}
	b.log.Info("broker ready", "id", b.settings.BrokerID, "address", b.listening.Load().Advertised[0].Address())

	var failed error
	select {
	case <-ctx.Done():
		b.log.Info("broker stopping", "id", b.settings.BrokerID)
		b.handOver(alive)
	case failed = <-b.failed:
		b.log.Error("broker stopping", "id", b.settings.BrokerID, "err", failed)
		b.handOver(alive)
	case <-alive.Done():
	}
	refuse()
	within(time.Second, func() { <-answered }) // a handler may hang on ZooKeeper
	closed := b.replicas.Shutdown(alive)
	end()
	b.peers.Close()
	b.markerPeers.Close()
	b.verifyPeers.Close()
	b.zk.Close()
	err := parts.Wait()
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	if failed != nil {
		return failed
	}
	return errors.Join(err, closed)
}

// within waits until f returns, but not longer than d.
func within(d time.Duration, f func()) {
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(d):
	}
}
