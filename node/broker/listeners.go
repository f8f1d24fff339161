package broker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"syscall"

	"kdrill/node/broker/settings"
)

// listeners are the sockets by which connections come in, one for each listener. A socket is bound, then open, and, where its
// listener was removed while the broker runs, retired: its connections end as soon as who asked for that has an answer.
type listeners struct {
	mu      sync.Mutex
	doors   map[string]*door // by the name of the listener
	serving context.Context  // nil while nobody is served
	running sync.WaitGroup
	failed  chan error // has room for one
}

// door is the socket of one listener.
type door struct {
	at      settings.Listener
	socket  net.Listener
	serve   func(context.Context, net.Listener) error // nil until it is open
	end     context.CancelFunc                        // nil until it is served
	retired bool
}

func newListeners() *listeners {
	return &listeners{doors: map[string]*door{}, failed: make(chan error, 1)}
}

// Bind binds those of the listeners that are not open, and releases other sockets that are not. It binds as many as it can;
// the error is about the first of the others.
func (l *listeners) Bind(all []settings.Listener) (err error) {
	l.EndRetired() // one that is gone may have had the port
	l.mu.Lock()
	defer l.mu.Unlock()
	l.release(all)
	for _, at := range all {
		if l.doors[at.Name] != nil {
			continue
		}
		socket, failure := bind("listeners", at.Address())
		if failure != nil {
			err = cmp.Or(err, l.own(at, failure))
			continue
		}
		l.doors[at.Name] = &door{at: at, socket: socket}
	}
	return err
}

// Release releases the sockets that are bound and not open.
func (l *listeners) Release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.release(nil)
}

// release is Release of all but some. The lock is held.
func (l *listeners) release(but []settings.Listener) {
	for name, d := range l.doors {
		if d.serve == nil && !slices.Contains(but, d.at) {
			d.socket.Close()
			delete(l.doors, name)
		}
	}
}

// own names the listener that keeps another from being bound, if one does. The lock is held.
func (l *listeners) own(at settings.Listener, failure error) error {
	if _, taken := errors.AsType[portTakenError](failure); !taken {
		return failure
	}
	for name, d := range l.doors {
		if d.socket.Addr().(*net.TCPAddr).Port == at.Port {
			return fmt.Errorf("listeners: %s of listener %s is in use by listener %s: remove that one first", at.Address(), at.Name, name)
		}
	}
	return failure
}

// portTakenError is an address that somebody else listens at.
type portTakenError struct{ property, address string }

func (e portTakenError) Error() string {
	return fmt.Sprintf("%s: %s is in use by another process: stop that one or choose another port", e.property, e.address)
}

// bind opens the address that a property gives.
func bind(property, address string) (net.Listener, error) {
	bound, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, portTakenError{property, address}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", property, err)
	}
	return bound, nil
}

// Tell notes the ports that the system chose.
func (l *listeners) Tell(listening *settings.Listening) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, at := range listening.Listeners {
		if d := l.doors[at.Name]; d != nil && at.Port == 0 {
			listening.Bound(at.Name, d.socket.Addr().(*net.TCPAddr).Port)
		}
	}
}

// Open has serve take the connections of a listener that is bound.
func (l *listeners) Open(name string, serve func(context.Context, net.Listener) error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if d := l.doors[name]; d != nil && d.serve == nil {
		d.serve = serve
		l.start(d)
	}
}

// start serves an open listener, if the broker serves. The lock is held.
func (l *listeners) start(d *door) {
	if l.serving == nil {
		return
	}
	ctx, end := context.WithCancel(l.serving)
	d.end = end
	l.running.Go(func() {
		defer end()
		if err := d.serve(ctx, d.socket); err != nil && ctx.Err() == nil {
			select {
			case l.failed <- err:
			default: // the first is enough
			}
		}
	})
}

// Retire notes listeners that were removed.
func (l *listeners) Retire(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if d := l.doors[name]; d != nil {
		d.retired = true
	}
}

// EndRetired ends the connections of listeners that were removed.
func (l *listeners) EndRetired() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, d := range l.doors {
		if !d.retired {
			continue
		}
		if d.end != nil {
			d.end()
		}
		d.socket.Close()
		delete(l.doors, name)
	}
}

// Run serves what is open, and what opens later, until ctx ends or a listener fails.
func (l *listeners) Run(ctx context.Context) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l.mu.Lock()
	l.serving = ctx
	for _, d := range l.doors {
		if d.serve != nil {
			l.start(d)
		}
	}
	l.mu.Unlock()
	select {
	case err = <-l.failed:
	case <-ctx.Done():
	}
	l.mu.Lock()
	l.serving = nil
	l.mu.Unlock()
	cancel()
	l.running.Wait()
	return err
}

// Close releases every socket.
func (l *listeners) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range l.doors {
		d.socket.Close()
	}
}
