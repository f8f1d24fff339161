package broker

import (
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
)

// assign spreads replicas over brokers, given in order, for count partitions numbered from first on. Leaders go
// round the brokers from the start-th on; each round the followers are shifted by one more, so that the partitions of
// a broker that fails have their followers on different brokers. If every broker has a rack, each rack gets a replica
// of a partition before any rack gets another.
func assign(brokers []int32, racks map[int32]string, first, count int32, factor int16, start, shift int) ([][]int32, error) {
	switch n := len(brokers); {
	case factor < 1:
		return nil, refuse(kerr.InvalidReplicationFactor, "replication factor %d: must be 1 or more", factor)
	case int(factor) > n:
		return nil, refuse(kerr.InvalidReplicationFactor, "replication factor %d: only %d brokers are alive", factor, n)
	}
	n, step := len(brokers), 1
	all := make([][]int32, 0, count)
	aware := !slices.ContainsFunc(brokers, func(id int32) bool { return racks[id] == "" })
	if aware {
		brokers, step = alternate(brokers, racks)
	}
	for p := int(first); p < int(first+count); p++ {
		if p > 0 && p%n == 0 {
			shift++
		}
		leader := (p + start) % n
		replicas := []int32{brokers[leader]}
		for j := 0; len(replicas) < int(factor); j++ {
			next := brokers[(leader+1+(shift*step+j)%(n-1))%n]
			if !aware || fits(next, replicas, racks, step) {
				replicas = append(replicas, next)
			}
		}
		all = append(all, replicas)
	}
	return all, nil
}

// fits says whether a broker may have the next replica of a partition.
func fits(id int32, replicas []int32, racks map[int32]string, count int) bool {
	used := map[string]bool{}
	for _, r := range replicas {
		used[racks[r]] = true
	}
	return !slices.Contains(replicas, id) && (!used[racks[id]] || len(used) == count)
}

// alternate orders brokers so that those next to each other are in different racks as far as can be, and counts the racks.
func alternate(brokers []int32, racks map[int32]string) (ordered []int32, count int) {
	in := map[string][]int32{}
	for _, id := range brokers {
		in[racks[id]] = append(in[racks[id]], id)
	}
	names := slices.Sorted(maps.Keys(in))
	for round := 0; len(ordered) < len(brokers); round++ {
		for _, name := range names {
			if round < len(in[name]) {
				ordered = append(ordered, in[name][round])
			}
		}
	}
	return ordered, len(names)
}

// rackOf tells where a broker is, for consumers that may read from a replica in their rack; nil if none may.
func (b *Broker) rackOf() func(int32) string {
	if b.settings.Text("replica.selector.class") == "" {
		return nil
	}
	return func(id int32) string {
		if rack := b.cache.Current().Brokers[id].Rack; rack != nil {
			return *rack
		}
		return ""
	}
}

// racks tells in which racks brokers are; those without are left out.
func (b *Broker) racks() map[int32]string {
	all := map[int32]string{}
	for id, broker := range b.cache.Current().Brokers {
		if broker.Rack != nil && *broker.Rack != "" {
			all[id] = *broker.Rack
		}
	}
	return all
}
