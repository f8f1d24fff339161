package coordinator

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

func (s *Server) adminConfiguration() object {
	o := object{
		"client_port": s.port(), "data_dir": s.cfg.dataDir, "data_log_dir": s.cfg.logDir, "tick_time": s.cfg.tick.Milliseconds(),
		"max_client_cnxns": s.cfg.maxConnections, "min_session_timeout": s.cfg.minSession.Milliseconds(),
		"max_session_timeout": s.cfg.maxSession.Milliseconds(), "server_id": s.cfg.id, "client_port_listen_backlog": -1,
	}
	if len(s.cfg.members) > 0 {
		o["membership"] = s.membership()
	}
	return o
}

func (s *Server) port() int {
	_, text, _ := net.SplitHostPort(s.addr)
	port, _ := strconv.Atoi(text)
	return port
}

func (s *Server) adminConnections() []object {
	list := []object{}
	for _, c := range s.connections() {
		o := object{
			"remote_socket_address": c.nc.RemoteAddr().String(), "interest_ops": 1, "outstanding_requests": 0,
			"packets_received": c.received.Load(), "packets_sent": c.sent.Load(),
		}
		if session := s.machine.Session(c.session.Load()); session != nil {
			o["session_id"], o["session_timeout"] = hexID(session.ID), session.TimeoutMs
			o["established"] = c.since.UTC().Format(time.RFC3339)
		}
		list = append(list, o)
	}
	return list
}

func (s *Server) adminDump() object {
	expiries, paths := object{}, object{}
	for at, ids := range s.tracker.Expiries() {
		expiries[strconv.FormatInt(at.UnixMilli(), 10)] = hexIDs(ids)
	}
	for _, id := range s.machine.Tree.EphemeralOwners() {
		paths[hexID(id)] = s.machine.Tree.Ephemerals(id)
	}
	return object{"expiry_time_to_session_ids": expiries, "session_id_to_ephemeral_paths": paths}
}

func (s *Server) adminSnapshot() object {
	at := s.started
	if info, err := newestSnapshot(s.cfg.dataDir); err == nil {
		at = info.ModTime()
	}
	return object{"zxid": hexID(s.machine.Zxid()), "timestamp": at.Unix()}
}

func (s *Server) adminLeader() object {
	o := object{"is_leader": s.role.Leading(), "leader_id": s.role.Leader, "leader_ip": ""}
	if m, ok := s.machine.Members().Find(s.role.Leader); ok {
		o["leader_ip"] = m.Host
	}
	return o
}

func (s *Server) adminStats() object {
	least, mean, most := s.stats.latencies()
	data, logs := s.diskUse()
	none := object{"last_buffer_size": -1, "min_buffer_size": -1, "max_buffer_size": -1}
	o := object{
		"version": versionLine, "read_only": s.readsOnly(), "client_response": none, "node_count": s.nodeCount(),
		"server_stats": object{
			"packets_sent": s.stats.sent.Load(), "packets_received": s.stats.received.Load(), "fsync_threshold_exceed_count": s.slowSyncs(),
			"client_response_stats": none, "provider_null": false, "server_state": s.mode(),
			"outstanding_requests": s.stats.outstanding.Load(), "min_latency": least, "avg_latency": mean, "max_latency": most,
			"data_dir_size": data, "log_dir_size": logs, "last_processed_zxid": s.machine.Zxid(),
			"num_alive_client_connections": len(s.connections()), "auth_failed_count": s.stats.authFailed.Load(),
			"non_mtlsremote_conn_count": 0, "non_mtlslocal_conn_count": 0, "uptime": time.Since(s.started).Milliseconds(),
		},
	}
	if s.mode() == "leader" {
		o["proposal_stats"] = none
	}
	return o
}

func (s *Server) adminMembers() any {
	if len(s.cfg.members) == 0 {
		return nil
	}
	return string(s.cfg.membership())
}

func (s *Server) adminVotingView() object {
	view := object{}
	for _, m := range s.machine.Members() {
		if m.Observer {
			continue
		}
		view[strconv.FormatUint(m.ID, 10)] = object{
			"server_addresses": []string{m.QuorumAddr()}, "election_addresses": []string{m.ElectionAddr()},
			"client_address": m.ClientAddr(), "learner_type": m.Role(),
		}
	}
	return object{"current_config": view}
}

func (s *Server) adminZab() object {
	o := object{
		"myid": s.cfg.id, "is_leader": s.role.Leading(), "client_address": s.addr, "voting": !s.observes(),
		"last_zxid": hexID(s.machine.Zxid()), "zab_epoch": s.machine.Zxid() >> 32, "zab_counter": s.machine.Zxid() & 0xffffffff,
		"zabstate": "broadcast",
	}
	if m, ok := s.machine.Members().Find(s.cfg.id); ok {
		o["quorum_address"], o["election_address"] = adminAddress(m.QuorumAddr()), adminAddress(m.ElectionAddr())
	}
	return o
}

func adminAddress(addr string) object {
	host, port, _ := net.SplitHostPort(addr)
	number, _ := strconv.Atoi(port)
	one := []string{addr}
	return object{
		"empty": false, "all_addresses": one, "all_reachable_addresses": one, "one": addr, "reachable_address": addr,
		"wildcard_addresses": []string{net.JoinHostPort("0.0.0.0", port)}, "all_ports": []int{number}, "all_host_strings": []string{host},
		"all_reachable_addresses_or_all": one, "reachable_or_one": addr,
	}
}

func hexIDs(ids []int64) []string {
	list := make([]string, len(ids))
	for i, id := range ids {
		list[i] = hexID(id)
	}
	return list
}

// newestSnapshot is the file of the newest snapshot below dir.
func newestSnapshot(dir string) (os.FileInfo, error) {
	entries, err := os.ReadDir(filepath.Join(dir, folder))
	if err != nil {
		return nil, err
	}
	var newest os.FileInfo
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && strings.HasPrefix(e.Name(), "snapshot-") && (newest == nil || info.ModTime().After(newest.ModTime())) {
			newest = info
		}
	}
	if newest == nil {
		return nil, os.ErrNotExist
	}
	return newest, nil
}
