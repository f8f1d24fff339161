package controller

import (
	"cmp"
	"maps"
	"slices"
)

// arrivals is how the registered brokers changed. A broker that registered again in between is in bounced.
type arrivals struct {
	joined, left, bounced []broker // bounced and joined hold the new registration
}

// diffBrokers compares registrations by id and epoch. A smaller epoch is an older read and changes nothing.
func diffBrokers(known map[int32]broker, registered []broker) arrivals {
	var d arrivals
	present := make(map[int32]bool, len(registered))
	for _, b := range registered {
		present[b.id] = true
		was, ok := known[b.id]
		switch {
		case !ok:
			d.joined = append(d.joined, b)
		case b.epoch > was.epoch:
			d.bounced = append(d.bounced, b)
		}
	}
	for id, b := range known {
		if !present[id] {
			d.left = append(d.left, b)
		}
	}
	for _, list := range [][]broker{d.joined, d.left, d.bounced} {
		slices.SortFunc(list, func(a, b broker) int { return cmp.Compare(a.id, b.id) })
	}
	return d
}

// sameEndpoints says whether two registrations tell the same of where a broker is reached.
func (b broker) sameEndpoints(other broker) bool {
	return b.Host == other.Host && b.Port == other.Port && slices.Equal(b.Endpoints, other.Endpoints) && maps.Equal(b.SecurityProtocol, other.SecurityProtocol)
}

// gone are the brokers whose replicas must fail: those that left and those that bounced.
func (d arrivals) gone() []int32 { return ids(d.left, d.bounced) }

// fresh are the brokers that know nothing yet: those that joined and those that bounced.
func (d arrivals) fresh() []int32 { return ids(d.joined, d.bounced) }

func ids(lists ...[]broker) []int32 {
	var all []int32
	for _, b := range slices.Concat(lists...) {
		all = append(all, b.id)
	}
	slices.Sort(all)
	return all
}
