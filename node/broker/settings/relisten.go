package settings

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"kdrill/node/broker/auth"
)

// addresses are the properties that say where a broker listens, each broker's own.
func addresses() []string {
	return []string{"advertised.listeners", "listener.security.protocol.map", "listeners"}
}

// Restart has the broker begin with the listeners that v names, of which ZooKeeper may know others than the file. With an
// error those of the file stay.
func (s *Settings) Restart(v Values) error {
	named := func(name string) bool {
		return slices.Contains(addresses(), name) || strings.HasPrefix(name, ownPrefix)
	}
	if !slices.ContainsFunc(slices.Collect(maps.Keys(v.broker)), named) {
		return nil
	}
	next, err := s.Relisten(nil, v)
	if err != nil {
		return err
	}
	before := s.Listening
	s.Listening = *next
	var wrong mistakes
	dialer := s.dialer(v, wrong.add)
	if err := wrong.err(); err != nil {
		s.Listening = before
		return err
	}
	s.Dialer = dialer
	return nil
}

// Relisten returns where the broker listens by v, if it listens as in now: listeners stay as they are, come or go. Those that
// come have their stores already, and those with port 0 get a port by [Listening.Bound]. It is now itself where nothing
// changes. A nil now is a broker that does not listen yet. The error says in one line why that cannot be.
func (s *Settings) Relisten(now *Listening, v Values) (*Listening, error) {
	var wrong mistakes
	next := readListening(v, wrong.add)
	if !next.advertises(s.InterBrokerListener) && len(wrong) == 0 {
		wrong.add("advertised.listeners", "brokers reach each other by listener %s (inter.broker.listener.name): it must stay among listeners and advertised.listeners", s.InterBrokerListener)
	}
	for _, l := range slices.Clone(next.Listeners) {
		if now.keep(&next, l, wrong.add) {
			continue
		}
		s.secure(&next, l, v, wrong.add)
		if stores := next.Security[l.Name].ReadStores(scope{v, l.Name}, wrong.add); now != nil && stores != nil {
			next.Security[l.Name].Use(stores)
		}
	}
	if err := wrong.err(); err != nil {
		return nil, err
	}
	if now != nil && slices.Equal(now.Listeners, next.Listeners) && slices.Equal(now.Advertised, next.Advertised) {
		return now, nil
	}
	return &next, nil
}

// keep says whether a listener of next is in l already, and has it stay what it is.
func (l *Listening) keep(next *Listening, of Listener, reject reject) bool {
	if l == nil {
		return false
	}
	before, ok := l.Find(of.Name)
	switch {
	case !ok:
		return false
	case before.Protocol != of.Protocol:
		reject("listener.security.protocol.map", "listener %s is open with %s: that cannot change while it is; remove the listener first, or add another", of.Name, before.Protocol)
	case before.Host != of.Host || before.Port != of.Port && (of.Port != 0 || !l.chosen[of.Name]):
		reject("listeners", "listener %s is open at %s: that cannot change while it is; remove the listener first, or add another", of.Name, before.Address())
	}
	if l.chosen[of.Name] {
		next.Bound(of.Name, before.Port)
	}
	next.Security[of.Name] = l.Security[of.Name]
	return true
}

// CheckListeners says which property of a single listener cannot be as in next, with listeners as in after. Now and next are
// what /config/brokers sets for this broker. What listeners are by is read when they are opened: only limits and stores
// change while they stay open.
func (s *Settings) CheckListeners(open, after *Listening, now, next map[string]string) error {
	names := map[string]string{}
	maps.Copy(names, next)
	maps.Copy(names, now)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		own, ok := strings.CutPrefix(name, ownPrefix)
		if value, has := next[name]; !ok || has && value == s.valueIn(now, name) || !has && s.file[name] == now[name] {
			continue
		}
		if _, has := next[name]; slices.Contains(ofListeners(), base(name)) || isOfStores(name) && !has {
			continue
		}
		listener, _, _ := strings.Cut(own, ".")
		title := strings.ToUpper(listener)
		_, stays := open.Find(title)
		of, ok := after.Find(title)
		switch {
		case !ok && next[name] == "": // taken back with its listener
		case isOfStores(name) && (!ok || !auth.UsesTLS(of.Protocol) || listener != strings.ToLower(listener)):
			return fmt.Errorf("%s: this broker has no listener with TLS whose name in small letters is %s", name, listener)
		case !ok || listener != strings.ToLower(listener):
			return fmt.Errorf("%s: this broker has no listener whose name in small letters is %s", name, listener)
		case !isOfStores(name) && stays:
			return fmt.Errorf("%s is read when listener %s is opened: edit server.properties and restart the broker, or add another listener", name, title)
		}
	}
	return nil
}

// valueIn is what a property has by one znode, or else by the file.
func (v Values) valueIn(broker map[string]string, name string) string {
	if value, ok := broker[name]; ok {
		return value
	}
	return v.file[name]
}
