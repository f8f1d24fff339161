package watch

import (
	"context"
	"sync"

	"github.com/go-zookeeper/zk"
)

// inbox takes events from the client library, whose callback must never wait.
type inbox struct {
	mu     sync.Mutex
	events []zk.Event
	ready  chan struct{}
}

func newInbox() *inbox { return &inbox{ready: make(chan struct{}, 1)} }

func (b *inbox) put(e zk.Event) {
	b.mu.Lock()
	b.events = append(b.events, e)
	b.mu.Unlock()
	select {
	case b.ready <- struct{}{}:
	default:
	}
}

// take waits for events and returns all there are; ok is false once ctx ends.
func (b *inbox) take(ctx context.Context) (events []zk.Event, ok bool) {
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
