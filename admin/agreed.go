package admin

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// HasTopics says whether the brokers tell of any topic.
func (c *Client) HasTopics(ctx context.Context) (bool, error) {
	m, err := c.peers.metadata(ctx, nil)
	if err != nil {
		return false, unreachable(c.cfg.Bootstrap, err)
	}
	return len(m.Topics) > 0, nil
}

// agreed is the metadata in whose isr only those brokers stand that say so themselves.
//
// A broker that was killed and is back before its session ended is still in the isr that others tell, until the controller
// has dealt with its absence; it tells of no partition itself before the controller has met it as it is now.
func (c *Client) agreed(ctx context.Context, hasTopics bool) (*kmsg.MetadataResponse, error) {
	m, err := c.peers.metadata(ctx, nil)
	if err != nil {
		return nil, unreachable(c.cfg.Bootstrap, err)
	}
	if hasTopics && len(m.Topics) == 0 {
		return nil, errors.New("no broker tells of its topics yet: try again in a moment")
	}
	var mu sync.Mutex
	var asking sync.WaitGroup
	own := map[int32]*kmsg.MetadataResponse{}
	for _, b := range m.Brokers {
		asking.Go(func() {
			resp, err := c.peers.ask(ctx, c.peers.addr(b.NodeID), kmsg.NewPtrMetadataRequest())
			if err == nil {
				mu.Lock()
				defer mu.Unlock()
				own[b.NodeID] = resp.(*kmsg.MetadataResponse)
			}
		})
	}
	asking.Wait()
	agree(m, own)
	return m, ctx.Err()
}

// agree takes brokers out of each isr of m that do not answer, or say otherwise.
func agree(m *kmsg.MetadataResponse, own map[int32]*kmsg.MetadataResponse) {
	type membership struct {
		TopicPartition
		broker int32
	}
	said := map[membership]bool{}
	for id, resp := range own {
		eachPartition(resp, func(tp TopicPartition, p *kmsg.MetadataResponseTopicPartition) {
			if slices.Contains(p.ISR, id) {
				said[membership{tp, id}] = true
			}
		})
	}
	eachPartition(m, func(tp TopicPartition, p *kmsg.MetadataResponseTopicPartition) {
		p.ISR = slices.DeleteFunc(p.ISR, func(id int32) bool { return !said[membership{tp, id}] })
	})
}

func eachPartition(m *kmsg.MetadataResponse, do func(TopicPartition, *kmsg.MetadataResponseTopicPartition)) {
	for i := range m.Topics {
		t := &m.Topics[i]
		for j := range t.Partitions {
			if t.Topic != nil {
				do(TopicPartition{Topic: *t.Topic, Partition: t.Partitions[j].Partition}, &t.Partitions[j])
			}
		}
	}
}
