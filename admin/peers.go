package admin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// peers talks to brokers, each through a client of its own that knows no other broker: it neither retries nor
// looks elsewhere, so one that hangs costs its own deadline and nothing else. Safe for concurrent use.
type peers struct {
	opts     []kgo.Opt
	deadline time.Duration // of a question to one broker
	patience time.Duration // of a question that any broker can answer
	hedge    time.Duration

	bootstrap []string

	mu     sync.Mutex
	byAddr map[string]*kgo.Client
	known  map[int32]endpoint
}

// offsetFetch is an API key.
const offsetFetch = 9

func newPeers(c Config) (*peers, error) {
	opts, err := c.clientOptions()
	if err != nil {
		return nil, err
	}
	if len(c.Bootstrap) == 0 && !c.bare() {
		return nil, errors.New("no broker to ask: name one with --bootstrap-server host:port")
	}
	// From version 10 on, OffsetFetch names topics by id only.
	versions := kversion.Stable()
	versions.SetMaxKeyVersion(offsetFetch, 9)
	return &peers{
		opts: append(opts, kgo.MaxVersions(versions)), deadline: c.Deadline, patience: c.Deadline, hedge: c.Hedge, bootstrap: c.Bootstrap,
		byAddr: map[string]*kgo.Client{}, known: map[int32]endpoint{},
	}, nil
}

func (p *peers) client(addr string) (*kgo.Client, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if cl, ok := p.byAddr[addr]; ok {
		return cl, nil
	}
	cl, err := kgo.NewClient(append(slices.Clone(p.opts),
		kgo.SeedBrokers(addr), kgo.DialTimeout(p.patience), kgo.RequestTimeoutOverhead(p.patience),
		kgo.RequestRetries(0), kgo.RetryTimeout(p.patience),
	)...)
	if err != nil {
		return nil, err
	}
	p.byAddr[addr] = cl
	return cl, nil
}

func (p *peers) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, cl := range p.byAddr {
		cl.Close()
	}
	clear(p.byAddr)
}

// ask sends one request that changes nothing to the broker at addr and gives it the deadline.
func (p *peers) ask(ctx context.Context, addr string, req kmsg.Request) (kmsg.Response, error) {
	return p.askFor(ctx, p.deadline, addr, req)
}

// askFor is ask with another limit. If the connection turns out to be dead, another one is tried within that time.
func (p *peers) askFor(ctx context.Context, limit time.Duration, addr string, req kmsg.Request) (kmsg.Response, error) {
	begun := time.Now()
	resp, err := p.askWithin(ctx, limit, addr, req)
	dead := func() bool {
		return err != nil && ctx.Err() == nil && kgo.IsRetryableBrokerErr(errors.Unwrap(err)) && !errors.Is(err, syscall.ECONNREFUSED)
	}
	if left := limit - time.Since(begun); dead() && left > 0 {
		resp, err = p.askWithin(ctx, left, addr, req)
	}
	// The client gives up a connection that is silent for long; that may come a moment before our own limit does.
	if elapsed := time.Since(begun); dead() && elapsed > limit*9/10 {
		err = &unansweredError{addr: addr, limit: limit, err: context.DeadlineExceeded}
	} else if e, ok := errors.AsType[*unansweredError](err); ok {
		e.limit = limit
	}
	return resp, err
}

// askWithin is for requests that a broker holds until it has done something.
func (p *peers) askWithin(ctx context.Context, limit time.Duration, addr string, req kmsg.Request) (kmsg.Response, error) {
	cl, err := p.client(addr)
	if err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	resp, err := cl.SeedBrokers()[0].Request(limited, req)
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	p.note(addr, err == nil)
	if err != nil {
		return nil, &unansweredError{addr: addr, limit: limit, err: err}
	}
	return resp, nil
}

// askAny asks the first of addrs, the next one whenever the hedge delay passes or one fails, and returns the
// first answer that good accepts.
func (p *peers) askAny(ctx context.Context, addrs []string, request func() kmsg.Request, good func(kmsg.Response) error) (kmsg.Response, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type answer struct {
		resp kmsg.Response
		err  error
	}
	answers := make(chan answer, len(addrs))
	timer := time.NewTimer(0)
	defer timer.Stop()
	var failed error
	for asked, open := 0, 0; ; {
		next := timer.C
		if asked == len(addrs) {
			if open == 0 {
				return nil, cmp.Or(failed, errNoBroker)
			}
			next = nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-next:
			addr := addrs[asked]
			asked, open = asked+1, open+1
			go func() {
				resp, err := p.askFor(ctx, p.patience, addr, request())
				answers <- answer{resp, err}
			}()
			timer.Reset(p.hedge)
		case a := <-answers:
			open--
			if a.err == nil {
				a.err = good(a.resp)
			}
			if a.err == nil {
				return a.resp, nil
			}
			if failed == nil {
				failed = a.err
			}
			timer.Reset(0)
		}
	}
}

// errNoBroker is for a cluster of which only ZooKeeper is known.
var errNoBroker = errors.New("no broker is known: name one with --bootstrap-server host:port")

// unansweredError is a broker that did not answer, in words for people.
type unansweredError struct {
	addr  string
	limit time.Duration
	err   error
}

func (e *unansweredError) Unwrap() error { return e.err }
func (e *unansweredError) Error() string { return e.addr + " " + e.reason() }

// reason completes a sentence that starts with the broker.
func (e *unansweredError) reason() string {
	if named, ok := errors.AsType[*kerr.Error](e.err); ok {
		return "says " + named.Message
	}
	netErr, isNet := errors.AsType[net.Error](e.err)
	dns, isDNS := errors.AsType[*net.DNSError](e.err)
	_, isEOF := errors.AsType[*kgo.ErrFirstReadEOF](e.err)
	switch {
	case isDNS && dns.IsNotFound:
		return "is no known host name"
	case errors.Is(e.err, syscall.ECONNREFUSED):
		return "refuses connections"
	case errors.Is(e.err, context.DeadlineExceeded), isNet && netErr.Timeout():
		return "did not answer within " + Seconds(e.limit)
	case errors.Is(e.err, io.EOF) && !isEOF, errors.Is(e.err, syscall.ECONNRESET), errors.Is(e.err, syscall.EPIPE):
		return "closed the connection"
	case isEOF:
		return "closed the connection at once: does it want TLS or SASL (--command-config)?"
	case !isNet && kgo.IsRetryableBrokerErr(e.err): // the client's own words for a connection that broke
		return "closed the connection"
	}
	return fmt.Sprintf("did not answer: %v", e.err)
}
