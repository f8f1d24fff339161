package controller

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/layout"
)

// controlledShutdown takes leadership and ISR membership from a broker, as far as others can take over.
func (t *term) controlledShutdown(req *kmsg.ControlledShutdownRequest) (*kmsg.ControlledShutdownResponse, error) {
	resp := req.ResponseKind().(*kmsg.ControlledShutdownResponse)
	b, ok := t.view.brokers[req.BrokerID]
	switch {
	case !ok:
		resp.ErrorCode = kerr.BrokerNotAvailable.Code
		return resp, nil
	case req.Version >= 2 && req.BrokerEpoch != -1 && req.BrokerEpoch < b.epoch:
		resp.ErrorCode = kerr.StaleBrokerEpoch.Code
		return resp, nil
	}
	t.view.shuttingDown[b.id] = true
	hosted := t.view.where(func(p *partition) bool { return p.hosts(b.id) && len(p.replicas) > 1 && p.state != nil })
	moved, err := t.decide(hosted, func(p *partition) (layout.PartitionState, bool) {
		if p.state.Leader != b.id {
			return p.state.PartitionState, false
		}
		return electForShutdown(p.replicas, p.state.PartitionState, t.view.running, t.view.leaving)
	})
	if err != nil {
		return nil, err
	}
	for _, c := range moved {
		t.tell(c.partition, false, b.id)
	}
	if err := t.retire(b.id, hosted, moved); err != nil {
		return nil, err
	}
	for _, p := range hosted {
		if p.state.Leader == b.id {
			left := kmsg.NewControlledShutdownResponsePartitionsRemaining()
			left.Topic, left.Partition = p.Topic, p.Partition
			resp.PartitionsRemaining = append(resp.PartitionsRemaining, left)
		}
	}
	t.log.Info("broker shuts down, leaders moved", "broker", b.id, "partitions", len(moved), "remaining", len(resp.PartitionsRemaining))
	return resp, nil
}

// retire stops the replicas that a broker follows with, those just moved excepted, and takes it out of their ISRs.
func (t *term) retire(id int32, hosted []*partition, moved []change) error {
	was := map[*partition]bool{}
	for _, c := range moved {
		was[c.partition] = true
	}
	var followed []*partition
	for _, p := range hosted {
		if p.state.Leader != id && !was[p] {
			followed = append(followed, p)
			t.batch.sendStop(id, p, false)
		}
	}
	shrunk, err := t.decide(followed, func(p *partition) (layout.PartitionState, bool) {
		return withoutReplicas(p.state.PartitionState, func(r int32) bool { return r == id })
	})
	for _, c := range shrunk {
		t.tell(c.partition, false)
	}
	return err
}
