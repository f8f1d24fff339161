package ensemble

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// Server is what one server says of itself. Counts are -1 where it did not say.
type Server struct {
	Role        string // leader, follower, observer, standalone
	Version     string
	Zxid        int64 // the last one it has seen
	Connections int
	Outstanding int // requests it has not answered yet
	Znodes      int
	Received    int64 // packets since its start or the last reset of its statistics
	Sent        int64
	LatencyMin  float64 // milliseconds
	LatencyAvg  float64
	LatencyMax  float64

	// From mntr only.
	Learners   int // followers and observers; of a leader
	Synced     int // followers that are in sync; of a leader
	Watches    int
	Ephemerals int
	DataBytes  int64
	Uptime     time.Duration // 0 unknown
}

// unknown is a server that has said nothing.
func unknown() Server {
	return Server{
		Zxid: -1, Connections: -1, Outstanding: -1, Znodes: -1, Received: -1, Sent: -1, LatencyMin: -1, LatencyAvg: -1, LatencyMax: -1,
		Learners: -1, Synced: -1, Watches: -1, Ephemerals: -1, DataBytes: -1,
	}
}

// ErrNoQuorum is why a server that answers does not serve.
var ErrNoQuorum = errors.New("does not serve: it has no quorum")

// ParseServer reads an answer to srvr: Apache's, of every version, and ours.
func ParseServer(text string) (Server, error) {
	s := unknown()
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if !ok {
			continue
		}
		switch name {
		case "Zookeeper version":
			s.Version = version(value)
		case "Latency min/avg/max":
			if parts := strings.Split(value, "/"); len(parts) == 3 {
				decimal(parts[0], &s.LatencyMin)
				decimal(parts[1], &s.LatencyAvg)
				decimal(parts[2], &s.LatencyMax)
			}
		case "Received":
			whole(value, &s.Received)
		case "Sent":
			whole(value, &s.Sent)
		case "Connections":
			whole(value, &s.Connections)
		case "Outstanding":
			whole(value, &s.Outstanding)
		case "Zxid":
			if zxid, err := strconv.ParseInt(value, 0, 64); err == nil {
				s.Zxid = zxid
			}
		case "Mode":
			s.Role = value
		case "Node count":
			whole(value, &s.Znodes)
		}
	}
	if s.Role == "" {
		return s, ErrNoQuorum
	}
	return s, nil
}

// version is the number of a version: 3.8.0 of "3.8.0-${mvngit.commit.id}, built on …".
func version(text string) string {
	text, _, _ = strings.Cut(text, ",")
	text, _, _ = strings.Cut(text, "-")
	return text
}

func whole[T int | int64](text string, to *T) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		*to = T(n)
	}
}

func decimal(text string, to *float64) {
	if n, err := strconv.ParseFloat(text, 64); err == nil {
		*to = n
	}
}

// ParseMonitor reads an answer to mntr.
func ParseMonitor(text string) (Server, error) {
	values := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
			values[strings.TrimPrefix(name, "zk_")] = value
		}
	}
	return monitored(values)
}

// monitored makes a server of the values of mntr, or of the admin server's monitor, by Apache's names.
func monitored(values map[string]string) (Server, error) {
	s := unknown()
	s.Role, s.Version = values["server_state"], version(values["version"])
	if s.Role == "" {
		return s, ErrNoQuorum
	}
	whole(values["num_alive_connections"], &s.Connections)
	whole(values["outstanding_requests"], &s.Outstanding)
	whole(values["znode_count"], &s.Znodes)
	whole(values["packets_received"], &s.Received)
	whole(values["packets_sent"], &s.Sent)
	decimal(values["min_latency"], &s.LatencyMin)
	decimal(values["avg_latency"], &s.LatencyAvg)
	decimal(values["max_latency"], &s.LatencyMax)
	whole(values["watch_count"], &s.Watches)
	whole(values["ephemerals_count"], &s.Ephemerals)
	whole(values["approximate_data_size"], &s.DataBytes)
	var uptime int64
	whole(values["uptime"], &uptime)
	s.Uptime = time.Duration(uptime) * time.Millisecond
	if s.Role == "leader" {
		whole(values["learners"], &s.Learners)
		whole(values["synced_followers"], &s.Synced)
		if s.Learners < 0 { // up to 3.5
			whole(values["followers"], &s.Learners)
		}
	}
	return s, nil
}

// with adds to what srvr said what only mntr says.
func (s Server) with(m Server) Server {
	s.Learners, s.Synced, s.Watches, s.Ephemerals, s.DataBytes, s.Uptime = m.Learners, m.Synced, m.Watches, m.Ephemerals, m.DataBytes, m.Uptime
	return s
}
