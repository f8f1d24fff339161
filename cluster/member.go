package cluster

import (
	"context"
	"fmt"
	"slices"
	"syscall"
	"time"
)

// member is a node of the cluster and what its supervisor knows about it.
type member struct {
	Node
	life
	since   time.Time // when it entered its state
	child   bool      // its process is ours to wait for; otherwise it was adopted
	pending Verb      // what is to follow the end of its process, empty if nobody asked for it
	number  int       // counts its processes, so that word of an older one is recognized
	cancel  context.CancelFunc
}

func (m *member) enter(state State) {
	m.State, m.since = state, time.Now()
}

func (s *Supervisor) member(name string) *member {
	i := slices.IndexFunc(s.members, func(m *member) bool { return m.Name == name })
	if i < 0 {
		return nil
	}
	return s.members[i]
}

// start starts the process of a node that has none, as soon as it could join.
func (s *Supervisor) start(m *member) {
	m.Wanted, m.Reason, m.pending = true, "", ""
	if left := s.registered(m); left > 0 {
		m.enter(Waiting)
		s.changed()
		time.AfterFunc(left, func() { s.post(s.advance) })
		return
	}
	p, wait, err := s.launch(m.Node)
	if err != nil {
		s.log.Error("node does not start", "node", m.Name, "err", err)
		m.Wanted, m.Reason = false, err.Error()
		m.enter(Exited)
		s.record(Event{Kind: KindExit, Subject: m.Name, New: "not started", Note: err.Error()})
		s.changed()
		return
	}
	m.Process, m.Started, m.Exit, m.child, m.Served = p, time.Now(), nil, true, false
	m.Starts++
	m.number++
	m.enter(Starting)
	s.changed() // before anything else, so that a new supervisor would know the process
	s.log.Info("node started", "node", m.Name, "pid", p.PID)
	s.record(Event{At: m.Started, Kind: KindStarted, Subject: m.Name, New: fmt.Sprint(p.PID)})
	number := m.number
	go func() {
		exit := wait()
		s.post(func() { s.exited(m, number, exit) })
	}()
	s.probe(m)
}

// registered is how long ZooKeeper may yet count a broker that is dead as a member. Apache's broker does not wait for the end
// of its last session: it ends with KeeperErrorCode = NodeExists.
func (s *Supervisor) registered(m *member) time.Duration {
	if m.Role != Broker || s.spec.mode() != ZooKeeper || !isApache(s.spec.EngineOf(Broker)) {
		return 0
	}
	if m.Exit == nil || m.Exit.Known && m.Exit.Signal == 0 { // it has closed its session itself
		return 0
	}
	return time.Until(m.Ended.Add(s.spec.session()))
}

// launch starts the process of a node as its engine says.
func (s *Supervisor) launch(n Node) (process, func() Exit, error) {
	p, err := s.plan(n)
	if err != nil {
		return process{}, nil, err
	}
	return s.host.start(n, p)
}

func (s *Supervisor) plan(n Node) (plan, error) {
	e, err := openEngine(s.stateDir, s.dir, s.spec.EngineOf(n.Role))
	if err != nil {
		return plan{}, err
	}
	return e.plan(&s.spec, n, nodeFolder(s.dir, n.Name)), nil
}

// probe finds out when the node serves.
func (s *Supervisor) probe(m *member) {
	ctx, cancel := context.WithCancel(context.Background())
	m.cancel = cancel
	node, number := m.Node, m.number
	go func() {
		defer cancel()
		for s.host.serves(ctx, node) != nil {
			pause(ctx, probeEvery)
			if ctx.Err() != nil {
				return
			}
		}
		s.post(func() { s.answered(m, number) })
	}()
}

const probeEvery = 20 * time.Millisecond

func (s *Supervisor) answered(m *member, number int) {
	if m.number != number || m.Process.IsZero() {
		return
	}
	m.Served = true
	if m.State != Starting {
		return
	}
	m.enter(Serving)
	s.log.Info("node serves", "node", m.Name, "after", time.Since(m.Started).Round(time.Millisecond))
	s.advance()
	s.changed()
}

// exited notes the end of a node's process and decides what follows.
func (s *Supervisor) exited(m *member, number int, exit Exit) {
	if m.number != number || m.Process.IsZero() {
		return
	}
	now := time.Now()
	m.cancel()
	pending := m.pending
	if !exit.Known && pending == Kill {
		exit = Exit{Known: true, Signal: int(syscall.SIGKILL)} // ours
	}
	m.Process, m.Exit, m.Ended, m.Reason, m.pending = process{}, &exit, now, "", ""
	unasked := pending == "" && s.closing == nil
	if unasked && exit.Known && exit.Signal != int(syscall.SIGKILL) {
		m.Reason = s.host.reason(m.Node)
	}
	if unasked && m.Served {
		s.record(Event{At: now, Kind: KindFault, Subject: m.Name, New: string(KindExit), Note: m.Reason})
	}
	s.record(Event{At: now, Kind: KindExit, Subject: m.Name, New: exit.String(), Note: m.Reason})
	s.log.Info("node ended", "node", m.Name, "exit", exit.String(), "reason", m.Reason)

	switch {
	case s.closing != nil || pending == Stop:
		m.Wanted = false
		m.enter(Stopped)
	case pending == Restart:
		s.start(m)
	case s.spec.Restart.follows(exit):
		s.backOff(m, now)
	default:
		m.Wanted = false
		m.enter(Exited)
	}
	s.advance()
	s.changed()
}

