package ensemble

import (
	"context"
	"sync"

	"github.com/go-zookeeper/zk"
)

// Inbox takes events from the client library, whose callback must never wait.
type Inbox struct {
	mu     sync.Mutex
	events []zk.Event
	ready  chan struct{}
}

// NewInbox makes an empty inbox.
func NewInbox() *Inbox { return &Inbox{ready: make(chan struct{}, 1)} }

// Put adds an event.
func (b *Inbox) Put(e zk.Event) {
	b.mu.Lock()
	b.events = append(b.events, e)
	b.mu.Unlock()
	select {
	case b.ready <- struct{}{}:
	default:
	}
}

// Take waits for events and returns all there are; ok is false once ctx ends.
func (b *Inbox) Take(ctx context.Context) (events []zk.Event, ok bool) {
	select {
	case <-ctx.Done():
		return nil, false
	case <-b.ready:
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	events, b.events = b.events, nil
	return events, true
}
