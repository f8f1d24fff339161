package broker

import (
	"github.com/twmb/franz-go/pkg/kerr"
)

// assign spreads replicas over brokers, given in order, for count partitions numbered from first on. Leaders go
// round the brokers from the start-th on; each round the followers are shifted by one more, so that the partitions of
// a broker that fails have their followers on different brokers.
func assign(brokers []int32, first, count int32, factor int16, start, shift int) ([][]int32, error) {
	switch n := len(brokers); {
	case factor < 1:
		return nil, refuse(kerr.InvalidReplicationFactor, "replication factor %d: must be 1 or more", factor)
	case int(factor) > n:
		return nil, refuse(kerr.InvalidReplicationFactor, "replication factor %d: only %d brokers are alive", factor, n)
	}
	n := len(brokers)
	all := make([][]int32, 0, count)
	for p := int(first); p < int(first+count); p++ {
		if p > 0 && p%n == 0 {
			shift++
		}
		leader := (p + start) % n
		replicas := []int32{brokers[leader]}
		for j := range int(factor) - 1 {
			replicas = append(replicas, brokers[(leader+1+(shift+j)%(n-1))%n])
		}
		all = append(all, replicas)
	}
	return all, nil
}
