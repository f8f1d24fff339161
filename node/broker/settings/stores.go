package settings

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"kdrill/node/broker/auth"
	"kdrill/node/config"
)

// Stores are key and trust stores by the name of the listener that they are for.
type Stores map[string]*auth.Stores

// Begin takes in the stores that v names, the first that are used. The error says in which file or znode something is wrong.
func (s *Settings) Begin(v Values) error {
	next, err := s.ReadStores(v)
	switch {
	case err == nil:
		s.Use(next)
		return nil
	case slices.ContainsFunc(slices.Collect(maps.Keys(v.broker)), isOfStores):
		return config.Errorf("%w (some of this is set in ZooKeeper, /config/brokers/%d)", err, s.BrokerID)
	case s.storeless != nil: // with the line
		return s.storeless
	}
	return config.Errorf("%w", err)
}

// ReadStores reads the stores that v names, of the listeners where they are others than those in use, or where their files
// were written since. The error says in one line why some cannot be used.
func (s *Settings) ReadStores(v Values) (Stores, error) {
	var wrong []string
	next := s.readStores(v, func(key, format string, args ...any) {
		wrong = append(wrong, key+": "+fmt.Sprintf(format, args...))
	})
	if len(wrong) > 0 {
		return nil, errors.New(strings.Join(wrong, "; "))
	}
	return next, nil
}

func (s *Settings) readStores(v Values, reject func(key, format string, args ...any)) Stores {
	next := Stores{}
	for _, name := range slices.Sorted(maps.Keys(s.Security)) {
		if stores := s.Security[name].ReadStores(scope{v, name}, reject); stores != nil {
			next[name] = stores
		}
	}
	return next
}

// Use has the listeners' connections follow other stores from now on.
func (s *Settings) Use(stores Stores) {
	for name, of := range stores {
		s.Security[name].Use(of)
	}
}

// CheckListeners says which property that next changes is of the stores of a listener that has none.
func (s *Settings) CheckListeners(now, next map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(next)) {
		if before, had := now[name]; !isOfStores(name) || had && before == next[name] {
			continue
		}
		listener, _, _ := strings.Cut(strings.TrimPrefix(name, ownPrefix), ".")
		if l := s.Security[strings.ToUpper(listener)]; l == nil || !auth.UsesTLS(l.Protocol) || listener != strings.ToLower(listener) {
			return fmt.Errorf("%s: this broker has no listener with TLS whose name in small letters is %s", name, listener)
		}
	}
	return nil
}

// isOfStores says whether a property is of the stores of one listener.
func isOfStores(name string) bool {
	return strings.HasPrefix(name, ownPrefix) && slices.Contains(auth.Renewable(), base(name))
}
