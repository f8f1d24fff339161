package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"kdrill/admin/znodes"
	"kdrill/node/layout"
)

// ReadCoordinators asks every ZooKeeper node of cfg once, with details. One that does not answer is among them with the
// reason. No broker is needed.
func ReadCoordinators(ctx context.Context, cfg Config) []Coordinator {
	cfg = cfg.withDefaults()
	w, prober := newWorld(cfg), cfg.prober()
	look := &look{world: w}
	for _, c := range slices.Clone(w.coordinators) {
		look.ask(func() {
			answer, err := askCoordinator(ctx, prober, c.Address, true, cfg.Deadline)
			look.post(func(w *world) { w.applyCoordinator(c.Address, answer, err) })
		})
	}
	look.waiting.Wait()
	return w.coordinators
}

// ReadSessions reads the sessions of ZooKeeper once. Where no coordinator tells, they are those that own ephemeral znodes.
// No broker is needed.
func ReadSessions(ctx context.Context, cfg Config) (Sessions, error) {
	cfg = cfg.withDefaults()
	w := newWorld(cfg)
	w.coordinators = ReadCoordinators(ctx, cfg)
	answer := readSessions(ctx, cfg.prober(), w.coordinators, cfg.Deadline, func(ctx context.Context) (map[int64][]string, string, error) {
		client, err := znodes.Dial(ctx, znodes.Config{Connect: cfg.ZooKeeper, Access: cfg.ZooKeeperAccess, Log: cfg.Log})
		if err != nil {
			return nil, "", err
		}
		defer client.Close()
		return walk(client, w.zookeeper.chroot)(ctx)
	})
	w.applySessions(answer)
	all := w.namedSessions()
	if all.Error != "" {
		return all, errors.New(all.Error)
	}
	return all, nil
}

// owners finds the owners of ephemeral znodes.
type owners interface {
	Owners(ctx context.Context, limit int, skip func(path string) bool) (owners map[int64][]string, whole bool, err error)
}

// mostWalked bounds how many znodes are read to find owners where no coordinator tells.
const mostWalked = 2000

// walk finds owners over a client's session: topics and configs never belong to one.
func walk(session owners, chroot string) walkFunc {
	return func(ctx context.Context) (map[int64][]string, string, error) {
		partly := "Shown are the owners of ephemeral znodes"
		found, whole, err := session.Owners(ctx, mostWalked, func(path string) bool {
			return path == chroot+layout.Topics || path == chroot+layout.Config
		})
		if !whole {
			partly += fmt.Sprintf(" among the first %d", mostWalked)
		}
		return found, partly, err
	}
}
