package quorum

import "sync"

// mailbox is a queue that never blocks who puts something in; the reader takes all there is at once.
type mailbox[T any] struct {
	wake chan struct{} // holds a token if there may be something

	mu    sync.Mutex
	items []T
}

func newMailbox[T any]() *mailbox[T] { return &mailbox[T]{wake: make(chan struct{}, 1)} }

// leave puts something in that can wait until the reader is woken for something else.
func (m *mailbox[T]) leave(item T) {
	m.mu.Lock()
	m.items = append(m.items, item)
	m.mu.Unlock()
}

// call wakes the reader.
func (m *mailbox[T]) call() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

func (m *mailbox[T]) take() []T {
	m.mu.Lock()
	defer m.mu.Unlock()
	items := m.items
	m.items = nil
	return items
}
