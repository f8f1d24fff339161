package coordinator

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"net"
	"net/http"
	"os"
	"path"
	"runtime"
	"strconv"
	"time"
)

// object is a JSON object.
type object = map[string]any

// adminCommand answers one command of the admin server. The caller holds the state's read lock.
type adminCommand struct {
	names   []string // the first is the one that the answer carries
	without bool     // it can be answered when the node does not serve
	run     func(s *Server) object
}

// adminCommands are those of Apache's AdminServer that mean something here, with its names and fields.
func adminCommands() []adminCommand {
	return []adminCommand{
		{[]string{"configuration", "conf", "config"}, true, (*Server).adminConfiguration},
		{[]string{"connections", "cons"}, false, func(s *Server) object {
			return object{"connections": s.adminConnections(), "secure_connections": []any{}}
		}},
		{[]string{"connection_stat_reset", "crst"}, false, func(s *Server) object { s.resetConnections(); return object{} }},
		{[]string{"dirs"}, true, func(s *Server) object {
			data, logs := s.diskUse()
			return object{"datadir_size": data, "logdir_size": logs}
		}},
		{[]string{"dump"}, false, (*Server).adminDump},
		{[]string{"environment", "env", "envi"}, true, func(*Server) object {
			host, _ := os.Hostname()
			dir, _ := os.Getwd()
			return object{"zookeeper.version": versionLine, "host.name": host, "os.name": runtime.GOOS, "os.arch": runtime.GOARCH, "user.dir": dir}
		}},
		{[]string{"get_trace_mask", "gtmk"}, true, func(s *Server) object { return object{"tracemask": s.traceMask.Load()} }},
		{[]string{"hash"}, false, func(*Server) object { return object{"digests": []any{}} }},
		{[]string{"initial_configuration", "icfg"}, true, func(s *Server) object { return object{"initial_configuration": s.adminMembers()} }},
		{[]string{"is_read_only", "isro"}, false, func(s *Server) object { return object{"read_only": s.readsOnly()} }},
		{[]string{"last_snapshot", "lsnp"}, true, (*Server).adminSnapshot},
		{[]string{"leader", "lead"}, false, (*Server).adminLeader},
		{[]string{"monitor", "mntr"}, false, func(s *Server) object {
			o := object{}
			for _, m := range s.metrics() {
				o[m.name] = m.value
			}
			return o
		}},
		{[]string{"observer_connection_stat_reset", "orst"}, false, func(*Server) object { return object{} }},
		{[]string{"observers", "obsr"}, false, func(*Server) object { return object{"synced_observers": 0, "observers": []any{}} }},
		{[]string{"ruok"}, true, func(*Server) object { return object{} }},
		{[]string{"server_stats", "srvr"}, false, (*Server).adminStats},
		{[]string{"stats", "stat"}, false, func(s *Server) object {
			o := s.adminStats()
			o["connections"], o["secure_connections"] = s.adminConnections(), []any{}
			return o
		}},
		{[]string{"stat_reset", "srst"}, false, func(s *Server) object { s.stats.reset(); return object{} }},
		{[]string{"voting_view"}, false, (*Server).adminVotingView},
		{[]string{"watches", "wchc"}, false, func(s *Server) object {
			list := object{}
			for id, paths := range s.watches.paths() {
				list[hexID(id)] = paths
			}
			return object{"session_id_to_watched_paths": list}
		}},
		{[]string{"watches_by_path", "wchp"}, false, func(s *Server) object {
			list := object{}
			for path, ids := range s.watches.sessions() {
				list[path] = hexIDs(ids)
			}
			return object{"path_to_session_ids": list}
		}},
		{[]string{"watch_summary", "wchs"}, false, func(s *Server) object {
			conns, paths, total := s.watches.count()
			return object{"num_connections": conns, "num_paths": paths, "num_total_watches": total}
		}},
		{[]string{"zabstate"}, false, (*Server).adminZab},
	}
}

// admin serves commands over HTTP below the URL that the configuration gives.
func (s *Server) admin() http.Handler {
	commands, mux := map[string]adminCommand{}, http.NewServeMux()
	var links string
	for _, c := range adminCommands() {
		for _, name := range c.names {
			commands[name] = c
		}
		links += fmt.Sprintf("<a href=%q>%s</a><br/>\n", path.Join(s.cfg.adminURL, c.names[0]), html.EscapeString(c.names[0]))
	}
	mux.HandleFunc("GET "+s.cfg.adminURL, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html;charset=utf-8")
		fmt.Fprint(w, links)
	})
	for _, name := range []string{"set_trace_mask", "stmk"} {
		mux.HandleFunc("GET "+path.Join(s.cfg.adminURL, name), s.setTraceMask)
	}
	mux.HandleFunc("GET "+path.Join(s.cfg.adminURL, "{command}"), func(w http.ResponseWriter, r *http.Request) {
		name := r.PathValue("command")
		c, ok := commands[name]
		answer := object{"command": name, "error": "Unknown command: " + name}
		if ok {
			answer = s.answer(c)
		}
		writeJSON(w, answer)
	})
	return mux
}

func writeJSON(w http.ResponseWriter, answer object) {
	w.Header().Set("Content-Type", "application/json")
	text := json.NewEncoder(w)
	text.SetIndent("", "  ")
	text.Encode(answer)
}

// setTraceMask is the only command with an argument.
func (s *Server) setTraceMask(w http.ResponseWriter, r *http.Request) {
	answer := object{"command": "set_trace_mask", "error": "setTraceMask requires long traceMask argument"}
	if mask, err := strconv.ParseInt(r.FormValue("traceMask"), 10, 64); err == nil {
		s.traceMask.Store(mask)
		answer["tracemask"], answer["error"] = mask, nil
	}
	writeJSON(w, answer)
}

func (s *Server) answer(c adminCommand) object {
	up := s.isUp()
	s.mu.RLock()
	defer s.mu.RUnlock()
	if !up && !c.without && !s.readsOnly() {
		return object{"command": c.names[0], "error": "This ZooKeeper instance is not currently serving requests"}
	}
	o := c.run(s)
	o["command"], o["error"] = c.names[0], nil
	return o
}

// serveHTTP serves h until ctx is done.
func serveHTTP(ctx context.Context, l net.Listener, h http.Handler) error {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 30 * time.Second}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	if err := server.Serve(l); ctx.Err() == nil {
		return err
	}
	return nil
}
