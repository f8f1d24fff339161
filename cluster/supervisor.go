package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Config is what a supervisor needs to know.
type Config struct {
	StateDir string // holds the folders of all clusters
	Name     string
	Log      *slog.Logger
}

// host is the machine that nodes run on.
type host interface {
	// start starts a node's program; the function waits for the end of it and of its process group.
	start(n Node, p plan) (process, func() Exit, error)
	signal(p process, sig syscall.Signal) error
	look(pids ...int) map[int]vital
	// running finds processes by their command lines.
	running(commandLines map[string]bool) map[string]process
	// serves returns nil once the node serves its clients.
	serves(ctx context.Context, n Node) error
	// reason is the line of the node's log that says why its last process failed.
	reason(n Node) string
}

// Supervisor owns the processes of one cluster. All its fields but the channels and the view belong to the goroutine of
// Run; others send it functions to call.
type Supervisor struct {
	name, dir, stateDir string
	log                 *slog.Logger
	host                host
	spec                Spec
	members             []*member // in the order of the spec
	held                *reservation
	timeline            *timeline
	self                process
	socket              string
	written             []byte   // what run.json holds
	closing             *closing // not nil while everything goes down
	session             int64    // see Observes
	down                bool     // everything is down: Run ends

	calls   chan func()
	ended   chan struct{} // closed when Run stops taking calls
	serving chan struct{} // closed when the API serves
	view    view
}

// New returns a supervisor for a cluster that exists in the state directory.
func New(c Config) *Supervisor {
	dir := filepath.Join(c.StateDir, c.Name)
	held := newReservation()
	return &Supervisor{
		name: c.Name, dir: dir, stateDir: c.StateDir, log: c.Log,
		host: &machine{dir: dir, held: held, said: map[string]int64{}}, held: held,
		calls: make(chan func()), ended: make(chan struct{}), serving: make(chan struct{}),
		view: view{changed: make(chan struct{})},
	}
}

// Run takes over the cluster: it adopts the nodes that run, serves the API and returns when the cluster was taken down,
// or when ctx ends; the nodes then live on and the next supervisor adopts them.
func (s *Supervisor) Run(ctx context.Context) error {
	lock, err := acquire(s.dir)
	if err != nil {
		return err
	}
	defer lock.Close()
	if _, runs, err := readRun(s.dir); err == nil && !runs && os.Getenv(adopting) != "" {
		os.Remove(filepath.Join(s.dir, lockFile))
		return fmt.Errorf("cluster %s was taken down meanwhile", s.name)
	}
	os.Unsetenv(adopting) // nodes have nothing to do with it
	before, err := s.load()
	if err != nil {
		return err
	}
	defer s.timeline.close()
	defer s.held.close()
	listener, err := listenSocket(s.dir, before.Socket)
	if err != nil {
		return fmt.Errorf("supervisor socket: %w", err)
	}
	s.socket = listener.Addr().String()
	if s.self, err = identify(os.Getpid()); err != nil {
		return err
	}
	s.log.Info("supervisor serves", "cluster", s.name, "pid", s.self.PID, "socket", s.socket)

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	s.adopt(before)
	s.changed()
	api := s.serve(ctx, listener)
	close(s.serving)
	s.loop(ctx)
	if s.down {
		err = s.clean()
	}
	stop()
	api()
	s.log.Info("supervisor ends", "cluster", s.name, "down", s.down)
	return err
}

// load reads what the cluster is and what its last supervisor left running. Ports that have no number get one.
func (s *Supervisor) load() (before run, err error) {
	if s.spec, err = readSpec(s.dir); err != nil {
		return run{}, err
	}
	if before, _, err = readRun(s.dir); err != nil {
		return run{}, err
	}
	if err := s.fillPorts(); err != nil {
		return run{}, err
	}
	for _, n := range s.spec.Nodes {
		s.members = append(s.members, &member{Node: n, life: life{State: Stopped}, since: time.Now()})
	}
	s.timeline, err = openTimeline(filepath.Join(s.dir, timelineFile))
	return before, err
}

// fillPorts chooses the ports that the spec leaves open and keeps the choice.
func (s *Supervisor) fillPorts() error {
	next := s.spec.clone()
	if err := choosePorts(&next, portsOfOthers(s.stateDir, s.name), s.held.claim, s.held.giveUp); err != nil {
		return err
	}
	for i := range next.Nodes {
		for _, port := range next.Nodes[i].ports() {
			_ = s.held.name(*port) // who needs one that another cluster has is told when it starts
		}
	}
	s.spec = next
	return writeSpec(s.dir, next)
}

