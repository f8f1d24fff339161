package ensemble

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Connection is one client of one server, as cons tells of it.
type Connection struct {
	Client   string // host:port
	Session  int64  // 0 while it has none, as the connection that asks
	Timeout  time.Duration
	Received int64 // packets of the client; pings count
	Queued   int   // requests that wait for an answer
}

// Dump is what a server knows of all sessions of the ensemble.
type Dump struct {
	// Sessions holds timeouts by session; 0 where the server does not say, as Apache's leader.
	Sessions map[int64]time.Duration
	// Ephemerals holds paths by session.
	Ephemerals map[int64][]string
}

// connectionLine is one line of cons: " /127.0.0.1:44020[1](queued=0,recved=2,sent=2,sid=0x1…,to=6000,…)".
var connectionLine = regexp.MustCompile(`^\s*/(\S+?)\[\d+\]\((.*)\)\s*$`)

// ParseConnections reads an answer to cons.
func ParseConnections(text string) []Connection {
	var all []Connection
	for line := range strings.Lines(text) {
		found := connectionLine.FindStringSubmatch(strings.TrimRight(line, "\r\n"))
		if found == nil {
			continue
		}
		c := Connection{Client: found[1]}
		for field := range strings.SplitSeq(found[2], ",") {
			name, value, _ := strings.Cut(field, "=")
			switch name {
			case "queued":
				whole(value, &c.Queued)
			case "recved":
				whole(value, &c.Received)
			case "sid":
				c.Session = sessionID(value)
			case "to":
				c.Timeout = milliseconds(value)
			}
		}
		all = append(all, c)
	}
	return all
}

// sessionID reads 0x100000978bb0000; 0 for what is none.
func sessionID(text string) int64 {
	digits, ok := strings.CutPrefix(text, "0x")
	if !ok {
		return 0
	}
	id, err := strconv.ParseUint(digits, 16, 64)
	if err != nil {
		return 0
	}
	return int64(id)
}

func milliseconds(text string) time.Duration {
	n, err := strconv.ParseInt(strings.TrimSuffix(text, "ms"), 10, 32)
	if err != nil || n < 0 {
		return 0
	}
	return time.Duration(n) * time.Millisecond
}

// ParseDump reads an answer to dump. A follower lists sessions with their timeouts, Apache's leader by the time at which
// they would end.
func ParseDump(text string) Dump {
	d := Dump{Sessions: map[int64]time.Duration{}, Ephemerals: map[int64][]string{}}
	ephemerals, owner := false, int64(0)
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		word := strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "Connections dump"):
			return d
		case strings.HasPrefix(line, "ephemeral nodes dump"):
			ephemerals = true
		case ephemerals && strings.HasPrefix(line, "0x"):
			owner = sessionID(strings.TrimSuffix(word, ":"))
		case ephemerals && owner != 0 && strings.HasPrefix(line, "\t/"):
			d.Ephemerals[owner] = append(d.Ephemerals[owner], strings.TrimPrefix(line, "\t"))
		case !ephemerals && strings.HasPrefix(word, "0x"):
			id, timeout, _ := strings.Cut(word, "\t")
			if id := sessionID(strings.TrimSpace(id)); id != 0 {
				d.Sessions[id] = milliseconds(timeout)
			}
		}
	}
	return d
}
