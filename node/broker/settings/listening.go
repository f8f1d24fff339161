package settings

import (
	"net"
	"slices"
	"strconv"
	"strings"

	"kdrill/node/broker/auth"
)

// Listener is one address of a broker.
type Listener struct {
	Name     string // such as PLAINTEXT
	Protocol string // its security protocol
	Host     string // empty binds every address
	Port     int
}

// Address is what net.Listen and net.Dial take.
func (l Listener) Address() string { return net.JoinHostPort(l.Host, strconv.Itoa(l.Port)) }

// Listening is where a broker listens at one moment, and what others are told of it. Once it is in use nobody changes it, but
// for the stores of its listeners.
type Listening struct {
	Listeners  []Listener                // to bind
	Advertised []Listener                // what others are told
	Security   map[string]*auth.Listener // by the name of the listener

	chosen map[string]bool // listeners with port 0, for which the system chose one
}

// Find returns a listener by its name.
func (l *Listening) Find(name string) (Listener, bool) {
	i := slices.IndexFunc(l.Listeners, func(of Listener) bool { return of.Name == name })
	if i < 0 {
		return Listener{}, false
	}
	return l.Listeners[i], true
}

func (l *Listening) advertises(name string) bool {
	return slices.ContainsFunc(l.Advertised, func(of Listener) bool { return of.Name == name })
}

// Bound notes the port that the system chose for a listener with port 0, before anybody else sees l.
func (l *Listening) Bound(name string, port int) {
	for _, list := range [][]Listener{l.Listeners, l.Advertised} {
		for i, of := range list {
			if of.Name == name && of.Port == 0 {
				list[i].Port = port
			}
		}
	}
	l.chosen[name] = true
}

// reject is told of each wrong property.
type reject = func(key, format string, args ...any)

// readListening reads where to listen, but not how the peers of the listeners prove who they are.
func readListening(v Values, reject reject) Listening {
	const key, advertised = "listeners", "advertised.listeners"
	protocols := map[string]string{}
	for _, pair := range List(v.Text("listener.security.protocol.map")) {
		name, protocol, _ := strings.Cut(pair, ":")
		protocols[strings.ToUpper(strings.TrimSpace(name))] = strings.TrimSpace(protocol)
	}
	l := Listening{Security: map[string]*auth.Listener{}, chosen: map[string]bool{}}
	l.Listeners = readAddresses(reject, key, v.Text(key), protocols)
	for i, of := range l.Listeners {
		for _, other := range l.Listeners[:i] {
			if of.Port == other.Port && of.Port != 0 && !oneOfEach(of.Host, other.Host) {
				reject(key, "%s and %s have the same port: each listener needs its own, unless one has an address of IPv4 and the other of IPv6", other.Name, of.Name)
			}
		}
	}
	l.Advertised = slices.Clone(l.Listeners)
	if len(v.given(advertised, advertised)) > 0 {
		l.Advertised = readAddresses(reject, advertised, v.Text(advertised), protocols)
	}
	for i, of := range l.Advertised {
		if of.Host == "" { // every address: others on this machine find us on loopback
			l.Advertised[i].Host = "localhost"
		}
		if of.Host == "0.0.0.0" {
			reject(advertised, "0.0.0.0 of listener %s is no address that others can reach: set advertised.listeners to one that is", of.Name)
		}
		if _, ok := l.Find(of.Name); !ok {
			reject(advertised, "%s is not among the listeners", of.Name)
		}
	}
	return l
}

// oneOfEach says whether two hosts are an address of IPv4 and one of IPv6.
func oneOfEach(a, b string) bool {
	x, y := net.ParseIP(a), net.ParseIP(b)
	return x != nil && y != nil && (x.To4() == nil) != (y.To4() == nil)
}

// readAddresses reads NAME://host:port,…
func readAddresses(reject reject, key, value string, protocols map[string]string) (listeners []Listener) {
	items := List(value)
	if len(items) == 0 {
		reject(key, "names no listener")
	}
	for _, item := range items {
		name, address, ok := strings.Cut(item, "://")
		if !ok {
			reject(key, "%q is not NAME://host:port", item)
			continue
		}
		host, portText, err := net.SplitHostPort(address)
		if err != nil {
			reject(key, "%q is not NAME://host:port", item)
			continue
		}
		port, err := strconv.ParseUint(portText, 10, 16)
		if err != nil {
			reject(key, "%q is not a port", portText)
			continue
		}
		name = strings.ToUpper(name)
		protocol, ok := protocols[name]
		switch {
		case !ok:
			reject(key, "listener %s is not in listener.security.protocol.map", name)
		case !slices.Contains([]string{"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"}, protocol):
			reject("listener.security.protocol.map", "%q of listener %s is none of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL", protocol, name)
		case slices.ContainsFunc(listeners, func(l Listener) bool { return l.Name == name }):
			reject(key, "listener %s is there twice", name)
		default:
			listeners = append(listeners, Listener{name, protocol, host, int(port)})
		}
	}
	return listeners
}
