package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-zookeeper/zk"

	"kdrill/node/layout"
	"kdrill/node/memory"
)

// registration is the broker's ephemeral znode. Its czxid is the broker's epoch: a later registration has a
// greater one.
type registration struct {
	zk       *session
	id       int32
	value    func(time.Time) layout.BrokerRegistration
	patience time.Duration // for the znode of an earlier session to go
	log      *slog.Logger

	epoch atomic.Int64 // -1 before the first registration

	writing sync.Mutex // is held from asking for the value until it is written

	mu      sync.Mutex
	session int64 // that the broker is registered in, 0 for none
	settled sync.Once
	changed chan struct{}
}

// patience is how long the session of a broker that was killed may stay: it ends after its timeout, which begins anew if
// the coordinators elect another leader meanwhile, and is rounded up.
func patience(session time.Duration) time.Duration { return session*5/2 + time.Second }

func newRegistration(zk *session, id int32, value func(time.Time) layout.BrokerRegistration, patience time.Duration, log *slog.Logger) *registration {
	r := &registration{zk: zk, id: id, value: value, patience: patience, log: log, changed: make(chan struct{})}
	r.epoch.Store(-1)
	return r
}

// takenError says that another session holds the broker's id.
type takenError struct {
	id     int32
	holder layout.BrokerRegistration
	waited time.Duration
}

func (e *takenError) Error() string {
	where := "an unknown address"
	if len(e.holder.Endpoints) > 0 {
		where = e.holder.Endpoints[0]
		if u, err := url.Parse(where); err == nil {
			where = u.Host
		}
	}
	return fmt.Sprintf("broker.id %d is taken: a broker at %s is registered with it and was still there after %v; give this broker another broker.id or stop that one", e.id, where, e.waited.Round(time.Millisecond))
}

// register registers the broker in the current session.
func (r *registration) register(ctx context.Context) error {
	path := layout.Broker(r.id)
	var deadline time.Time
	for {
		id, err := r.zk.await(ctx, func(id int64) bool { return id != 0 })
		if err != nil {
			return err
		}
		err = r.create(ctx, path)
		if err != nil && !errors.Is(err, zk.ErrNodeExists) {
			return fmt.Errorf("register as broker %d: %w", r.id, err)
		}
		data, stat, err := r.zk.get(ctx, path)
		switch {
		case errors.Is(err, zk.ErrNoNode): // gone in between
			continue
		case err != nil:
			return fmt.Errorf("register as broker %d: %w", r.id, err)
		case stat.EphemeralOwner == id:
			r.registered(id, stat.Czxid)
			return nil
		case stat.EphemeralOwner == r.zk.current(): // the session changed meanwhile
			continue
		}
		holder, _ := layout.Decode[layout.BrokerRegistration](path, data)
		if deadline.IsZero() {
			deadline = time.Now().Add(r.patience)
			r.log.Warn("broker.id is registered already, waiting for that session to end", "id", r.id, "endpoints", holder.Endpoints, "at_most", r.patience)
		}
		if gone, err := r.awaitGone(ctx, path, deadline); err != nil {
			return err
		} else if !gone {
			return &takenError{r.id, holder, r.patience}
		}
	}
}

func (r *registration) create(ctx context.Context, path string) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	return r.zk.multi(ctx,
		createRequest(path, nil, zk.FlagEphemeral),
		&zk.SetDataRequest{Path: path, Data: layout.Encode(r.value(time.Now())), Version: 0})
}

// Update has the registration tell what has changed. A broker that is not registered at the moment will tell it then.
func (r *registration) Update(ctx context.Context) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	path := layout.Broker(r.id)
	_, stat, err := r.zk.get(ctx, path)
	if err == nil && stat.EphemeralOwner == r.in() {
		err = r.zk.do(ctx, func() error {
			_, err := r.zk.Set(path, layout.Encode(r.value(time.Now())), -1)
			return err
		})
	}
	if err != nil && !errors.Is(err, zk.ErrNoNode) {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// awaitGone waits for a znode to be deleted; gone is false when the deadline passes first.
func (r *registration) awaitGone(ctx context.Context, path string, deadline time.Time) (gone bool, err error) {
	limit, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	for {
		var there bool
		var watch <-chan zk.Event
		err := r.zk.do(limit, func() (err error) {
			there, _, watch, err = r.zk.ExistsW(path)
			return err
		})
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		if limit.Err() != nil {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("watch %s: %w", path, err)
		}
		if !there {
			return true, nil
		}
		select {
		case <-watch:
		case <-limit.Done():
			return false, ctx.Err()
		}
	}
}

func (r *registration) registered(session, epoch int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.epoch.Store(epoch)
	r.session = session
	close(r.changed)
	r.changed = make(chan struct{})
	r.log.Info("registered", "id", r.id, "broker_epoch", epoch)
	r.settled.Do(func() { go memory.ForgetStart() })
}

// Run registers again whenever a session has ended and another begun.
func (r *registration) Run(ctx context.Context) error {
	for {
		if _, err := r.zk.await(ctx, func(id int64) bool { return id != 0 && id != r.in() }); err != nil {
			return err
		}
		if err := r.register(ctx); err != nil {
			return err
		}
	}
}

// in returns the session that the broker is registered in.
func (r *registration) in() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.session
}

// Registered blocks until the broker is registered in the current session.
func (r *registration) Registered(ctx context.Context) error {
	for {
		r.mu.Lock()
		in, changed := r.session, r.changed
		r.mu.Unlock()
		current, err := r.zk.await(ctx, func(id int64) bool { return id != 0 })
		if err != nil {
			return err
		}
		if current == in {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
