package coordinator

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"strings"

	"kdrill/node/coordinator/proto"
	"kdrill/node/coordinator/quorum"
	"kdrill/node/coordinator/state"
)

// A reconfiguration is two entries of the log. The request is one: every node finds alike whether it is possible, and
// remembers it. Then the leader brings the nodes to where the request wants them, or finds that no majority of the new
// voters is in step, and says so in the other one: only then the request is answered.

// membersNow are those that the quorum should have. As long as nobody has changed them they are the ones of this node's
// own file, so that it can be corrected by hand. The caller holds a lock of the state, or is the only one who knows it.
func (s *Server) membersNow() quorum.Members {
	if !s.machine.Reconfigured() {
		return s.cfg.quorumMembers(s.cfg.members)
	}
	return s.cfg.quorumMembers(s.machine.Members())
}

// meet makes members of the configuration file those of the state, and tells the quorum.
func (s *Server) meet() {
	if !s.machine.Reconfigured() {
		s.machine.Configure(s.cfg.members)
	}
	s.quorum.Meet(s.membersNow())
}

// steer makes a leader do what the state wants of the members. The caller holds the state's lock.
func (s *Server) steer() {
	change := s.machine.Change()
	if change == nil {
		s.quorum.Meet(s.membersNow())
		return
	}
	number := change.Number
	s.quorum.Try(s.cfg.quorumMembers(change.To), func(ok bool) {
		verdict := state.Command{Kind: state.Settle, Change: number}
		if !ok {
			verdict.Code = proto.NewConfigNoQuorum
		}
		s.submit(&verdict, nil)
	})
}

// reconfigured follows the beginning or the end of a change of members; w waits for the end. It is called where
// entries are applied.
func (s *Server) reconfigured(r *state.Result, w waiter) {
	if r.Begun {
		s.changing = w
	}
	if r.Settled && s.changing != nil {
		s.changing.done(r)
		s.changing = nil
	}
	if r.Settled && r.Code == proto.OK {
		s.log.Info("members changed by a client", "version", hexID(s.machine.Version()), "members", s.machine.Members().Text(0))
		s.quorum.Meet(s.membersNow())
		if err := s.remember(); err != nil {
			s.log.Warn("the new members could not be written beside the configuration: this node finds them in its data", "err", err)
		}
	}
	if s.role.Leading() {
		s.steer()
	}
}

// remember writes the members into a file of their own, named by their version, and makes the configuration name it, as
// Apache does. A node that is no member any more keeps the file with which it came.
func (s *Server) remember() error {
	if _, here := s.machine.Members().Find(s.cfg.id); !here {
		return nil
	}
	path, err := filepath.Abs(s.cfg.dynamicFile(s.machine.Version()))
	if err != nil {
		return err
	}
	text := s.machine.Members().Text(s.machine.Version()) + "\n"
	if err := replaceFile(path, []byte(text)); err != nil {
		return err
	}
	was, err := os.ReadFile(s.cfg.path)
	if err != nil {
		return err
	}
	backup := s.cfg.path + ".bak"
	if _, err := os.Stat(backup); os.IsNotExist(err) {
		if err := replaceFile(backup, was); err != nil {
			return err
		}
	}
	return replaceFile(s.cfg.path, withoutMembers(was, "dynamicConfigFile="+path))
}

// withoutMembers is a configuration without its server lines, and with another line at its end.
func withoutMembers(config []byte, line string) []byte {
	var b bytes.Buffer
	for lines := bufio.NewScanner(bytes.NewReader(config)); lines.Scan(); {
		key, _, _ := strings.Cut(strings.TrimSpace(lines.Text()), "=")
		if key = strings.TrimSpace(key); !strings.HasPrefix(key, "server.") && key != "dynamicConfigFile" {
			b.WriteString(lines.Text() + "\n")
		}
	}
	b.WriteString(line + "\n")
	return b.Bytes()
}

// replaceFile writes a file so that it is there whole or as it was.
func replaceFile(path string, content []byte) error {
	next := path + ".next"
	if err := os.WriteFile(next, content, 0o644); err != nil {
		return err
	}
	return os.Rename(next, path)
}
