package replica

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// alterBackoff is the pause before the controller is asked again after it could not answer.
const alterBackoff = 50 * time.Millisecond

// alterations carries proposals of a new isr to the controller: any number of partitions in one request, one request
// at a time. A proposal stays in leadership.proposed until it is judged, so a partition has one in flight at most.
type alterations struct {
	r    *Replicas
	mu   sync.Mutex
	next map[key]proposal
	more chan struct{} // capacity 1: next is not empty

	agreed changes
}

// proposal is an isr as asked of the controller. It is void once the partition's epochs have moved on.
type proposal struct {
	p              *partition
	topicID        [16]byte
	leaderEpoch    int32
	partitionEpoch int32
	isr            []int32
	brokerEpochs   []int64 // of isr, as their fetches said
}

func newAlterations(r *Replicas) *alterations {
	return &alterations{r: r, next: map[key]proposal{}, more: make(chan struct{}, 1)}
}

// submit hands over a proposal; it replaces an older one of the same partition.
func (a *alterations) submit(all ...proposal) {
	a.mu.Lock()
	for _, q := range all {
		a.next[q.p.key] = q
	}
	a.mu.Unlock()
	select {
	case a.more <- struct{}{}:
	default:
	}
}

func (a *alterations) take() []proposal {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := make([]proposal, 0, len(a.next))
	for _, q := range a.next {
		all = append(all, q)
	}
	clear(a.next)
	return all
}

func (a *alterations) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.more:
		}
		again := a.ask(ctx, slices.DeleteFunc(a.take(), proposal.void))
		if len(again) == 0 {
			continue
		}
		after, stop := timer(alterBackoff)
		select {
		case <-ctx.Done():
			stop()
			return
		case <-after:
		}
		a.resubmit(again)
	}
}

// resubmit asks again, unless a newer proposal took the place.
func (a *alterations) resubmit(all []proposal) {
	a.mu.Lock()
	all = slices.DeleteFunc(all, func(q proposal) bool { _, newer := a.next[q.p.key]; return newer })
	a.mu.Unlock()
	a.submit(all...)
}

// ask sends one request and applies what was answered. It returns the proposals to ask again.
func (a *alterations) ask(ctx context.Context, all []proposal) (again []proposal) {
	if len(all) == 0 {
		return nil
	}
	resp, err := a.r.cfg.AlterPartition(ctx, a.request(all))
	if ctx.Err() != nil {
		return nil
	}
	if err != nil || resp == nil || resp.ErrorCode != 0 {
		var problem int16
		if resp != nil {
			problem = resp.ErrorCode
		}
		a.r.log.Debug("controller did not take the isr, asking again", "partitions", len(all), "code", problem, "err", err)
		return all
	}
	answers := map[alterKey]*kmsg.AlterPartitionResponseTopicPartition{}
	for i := range resp.Topics {
		t := &resp.Topics[i]
		for j := range t.Partitions {
			answers[alterKey{t.Topic, t.TopidID, t.Partitions[j].Partition}] = &t.Partitions[j]
		}
	}
	for _, q := range all {
		answer := answers[alterKey{q.p.Topic, q.topicID, q.p.Partition}]
		if answer == nil {
			answer = answers[alterKey{"", q.topicID, q.p.Partition}]
		}
		if answer == nil {
			answer = answers[alterKey{q.p.Topic, [16]byte{}, q.p.Partition}]
		}
		if answer == nil || q.judge(answer) == retry {
			again = append(again, q)
		}
	}
	return again
}

// alterKey names a partition as an answer does: by name before v2, by id since, or by both within one process.
type alterKey struct {
	topic     string
	id        [16]byte
	partition int32
}

func (a *alterations) request(all []proposal) *kmsg.AlterPartitionRequest {
	req := kmsg.NewPtrAlterPartitionRequest()
	req.Version = 3
	req.BrokerID, req.BrokerEpoch = a.r.cfg.BrokerID, a.r.cfg.BrokerEpoch()
	slices.SortFunc(all, func(x, y proposal) int { return compareKeys(x.p.key, y.p.key) })
	for _, q := range all {
		if n := len(req.Topics); n == 0 || req.Topics[n-1].Topic != q.p.Topic {
			topic := kmsg.NewAlterPartitionRequestTopic()
			topic.Topic, topic.TopicID = q.p.Topic, q.topicID
			req.Topics = append(req.Topics, topic)
			if q.topicID == ([16]byte{}) {
				req.Version = 1 // the last that names topics
			}
		}
		part := kmsg.NewAlterPartitionRequestTopicPartition()
		part.Partition, part.LeaderEpoch, part.PartitionEpoch = q.p.Partition, q.leaderEpoch, q.partitionEpoch
		part.NewISR = q.isr
		for i, id := range q.isr {
			member := kmsg.NewAlterPartitionRequestTopicPartitionNewEpochISR()
			member.BrokerID, member.BrokerEpoch = id, q.brokerEpochs[i]
			part.NewEpochISR = append(part.NewEpochISR, member)
		}
		t := &req.Topics[len(req.Topics)-1]
		t.Partitions = append(t.Partitions, part)
	}
	return req
}

