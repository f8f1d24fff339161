// Package members reads and writes who belongs to an ensemble: the server lines of a zoo.cfg, which are the data of
// /zookeeper/config too.
//
//	server.1=host:2888:3888:participant;0.0.0.0:2181
//	version=100000003
//
// A list changes as the operation reconfig says, see [List.Change] and [List.Replace]. Values only, no concurrency.
package members

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Member is a server line.
type Member struct {
	ID             uint64
	Host           string
	QuorumPort     string
	ElectionPort   string // "" if the line has none
	Observer       bool   // it has no vote
	ClientHost     string
	ClientPort     string // "" if the line does not say where clients connect
	ClientHostSaid bool   // else it is the default
}

// maxID is the greatest number of a member: it is the first byte of the ids of its sessions.
const maxID = 254

// Parse reads a server line: the number after "server." and host:quorumPort:electionPort[:role][;[host:]clientPort].
func Parse(number, line string) (Member, error) {
	id, err := strconv.ParseUint(number, 10, 8)
	if err != nil || id == 0 || id > maxID {
		return Member{}, fmt.Errorf("the number after server. must be from 1 to %d", maxID)
	}
	m := Member{ID: id}
	server, client, hasClient := strings.Cut(line, ";")
	host, rest, ok := cutHost(strings.TrimSpace(server))
	ports, role, hasRole := cutRole(rest)
	if !ok || host == "" || len(ports) > 2 || slices.ContainsFunc(ports, notPort) {
		return m, fmt.Errorf("%q is not host:quorumPort:electionPort", line)
	}
	m.Host, m.QuorumPort = host, ports[0]
	if len(ports) > 1 {
		m.ElectionPort = ports[1]
	}
	if m.Observer = role == "observer"; hasRole && !m.Observer && role != "participant" {
		return m, fmt.Errorf("role %q: it must be participant or observer", role)
	}
	if !hasClient {
		return m, nil
	}
	m.ClientHost, m.ClientPort = "0.0.0.0", strings.TrimSpace(client)
	if host, port, ok := cutHost(m.ClientPort); ok {
		m.ClientHost, m.ClientPort, m.ClientHostSaid = host, port, true
	}
	if m.ClientPort != "0" && notPort(m.ClientPort) {
		return m, fmt.Errorf("%q: %q is no client port", line, client)
	}
	return m, nil
}

// cutHost cuts the host, which may be [IPv6], from what follows the next colon.
func cutHost(s string) (host, rest string, ok bool) {
	if strings.HasPrefix(s, "[") {
		return strings.Cut(s[1:], "]:")
	}
	return strings.Cut(s, ":")
}

// cutRole takes the word at the end of ports apart from them.
func cutRole(s string) (ports []string, role string, ok bool) {
	ports = strings.Split(s, ":")
	last := ports[len(ports)-1]
	if len(ports) > 1 && strings.IndexFunc(last, unicode.IsLetter) == 0 {
		return ports[:len(ports)-1], strings.ToLower(last), true
	}
	return ports, "", false
}

func notPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err != nil || n == 0
}

// QuorumAddr is where the other members connect.
func (m Member) QuorumAddr() string { return net.JoinHostPort(m.Host, m.QuorumPort) }

// ElectionAddr is where Apache's members elect a leader; "" if the line does not say.
func (m Member) ElectionAddr() string {
	if m.ElectionPort == "" {
		return ""
	}
	return net.JoinHostPort(m.Host, m.ElectionPort)
}

// ClientAddr is where clients connect; "" if the line does not say.
func (m Member) ClientAddr() string {
	if m.ClientPort == "" {
		return ""
	}
	return net.JoinHostPort(m.ClientHost, m.ClientPort)
}

// Role is the word for what the member is.
func (m Member) Role() string {
	if m.Observer {
		return "observer"
	}
	return "participant"
}

// String is the server line in its whole form.
func (m Member) String() string {
	host := m.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	text := fmt.Sprintf("server.%d=%s:%s", m.ID, host, m.QuorumPort)
	if m.ElectionPort != "" {
		text += ":" + m.ElectionPort
	}
	text += ":" + m.Role()
	if addr := m.ClientAddr(); addr != "" {
		text += ";" + addr
	}
	return text
}

// List are the members by their numbers, ascending.
type List []Member

