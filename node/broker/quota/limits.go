package quota

import (
	"strconv"
	"strings"

	"kdrill/node/layout"
)

// Kind is what is limited.
type Kind int

// The kinds, each with the name of its configuration.
const (
	Produce     Kind = iota // producer_byte_rate, bytes a second
	Fetch                   // consumer_byte_rate, bytes a second
	Request                 // request_percentage, percent of one thread
	Mutation                // controller_mutation_rate, partitions created or deleted a second
	Connections             // connection_creation_rate, connections a second from one address
	kinds
)

// Names of the kinds in configurations.
var names = [kinds]string{"producer_byte_rate", "consumer_byte_rate", "request_percentage", "controller_mutation_rate", "connection_creation_rate"}

// Name is the kind's configuration.
func (k Kind) Name() string { return names[k] }

// Whole says whether limits of the kind are whole numbers.
func (k Kind) Whole() bool { return k == Produce || k == Fetch || k == Connections }

// Named returns the kind of a configuration's name.
func Named(name string) (Kind, bool) {
	for k, n := range names {
		if n == name {
			return Kind(k), true
		}
	}
	return 0, false
}

// Limits are all limits at one moment.
type Limits struct {
	byPath map[string]limits
	any    [kinds]bool // whether there is a limit of the kind at all
}

type limits [kinds]float64 // negative: none

// NewLimits reads configurations by path below /config: users/NAME, users/NAME/clients/ID, clients/ID and ips/ADDRESS,
// in which names are sanitized, or <default>.
func NewLimits(configs map[string]map[string]string) *Limits {
	l := &Limits{byPath: map[string]limits{}}
	for path, config := range configs {
		entry, found := limits{}, false
		for k := range kinds {
			value, err := strconv.ParseFloat(config[k.Name()], 64)
			if err != nil {
				entry[k] = -1
				continue
			}
			entry[k], l.any[k], found = value, true, true
		}
		if found {
			l.byPath[path] = entry
		}
	}
	return l
}

// Limit is a limit with those who share it.
type Limit struct {
	Rate   float64
	Shared string // the same for all who share the rate
}

// OfClient finds the limit of a kind for a user with a client id. The most specific one counts: of user and client, of
// the user, of the client, each time before the default.
func (l *Limits) OfClient(kind Kind, user, client string) (Limit, bool) {
	if l == nil || !l.any[kind] {
		return Limit{}, false
	}
	u, c := layout.Sanitize(user), layout.Sanitize(client)
	const none = layout.DefaultEntity
	for _, path := range []struct{ path, shared string }{
		{"users/" + u + "/clients/" + c, u + "/" + c},
		{"users/" + u + "/clients/" + none, u + "/" + c},
		{"users/" + u, u + "/"},
		{"users/" + none + "/clients/" + c, u + "/" + c},
		{"users/" + none + "/clients/" + none, u + "/" + c},
		{"users/" + none, u + "/"},
		{"clients/" + c, "/" + c},
		{"clients/" + none, "/" + c},
	} {
		if entry, ok := l.byPath[path.path]; ok && entry[kind] >= 0 {
			return Limit{entry[kind], path.shared}, true
		}
	}
	return Limit{}, false
}

// OfAddress finds the limit of connections from an address.
func (l *Limits) OfAddress(address string) (Limit, bool) {
	if l == nil || !l.any[Connections] {
		return Limit{}, false
	}
	for _, path := range []string{"ips/" + address, "ips/" + layout.DefaultEntity} {
		if entry, ok := l.byPath[path]; ok && entry[Connections] >= 0 {
			return Limit{entry[Connections], strings.TrimSpace(address)}, true
		}
	}
	return Limit{}, false
}