// propose asks for a new isr. Needs mu, and that nothing is proposed.
func (p *partition) propose(isr []int32) {
	p.lead.proposed, p.lead.stalled = isr, false
	q := proposal{
		p: p, topicID: p.topicID, leaderEpoch: p.leaderEpoch, partitionEpoch: p.partitionEpoch,
		isr: slices.Clone(isr), brokerEpochs: make([]int64, len(isr)),
	}
	for i, id := range isr {
		if id == p.lead.self {
			q.brokerEpochs[i] = p.r.cfg.BrokerEpoch()
		} else {
			q.brokerEpochs[i] = p.lead.remotes[id].brokerEpoch
		}
	}
	p.r.isr.submit(q)
}

// shrink proposes an isr without those that lag, if any do. Time alone may also let the high watermark move, when one
// that was about to join the isr falls behind.
func (p *partition) shrink(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lead == nil {
		return
	}
	p.advance(now)
	if p.lead.proposed != nil {
		if p.lead.stalled {
			p.propose(p.lead.proposed)
		}
		return
	}
	out := p.lead.lagging(p.end, now, p.r.cfg.Settings.ReplicaLagTimeMax)
	if len(out) == 0 {
		return
	}
	isr := slices.DeleteFunc(slices.Clone(p.lead.isr), func(id int32) bool { return slices.Contains(out, id) })
	p.r.log.Info("isr shrinks: followers lag", "partition", p.String(), "isr", p.lead.isr, "lagging", out, "end", p.end, "hw", p.hw)
	p.propose(isr)
}

// expand proposes an isr with a follower that has caught up. Needs mu.
func (p *partition) expand(id int32) {
	if p.lead.proposed != nil || !p.lead.mayJoin(id, p.hw, p.r.cfg.Alive) {
		return
	}
	p.r.log.Info("isr grows: follower caught up", "partition", p.String(), "isr", p.lead.isr, "joins", id)
	p.propose(append(slices.Clone(p.lead.isr), id))
}

// void tells whether the partition has moved on since.
func (q proposal) void() bool {
	q.p.mu.Lock()
	defer q.p.mu.Unlock()
	return q.voidLocked()
}

func (q proposal) voidLocked() bool {
	return q.p.lead == nil || q.p.leaderEpoch != q.leaderEpoch || q.p.partitionEpoch != q.partitionEpoch || q.p.lead.proposed == nil
}

// judge applies the controller's answer.
func (q proposal) judge(answer *kmsg.AlterPartitionResponseTopicPartition) verdict {
	p := q.p
	p.mu.Lock()
	defer p.mu.Unlock()
	if q.voidLocked() {
		return await
	}
	v := judgeAlter(answer.ErrorCode, answer, p.leaderEpoch, p.partitionEpoch)
	switch v {
	case adopt:
		p.r.isr.agreed.count(len(p.lead.isr), len(answer.ISR))
		p.lead.isr, p.lead.proposed = slices.Clone(answer.ISR), nil
		p.partitionEpoch = answer.PartitionEpoch
		p.r.log.Info("isr agreed", "partition", p.String(), "isr", p.lead.isr, "partitionEpoch", p.partitionEpoch)
		p.advance(time.Now())
		p.settleAcks()
	case revert:
		p.r.isr.agreed.refused.Add(1)
		p.lead.proposed = nil
		p.r.log.Info("isr refused by the controller", "partition", p.String(), "isr", p.lead.isr, "proposed", q.isr, "code", answer.ErrorCode)
		p.advance(time.Now())
	case await:
		p.lead.stalled = true
		p.r.log.Info("isr is out of date, waiting for the controller", "partition", p.String(), "code", answer.ErrorCode)
	}
	return v
}
