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
func (l *Listening) ReadStores(v Values) (Stores, error) {
	var wrong mistakes
	next := l.readStores(v, wrong.add)
	if err := wrong.err(); err != nil {
		return nil, err
	}
	return next, nil
}

func (l *Listening) readStores(v Values, reject reject) Stores {
	next := Stores{}
	for _, name := range slices.Sorted(maps.Keys(l.Security)) {
		if stores := l.Security[name].ReadStores(scope{v, name}, reject); stores != nil {
			next[name] = stores
		}
	}
	return next
}

// Use has the listeners' connections follow other stores from now on.
func (l *Listening) Use(stores Stores) {
	for name, of := range stores {
		l.Security[name].Use(of)
	}
}

// mistakes are wrong properties that make one error of one line.
type mistakes []string

func (m *mistakes) add(key, format string, args ...any) {
	*m = append(*m, key+": "+fmt.Sprintf(format, args...))
}

func (m mistakes) err() error {
	if len(m) == 0 {
		return nil
	}
	return errors.New(strings.Join(m, "; "))
}

// isOfStores says whether a property is of the stores of one listener.
func isOfStores(name string) bool {
	return strings.HasPrefix(name, ownPrefix) && slices.Contains(auth.Renewable(), base(name))
}
