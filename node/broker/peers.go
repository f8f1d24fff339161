package broker

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/wire"
)

// peers are the connections to other brokers for requests that this broker makes on its own account, one each.
type peers struct {
	dialer   wire.Dialer
	clientID string

	mu     sync.Mutex
	conns  map[string]*wire.Client // by address
	closed bool
}

func newPeers(dialer wire.Dialer, clientID string) *peers {
	return &peers{dialer: dialer, clientID: clientID, conns: map[string]*wire.Client{}}
}

var errClosing = errors.New("broker is stopping")

// request asks the broker at an address, on a connection that stays open for the next request.
func (p *peers) request(ctx context.Context, address string, req kmsg.Request) (kmsg.Response, error) {
	conn, err := p.conn(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", kmsg.NameForKey(req.Key()), err)
	}
	return conn.Request(ctx, req)
}

func (p *peers) conn(ctx context.Context, address string) (*wire.Client, error) {
	p.mu.Lock()
	conn := p.conns[address]
	if conn != nil && conn.Broken() != nil {
		delete(p.conns, address)
		conn = nil
	}
	p.mu.Unlock()
	if conn != nil {
		return conn, nil
	}
	fresh, err := p.dialer.Dial(ctx, address, p.clientID)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	other := p.conns[address]
	switch {
	case p.closed:
		defer fresh.Close()
		return nil, errClosing
	case other != nil && other.Broken() == nil: // somebody else was faster
		defer fresh.Close()
		return other, nil
	}
	p.conns[address] = fresh
	return fresh, nil
}

// Close ends all connections.
func (p *peers) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, c := range p.conns {
		c.Close()
	}
	clear(p.conns)
}
