package admin

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Election is the outcome of an election in one partition.
type Election struct {
	TopicPartition
	Leader int32  `json:"leader"`          // the preferred replica, whether it leads or not
	Needed bool   `json:"needed"`          // another led before
	Error  string `json:"error,omitempty"` // why the preferred replica does not lead now, else empty
}

// ElectPreferred makes the preferred replicas of the partitions lead them; of every partition if none is named.
func (c *Client) ElectPreferred(ctx context.Context, partitions []TopicPartition) ([]Election, error) {
	m, err := c.peers.metadata(ctx, nil)
	if err != nil {
		return nil, unreachable(c.cfg.Bootstrap, err)
	}
	preferred := map[TopicPartition]int32{}
	var elections []Election
	wanted := map[string][]int32{}
	for _, t := range m.Topics {
		for _, p := range t.Partitions {
			if t.Topic == nil || len(p.Replicas) == 0 {
				continue
			}
			at := TopicPartition{*t.Topic, p.Partition}
			preferred[at] = p.Replicas[0]
			switch named := slices.Contains(partitions, at); {
			case len(partitions) > 0 && !named:
			case p.Leader != p.Replicas[0]:
				wanted[at.Topic] = append(wanted[at.Topic], at.Partition)
			case named:
				elections = append(elections, Election{TopicPartition: at, Leader: p.Leader})
			}
		}
	}
	for _, at := range partitions {
		if _, ok := preferred[at]; !ok {
			return nil, fmt.Errorf("there is no partition %s: kdrill topics lists what there is", at)
		}
	}
	if len(wanted) == 0 {
		return elections, nil
	}
	held, err := c.elect(ctx, wanted, preferred)
	elections = append(elections, held...)
	slices.SortFunc(elections, func(a, b Election) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return elections, err
}

func (c *Client) elect(ctx context.Context, wanted map[string][]int32, preferred map[TopicPartition]int32) ([]Election, error) {
	resp, err := c.atController(ctx, func() kmsg.Request {
		req := kmsg.NewPtrElectLeadersRequest()
		req.TimeoutMillis = int32(operationTimeout.Milliseconds())
		for topic, list := range wanted {
			t := kmsg.NewElectLeadersRequestTopic()
			t.Topic, t.Partitions = topic, list
			req.Topics = append(req.Topics, t)
		}
		return req
	}, func(r kmsg.Response) error { return protocolError(r.(*kmsg.ElectLeadersResponse).ErrorCode, nil) })
	if err != nil {
		return nil, fmt.Errorf("elect preferred leaders: %w", err)
	}
	var held []Election
	for _, t := range resp.(*kmsg.ElectLeadersResponse).Topics {
		for _, p := range t.Partitions {
			at := TopicPartition{t.Topic, p.Partition}
			e := Election{TopicPartition: at, Leader: preferred[at], Needed: true}
			if err := protocolError(p.ErrorCode, p.ErrorMessage); err != nil && p.ErrorCode != kerr.ElectionNotNeeded.Code {
				e.Error = err.Error()
			}
			held = append(held, e)
		}
	}
	return held, nil
}
