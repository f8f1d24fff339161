package broker

import (
	"context"
	"maps"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"

	"kdrill/node/broker/replica"
	"kdrill/node/broker/settings"
	"kdrill/node/layout"
)

// allBrokers is the entity of what applies to every broker that does not say otherwise.
const allBrokers = "<default>"

// values are the broker's properties as they are now: server.properties under what ZooKeeper has for this broker.
func (b *Broker) values() settings.Values { return *b.live.Load() }

// loadConfigs reads what ZooKeeper has for this broker and for all, and follows it. The lock reconfigure is held: what was
// read first must not be taken in last.
func (b *Broker) loadConfigs(ctx context.Context) error {
	own, _, err := readEntityConfig(ctx, b.zk, b.ownConfig())
	if err != nil {
		return err
	}
	all, _, err := readEntityConfig(ctx, b.zk, layout.EntityConfig("brokers", allBrokers))
	if err != nil {
		return err
	}
	own, closed := b.settings.Open(own)
	next, wrong := b.settings.With(own, all)
	for _, err := range slices.Concat(closed, wrong) {
		b.log.Warn("property in /config/brokers ignored", "err", err)
	}
	before := b.live.Swap(&next)
	if maps.Equal(before.Dynamics(), next.Dynamics()) {
		return nil
	}
	b.log.Info("broker configuration changed", "config", next.Loggable())
	b.replicas.SetDefaults(replica.Defaults{Topic: topicDefaults(next), MinInSyncReplicas: int(next.Int("min.insync.replicas"))})
	b.replicas.SetFetchers(int(next.Int("num.replica.fetchers")))
	b.replicas.SetCleanerBackoff(cleanerBackoff(next))
	b.replicas.SetThrottles(next.Int(settings.LeaderThrottle), next.Int(settings.FollowerThrottle))
	b.replicas.SetMoveRate(next.Int(settings.LogDirsThrottle))
	b.connections.Limit(next)
	if b.controller != nil {
		b.controller.ConfigChanged()
	}
	return nil
}

// ownConfig is the znode of what applies to this broker alone.
func (b *Broker) ownConfig() string {
	return layout.EntityConfig("brokers", strconv.Itoa(int(b.settings.BrokerID)))
}

// resealPasswords encodes the passwords in ZooKeeper anew that were encoded by password.encoder.old.secret.
func (b *Broker) resealPasswords(ctx context.Context) error {
	own, version, err := readEntityConfig(ctx, b.zk, b.ownConfig())
	if err != nil {
		return err
	}
	next, changed, err := b.settings.Reseal(own)
	if err != nil || !changed {
		return err
	}
	if err := b.writeConfigs(ctx, b.ownConfig(), next, version); err != nil {
		return err
	}
	b.log.Info("passwords encoded anew, password.encoder.old.secret is not needed any more", "path", b.ownConfig())
	return nil
}

// renewStores has new connections use the key and trust stores that are configured now, as their files are now. Where they
// cannot be used, those in use stay. The lock reconfigure is held.
func (b *Broker) renewStores() error {
	listening := b.listening.Load()
	next, err := listening.ReadStores(b.values())
	if err != nil {
		return err
	}
	listening.Use(next)
	for _, listener := range slices.Sorted(maps.Keys(next)) {
		b.log.Info("new connections use other key and trust stores", "listener", listener)
	}
	return nil
}

// brokerConfigChanged takes the news that a broker's configuration changed, if it concerns this one.
func (b *Broker) brokerConfigChanged(ctx context.Context, name string) {
	own := name == strconv.Itoa(int(b.settings.BrokerID))
	if !own && name != allBrokers {
		return
	}
	b.reconfigure.Lock()
	defer b.reconfigure.Unlock()
	if err := b.loadConfigs(ctx); err != nil {
		b.log.Warn("broker configuration not read", "err", err)
		return
	}
	if !own { // listeners and stores are each broker's own
		return
	}
	before := b.listening.Load()
	if err := b.relisten(ctx, b.values()); err != nil {
		b.log.Error("listeners stay as they are", "err", err)
	}
	if b.listening.Load() != before { // else who had them changed is to have an answer first
		b.listeners.EndRetired()
	}
	if err := b.renewStores(); err != nil {
		b.log.Error("key and trust stores not renewed, those in use stay", "err", err)
	}
}

// followConfigs takes in what was just written for an entity.
func (b *Broker) followConfigs(ctx context.Context, e entity) error {
	if err := b.loadConfigs(ctx); err != nil || e.name == "" {
		return err
	}
	if err := b.relisten(ctx, b.values()); err != nil {
		return refuse(kerr.InvalidConfig, "written, but listeners stay as they are: %v", err)
	}
	if err := b.renewStores(); err != nil {
		return refuse(kerr.InvalidConfig, "written, but the stores changed meanwhile: %v", err)
	}
	return nil
}

// checkBroker says what is wrong with all that this broker is to set, or all brokers. Listeners that are to be added are bound
// when it returns. The result is how ZooKeeper keeps it.
func (b *Broker) checkBroker(e entity, now, next map[string]string) (stored map[string]string, err error) {
	for _, name := range slices.Sorted(maps.Keys(next)) {
		if err := b.settings.CheckDynamic(name, next[name], e.name == ""); err != nil {
			return nil, refuse(kerr.InvalidRequest, "%v", err)
		}
	}
	if e.name == "" {
		if err := b.values().CheckChange(b.values().After(true, next)); err != nil {
			return nil, refuse(kerr.InvalidRequest, "%v", err)
		}
		return next, nil
	}
	plain, stored, err := b.settings.Seal(now, next)
	if err != nil {
		return nil, refuse(kerr.InvalidConfig, "%v", err)
	}
	after := b.values().After(false, plain)
	open := b.listening.Load()
	listening, err := b.settings.Relisten(open, after)
	if err == nil {
		err = b.settings.CheckListeners(open, listening, now, next)
	}
	if err == nil {
		err = b.values().CheckChange(after)
	}
	if err == nil {
		_, err = listening.ReadStores(after)
	}
	if err == nil {
		err = b.listeners.Bind(listening.Listeners)
	}
	if err != nil {
		return nil, refuse(kerr.InvalidRequest, "%v", err)
	}
	return stored, nil
}
