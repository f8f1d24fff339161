package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"

	"github.com/go-zookeeper/zk"

	"kdrill/node/layout"
)

// entities are the configurations of users, clients and ips: credentials and quotas. All of them are in memory; change
// notifications keep them current.
type entities struct {
	zk      *session
	changed func() // is told after a change was taken in
	log     *slog.Logger

	mu      sync.RWMutex
	configs map[string]map[string]string // by path below /config, such as users/alice/clients/app
}

func newEntities(zk *session, changed func(), log *slog.Logger) *entities {
	return &entities{zk: zk, changed: changed, log: log, configs: map[string]map[string]string{}}
}

// isEntity says whether a path below /config is that of a user, client or ip.
func isEntity(path string) bool {
	kind, _, _ := strings.Cut(path, "/")
	return kind == "users" || kind == "clients" || kind == "ips"
}

// Load reads everything.
func (e *entities) Load(ctx context.Context) error {
	for _, kind := range []string{"users", "clients", "ips"} {
		if err := e.loadBelow(ctx, kind); err != nil {
			return err
		}
	}
	return nil
}

// loadBelow reads the entities whose parent is a path such as users or users/alice/clients.
func (e *entities) loadBelow(ctx context.Context, parent string) error {
	names, err := e.zk.children(ctx, layout.Config+"/"+parent)
	if errors.Is(err, zk.ErrNoNode) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, name := range names {
		path := parent + "/" + name
		if err := e.refresh(ctx, path); err != nil {
			return err
		}
		if parent == "users" {
			if err := e.loadBelow(ctx, path+"/clients"); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *entities) refresh(ctx context.Context, path string) error {
	config, _, err := readEntityConfig(ctx, e.zk, layout.Config+"/"+path)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(config) == 0 {
		delete(e.configs, path)
	} else {
		e.configs[path] = config
	}
	return nil
}

// Take takes in a change that a notification tells of. What changed is not logged: it may be a credential.
func (e *entities) Take(ctx context.Context, path string) {
	if err := e.refresh(ctx, path); err != nil {
		e.log.Warn("configuration not read", "entity", path, "err", err)
		return
	}
	e.log.Info("configuration changed", "entity", path)
	e.changed()
}

// Value returns one value of an entity's configuration.
func (e *entities) Value(path, key string) (value string, ok bool) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	value, ok = e.configs[path][key]
	return value, ok
}

// All returns every configuration by path. The maps inside are read-only.
func (e *entities) All() map[string]map[string]string {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return maps.Clone(e.configs)
}

// Change writes an entity's configuration and tells all brokers of it.
func (e *entities) Change(ctx context.Context, path string, change func(map[string]string) error) error {
	znode := layout.Config + "/" + path
	for {
		config, version, err := readEntityConfig(ctx, e.zk, znode)
		if err != nil {
			return err
		}
		if err := change(config); err != nil {
			return err
		}
		err = e.write(ctx, znode, layout.Encode(layout.EntityConfiguration{Version: 1, Config: config}), version)
		if errors.Is(err, zk.ErrBadVersion) || errors.Is(err, zk.ErrNodeExists) { // somebody else changed it meanwhile
			continue
		}
		if err != nil {
			return fmt.Errorf("write %s: %w", znode, err)
		}
		notice := layout.Encode(layout.ConfigChange{Version: 2, EntityPath: path})
		_, err = e.zk.create(ctx, layout.ConfigChangePrefix, notice, zk.FlagSequence)
		return err
	}
}

func (e *entities) write(ctx context.Context, znode string, data []byte, version int32) error {
	if version < 0 {
		if err := e.zk.ensure(ctx, znode[:strings.LastIndexByte(znode, '/')]); err != nil {
			return err
		}
		_, err := e.zk.create(ctx, znode, data, 0)
		return err
	}
	return e.zk.do(ctx, func() error {
		_, err := e.zk.Set(znode, data, version)
		return err
	})
}
