package controller

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/layout"
)

// dialPause is the wait after a broker could not be reached or did not answer.
const dialPause = 100 * time.Millisecond

// outbox sends control requests to one broker: one connection, one request at a time, in order, each repeated until the
// broker answers or run's context ends because it left. put never blocks.
type outbox struct {
	id      int32 // of the broker
	dial    func(context.Context, layout.BrokerRegistration) (Peer, error)
	timeout time.Duration
	log     *slog.Logger
	stop    context.CancelFunc

	mu    sync.Mutex
	to    layout.BrokerRegistration
	queue []letter
	wake  chan struct{} // capacity 1: something was queued
}

// letter is a request and who wants its answer, if anybody.
type letter struct {
	request  kmsg.Request
	answered func(kmsg.Response)
}

func (o *outbox) put(letters ...letter) {
	o.mu.Lock()
	o.queue = append(o.queue, letters...)
	o.mu.Unlock()
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// moved has the next connection go to where the broker is now.
func (o *outbox) moved(to layout.BrokerRegistration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.to = to
}

func (o *outbox) take() (letter, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.queue) == 0 {
		return letter{}, false
	}
	l := o.queue[0]
	o.queue = o.queue[1:]
	return l, true
}

func (o *outbox) run(ctx context.Context) {
	var peer Peer
	defer func() {
		if peer != nil {
			peer.Close()
		}
	}()
	for ctx.Err() == nil {
		l, ok := o.take()
		if !ok {
			select {
			case <-o.wake:
			case <-ctx.Done():
			}
			continue
		}
		var resp kmsg.Response
		if peer, resp = o.deliver(ctx, peer, l.request); resp == nil {
			return
		}
		o.complain(resp)
		if l.answered != nil {
			l.answered(resp)
		}
	}
}

// deliver repeats a request until it is answered and returns the connection for the next one. The response is nil if
// ctx ended before.
func (o *outbox) deliver(ctx context.Context, peer Peer, req kmsg.Request) (Peer, kmsg.Response) {
	for told := false; ; {
		var resp kmsg.Response
		var err error
		if peer == nil {
			peer, err = o.dialWithin(ctx)
		}
		if err == nil {
			if resp, err = o.request(ctx, peer, req); err == nil {
				return peer, resp
			}
			peer.Close()
		}
		peer = nil
		if ctx.Err() != nil {
			return nil, nil
		}
		if !told {
			o.log.Warn("broker does not answer, trying on until it leaves", "broker", o.id, "request", kmsg.NameForKey(req.Key()), "err", err)
			told = true
		}
		select {
		case <-time.After(dialPause):
		case <-ctx.Done():
			return nil, nil
		}
	}
}

func (o *outbox) dialWithin(ctx context.Context) (Peer, error) {
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	o.mu.Lock()
	to := o.to
	o.mu.Unlock()
	return o.dial(ctx, to)
}

func (o *outbox) request(ctx context.Context, peer Peer, req kmsg.Request) (kmsg.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	return peer.Request(ctx, req)
}

// complain logs a request that was refused as a whole: the broker knows a newer controller or has registered anew.
func (o *outbox) complain(resp kmsg.Response) {
	var code int16
	switch r := resp.(type) {
	case *kmsg.LeaderAndISRResponse:
		code = r.ErrorCode
	case *kmsg.UpdateMetadataResponse:
		code = r.ErrorCode
	case *kmsg.StopReplicaResponse:
		code = r.ErrorCode
	}
	if code != 0 {
		o.log.Warn("broker refused a control request", "broker", o.id, "request", kmsg.NameForKey(resp.Key()), "err", errorText(code))
	}
}
