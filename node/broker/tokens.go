package broker

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/twmb/franz-go/pkg/kerr"

	"kdrill/node/broker/settings"
	"kdrill/node/broker/token"
	"kdrill/node/layout"
)

// tokens are the delegation tokens in ZooKeeper, all of them in memory; change notifications keep them current.
type tokens struct {
	zk     *session
	key    token.Key
	cache  *token.Cache
	check  time.Duration // delegation.token.expiry.check.interval.ms
	expire func() bool   // whether it is this broker that removes what has ended: the controller is
	log    *slog.Logger

	mu sync.Mutex // held while a token is read or changed, so that the last read wins
}

// newTokens returns nil where there is no key for tokens: then there are none.
func newTokens(zk *session, v settings.Values, controls func() bool, log *slog.Logger) *tokens {
	secret := v.Text("delegation.token.secret.key")
	if secret == "" {
		secret = v.Text("delegation.token.master.key") // its old name
	}
	if secret == "" {
		return nil
	}
	key := token.Key{Secret: secret, MaxLifetime: v.Int("delegation.token.max.lifetime.ms"), Lifetime: v.Int("delegation.token.expiry.time.ms")}
	return &tokens{zk: zk, key: key, cache: token.NewCache(key), check: v.Millis("delegation.token.expiry.check.interval.ms"), expire: controls, log: log}
}

// Load makes sure of the znodes that tokens are below, and reads all tokens.
func (t *tokens) Load(ctx context.Context) error {
	for _, path := range []string{layout.DelegationTokens, layout.DelegationTokenChanges} {
		if err := t.zk.ensure(ctx, path); err != nil {
			return err
		}
	}
	ids, err := t.zk.children(ctx, layout.DelegationTokens)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := t.refresh(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// refresh reads one token. One that cannot be understood is left out, and said so.
func (t *tokens) refresh(ctx context.Context, id string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	path := layout.DelegationToken(id)
	data, _, err := t.zk.get(ctx, path)
	if errors.Is(err, zk.ErrNoNode) {
		t.cache.Remove(id)
		return nil
	}
	if err != nil {
		return err
	}
	read, err := token.Decode(path, data)
	if err != nil {
		t.log.Error("delegation token not understood", "err", err)
		return nil
	}
	t.cache.Put(read)
	return nil
}

// Run follows the notifications, and removes what has ended, until ctx ends.
func (t *tokens) Run(ctx context.Context) error {
	if t == nil {
		<-ctx.Done()
		return nil
	}
	var sweeping sync.WaitGroup
	defer sweeping.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	sweeping.Go(func() { t.sweep(ctx) })
	n := notices{zk: t.zk, path: layout.DelegationTokenChanges, take: func(ctx context.Context, data []byte) {
		if err := t.refresh(ctx, string(data)); err != nil && ctx.Err() == nil {
			t.log.Error("delegation token not read", "token", string(data), "err", err)
		}
	}}
	return n.follow(ctx)
}

// sweep removes tokens that have ended.
func (t *tokens) sweep(ctx context.Context) {
	ticks := time.NewTicker(t.check)
	defer ticks.Stop()
	for {
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return
		}
		if !t.expire() {
			continue
		}
		for _, known := range t.cache.All() {
			if !known.Expired(time.Now().UnixMilli()) {
				continue
			}
			if err := t.remove(ctx, known.ID); err != nil {
				if ctx.Err() == nil {
					t.log.Error("delegation token not removed, tried again later", "token", known.ID, "err", err)
				}
				continue
			}
			t.log.Info("delegation token expired", "token", known.ID, "owner", known.Owner)
		}
	}
}

// Make keeps a new token.
func (t *tokens) Make(ctx context.Context, blank token.Token, most int64) (token.Token, error) {
	blank.ID = encodeID(randomID())
	made := t.key.Make(blank, most, time.Now().UnixMilli())
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.store(ctx, made); err != nil {
		return token.Token{}, err
	}
	t.log.Info("delegation token created", "token", made.ID, "owner", made.Owner, "requester", made.Requester)
	return made, nil
}

// Renew moves the end of the token with a secret, and returns it.
func (t *tokens) Renew(ctx context.Context, hmac []byte, who token.Principal, period int64) (ends int64, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	known, ok := t.cache.Find(hmac)
	if !ok {
		return 0, kerr.DelegationTokenNotFound
	}
	after, err := t.key.Renew(known, who, period, time.Now().UnixMilli())
	if err != nil {
		return 0, err
	}
	if err := t.store(ctx, after); err != nil {
		return 0, err
	}
	t.log.Info("delegation token renewed", "token", after.ID, "owner", after.Owner, "by", who)
	return after.Ends, nil
}

// Expire is Renew for a token that is to end sooner, or at once.
func (t *tokens) Expire(ctx context.Context, hmac []byte, who token.Principal, period int64) (ends int64, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	known, ok := t.cache.Find(hmac)
	if !ok {
		return 0, kerr.DelegationTokenNotFound
	}
	after, remove, err := t.key.Expire(known, who, period, time.Now().UnixMilli())
	switch {
	case err != nil:
	case remove:
		err = t.drop(ctx, after.ID)
	default:
		err = t.store(ctx, after)
	}
	if err != nil {
		return 0, err
	}
	t.log.Info("delegation token ends sooner", "token", after.ID, "owner", after.Owner, "by", who, "removed", remove)
	return after.Ends, nil
}

func (t *tokens) remove(ctx context.Context, id string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.drop(ctx, id)
}

// store writes a token, takes it in and tells the other brokers.
func (t *tokens) store(ctx context.Context, changed token.Token) error {
	path, data := layout.DelegationToken(changed.ID), changed.Encode()
	err := t.zk.do(ctx, func() error {
		_, err := t.zk.Set(path, data, -1)
		return err
	})
	if errors.Is(err, zk.ErrNoNode) {
		_, err = t.zk.create(ctx, path, data, 0)
	}
	if err != nil {
		return err
	}
	t.cache.Put(changed)
	return t.tell(ctx, changed.ID)
}

// drop removes a token everywhere.
func (t *tokens) drop(ctx context.Context, id string) error {
	err := t.zk.do(ctx, func() error { return t.zk.Delete(layout.DelegationToken(id), -1) })
	if err != nil && !errors.Is(err, zk.ErrNoNode) {
		return err
	}
	t.cache.Remove(id)
	return t.tell(ctx, id)
}

func (t *tokens) tell(ctx context.Context, id string) error {
	_, err := t.zk.create(ctx, layout.DelegationTokenChangePrefix, []byte(id), zk.FlagSequence)
	return err
}
