package admin

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Behind says what a node has not caught up with: the partitions whose replica on it is out of sync, by topic, and in KRaft
// mode the quorum if the node has a vote. Nothing means that another node can be taken away as safely as this one could.
// hasTopics is as for [Client.Needed].
func (c *Client) Behind(ctx context.Context, node int32, hasTopics bool) ([]string, error) {
	m, err := c.agreed(ctx, hasTopics)
	if err != nil {
		return nil, err
	}
	behind, holds := behindIn(m, node)
	if holds && !slices.ContainsFunc(m.Brokers, func(b kmsg.MetadataResponseBroker) bool { return b.NodeID == node }) {
		behind = append([]string{"its registration"}, behind...)
	}
	w := newWorld(c.cfg)
	if w.mode != ModeKRaft {
		return behind, nil
	}
	resp, err := c.peers.quorum(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("ask the controllers: %w", err)
	}
	w.applyQuorum(resp, time.Now())
	for _, v := range w.coordinators {
		if v.ID == node && v.Role == "" {
			behind = append(behind, "the controllers' quorum")
		}
	}
	return behind, nil
}

// behindIn lists the partitions in which a broker is out of sync; holds says whether it has any replica.
func behindIn(m *kmsg.MetadataResponse, broker int32) (partitions []string, holds bool) {
	for _, t := range m.Topics {
		for _, p := range t.Partitions {
			if t.Topic == nil || !slices.Contains(p.Replicas, broker) {
				continue
			}
			holds = true
			if !slices.Contains(p.ISR, broker) {
				partitions = append(partitions, TopicPartition{Topic: *t.Topic, Partition: p.Partition}.String())
			}
		}
	}
	slices.Sort(partitions)
	return partitions, holds
}
