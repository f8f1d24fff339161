package controller

import (
	"context"
	"log/slog"

	"github.com/go-zookeeper/zk"
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
	Log      *slog.Logger
}

// Peer is a connection to a broker. The controller has one request under way at a time and sets its version.
type Peer interface {
	Request(context.Context, kmsg.Request) (kmsg.Response, error)
	Close()
}

// Controller stands for election and, while it is elected, controls the cluster.
type Controller struct {
	Config
}

// New makes a controller; Run starts it.
func New(config Config) *Controller { return &Controller{Config: config} }

// Run stands for election, and again whenever a term ended, until ctx ends.
func (c *Controller) Run(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// Active says whether this broker is the controller.
func (c *Controller) Active() bool { return false }

// AlterPartition lets a leader change the ISR of its partitions, versions 0 to 3.
func (c *Controller) AlterPartition(ctx context.Context, req *kmsg.AlterPartitionRequest) *kmsg.AlterPartitionResponse {
	return req.ResponseKind().(*kmsg.AlterPartitionResponse)
}

// ControlledShutdown moves leadership away from a broker that is about to stop, versions 0 to 3.
func (c *Controller) ControlledShutdown(ctx context.Context, req *kmsg.ControlledShutdownRequest) *kmsg.ControlledShutdownResponse {
	return req.ResponseKind().(*kmsg.ControlledShutdownResponse)
}

// ElectLeaders elects preferred or unclean leaders, versions 0 to 2.
func (c *Controller) ElectLeaders(ctx context.Context, req *kmsg.ElectLeadersRequest) *kmsg.ElectLeadersResponse {
	return req.ResponseKind().(*kmsg.ElectLeadersResponse)
}

// ConfigChanged tells that unclean.leader.election.enable may have changed for a topic, or for all if topic is empty.
func (c *Controller) ConfigChanged(topic string) {}