// Text is the data of /zookeeper/config.
func (l List) Text(version int64) string {
	var b strings.Builder
	for _, m := range l {
		b.WriteString(m.String() + "\n")
	}
	fmt.Fprintf(&b, "version=%x", uint64(version))
	return b.String()
}

// Read reads server lines, and a line that tells their version; commas may part lines.
func Read(text string) (l List, version int64, err error) {
	for _, line := range strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == ',' || r == '\r' }) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		key, value, _ := strings.Cut(line, "=")
		number, isServer := strings.CutPrefix(strings.TrimSpace(key), "server.")
		switch {
		case isServer:
			m, err := Parse(number, value)
			if err != nil {
				return nil, 0, err
			}
			l = l.with(m)
		case strings.TrimSpace(key) == "version":
			v, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
			if err != nil {
				return nil, 0, fmt.Errorf("version %q is not a number in hex digits", value)
			}
			version = int64(v)
		default:
			return nil, 0, fmt.Errorf("unrecognised parameter: %s", key)
		}
	}
	return l, version, nil
}

// with puts a member into its place.
func (l List) with(m Member) List {
	l = slices.DeleteFunc(slices.Clone(l), func(o Member) bool { return o.ID == m.ID })
	l = append(l, m)
	Sort(l)
	return l
}

// Sort puts members in the order of their numbers.
func Sort(l List) { slices.SortFunc(l, func(a, b Member) int { return cmp.Compare(a.ID, b.ID) }) }

// Find returns a member by its number.
func (l List) Find(id uint64) (Member, bool) {
	if i := slices.IndexFunc(l, func(m Member) bool { return m.ID == id }); i >= 0 {
		return l[i], true
	}
	return Member{}, false
}

// Voters counts the members that have a vote.
func (l List) Voters() int {
	n := 0
	for _, m := range l {
		if !m.Observer {
			n++
		}
	}
	return n
}

// Replace returns the members that text names, whole, in the place of these.
func (l List) Replace(text string) (List, error) {
	next, _, err := Read(text)
	if err != nil {
		return nil, err
	}
	return next, next.check()
}

// Change returns the list without those whose numbers leave names and with those whose server lines join names; both
// are parted by commas. A member that joins again changes.
func (l List) Change(join, leave string) (List, error) {
	next := slices.Clone(l)
	for _, number := range split(leave) {
		id, err := strconv.ParseUint(number, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is not the number of a server", number)
		}
		next = slices.DeleteFunc(next, func(m Member) bool { return m.ID == id })
	}
	for _, line := range split(join) {
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			return nil, fmt.Errorf("%q is not server.N=…", line)
		}
		m, err := Parse(strings.TrimSpace(key[strings.LastIndex(key, ".")+1:]), value)
		if err != nil {
			return nil, err
		}
		if m.ElectionPort == "" || m.ClientPort == "" {
			return nil, fmt.Errorf("%q: each server needs three ports", line)
		}
		if err := next.refuse(m); err != nil {
			return nil, err
		}
		next = next.with(m)
	}
	return next, next.check()
}

func split(s string) (items []string) {
	for item := range strings.SplitSeq(s, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// check refuses members that could not elect.
func (l List) check() error {
	for _, m := range l {
		if m.ElectionPort == "" {
			return fmt.Errorf("server.%d has no election port", m.ID)
		}
	}
	return nil
}

// refuse says which member is at an address of one that joins. As at Apache, addresses that each host has for itself may be
// there twice.
func (l List) refuse(joining Member) error {
	for _, other := range l {
		if other.ID == joining.ID {
			continue
		}
		for _, addr := range joining.shared() {
			if slices.Contains(other.shared(), addr) {
				return fmt.Errorf("server.%d and server.%d have the same address %s", other.ID, joining.ID, addr)
			}
		}
	}
	return nil
}

// shared are the addresses of a member that mean the same on every host.
func (m Member) shared() (addrs []string) {
	for _, addr := range []string{m.QuorumAddr(), m.ElectionAddr(), m.ClientAddr()} {
		host, _, _ := net.SplitHostPort(addr)
		ip := net.ParseIP(host)
		if host != "" && host != "localhost" && (ip == nil || !ip.IsLoopback() && !ip.IsUnspecified()) {
			addrs = append(addrs, addr)
		}
	}
	return addrs
}
