package controller

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/layout"
)

// proposal is the ISR that a leader wants for one partition.
type proposal struct {
	from           int32 // the leader
	leaderEpoch    int32
	partitionEpoch int32
	isr            []int32
	epochs         map[int32]int64 // the broker epochs of the ISR's members, as far as the leader knows them
	recoveryState  int8
}

// judge says whether a proposal may be written: kerr's code, 0 if it may. same is true if there is nothing to write,
// because the state is already what the leader proposes, even if the leader knows an older partition epoch. KIP-497, KIP-841, KIP-903.
func judge(s *state, replicas []int32, want proposal, live among, epoch func(int32) int64) (code int16, same bool) {
	switch {
	case want.leaderEpoch > s.LeaderEpoch || want.partitionEpoch > s.epoch:
		return kerr.NotController.Code, false // of a newer controller
	case want.leaderEpoch < s.LeaderEpoch:
		return kerr.FencedLeaderEpoch.Code, false
	case s.Leader != want.from:
		return kerr.InvalidRequest.Code, false
	case slices.Equal(want.isr, s.ISR) && want.recoveryState == s.LeaderRecoveryState && want.partitionEpoch <= s.epoch:
		return 0, true
	case want.partitionEpoch != s.epoch:
		return kerr.InvalidUpdateVersion.Code, false
	case want.recoveryState == recovering && (len(want.isr) > 1 || s.LeaderRecoveryState != recovering):
		return kerr.InvalidRequest.Code, false
	case !slices.Contains(want.isr, want.from) || !properSet(want.isr, replicas):
		return kerr.InvalidRequest.Code, false
	}
	for _, id := range want.isr {
		known, ok := want.epochs[id]
		if !live(id) || ok && known != -1 && known != epoch(id) {
			return kerr.IneligibleReplica.Code, false
		}
	}
	return 0, false
}

// properSet says whether ids are all different and among the replicas.
func properSet(ids, replicas []int32) bool {
	for i, id := range ids {
		if slices.Contains(ids[:i], id) || !slices.Contains(replicas, id) {
			return false
		}
	}
	return true
}

func proposed(req *kmsg.AlterPartitionRequest, p kmsg.AlterPartitionRequestTopicPartition) proposal {
	want := proposal{from: req.BrokerID, leaderEpoch: p.LeaderEpoch, partitionEpoch: p.PartitionEpoch, isr: p.NewISR}
	if req.Version >= 1 {
		want.recoveryState = p.LeaderRecoveryState
	}
	if req.Version >= 3 {
		want.isr, want.epochs = nil, map[int32]int64{}
		for _, member := range p.NewEpochISR {
			want.isr = append(want.isr, member.BrokerID)
			want.epochs[member.BrokerID] = member.BrokerEpoch
		}
	}
	return want
}

// verdict is a partition of an AlterPartition request and what became of it.
type verdict struct {
	id int32
	*partition
	code int16
}

func (t *term) alterPartition(req *kmsg.AlterPartitionRequest) (*kmsg.AlterPartitionResponse, error) {
	resp := req.ResponseKind().(*kmsg.AlterPartitionResponse)
	if b, ok := t.view.brokers[req.BrokerID]; !ok || b.epoch != req.BrokerEpoch {
		resp.ErrorCode = kerr.StaleBrokerEpoch.Code
		return resp, nil
	}
	verdicts, changes := t.judgeAll(req)
	made, err := t.store.writeStates(changes)
	if err != nil {
		return nil, err
	}
	written := map[*partition]bool{}
	for _, c := range made {
		written[c.partition] = true
		t.batch.metadata[c.partition] = true
		if p := c.partition; p.placement().moving() { // once the leader has its answer
			t.after(0, "reassignment", func() error { _, err := t.arrive(p); return err })
		}
	}
	for _, c := range changes {
		if written[c.partition] {
			continue
		}
		for i := range verdicts {
			for j := range verdicts[i] {
				if verdicts[i][j].partition == c.partition {
					verdicts[i][j].code = kerr.InvalidUpdateVersion.Code
				}
			}
		}
	}
	for i, topic := range req.Topics {
		answer := kmsg.NewAlterPartitionResponseTopic()
		answer.Topic, answer.TopidID = topic.Topic, topic.TopicID
		for _, v := range verdicts[i] {
			answer.Partitions = append(answer.Partitions, v.answer())
		}
		resp.Topics = append(resp.Topics, answer)
	}
	return resp, nil
}

// judgeAll returns a verdict for every partition asked for, by topic, and what is to be written.
func (t *term) judgeAll(req *kmsg.AlterPartitionRequest) ([][]verdict, []change) {
	verdicts := make([][]verdict, len(req.Topics))
	var changes []change
	for i, asked := range req.Topics {
		topic, unknown := t.view.topics[asked.Topic], kerr.UnknownTopicOrPartition.Code
		if req.Version >= 2 {
			topic, unknown = t.view.topicByID(asked.TopicID), kerr.UnknownTopicID.Code
		}
		for _, wish := range asked.Partitions {
			v := verdict{id: wish.Partition}
			switch {
			case topic == nil:
				v.code = unknown
			case topic.deletion != nil, topic.partitions[wish.Partition] == nil, topic.partitions[wish.Partition].state == nil:
				v.code = kerr.UnknownTopicOrPartition.Code
			default:
				v.partition = topic.partitions[wish.Partition]
				want := proposed(req, wish)
				var same bool
				v.code, same = judge(v.state, v.replicas, want, t.view.able(v.partition), t.view.epoch)
				if v.code == kerr.IneligibleReplica.Code && req.Version < 2 {
					v.code = kerr.OperationNotAttempted.Code
				}
				if v.code == 0 && !same {
					changes = append(changes, change{partition: v.partition, next: t.accepted(v.state.PartitionState, want)})
				}
			}
			verdicts[i] = append(verdicts[i], v)
		}
	}
	return verdicts, changes
}

// accepted keeps leader and leader epoch: only elections raise it.
func (t *term) accepted(s layout.PartitionState, want proposal) layout.PartitionState {
	s.Version, s.ControllerEpoch = 1, t.epoch
	s.ISR, s.LeaderRecoveryState = slices.Clone(want.isr), want.recoveryState
	return s
}

func (v verdict) answer() kmsg.AlterPartitionResponseTopicPartition {
	p := kmsg.NewAlterPartitionResponseTopicPartition()
	p.Partition, p.ErrorCode = v.id, v.code
	if v.code == 0 {
		p.LeaderID, p.LeaderEpoch, p.ISR = v.state.Leader, v.state.LeaderEpoch, v.state.ISR
		p.LeaderRecoveryState, p.PartitionEpoch = v.state.LeaderRecoveryState, v.state.epoch
	}
	return p
}