// backOff starts the node again after a delay that grows with its failures.
func (s *Supervisor) backOff(m *member, now time.Time) {
	m.Failures = m.Failures.add(now)
	m.enter(BackOff)
	number := m.number
	time.AfterFunc(m.Failures.delay(), func() {
		s.post(func() {
			if m.number == number && m.State == BackOff {
				s.start(m)
			}
		})
	})
}

// advance takes the next step that the end or the readiness of a node allows: brokers start once a quorum of what keeps
// their metadata serves; on the way down that stops once the brokers have.
func (s *Supervisor) advance() {
	if s.closing != nil {
		s.sink()
		return
	}
	for _, m := range s.members {
		if m.State == Waiting && (m.Role != Broker || s.missing() == "") {
			s.start(m)
		}
	}
}

// missing says what keeps all brokers waiting, or nothing.
func (s *Supervisor) missing() string {
	all, serving := 0, 0
	for _, m := range s.members {
		if m.Role == Broker {
			continue
		}
		all++
		if m.State == Serving {
			serving++
		}
	}
	if serving > all/2 || all == 0 {
		return ""
	}
	return fmt.Sprintf("waits for a quorum: %d of %d %ss serve", serving, all, s.spec.quorumRole())
}

// poll looks at the processes: adopted ones end without anybody telling, and anyone may halt or continue a process.
func (s *Supervisor) poll() {
	var pids []int
	for _, m := range s.members {
		if !m.Process.IsZero() {
			pids = append(pids, m.Process.PID)
		}
	}
	if len(pids) == 0 {
		return
	}
	vitals := s.host.look(pids...)
	for _, m := range s.members {
		if m.Process.IsZero() {
			continue
		}
		v, ok := vitals[m.Process.PID]
		switch {
		case !ok || v.identity != m.Process.Identity:
			if !m.child {
				s.exited(m, m.number, Exit{})
			}
		case v.halted && (m.State == Serving || m.State == Starting):
			s.halted(m)
		case !v.halted && m.State == Paused:
			s.continued(m)
		}
	}
}

// halted notes that a node was sent SIGSTOP.
func (s *Supervisor) halted(m *member) {
	m.enter(Paused)
	s.record(Event{Kind: KindPaused, Subject: m.Name})
	s.changed()
}

// continued notes that a node was sent SIGCONT.
func (s *Supervisor) continued(m *member) {
	m.enter(Starting)
	if m.Served {
		m.enter(Serving)
	}
	s.record(Event{Kind: KindResumed, Subject: m.Name})
	s.changed()
}

// adopt takes over what the last supervisor had running, and what it had started when it died before it could note it.
func (s *Supervisor) adopt(before run) {
	lines, wanted := map[string]string{}, map[string]bool{}
	for _, m := range s.members {
		if p, err := s.plan(m.Node); err == nil { // without its engine a node cannot have been started just now
			lines[m.Name] = p.commandLine()
			wanted[lines[m.Name]] = true
		}
	}
	running := s.host.running(wanted)
	for _, m := range s.members {
		if l, ok := before.Nodes[m.Name]; ok {
			m.life = l
		}
		v, lives := s.host.look(m.Process.PID)[m.Process.PID]
		lives = lives && v.identity == m.Process.Identity
		if stray, ok := running[lines[m.Name]]; ok && !lives {
			m.life = life{Process: stray, Wanted: true, Starts: m.Starts + 1, Started: time.Now()}
			v, lives = s.host.look(stray.PID)[stray.PID]
		}
		switch {
		case lives:
			s.takeOver(m, v)
		case !m.Process.IsZero():
			m.number, m.cancel = 1, func() {}
			s.exited(m, m.number, Exit{})
		case m.Wanted:
			m.enter(Waiting)
		case m.State == "":
			m.enter(Stopped)
		}
	}
	s.advance()
}

// takeOver makes the process of another supervisor a node's.
func (s *Supervisor) takeOver(m *member, v vital) {
	m.child, m.number = false, 1
	m.enter(adoptedState(m.life, v))
	s.log.Info("node adopted", "node", m.Name, "pid", m.Process.PID, "state", string(m.State))
	if m.State == Stopping {
		m.pending = Stop
		s.limit(m)
	}
	s.probe(m)
}

// adoptedState is the state of a node whose process outlived its supervisor.
func adoptedState(l life, v vital) State {
	switch {
	case l.State == Stopping:
		return Stopping
	case v.halted:
		return Paused
	case l.Served:
		return Serving
	}
	return Starting
}
