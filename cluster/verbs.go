package cluster

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"
)

// do does a verb to a node.
func (s *Supervisor) do(m *member, verb Verb, by string) error {
	if s.closing != nil {
		return errors.New("the cluster is going down")
	}
	if err := possible(verb, m.Name, m.State); err != nil {
		return err
	}
	s.log.Info("asked", "verb", string(verb), "node", m.Name, "by", by)
	at, fault := time.Now(), harms(verb) && m.State.Runs()
	if fault {
		s.record(Event{At: at, Kind: KindFault, Subject: m.Name, New: string(verb), Note: s.commandLine(verb, m.Name), By: by})
	}
	if err := s.carryOut(m, verb); err != nil {
		return fmt.Errorf("%s %s: %w", verb, m.Name, err)
	}
	s.changed()
	return nil
}

// possible says why a verb makes no sense for a node in this state.
func possible(verb Verb, node string, state State) error {
	pending := state == Waiting || state == BackOff
	switch verb {
	case Kill:
		if !state.Runs() {
			return fmt.Errorf("%s does not run: it is %s", node, state)
		}
	case Stop:
		if !state.Runs() && !pending || state == Stopping {
			return fmt.Errorf("%s is %s already", node, state)
		}
	case Pause:
		if state != Serving && state != Starting {
			return fmt.Errorf("%s cannot be paused: it is %s", node, state)
		}
	case Resume:
		if state != Paused {
			return fmt.Errorf("%s is not paused: it is %s", node, state)
		}
	case Restart:
		if state == Stopping {
			return fmt.Errorf("%s is stopping: start it once it has stopped", node)
		}
	case Start:
		if state.Runs() {
			return fmt.Errorf("%s runs already: it is %s", node, state)
		}
	default:
		return fmt.Errorf("verb %q: must be %s", verb, join([]Verb{Kill, Stop, Pause, Resume, Restart, Start}))
	}
	return nil
}

// harms says whether a verb takes a node that runs away from its cluster.
func harms(verb Verb) bool { return verb == Kill || verb == Stop || verb == Pause || verb == Restart }

func (s *Supervisor) carryOut(m *member, verb Verb) error {
	switch verb {
	case Kill:
		m.pending = Kill
		return s.host.signal(m.Process, syscall.SIGKILL)
	case Pause:
		if err := s.host.signal(m.Process, syscall.SIGSTOP); err != nil {
			return err
		}
		s.halted(m)
	case Resume:
		if err := s.host.signal(m.Process, syscall.SIGCONT); err != nil {
			return err
		}
		s.continued(m)
	case Start, Restart, Stop:
		switch {
		case m.State.Runs():
			return s.terminate(m, verb)
		case verb == Stop:
			m.Wanted = false
			m.enter(Stopped)
		default:
			s.start(m)
		}
	}
	return nil
}

// terminate asks a node to end; then says what follows.
func (s *Supervisor) terminate(m *member, then Verb) error {
	paused := m.State == Paused
	if err := s.host.signal(m.Process, syscall.SIGTERM); err != nil {
		return err
	}
	if paused { // a halted process gets its SIGTERM when it continues
		if err := s.host.signal(m.Process, syscall.SIGCONT); err != nil && !errors.Is(err, errGone) {
			return err
		}
	}
	m.pending = then
	m.enter(Stopping)
	s.limit(m)
	return nil
}

// limit kills a node that has been told to end if it takes too long.
func (s *Supervisor) limit(m *member) {
	p := m.Process
	time.AfterFunc(s.spec.grace(), func() {
		s.post(func() {
			if m.Process != p || m.State != Stopping {
				return
			}
			s.log.Warn("node does not stop, killed", "node", m.Name, "pid", p.PID, "after", s.spec.grace())
			if err := s.host.signal(p, syscall.SIGKILL); err != nil {
				s.log.Error("kill failed", "node", m.Name, "err", err)
			}
		})
	})
}

