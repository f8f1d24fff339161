package ensemble

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// lookAgain is how long a server counts as one without an admin server.
const lookAgain = 30 * time.Second

// adminServer is what is known of a server's admin server.
type adminServer struct {
	missing bool
	looked  time.Time
}

var errNoAdminServer = errors.New("has no admin server")

// command runs a command of the server's admin server: GET http://host:8080/commands/name, numbers as they are written.
func (p *Prober) command(ctx context.Context, address, name string) (map[string]any, error) {
	if !p.hasAdmin(ctx, address) {
		return nil, errNoAdminServer
	}
	return p.get(ctx, address, name)
}

// hasAdmin says whether there is an admin server on the host of the server that belongs to it: several servers on one host
// may have one between them, and something else may listen there.
func (p *Prober) hasAdmin(ctx context.Context, address string) bool {
	p.mu.Lock()
	known, ok := p.admins[address]
	p.mu.Unlock()
	if ok && (!known.missing || time.Since(known.looked) < lookAgain) {
		return !known.missing
	}
	_, port, _ := net.SplitHostPort(address)
	conf, err := p.get(ctx, address, "configuration")
	is := err == nil && (plain(conf["client_port"]) == port || plain(conf["secure_client_port"]) == port)
	p.mu.Lock()
	p.admins[address] = adminServer{missing: !is, looked: time.Now()}
	p.mu.Unlock()
	return is
}

func (p *Prober) get(ctx context.Context, address, name string) (map[string]any, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, p.AdminPort)+"/commands/"+name, nil)
	if err != nil {
		return nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("admin server: %s", response.Status)
	}
	var values map[string]any
	text := json.NewDecoder(io.LimitReader(response.Body, longest))
	text.UseNumber()
	if err := text.Decode(&values); err != nil {
		return nil, fmt.Errorf("admin server: %w", err)
	}
	if problem := plain(values["error"]); problem != "" {
		return nil, fmt.Errorf("admin server: %s", problem)
	}
	return values, nil
}

// client follows no redirect: whoever sends one is no admin server.
var client = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func adminConnections(values map[string]any) []Connection {
	var all []Connection
	for _, list := range []string{"connections", "secure_connections"} {
		entries, _ := values[list].([]any)
		for _, entry := range entries {
			o, ok := entry.(map[string]any)
			if !ok {
				continue
			}
			c := Connection{Client: strings.TrimPrefix(plain(o["remote_socket_address"]), "/"), Session: adminSession(plain(o["session_id"]))}
			c.Timeout = milliseconds(plain(o["session_timeout"]))
			whole(plain(o["packets_received"]), &c.Received)
			whole(plain(o["outstanding_requests"]), &c.Queued)
			all = append(all, c)
		}
	}
	return all
}

// adminSession reads a session as Apache writes it, a decimal number, or as ours does, 0x….
func adminSession(text string) int64 {
	if id := sessionID(text); id != 0 {
		return id
	}
	var id int64
	whole(text, &id)
	return id
}

func adminDump(values map[string]any) Dump {
	d := Dump{Sessions: map[int64]time.Duration{}, Ephemerals: map[int64][]string{}}
	expiries, _ := values["expiry_time_to_session_ids"].(map[string]any)
	for _, ids := range expiries {
		list, _ := ids.([]any)
		for _, id := range list {
			if id := adminSession(plain(id)); id != 0 {
				d.Sessions[id] = 0
			}
		}
	}
	owners, _ := values["session_id_to_ephemeral_paths"].(map[string]any)
	for owner, paths := range owners {
		id := adminSession(owner)
		if id == 0 {
			continue
		}
		d.Sessions[id] = 0
		list, _ := paths.([]any)
		for _, path := range list {
			d.Ephemerals[id] = append(d.Ephemerals[id], plain(path))
		}
	}
	return d
}
