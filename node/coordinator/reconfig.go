package coordinator

import (
	"bufio"
	"bytes"
	"cmp"
	"net"
	"os"
	"path/filepath"
	"slices"
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
	s.adopt()
}

// adopt makes members that are newer than this node's files take effect here. The caller holds the state's lock, or is the
// only one who knows it.
func (s *Server) adopt() {
	if !s.machine.Reconfigured() || s.machine.Version() <= s.written {
		return
	}
	s.written = s.machine.Version()
	s.moveClients()
	if err := s.remember(); err != nil {
		s.log.Warn("the new members could not be written beside the configuration: this node finds them in its data", "err", err)
	}
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
		s.adopt()
	}
	if s.role.Leading() {
		s.steer()
	}
}

// remember writes the members into a file of their own, named by their version, and makes the configuration name it, as
// Apache does. A node that is no member any more keeps the file with which it came.
func (s *Server) remember() error {
	m, here := s.machine.Members().Find(s.cfg.id)
	if !here {
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
	lines := []string{"dynamicConfigFile=" + path}
	if s.cfg.clientAddr != "" { // a server line whose host is that of all does not say where this node listens
		host, port, _ := net.SplitHostPort(cmp.Or(s.clientAddr(m), s.addr))
		lines = append(lines, "clientPortAddress="+host, "clientPort="+port)
	}
	return replaceFile(s.cfg.path, withLines(was, lines))
}

// withLines is a configuration without its server lines, and with other lines at its end in the place of those it has with
// the same keys.
func withLines(config []byte, others []string) []byte {
	keyOf := func(line string) string {
		key, _, _ := strings.Cut(line, "=")
		return strings.TrimSpace(key)
	}
	var b bytes.Buffer
	for lines := bufio.NewScanner(bytes.NewReader(config)); lines.Scan(); {
		key := keyOf(lines.Text())
		if !strings.HasPrefix(key, "server.") && !slices.ContainsFunc(others, func(o string) bool { return keyOf(o) == key }) {
			b.WriteString(lines.Text() + "\n")
		}
	}
	b.WriteString(strings.Join(others, "\n") + "\n")
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
