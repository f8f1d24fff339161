package admin

import (
	"context"
	"errors"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// errNoController is what there is to say when nobody stands for election for a while.
var errNoController = errors.New("the cluster has no controller now: try again in a moment")

// atController sends a request to whoever is controller. One that is not, or no longer runs, has done nothing: the
// next one is looked for until the time is up. A request that was sent and not answered is never sent again.
func (c *Client) atController(ctx context.Context, request func() kmsg.Request, outcome func(kmsg.Response) error) (kmsg.Response, error) {
	deadline := time.NewTimer(2 * operationTimeout)
	defer deadline.Stop()
	again := time.NewTicker(150 * time.Millisecond)
	defer again.Stop()
	for {
		resp, err := c.askController(ctx, request)
		if err == nil {
			err = outcome(resp)
		}
		retry := errors.Is(err, kerr.NotController) || errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, errNoController) || errors.Is(err, errNotJoined)
		if !retry {
			return resp, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-deadline.C:
			return nil, err
		case <-again.C:
		}
	}
}

func (c *Client) askController(ctx context.Context, request func() kmsg.Request) (kmsg.Response, error) {
	m, err := c.peers.metadata(ctx, []string{})
	if err != nil {
		return nil, unreachable(c.cfg.Bootstrap, err)
	}
	addr := c.peers.addr(m.ControllerID)
	if m.ControllerID < 0 || addr == "" {
		return nil, errNoController
	}
	return c.peers.askWithin(ctx, operationTimeout+c.cfg.Deadline, addr, request())
}
