package broker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/broker/metadata"
)

// errNoController says that no controller is known, or that the one known has been replaced.
var errNoController = errors.New("no controller is active")

// handOverTime bounds all attempts to hand over together: a controller that is gone is replaced within a session, and one
// that is there answers soon. Whoever stops this broker does not wait for ever.
func handOverTime(socket, session, backoff time.Duration, tries int) time.Duration {
	return max(min(socket, session+5*time.Second), time.Duration(tries)*backoff)
}

// handOver asks the controller to move leadership to other brokers, as often as controlled.shutdown.* says.
func (b *Broker) handOver(ctx context.Context) {
	if !b.settings.Bool("controlled.shutdown.enable") {
		return
	}
	tries := int(b.settings.Int("controlled.shutdown.max.retries"))
	backoff := b.settings.Millis("controlled.shutdown.retry.backoff.ms")
	ctx, cancel := context.WithTimeout(ctx, handOverTime(b.settings.Millis("controller.socket.timeout.ms"), b.settings.ZooKeeper.SessionTimeout, backoff, tries))
	defer cancel()
	for try := 1; try <= tries && ctx.Err() == nil; try++ {
		if !b.othersAlive() {
			b.log.Info("no other broker is alive to take over")
			return
		}
		left, err := b.askControlledShutdown(ctx)
		switch {
		case err == nil && left == 0:
			b.log.Info("leadership handed over")
			return
		case err == nil:
			b.log.Warn("nobody can take over some partitions", "partitions", left, "try", try)
		default:
			b.log.Warn("leadership not handed over", "err", err, "try", try)
		}
		if try < tries {
			b.pauseUntilNews(ctx, backoff)
		}
	}
	b.log.Warn("stopping without having handed everything over")
}

func (b *Broker) othersAlive() bool {
	for id := range b.cache.Current().Brokers {
		if id != b.settings.BrokerID {
			return true
		}
	}
	return false
}

// pauseUntilNews waits, but not longer than until there is another controller or set of brokers.
func (b *Broker) pauseUntilNews(ctx context.Context, most time.Duration) {
	limit, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	before := b.cache.Current()
	_ = b.cache.Wait(limit, func(c *metadata.Cluster) bool {
		return c.ControllerID != before.ControllerID || len(c.Brokers) != len(before.Brokers)
	})
}

func (b *Broker) askControlledShutdown(ctx context.Context) (left int, err error) {
	req := kmsg.NewPtrControlledShutdownRequest()
	req.Version, req.BrokerID, req.BrokerEpoch = 3, b.settings.BrokerID, b.registration.epoch.Load()
	limit, cancel := context.WithTimeout(ctx, b.settings.Millis("controller.socket.timeout.ms"))
	defer cancel()
	var response *kmsg.ControlledShutdownResponse
	if b.controller.Active() {
		response = b.controller.ControlledShutdown(limit, req)
	} else {
		answer, err := b.askController(limit, req)
		if err != nil {
			return 0, err
		}
		response = answer.(*kmsg.ControlledShutdownResponse)
	}
	return len(response.PartitionsRemaining), kerr.ErrorForCode(response.ErrorCode)
}

// askController sends a request to the controller on another broker, and waits no longer than until that is replaced.
func (b *Broker) askController(ctx context.Context, req kmsg.Request) (kmsg.Response, error) {
	cluster := b.cache.Current()
	address, ok := b.endpoint(cluster.ControllerID)
	if !ok || cluster.ControllerID == b.settings.BrokerID {
		return nil, fmt.Errorf("%s: %w", kmsg.NameForKey(req.Key()), errNoController)
	}
	ctx, cancel := b.cache.While(ctx, func(c *metadata.Cluster) bool {
		return c.ControllerID == cluster.ControllerID && c.Alive(c.ControllerID)
	}, errNoController)
	defer cancel()
	answer, err := b.peers.request(ctx, address, req)
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%s: %w", kmsg.NameForKey(req.Key()), context.Cause(ctx))
	}
	return answer, err
}

// askAlterPartition takes what a leader wants of the controller there.
func (b *Broker) askAlterPartition(ctx context.Context, req *kmsg.AlterPartitionRequest) (*kmsg.AlterPartitionResponse, error) {
	if b.controller.Active() {
		return b.controller.AlterPartition(ctx, req), nil
	}
	limit, cancel := context.WithTimeout(ctx, b.settings.Millis("controller.socket.timeout.ms"))
	defer cancel()
	answer, err := b.askController(limit, req)
	if err != nil {
		return nil, err
	}
	return answer.(*kmsg.AlterPartitionResponse), nil
}