func (s *Supervisor) commandLine(verb Verb, node string) string {
	line := fmt.Sprintf("kdrill %s %s", verb, node)
	if s.name != DefaultName {
		line += " --cluster " + s.name
	}
	return line
}

// DefaultName is the cluster that is meant when none is named.
const DefaultName = "default"

// up starts every node that does not run: coordinators now, brokers as soon as there is a quorum.
func (s *Supervisor) up() error {
	if s.closing != nil {
		return errors.New("the cluster is going down")
	}
	for _, m := range s.members {
		if !m.State.Runs() {
			m.Wanted = true
			m.enter(Waiting)
		}
	}
	s.advance()
	s.changed()
	return nil
}

// addBroker makes the cluster one broker larger and starts it.
func (s *Supervisor) addBroker(by string) (string, error) {
	if s.closing != nil {
		return "", errors.New("the cluster is going down")
	}
	before := s.spec
	s.spec = before.clone()
	name := s.spec.AddBroker().Name
	if err := s.spec.Check(); err != nil {
		s.spec = before
		return "", err
	}
	if err := s.fillPorts(); err != nil {
		s.spec = before
		return "", err
	}
	n, _ := s.spec.Node(name)
	s.log.Info("broker added", "node", name, "address", n.Address(), "by", by)
	m := &member{Node: n, life: life{State: Waiting, Wanted: true}, since: time.Now()}
	s.members = append(s.members, m)
	s.advance()
	s.changed()
	return name, nil
}

// closing is a cluster on its way down.
type closing struct {
	waiting  []chan<- error
	stopping Role // the role that is being stopped
}

// hardDeadline is how long after its SIGKILL a process may still be there before down gives up on it.
const hardDeadline = 5 * time.Second

// goDown stops everything: brokers, then coordinators. The result is sent when all of them are gone, or when it is clear
// which of them cannot be stopped.
func (s *Supervisor) goDown(result chan<- error) {
	if s.closing != nil {
		s.closing.waiting = append(s.closing.waiting, result)
		return
	}
	s.log.Info("going down")
	s.closing = &closing{waiting: []chan<- error{result}}
	for _, m := range s.members {
		if !m.State.Runs() && m.State != Exited {
			m.Wanted = false
			m.enter(Stopped)
		}
	}
	s.stopRole(Broker)
	s.sink()
	s.changed()
}

// sink goes one step further down when a role has stopped.
func (s *Supervisor) sink() {
	if len(s.running(s.closing.stopping)) > 0 {
		return
	}
	if quorum := s.spec.quorumRole(); s.closing.stopping == Broker {
		s.stopRole(quorum)
		if len(s.running(quorum)) > 0 {
			return
		}
	}
	s.down = true
	s.answer(nil)
}

func (s *Supervisor) answer(err error) {
	for _, result := range s.closing.waiting {
		result <- err
	}
	if err != nil {
		s.closing = nil
	}
}

func (s *Supervisor) running(role Role) (running []*member) {
	for _, m := range s.members {
		if m.Role == role && m.State.Runs() {
			running = append(running, m)
		}
	}
	return running
}

func (s *Supervisor) stopRole(role Role) {
	s.closing.stopping = role
	for _, m := range s.running(role) {
		if m.State == Stopping {
			continue
		}
		if err := s.terminate(m, Stop); err != nil && !errors.Is(err, errGone) {
			s.log.Error("stop failed", "node", m.Name, "err", err)
		}
	}
	closing := s.closing
	time.AfterFunc(s.spec.grace()+hardDeadline, func() {
		s.post(func() {
			if left := s.running(role); s.closing == closing && closing.stopping == role && len(left) > 0 {
				s.answer(leftBehind(left))
				s.changed()
			}
		})
	})
}

// leftBehind says what could not be stopped.
func leftBehind(members []*member) error {
	var names []string
	for _, m := range members {
		names = append(names, fmt.Sprintf("%s (pid %d)", m.Name, m.Process.PID))
	}
	return fmt.Errorf("still running after SIGKILL: %s", strings.Join(names, ", "))
}
