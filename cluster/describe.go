package cluster

import (
	"path/filepath"
	"time"
)

// describe turns a spec into the status of a cluster of which nothing runs, but for what lives says.
func describe(s *Spec, dir string, lives map[string]life) Status {
	status := Status{
		Name: s.Name, Engine: s.Engine, Timing: s.Timing, Restart: s.Restart, Directory: dir,
		Bootstrap: s.Bootstrap(), ZooKeeper: s.ZooKeeper(), Nodes: []NodeStatus{},
	}
	for _, role := range []Role{Broker, Coordinator} {
		for _, n := range s.Role(role) {
			status.Nodes = append(status.Nodes, describeNode(s, n, dir, lives[n.Name]))
		}
	}
	return status
}

func describeNode(s *Spec, n Node, dir string, l life) NodeStatus {
	status := NodeStatus{
		Name: n.Name, Role: n.Role, ID: n.ID, Engine: s.Engine, State: l.State, PID: l.Process.PID, Address: n.Address(),
		Restarts: max(0, l.Starts-1), Reason: l.Reason, Log: filepath.Join(nodeFolder(dir, n.Name), logFile),
	}
	if status.State == "" {
		status.State = Stopped
	}
	if !l.Process.IsZero() {
		status.Started = l.Started
	}
	if l.Exit != nil {
		status.Exit = l.Exit.String()
	}
	if n.Role == Broker {
		status.Session = s.session()
	}
	return status
}

// session is how long ZooKeeper waits for a broker that has gone silent: what its configuration says.
func (s *Spec) session() time.Duration {
	millis, err := time.ParseDuration(s.Settings[Broker]["zookeeper.session.timeout.ms"] + "ms")
	if err != nil {
		return s.Timing.session()
	}
	return millis
}
