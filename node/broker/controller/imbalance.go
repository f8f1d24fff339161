package controller

import "slices"

// imbalanced returns the partitions that should go back to their preferred leaders: those of live brokers that do not
// lead more than percent of the partitions they are preferred for. Partitions without state do not count.
func imbalanced(partitions []*partition, live among, percent int) []*partition {
	preferredFor := map[int32]int{}
	elsewhere := map[int32][]*partition{}
	for _, p := range partitions {
		if p.state == nil || len(p.replicas) == 0 {
			continue
		}
		preferred := p.replicas[0]
		preferredFor[preferred]++
		if p.state.Leader != preferred {
			elsewhere[preferred] = append(elsewhere[preferred], p)
		}
	}
	var moves []*partition
	for id, away := range elsewhere {
		if !live(id) || len(away)*100 <= percent*preferredFor[id] {
			continue
		}
		for _, p := range away {
			if _, ok := electPreferred(p.replicas, p.state.PartitionState, live); ok && !slices.Contains(p.offline, id) {
				moves = append(moves, p)
			}
		}
	}
	slices.SortFunc(moves, func(a, b *partition) int { return compare(a.TopicPartition, b.TopicPartition) })
	return moves
}
