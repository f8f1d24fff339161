package coordinator

import (
	"fmt"
	"os"
	"syscall"
	"time"
)

// metric is one value that mntr, the admin server's monitor and Prometheus show, by Apache's name.
type metric struct {
	name  string
	value any // a string, an int64 or a float64
}

func (m metric) text() string {
	if v, ok := m.value.(float64); ok {
		return decimal(v)
	}
	return fmt.Sprint(m.value)
}

// metrics are the values of this moment. The caller holds the state's read lock.
func (s *Server) metrics() []metric {
	least, mean, most := s.stats.latencies()
	_, _, watched := s.watches.count()
	t := s.machine.Tree
	list := []metric{
		{"version", versionLine},
		{"server_state", s.mode()},
	}
	if len(s.cfg.members) > 0 {
		list = append(list, metric{"peer_state", s.peerState()})
	}
	list = append(list,
		metric{"ephemerals_count", int64(t.EphemeralCount())},
		metric{"num_alive_connections", int64(len(s.connections()))},
		metric{"avg_latency", mean},
		metric{"outstanding_requests", s.stats.outstanding.Load()},
		metric{"znode_count", int64(s.nodeCount())},
		metric{"global_sessions", int64(len(s.machine.Sessions()))},
		metric{"local_sessions", int64(0)},
		metric{"packets_sent", s.stats.sent.Load()},
		metric{"packets_received", s.stats.received.Load()},
		metric{"bytes_received_count", s.stats.bytesReceived.Load()},
		metric{"watch_count", int64(watched)},
		metric{"auth_failed_count", s.stats.authFailed.Load()},
		metric{"min_latency", least},
		metric{"max_latency", most},
		metric{"approximate_data_size", t.Size()},
		metric{"large_requests_rejected", s.stats.tooLarge.Load()},
		metric{"connection_rejected", s.stats.rejected.Load()},
		metric{"looking_count", s.stats.elections.Load()},
		metric{"uptime", time.Since(s.started).Milliseconds()},
	)
	if files, err := os.ReadDir("/proc/self/fd"); err == nil {
		list = append(list, metric{"open_file_descriptor_count", int64(len(files))})
	}
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) == nil {
		list = append(list, metric{"max_file_descriptor_count", int64(limit.Cur)})
	}
	if status := s.quorum.Status(); s.mode() == "leader" {
		members := s.machine.Members()
		observers := min(status.Listening, len(members)-members.Voters())
		list = append(list,
			metric{"leader_uptime", time.Now().UnixMilli() - s.stats.leading.Load()},
			metric{"learners", int64(status.Synced + status.Listening)},
			metric{"synced_followers", int64(status.Synced)},
			metric{"synced_observers", int64(observers)},
			metric{"synced_non_voting_followers", int64(status.Listening - observers)},
			metric{"quorum_size", int64(status.Voters)},
			metric{"pending_syncs", int64(0)},
		)
	}
	return list
}

func (s *Server) peerState() string {
	if s.mode() == "leader" {
		return "leading - broadcast"
	}
	if s.observes() {
		return "observing - broadcast"
	}
	return "following - broadcast"
}