// loop is the one goroutine that owns the nodes.
func (s *Supervisor) loop(ctx context.Context) {
	defer close(s.ended)
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	for !s.down {
		select {
		case <-ctx.Done():
			return
		case call := <-s.calls:
			call()
		case <-poll.C:
			s.poll()
		}
	}
}

// post has the owner call f some time, unless it has ended.
func (s *Supervisor) post(f func()) {
	select {
	case s.calls <- f:
	case <-s.ended:
	}
}

var errEnded = errors.New("the supervisor ends")

// ask has the owner call f and waits for the result.
func (s *Supervisor) ask(ctx context.Context, f func() error) error {
	result := make(chan error, 1)
	select {
	case s.calls <- func() { result <- f() }:
	case <-s.ended:
		return errEnded
	case <-ctx.Done():
		return ctx.Err()
	}
	return <-result
}

// Serving is closed as soon as the supervisor's API answers.
func (s *Supervisor) Serving() <-chan struct{} { return s.serving }

// Status returns the newest status.
func (s *Supervisor) Status() Status {
	status, _ := s.view.get()
	return status
}

// Observes tells over which ZooKeeper session the cluster is observed from this process, for [Status].
func (s *Supervisor) Observes(session int64) {
	s.post(func() {
		s.session = session
		s.changed()
	})
}

// Record adds an event to the timeline, stamped with the fault that is open. An event without a time happens now.
func (s *Supervisor) Record(e Event) { s.post(func() { s.record(e) }) }

func (s *Supervisor) record(e Event) {
	if e.At.IsZero() {
		e.At = time.Now()
	}
	if err := s.timeline.append(e); err != nil {
		s.log.Error("event lost", "kind", e.Kind, "subject", e.Subject, "err", err)
	}
}

// Events yields the timeline from event number from on and then every event that is recorded, until ctx or the supervisor
// ends. A negative number counts from the end.
func (s *Supervisor) Events(ctx context.Context, from int) iter.Seq2[Event, error] {
	return s.timeline.follow(ctx, s.ended, from)
}

// changed publishes the state of the nodes and keeps what the next supervisor needs to know.
func (s *Supervisor) changed() {
	s.view.set(s.status())
	r := run{Supervisor: s.self, Socket: s.socket, Nodes: map[string]life{}}
	for _, m := range s.members {
		r.Nodes[m.Name] = m.life
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err == nil && !bytes.Equal(data, s.written) {
		err = replaceFile(filepath.Join(s.dir, runFile), append(data, '\n'), 0o644)
		s.written = data
	}
	if err != nil {
		s.log.Error("a new supervisor would not find the nodes", "err", err)
	}
}

func (s *Supervisor) status() Status {
	lives := map[string]life{}
	for _, m := range s.members {
		lives[m.Name] = m.life
	}
	status := describe(&s.spec, s.dir, lives)
	status.PID, status.Socket, status.At = s.self.PID, s.socket, time.Now()
	status.ZooKeeperSession = s.session
	for i := range status.Nodes {
		n := &status.Nodes[i]
		m := s.member(n.Name)
		n.Since = m.since
		if m.State == Waiting {
			n.Reason = s.missing()
			if n.Reason == "" && s.registered(m) > 0 {
				n.Reason = "waits for the end of its last session"
			}
		}
	}
	return status
}

// clean removes what only a running cluster has.
func (s *Supervisor) clean() error {
	removeSocket(s.dir, s.socket)
	err := errors.Join(os.Remove(filepath.Join(s.dir, runFile)), os.Remove(filepath.Join(s.dir, lockFile)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// serve answers API requests until the function it returns has been called.
func (s *Supervisor) serve(ctx context.Context, l net.Listener) (stop func()) {
	server := s.server(ctx)
	served := make(chan struct{})
	go func() {
		defer close(served)
		if err := server.Serve(l); err != nil && !errors.Is(err, errServerClosed) {
			s.log.Error("API ended", "err", err)
		}
	}()
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = server.Shutdown(ctx) // a client that does not read its answer is left behind
		<-served
	}
}
