package broker

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

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
	b := &Broker{settings: s, loggers: loggers, log: logger, listeners: newListeners()}
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
	defer b.closeListeners()
	if b.settings.HTTP != "" {
		if b.web, err = bind(settings.HTTPListener, b.settings.HTTP); err != nil {
			return err
		}
	}
	unbound := b.listeners.Bind(b.settings.Listeners) // at once: who connects early waits, and a port in use is found soon
	if unbound != nil {
		b.log.Warn("not every listener is bound, ZooKeeper may have others for this broker", "err", unbound)
	}
	if b.zk, err = connectZooKeeper(ctx, b.settings.ZooKeeper, b.log); err != nil {
		return cmp.Or(unbound, err)
	}
	defer b.zk.Close()
	if err := b.prepareCluster(ctx); err != nil {
		return err
	}
	if err := b.beginListening(ctx); err != nil {
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
	if err := b.loadConfigs(ctx); err != nil { // nobody else does yet
		return fmt.Errorf("read the broker's configuration: %w", err)
	}
	if err := b.relisten(ctx, b.values()); err != nil {
		b.log.Error("listeners stay as they are", "err", err)
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

func (b *Broker) closeListeners() {
	if b.web != nil {
		b.web.Close()
	}
	b.listeners.Close()
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
