package broker

import (
	"context"
	"maps"
	"strconv"
	"strings"

	"kdrill/node/broker/replica"
	"kdrill/node/broker/settings"
	"kdrill/node/layout"
)

// allBrokers is the entity of what applies to every broker that does not say otherwise.
const allBrokers = "<default>"

// values are the broker's properties as they are now: server.properties under what ZooKeeper has for this broker.
func (b *Broker) values() settings.Values { return *b.live.Load() }

// loadConfigs reads what ZooKeeper has for this broker and for all, and follows it.
func (b *Broker) loadConfigs(ctx context.Context) error {
	own, _, err := readEntityConfig(ctx, b.zk, layout.EntityConfig("brokers", strconv.Itoa(int(b.settings.BrokerID))))
	if err != nil {
		return err
	}
	all, _, err := readEntityConfig(ctx, b.zk, layout.EntityConfig("brokers", allBrokers))
	if err != nil {
		return err
	}
	b.reconfigure.Lock()
	defer b.reconfigure.Unlock()
	next, wrong := b.settings.With(own, all)
	for _, err := range wrong {
		b.log.Warn("property in /config/brokers ignored", "err", err)
	}
	before := b.live.Swap(&next)
	if maps.Equal(before.Dynamics(), next.Dynamics()) {
		return nil
	}
	b.log.Info("broker configuration changed", "config", loggable(next.Dynamics()))
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

// loggable leaves out what is nobody's business.
func loggable(configs map[string]string) map[string]string {
	configs = maps.Clone(configs)
	maps.DeleteFunc(configs, func(name, _ string) bool { return strings.Contains(name, "password") || strings.Contains(name, "jaas") })
	return configs
}

// brokerConfigChanged takes the news that a broker's configuration changed, if it concerns this one.
func (b *Broker) brokerConfigChanged(ctx context.Context, name string) {
	if name != allBrokers && name != strconv.Itoa(int(b.settings.BrokerID)) {
		return
	}
	if err := b.loadConfigs(ctx); err != nil {
		b.log.Warn("broker configuration not read", "err", err)
	}
}
