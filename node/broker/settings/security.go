package settings

import (
	"strings"

	"kdrill/node/broker/auth"
	"kdrill/node/config"
	"kdrill/node/wire"
)

// readSecurity reads how the peers of each listener prove who they are, and how this broker does it to others.
func (s *Settings) readSecurity(file *config.File) {
	for _, l := range s.Listeners {
		s.secure(&s.Listening, l, s.Values, file.Reject)
	}
	s.Dialer = s.dialer(s.Values, file.Reject)
	if name := s.Text("authorizer.class.name"); name != "" && name != ACLAuthorizer {
		file.Reject("authorizer.class.name", "%s is not known here: set it to %s, or to nothing", name, ACLAuthorizer)
	}
}

// secure reads how the peers of one listener of l prove who they are.
func (s *Settings) secure(l *Listening, of Listener, v Values, reject reject) {
	l.Security[of.Name] = auth.ReadListener(of.Protocol, of.Name == s.InterBrokerListener, scope{v, of.Name}, reject)
}

// dialer is how this broker connects to the others, if it has a listener for that.
func (s *Settings) dialer(v Values, reject reject) (d wire.Dialer) {
	if between := s.Security[s.InterBrokerListener]; between != nil {
		d = auth.ReadDialer(between, scope{v, s.InterBrokerListener}, reject)
	}
	return d
}

// ACLAuthorizer is the authorizer.class.name that is known.
const ACLAuthorizer = "kafka.security.authorizer.AclAuthorizer"

// scope are the properties as one listener sees them.
type scope struct {
	Values
	listener string
}

const ownPrefix = "listener.name."

func (s scope) own(key string) string { return ownPrefix + strings.ToLower(s.listener) + "." + key }

// find returns what only this listener has.
func (s scope) find(key string) (value string, ok bool) {
	for _, l := range s.layers() {
		if value, ok = l.values[s.own(key)]; ok {
			break
		}
	}
	return value, ok
}

// Own returns what only this listener has, "" if nothing.
func (s scope) Own(key string) string {
	value, _ := s.find(key)
	return value
}

// Key is the property that [scope.Text] takes a value from.
func (s scope) Key(key string) string {
	if _, ok := s.find(key); ok {
		return s.own(key)
	}
	return key
}

// Text returns the listener's own value, else the broker's, "" if there is none.
func (s scope) Text(key string) string {
	if own, ok := s.find(key); ok {
		return own
	}
	if _, ok := s.table.Find(key); !ok { // of one mechanism: only listeners have such
		return ""
	}
	return s.Values.Text(key)
}

// ownName is the broker's property that a listener's own stands for, with or without the name of a mechanism.
func (v Values) ownName(key string) (string, bool) {
	_, rest, _ := strings.Cut(strings.TrimPrefix(key, ownPrefix), ".")
	if _, ok := v.table.Find(rest); ok {
		return rest, true
	}
	_, rest, _ = strings.Cut(rest, ".")
	_, ok := v.table.Find(rest)
	return rest, ok
}
