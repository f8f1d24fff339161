package broker

import (
	"context"
	"fmt"
	"net"

	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/broker/settings"
	"kdrill/node/wire"
)

// beginListening binds the listeners that ZooKeeper has for this broker, or else those of the file. What is bound already and
// not among them is released.
func (b *Broker) beginListening(ctx context.Context) error {
	if err := b.resealPasswords(ctx); err != nil {
		return err
	}
	own, _, err := readEntityConfig(ctx, b.zk, b.ownConfig())
	if err != nil {
		return err
	}
	own, _ = b.settings.Open(own)
	v, _ := b.settings.With(own, nil) // what is wrong with it is said when the rest is read
	if err := b.settings.Restart(v); err != nil {
		b.log.Error("listeners of ZooKeeper cannot be used, those of server.properties are", "path", b.ownConfig(), "err", err)
	}
	if err := b.listeners.Bind(b.settings.Listeners); err != nil {
		if _, set := v.Dynamics()["listeners"]; set {
			return fmt.Errorf("%w (listeners are set in ZooKeeper, %s)", err, b.ownConfig())
		}
		return err
	}
	b.listeners.Tell(&b.settings.Listening)
	b.listening.Store(&b.settings.Listening)
	return nil
}

// relisten has the broker listen as v says, and tells the cluster of it. Connections by a listener that is gone stay until
// [listeners.EndRetired].
func (b *Broker) relisten(ctx context.Context, v settings.Values) error {
	now := b.listening.Load()
	next, err := b.settings.Relisten(now, v)
	if err != nil || next == now {
		return err
	}
	if err := b.listeners.Bind(next.Listeners); err != nil {
		b.listeners.Release()
		return err
	}
	b.listeners.Tell(next)
	b.connections.Follow(v, next.Listeners, b.settings.InterBrokerListener)
	b.listening.Store(next)
	for _, l := range next.Listeners {
		if _, stays := now.Find(l.Name); !stays {
			b.open(l)
			b.log.Info("listener added", "listener", l.Name, "address", l.Address(), "protocol", l.Protocol)
		}
	}
	for _, l := range now.Listeners {
		if _, stays := next.Find(l.Name); !stays {
			b.listeners.Retire(l.Name)
			b.log.Info("listener removed, its connections are closed", "listener", l.Name, "address", l.Address())
		}
	}
	return b.registration.Update(ctx)
}

// open has a listener that is bound serve.
func (b *Broker) open(l settings.Listener) {
	b.listeners.Open(l.Name, func(ctx context.Context, socket net.Listener) error {
		return b.server(l.Name).Serve(ctx, socket)
	})
}

// thenRetire ends the connections of removed listeners once the request is answered that removed them: it may have come in by
// one of those.
func (b *Broker) thenRetire(h handler) handler {
	return func(ctx context.Context, r *wire.Request) kmsg.Response {
		r.Written(func(kmsg.Response) { b.listeners.EndRetired() })
		return h(ctx, r)
	}
}
