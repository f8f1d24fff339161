package broker

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"
	"golang.org/x/sync/errgroup"

	"kdrill/node/layout"
)

// topicConfigs holds what topics override, as far as this broker has had to know, and keeps it current by watching
// /config/changes.
type topicConfigs struct {
	zk      *session
	changed func(topic string)                     // is told after a change was taken in
	others  func(ctx context.Context, path string) // is told of changes of users, clients and ips
	brokers func(ctx context.Context, name string) // is told that a broker's configuration changed
	read    func(ctx context.Context, topic string) (map[string]string, error)
	log     *slog.Logger

	seen map[string]time.Time // notifications that are dealt with, and when they were made; zero if not known yet

	mu     sync.Mutex
	topics map[string]map[string]string
	missed map[string]bool // topics that could not be read when they were needed
	more   chan struct{}   // has room for one: missed is not empty
}

func newTopicConfigs(zk *session, changed func(string), brokers func(context.Context, string), log *slog.Logger) *topicConfigs {
	read := func(ctx context.Context, topic string) (map[string]string, error) {
		overrides, _, err := readEntityConfig(ctx, zk, layout.EntityConfig("topics", topic))
		return overrides, err
	}
	return &topicConfigs{read: read, zk: zk, changed: changed, brokers: brokers, log: log, topics: map[string]map[string]string{}, missed: map[string]bool{}, more: make(chan struct{}, 1)}
}

// Begin notes which notifications there are; it comes before the first Load, whose reading makes them old.
func (c *topicConfigs) Begin(ctx context.Context) error {
	names, err := c.zk.children(ctx, layout.ConfigChanges)
	if err != nil {
		return err
	}
	c.seen = make(map[string]time.Time, len(names))
	for _, name := range names {
		c.seen[name] = time.Time{}
	}
	return nil
}

// Overrides returns what a topic overrides, from memory; [topicConfigs.Load] has put it there. It is read-only.
func (c *topicConfigs) Overrides(topic string) map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.topics[topic]
}

// Load makes sure that the configurations of topics are in memory.
func (c *topicConfigs) Load(ctx context.Context, topics map[string]bool) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(16)
	for topic := range topics {
		c.mu.Lock()
		_, known := c.topics[topic]
		c.mu.Unlock()
		if !known {
			group.Go(func() error { return c.refresh(ctx, topic) })
		}
	}
	return group.Wait()
}

// LoadLater reads the configurations of topics in the background, as soon as ZooKeeper answers again.
func (c *topicConfigs) LoadLater(topics map[string]bool) {
	c.mu.Lock()
	maps.Copy(c.missed, topics)
	c.mu.Unlock()
	select {
	case c.more <- struct{}{}:
	default:
	}
}

// catchUp reads what was missed until ctx ends.
func (c *topicConfigs) catchUp(ctx context.Context) {
	for {
		select {
		case <-c.more:
		case <-ctx.Done():
			return
		}
		c.mu.Lock()
		missed := c.missed
		c.missed = map[string]bool{}
		maps.DeleteFunc(missed, func(topic string, _ bool) bool { return c.topics[topic] != nil })
		c.mu.Unlock()
		for topic := range missed {
			c.takeTopic(ctx, topic)
		}
	}
}

// refresh reads one topic's configuration from ZooKeeper.
func (c *topicConfigs) refresh(ctx context.Context, topic string) error {
	overrides, err := c.read(ctx, topic)
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.topics[topic] = overrides
	c.mu.Unlock()
	return nil
}

// Forget drops topics that were deleted, so that new ones of the same name start afresh.
func (c *topicConfigs) Forget(topics ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range topics {
		delete(c.topics, t)
	}
}

// readEntityConfig returns an entity's overrides and the version of their znode, -1 if there is none.
func readEntityConfig(ctx context.Context, zks *session, path string) (map[string]string, int32, error) {
	data, stat, err := zks.get(ctx, path)
	if errors.Is(err, zk.ErrNoNode) {
		return map[string]string{}, -1, nil
	}
	if err != nil {
		return nil, -1, err
	}
	if len(data) == 0 {
		return map[string]string{}, stat.Version, nil
	}
	entity, err := layout.Decode[layout.EntityConfiguration](path, data)
	if err != nil {
		return nil, -1, err
	}
	if entity.Config == nil {
		entity.Config = map[string]string{}
	}
	return entity.Config, stat.Version, nil
}

// keepChanges is how long notifications stay, for brokers that were away.
const keepChanges = 15 * time.Minute

// Run follows /config/changes until ctx ends. Begin comes before it.
func (c *topicConfigs) Run(ctx context.Context) error {
	var late sync.WaitGroup
	defer late.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	late.Go(func() { c.catchUp(ctx) })
	for ctx.Err() == nil {
		var names []string
		var watch <-chan zk.Event
		err := c.zk.do(ctx, func() (err error) {
			names, _, watch, err = c.zk.ChildrenW(layout.ConfigChanges)
			return err
		})
		if err != nil {
			if ctx.Err() == nil {
				c.log.Error("configuration changes are not followed", "err", err)
			}
			return err
		}
		c.takeAll(ctx, names)
		select {
		case <-watch: // or the session ended: then everything is read again
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}

// takeAll applies the notifications that are new and removes those that are old.
func (c *topicConfigs) takeAll(ctx context.Context, names []string) {
	now := make(map[string]time.Time, len(names))
	for _, name := range names {
		path := layout.ConfigChanges + "/" + name
		made, seen := c.seen[name]
		if made.IsZero() {
			data, stat, err := c.zk.get(ctx, path)
			if err != nil {
				continue // another broker removed it
			}
			made = time.UnixMilli(stat.Ctime)
			if !seen {
				c.take(ctx, path, data)
			}
		}
		if time.Since(made) > keepChanges {
			_ = c.zk.do(ctx, func() error { return c.zk.Delete(path, -1) }) // another broker may be faster
		}
		now[name] = made
	}
	c.seen = now
}

// take applies one notification.
func (c *topicConfigs) take(ctx context.Context, path string, data []byte) {
	change, err := layout.Decode[layout.ConfigChange](path, data)
	if err != nil {
		c.log.Warn("configuration change not understood", "err", err)
		return
	}
	switch kind, name, _ := strings.Cut(change.EntityPath, "/"); {
	case kind == "topics":
		c.takeTopic(ctx, name)
	case kind == "brokers":
		c.brokers(ctx, name)
	case isEntity(change.EntityPath):
		c.others(ctx, change.EntityPath)
	}
}

func (c *topicConfigs) takeTopic(ctx context.Context, topic string) {
	before := c.Overrides(topic)
	if err := c.refresh(ctx, topic); err != nil {
		c.log.Warn("topic configuration not read", "topic", topic, "err", err)
		return
	}
	if after := c.Overrides(topic); !maps.Equal(before, after) {
		c.log.Info("topic configuration changed", "topic", topic, "config", after)
		c.changed(topic)
	}
}
