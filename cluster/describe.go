package cluster

import (
	"path/filepath"
	"time"
)

// describe turns a spec into the status of a cluster of which nothing runs, but for what lives says.
func describe(s *Spec, dir string, lives map[string]life) Status {
	status := Status{
		Name: s.Name, Engine: s.engineLabel(), Mode: s.mode(), Timing: s.Timing, Restart: s.Restart, Directory: dir,
		Bootstrap: s.Bootstrap(), ZooKeeper: s.ZooKeeper(), Quorum: s.controllers(), Nodes: []NodeStatus{},
	}
	for _, role := range []Role{Broker, s.quorumRole()} {
		for _, n := range s.Role(role) {
			status.Nodes = append(status.Nodes, describeNode(s, n, dir, lives[n.Name]))
		}
	}
	return status
}

func describeNode(s *Spec, n Node, dir string, l life) NodeStatus {
	status := NodeStatus{
		Name: n.Name, Role: n.Role, ID: n.ID, Voter: n.Voter, Engine: s.EngineOf(n.Role), State: l.State, PID: l.Process.PID, Address: n.Address(),
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

// session is how long ZooKeeper, or the controller of KRaft, waits for a broker that has gone silent: what the
// configuration says.
func (s *Spec) session() time.Duration {
	key := map[Metadata]string{ZooKeeper: "zookeeper.session.timeout.ms", KRaft: "broker.session.timeout.ms"}[s.mode()]
	if millis, err := time.ParseDuration(s.Settings[Broker][key] + "ms"); err == nil {
		return millis
	}
	switch jvm := isApache(s.EngineOf(Broker)); {
	case s.Timing == Brisk && jvm:
		return jvmSession
	case s.Timing == Brisk:
		return 2 * time.Second
	case s.mode() == KRaft:
		return 9 * time.Second
	}
	return 18 * time.Second
}
