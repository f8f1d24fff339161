package controller

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/layout"
)

// Config is what a controller needs from the broker it runs in.
type Config struct {
	BrokerID int32
	ZK       *zk.Conn // shared with the broker
	// Registered blocks until the broker is registered in ZooKeeper's current session; it is called before each
	// candidacy, so also after a session expired. Nil means that there is nothing to wait for.
	Registered func(context.Context) error
	// Dial connects to a broker, the own one included.
	Dial     func(context.Context, layout.BrokerRegistration) (Peer, error)
	Settings Settings
	// UncleanLeaderElection is unclean.leader.election.enable as it is now, for topics that do not say; nil stands for
	// what Settings say.
	UncleanLeaderElection func() bool
	Log                   *slog.Logger
}

// Peer is a connection to a broker. The controller has one request under way at a time and sets its version.
type Peer interface {
	Request(context.Context, kmsg.Request) (kmsg.Response, error)
	Close()
}

// Controller stands for election and, while it is elected, controls the cluster. Its methods may be called by any
// goroutine; they wait for the events before them.
type Controller struct {
	Config
	active    atomic.Pointer[term] // nil while another broker is the controller
	elections elections
}

// New makes a controller; Run starts it.
func New(config Config) *Controller {
	if config.UncleanLeaderElection == nil {
		config.UncleanLeaderElection = func() bool { return config.Settings.UncleanLeaderElectionEnable }
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	config.Log = config.Log.With("part", "controller")
	return &Controller{Config: config}
}

// failurePause keeps a fault that stays, such as a refused write, from spinning.
const failurePause = time.Second

// Run stands for election, and again whenever a term ended, until ctx ends.
func (c *Controller) Run(ctx context.Context) error {
	for {
		t, err := c.stand(ctx)
		if err == nil {
			err = c.lead(ctx, t)
		}
		if ctx.Err() != nil {
			return nil
		}
		if err == nil {
			continue
		}
		c.Log.Error("controller failed, standing again", "err", err)
		select {
		case <-time.After(failurePause):
		case <-ctx.Done():
			return nil
		}
	}
}

// lead runs one term. The error is nil if the term ended as terms do: the session expired or another was elected.
func (c *Controller) lead(ctx context.Context, t *term) error {
	c.active.Store(t)
	err := t.run()
	c.active.Store(nil)
	t.end()
	if ctx.Err() == nil {
		c.Log.Warn("resigned as controller", "epoch", t.epoch, "reason", err)
	}
	if errors.Is(err, errExpired) || errors.Is(err, errMoved) {
		return nil
	}
	return err
}

// Active says whether this broker is the controller.
func (c *Controller) Active() bool { return c.active.Load() != nil }

// ask has the current term handle a request and returns its response; ok is false if there is no term, it ended before
// the answer, or failed. The response is passed on, since the term may still be at work when nobody waits any more.
func ask[R any](ctx context.Context, c *Controller, name string, handle func(*term) (R, error)) (resp R, ok bool) {
	t := c.active.Load()
	if t == nil {
		return resp, false
	}
	type answer struct {
		resp R
		err  error
	}
	handled := make(chan answer, 1)
	posted := t.post(ctx, name, func() error {
		resp, err := handle(t)
		handled <- answer{resp, err}
		return err
	})
	if !posted {
		return resp, false
	}
	select {
	case a := <-handled:
		return a.resp, a.err == nil
	case <-t.ctx.Done():
	case <-ctx.Done():
	}
	return resp, false
}

// AlterPartition lets a leader change the ISR of its partitions, versions 0 to 3.
func (c *Controller) AlterPartition(ctx context.Context, req *kmsg.AlterPartitionRequest) *kmsg.AlterPartitionResponse {
	resp, ok := ask(ctx, c, "AlterPartition", func(t *term) (*kmsg.AlterPartitionResponse, error) { return t.alterPartition(req) })
	if !ok {
		resp = req.ResponseKind().(*kmsg.AlterPartitionResponse)
		resp.ErrorCode = kerr.NotController.Code
	}
	return resp
}

// ControlledShutdown moves leadership away from a broker that is about to stop, versions 0 to 3. The response lists
// the partitions that nobody else can lead.
func (c *Controller) ControlledShutdown(ctx context.Context, req *kmsg.ControlledShutdownRequest) *kmsg.ControlledShutdownResponse {
	resp, ok := ask(ctx, c, "ControlledShutdown", func(t *term) (*kmsg.ControlledShutdownResponse, error) { return t.controlledShutdown(req) })
	if !ok {
		resp = req.ResponseKind().(*kmsg.ControlledShutdownResponse)
		resp.ErrorCode = kerr.NotController.Code
	}
	return resp
}

// ElectLeaders elects preferred or unclean leaders, versions 0 to 2.
func (c *Controller) ElectLeaders(ctx context.Context, req *kmsg.ElectLeadersRequest) *kmsg.ElectLeadersResponse {
	resp, ok := ask(ctx, c, "ElectLeaders", func(t *term) (*kmsg.ElectLeadersResponse, error) { return t.electLeaders(req) })
	if !ok {
		resp = refuseElection(req)
	}
	return resp
}

// ConfigChanged tells that unclean.leader.election.enable may have changed: partitions without a leader are tried
// again. It does not wait.
func (c *Controller) ConfigChanged() {
	if t := c.active.Load(); t != nil {
		go t.post(t.ctx, "configuration changed", t.electOffline)
	}
}

func errorText(code int16) string {
	if err := kerr.ErrorForCode(code); err != nil {
		return err.Error()
	}
	return ""
}
