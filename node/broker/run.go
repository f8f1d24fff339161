package broker

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/go-zookeeper/zk"

	"kdrill/node/broker/settings"
	"kdrill/node/layout"
	"kdrill/node/log"
	"kdrill/node/memory"
)

// Run serves one broker as the server.properties at configPath says, until ctx ends. Its log goes to out. The error
// is one sentence that says what to do, or one line for each wrong property.
func Run(ctx context.Context, configPath string, out io.Writer) error {
	s, err := settings.Load(configPath)
	if err != nil {
		return err
	}
	loggers := newLoggers(out)
	logger := loggers.named(serverLogger)
	if unused := s.Unused(); len(unused) > 0 {
		logger.Info("properties known to Kafka, not used here", "keys", strings.Join(unused, ","))
	}
	memory.Tune(50)
	b := &Broker{settings: s, loggers: loggers, log: logger}
	b.live.Store(&s.Values)
	if err := b.run(ctx); err != nil {
		if ctx.Err() != nil && errors.Is(err, context.Canceled) {
			logger.Info("broker stopped before it served", "id", s.BrokerID)
			return nil
		}
		return fmt.Errorf("broker %d: %w", s.BrokerID, err)
	}
	logger.Info("broker stopped", "id", s.BrokerID)
	return nil
}

func (b *Broker) run(ctx context.Context) (err error) {
	if err := b.listen(); err != nil {
		return err
	}
	defer b.closeListeners()
	if b.zk, err = connectZooKeeper(ctx, b.settings.ZooKeeper, b.log); err != nil {
		return err
	}
	defer b.zk.Close()
	if err := b.prepareCluster(ctx); err != nil {
		return err
	}
	dirs, err := log.OpenDirs(b.settings.LogDirs, log.Identity{ClusterID: b.clusterID, BrokerID: b.settings.BrokerID}, b.loggers.named(logLogger))
	if err != nil {
		return err
	}
	b.assemble(dirs)
	if err := b.load(ctx, dirs); err != nil {
		return errors.Join(err, b.replicas.Shutdown(ctx))
	}
	return b.serve(ctx)
}

// load opens the logs and registers the broker.
func (b *Broker) load(ctx context.Context, dirs *log.Dirs) error {
	topics := map[string]bool{}
	for _, tp := range dirs.Existing() {
		topics[tp.Topic] = true
	}
	if err := errors.Join(b.configs.Begin(ctx), b.configs.Load(ctx, topics)); err != nil {
		return fmt.Errorf("read topic configurations: %w", err)
	}
	if err := b.entities.Load(ctx); err != nil {
		return fmt.Errorf("read users, clients and ips: %w", err)
	}
	b.limitsChanged()
	if err := errors.Join(b.resealPasswords(ctx), b.loadConfigs(ctx)); err != nil {
		return fmt.Errorf("read the broker's configuration: %w", err)
	}
	if err := b.settings.Begin(b.values()); err != nil {
		return err
	}
	if b.acls != nil {
		if err := b.acls.Load(ctx); err != nil {
			return fmt.Errorf("read access control lists: %w", err)
		}
	}
	if b.tokens != nil {
		if err := b.tokens.Load(ctx); err != nil {
			return fmt.Errorf("read delegation tokens: %w", err)
		}
	}
	b.replicas.Load()
	return b.registration.register(ctx)
}

func (b *Broker) listen() error {
	for i, l := range b.settings.Listeners {
		bound, err := bind("listeners", l.Address())
		if err != nil {
			return err
		}
		b.listeners = append(b.listeners, bound)
		if l.Port == 0 { // the system chose: tell others
			b.settings.Bound(i, bound.Addr().(*net.TCPAddr).Port)
		}
	}
	if b.settings.HTTP != "" {
		var err error
		b.web, err = bind(settings.HTTPListener, b.settings.HTTP)
		return err
	}
	return nil
}

// bind opens the address that a property gives.
func bind(property, address string) (net.Listener, error) {
	bound, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s: %s is in use by another process: stop that one or choose another port", property, address)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", property, err)
	}
	return bound, nil
}

func (b *Broker) closeListeners() {
	if b.web != nil {
		b.web.Close()
	}
	for _, l := range b.listeners {
		l.Close()
	}
}

// prepareCluster makes sure of the znodes that every cluster has and learns the cluster's id.
func (b *Broker) prepareCluster(ctx context.Context) error {
	for _, path := range layout.Persistent() {
		if err := b.zk.ensure(ctx, path); err != nil {
			return err
		}
	}
	fresh := layout.Encode(layout.ClusterIdentity{Version: "1", ID: encodeID(randomID())})
	data, _, err := b.zk.get(ctx, layout.ClusterID)
	if errors.Is(err, zk.ErrNoNode) {
		if err := b.zk.ensure(ctx, "/cluster"); err != nil {
			return err
		}
		if _, err := b.zk.create(ctx, layout.ClusterID, fresh, 0); err != nil && !errors.Is(err, zk.ErrNodeExists) {
			return fmt.Errorf("create %s: %w", layout.ClusterID, err)
		}
		data, _, err = b.zk.get(ctx, layout.ClusterID)
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", layout.ClusterID, err)
	}
	identity, err := layout.Decode[layout.ClusterIdentity](layout.ClusterID, data)
	b.clusterID = identity.ID
	return err
}

// randomID makes an id of a cluster or topic: a random UUID whose text does not start with a dash.
func randomID() (id [16]byte) {
	for {
		_, _ = rand.Read(id[:]) // never fails
		id[6] = id[6]&0x0f | 0x40
		id[8] = id[8]&0x3f | 0x80
		if !strings.HasPrefix(encodeID(id), "-") {
			return id
		}
	}
}

func encodeID(id [16]byte) string { return base64.RawURLEncoding.EncodeToString(id[:]) }
