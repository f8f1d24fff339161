package admin

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Needed lists the partitions, by topic, that miss a replica and would be left without a leader or with fewer replicas in
// sync than min.insync.replicas if a broker ended now. away are brokers that do not serve, whether the cluster has
// noticed yet or not. Partitions that have all their replicas are not listed: waiting would not make them safer.
// hasTopics says that the cluster is known to have topics: it is an error then if no broker tells of any.
func (c *Client) Needed(ctx context.Context, broker int32, away []int32, hasTopics bool) ([]string, error) {
	m, err := c.agreed(ctx, hasTopics)
	if err != nil {
		return nil, err
	}
	look := &look{world: newWorld(c.cfg)}
	look.world.applyMetadata(m, time.Now())
	var exposed []string
	for name, t := range look.world.topics {
		if slices.ContainsFunc(t.Partitions, func(p Partition) bool { return p.exposed(broker, away) }) {
			exposed = append(exposed, name)
		}
	}
	if len(exposed) == 0 {
		return nil, nil
	}
	readMinISR(ctx, c.peers, exposed, look.post)
	s := look.world.snapshot(time.Now())
	for _, t := range s.Topics {
		if t.MinISR == 0 && slices.Contains(exposed, t.Name) {
			return nil, fmt.Errorf("min.insync.replicas of topic %s is not known", t.Name)
		}
	}
	return neededIn(s, broker, away), nil
}

func neededIn(s *Snapshot, broker int32, away []int32) (partitions []string) {
	for _, t := range s.Topics {
		for j := range t.Partitions {
			p := &t.Partitions[j]
			if left := without(p.ISR, append(away[:len(away):len(away)], broker)); p.exposed(broker, away) && len(left) < max(t.MinISR, 1) {
				partitions = append(partitions, TopicPartition{t.Name, p.ID}.String())
			}
		}
	}
	return partitions
}

// exposed says whether a broker is in sync where another replica is not, or does not serve.
func (p Partition) exposed(broker int32, away []int32) bool {
	return slices.Contains(p.ISR, broker) && len(without(p.ISR, away)) < len(p.Replicas)
}
