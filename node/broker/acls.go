package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-zookeeper/zk"
	"golang.org/x/sync/errgroup"

	"kdrill/node/broker/authorizer"
	"kdrill/node/broker/settings"
)

// acls are the access control lists in ZooKeeper, all of them in memory; change notifications keep them current.
type acls struct {
	zk  *session
	log *slog.Logger

	rules atomic.Pointer[authorizer.Rules]
	mu    sync.Mutex // held while a list is read and taken in, so that the last read wins
}

// newACLs returns nil where no authorizer is configured: then everybody may do everything.
func newACLs(zk *session, s *settings.Settings, log *slog.Logger) *acls {
	if s.Text("authorizer.class.name") == "" {
		return nil
	}
	a := &acls{zk: zk, log: log}
	a.rules.Store(authorizer.New(authorizer.Settings{
		SuperUsers: authorizer.ParseSuperUsers(s.Text("super.users")), AllowIfNoACLIsFound: s.Bool("allow.everyone.if.no.acl.found"),
	}))
	return a
}

// Load makes sure of the znodes that lists are below, and reads all lists. Notifications of what was read before come
// again in Run, which does no harm.
func (a *acls) Load(ctx context.Context) error {
	for _, path := range authorizer.Paths() {
		if err := a.zk.ensure(ctx, path); err != nil {
			return err
		}
	}
	for parent, resource := range authorizer.TypesBelow() {
		names, err := a.zk.children(ctx, parent)
		if err != nil {
			return err
		}
		for _, name := range names {
			resource.Name = name
			if err := a.Refresh(ctx, resource); err != nil {
				return err
			}
		}
	}
	return nil
}

// Refresh reads one list.
func (a *acls) Refresh(ctx context.Context, on authorizer.Resource) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	entries, _, err := a.read(ctx, on)
	if err != nil {
		return err
	}
	a.rules.Store(a.rules.Load().With(on, entries))
	return nil
}

// read returns a list and the version of its znode, -1 if there is none.
func (a *acls) read(ctx context.Context, on authorizer.Resource) ([]authorizer.Entry, int32, error) {
	data, stat, err := a.zk.get(ctx, on.Path())
	if errors.Is(err, zk.ErrNoNode) {
		return nil, -1, nil
	}
	if err != nil {
		return nil, -1, err
	}
	entries, err := authorizer.Decode(data)
	if err != nil {
		return nil, -1, fmt.Errorf("znode %s: %w", on.Path(), err)
	}
	return entries, stat.Version, nil
}

// Change writes a list, takes it in and tells the other brokers. A list without entries is removed.
func (a *acls) Change(ctx context.Context, on authorizer.Resource, change func([]authorizer.Entry) []authorizer.Entry) error {
	for {
		before, version, err := a.read(ctx, on)
		if err != nil {
			return err
		}
		after := change(before)
		if len(after) == len(before) {
			return nil // entries are only added or only removed
		}
		err = a.write(ctx, on, after, version)
		if errors.Is(err, zk.ErrBadVersion) || errors.Is(err, zk.ErrNodeExists) || errors.Is(err, zk.ErrNoNode) { // somebody else changed it meanwhile
			continue
		}
		if err != nil {
			return fmt.Errorf("write %s: %w", on.Path(), err)
		}
		if err := a.Refresh(ctx, on); err != nil {
			return err
		}
		a.log.Info("access control list changed", "resource", on.Path(), "entries", len(after))
		path, notice := on.Notice()
		_, err = a.zk.create(ctx, path, notice, zk.FlagSequence)
		return err
	}
}

func (a *acls) write(ctx context.Context, on authorizer.Resource, entries []authorizer.Entry, version int32) error {
	switch {
	case len(entries) == 0:
		return a.zk.do(ctx, func() error { return a.zk.Delete(on.Path(), version) })
	case version < 0:
		_, err := a.zk.create(ctx, on.Path(), authorizer.Encode(entries), 0)
		return err
	}
	return a.zk.do(ctx, func() error {
		_, err := a.zk.Set(on.Path(), authorizer.Encode(entries), version)
		return err
	})
}

// Run follows the notifications until ctx ends.
func (a *acls) Run(ctx context.Context) error {
	if a == nil {
		<-ctx.Done()
		return nil
	}
	both, ctx := errgroup.WithContext(ctx)
	for _, path := range []string{authorizer.LiteralChanges, authorizer.PrefixedChanges} {
		n := notices{zk: a.zk, path: path, take: a.take}
		both.Go(func() error { return n.follow(ctx) })
	}
	return both.Wait()
}

func (a *acls) take(ctx context.Context, data []byte) {
	on, err := authorizer.ParseNotice(data)
	if err != nil {
		a.log.Warn("change of an access control list not understood", "err", err)
		return
	}
	if err := a.Refresh(ctx, on); err != nil && ctx.Err() == nil {
		a.log.Error("access control list not read, the one before stays in force", "resource", on.Path(), "err", err)
	}
}

// notices are sequential znodes that tell brokers of changes.
type notices struct {
	zk   *session
	path string
	take func(ctx context.Context, data []byte)
	seen map[string]time.Time // when they were made
}

// follow takes every notification once, those that are there already included, and removes those that are old.
func (n *notices) follow(ctx context.Context) error {
	for ctx.Err() == nil {
		var names []string
		var watch <-chan zk.Event
		err := n.zk.do(ctx, func() (err error) {
			names, _, watch, err = n.zk.ChildrenW(n.path)
			return err
		})
		if err != nil {
			return err
		}
		n.takeAll(ctx, names)
		select {
		case <-watch: // or the session ended: then the names are read again
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}

func (n *notices) takeAll(ctx context.Context, names []string) {
	now := make(map[string]time.Time, len(names))
	for _, name := range names {
		path := n.path + "/" + name
		made, seen := n.seen[name]
		if !seen {
			data, stat, err := n.zk.get(ctx, path)
			if err != nil {
				continue // another broker removed it
			}
			made = time.UnixMilli(stat.Ctime)
			n.take(ctx, data)
		}
		if time.Since(made) > keepChanges {
			_ = n.zk.do(ctx, func() error { return n.zk.Delete(path, -1) }) // another broker may be faster
		}
		now[name] = made
	}
	n.seen = now
}
