package controller

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/go-zookeeper/zk"

	"kdrill/node/layout"
)

// stand is a candidate until this broker is the controller.
func (c *Controller) stand(ctx context.Context) (*term, error) {
	for {
		if c.Registered != nil {
			if err := c.Registered(ctx); err != nil {
				return nil, err
			}
		}
		s := &store{ctx: ctx, conn: c.ZK}
		data, stat, watch, err := s.getW(layout.Controller)
		switch {
		case errors.Is(err, zk.ErrNoNode):
			if t, err := c.elect(ctx, s); t != nil || err != nil {
				return t, err
			}
			continue
		case err != nil:
			return nil, err
		case stat.EphemeralOwner == c.ZK.SessionID():
			// Won, but the answer was lost with the connection. The epoch is this term's if nobody was elected since.
			epoch, version, err := readEpoch(s)
			if err != nil {
				return nil, err
			}
			if _, again, err := s.get(layout.Controller); err == nil && again.Czxid == stat.Czxid {
				return newTerm(ctx, c, epoch, version), nil
			}
			continue
		}
		if registration, err := layout.Decode[layout.ControllerRegistration](layout.Controller, data); err == nil {
			c.Log.Info("standing by", "controller", registration.BrokerID)
		}
		select {
		case <-watch:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// elect tries once to become the controller: it registers and raises the epoch in one transaction. The term is nil if
// somebody else was faster.
func (c *Controller) elect(ctx context.Context, s *store) (*term, error) {
	epoch, version, err := readEpoch(s)
	if err != nil {
		return nil, err
	}
	registration := layout.Encode(layout.NewControllerRegistration(c.BrokerID, time.Now()))
	results, err := c.ZK.Multi(
		&zk.CreateRequest{Path: layout.Controller, Data: registration, Acl: zk.WorldACL(zk.PermAll), Flags: zk.FlagEphemeral},
		&zk.SetDataRequest{Path: layout.ControllerEpoch, Data: []byte(strconv.Itoa(int(epoch + 1))), Version: version},
	)
	switch {
	case err == nil:
		return newTerm(ctx, c, epoch+1, results[1].Stat.Version), nil
	case errors.Is(err, zk.ErrNodeExists), errors.Is(err, zk.ErrBadVersion),
		errors.Is(err, zk.ErrConnectionClosed), errors.Is(err, zk.ErrNoServer), errors.Is(err, zk.ErrSessionExpired):
		return nil, ctx.Err() // look again at who is the controller
	}
	return nil, fmt.Errorf("create %s: %w", layout.Controller, err)
}

// readEpoch returns the controller epoch and the version of its znode, which the first election of a cluster creates.
func readEpoch(s *store) (epoch, version int32, err error) {
	data, stat, err := s.get(layout.ControllerEpoch)
	if errors.Is(err, zk.ErrNoNode) {
		err = retry(s.ctx, func() error {
			_, err := s.conn.Create(layout.ControllerEpoch, []byte("0"), 0, zk.WorldACL(zk.PermAll))
			return err
		})
		if err != nil && !errors.Is(err, zk.ErrNodeExists) {
			return 0, 0, fmt.Errorf("create %s: %w", layout.ControllerEpoch, err)
		}
		data, stat, err = s.get(layout.ControllerEpoch)
	}
	if err != nil {
		return 0, 0, err
	}
	n, err := strconv.ParseInt(string(data), 10, 32)
	if err != nil {
		return 0, 0, fmt.Errorf("znode %s holds %q, not a number", layout.ControllerEpoch, data)
	}
	return int32(n), stat.Version, nil
}
