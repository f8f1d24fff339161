package controller

import (
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestALeadersProposalIsJudged(t *testing.T) {
	good := proposal{from: 1, leaderEpoch: 4, partitionEpoch: 7, isr: []int32{1, 2}}
	with := func(change func(*proposal)) proposal {
		p := good
		change(&p)
		return p
	}
	for name, c := range map[string]struct {
		want proposal
		code int16
		same bool
	}{
		"a replica comes back":                         {good, 0, false},
		"all but the leader are out":                   {with(func(p *proposal) { p.isr = []int32{1} }), 0, false},
		"the leader was elected by a later controller": {with(func(p *proposal) { p.leaderEpoch = 5 }), kerr.NotController.Code, false},
		"the leader was replaced":                      {with(func(p *proposal) { p.leaderEpoch = 3 }), kerr.FencedLeaderEpoch.Code, false},
		"somebody else proposes":                       {with(func(p *proposal) { p.from = 2 }), kerr.InvalidRequest.Code, false},
		"an old partition epoch":                       {with(func(p *proposal) { p.partitionEpoch = 6 }), kerr.InvalidUpdateVersion.Code, false},
		"the answer to the last one was lost":          {with(func(p *proposal) { p.partitionEpoch, p.isr = 6, []int32{1, 3} }), 0, true},
		"the same after a later controller's change":   {with(func(p *proposal) { p.partitionEpoch, p.isr = 8, []int32{1, 3} }), kerr.NotController.Code, false},
		"a later controller changed the state":         {with(func(p *proposal) { p.partitionEpoch = 8 }), kerr.NotController.Code, false},
		"a leader without itself":                      {with(func(p *proposal) { p.isr = []int32{2} }), kerr.InvalidRequest.Code, false},
		"an empty isr":                                 {with(func(p *proposal) { p.isr = nil }), kerr.InvalidRequest.Code, false},
		"a replica twice":                              {with(func(p *proposal) { p.isr = []int32{1, 2, 2} }), kerr.InvalidRequest.Code, false},
		"a broker without replica":                     {with(func(p *proposal) { p.isr = []int32{1, 5} }), kerr.InvalidRequest.Code, false},
		"a dead replica":                               {with(func(p *proposal) { p.isr = []int32{1, 4} }), kerr.IneligibleReplica.Code, false},
		"a replica that was restarted since":           {with(func(p *proposal) { p.epochs = map[int32]int64{1: 101, 2: 99} }), kerr.IneligibleReplica.Code, false},
		"a replica with the epoch it has":              {with(func(p *proposal) { p.epochs = map[int32]int64{1: 101, 2: 102} }), 0, false},
		"a replica whose epoch nobody knows":           {with(func(p *proposal) { p.epochs = map[int32]int64{1: 101, 2: -1} }), 0, false},
		"a healthy leader that starts to recover":      {with(func(p *proposal) { p.isr, p.recoveryState = []int32{1}, recovering }), kerr.InvalidRequest.Code, false},
		"a recovering leader with followers":           {with(func(p *proposal) { p.recoveryState = recovering }), kerr.InvalidRequest.Code, false},
	} {
		t.Run(name, func(t *testing.T) {
			now := &state{PartitionState: stateOf(1, 4, 1, 3), epoch: 7}
			code, same := judge(now, []int32{1, 2, 3, 4}, c.want, these(1, 2, 3, 5), func(id int32) int64 { return 100 + int64(id) })
			if code != c.code || same != c.same {
				t.Errorf("code %d, same %v; want %d, %v", code, same, c.code, c.same)
			}
		})
	}
}

func TestALeaderMayEndItsRecovery(t *testing.T) {
	now := &state{PartitionState: recoveringState(1, 4, 1), epoch: 7}
	code, same := judge(now, []int32{1, 2}, proposal{from: 1, leaderEpoch: 4, partitionEpoch: 7, isr: []int32{1}}, these(1), func(int32) int64 { return 1 })
	if code != 0 || same {
		t.Errorf("code %d, same %v", code, same)
	}
}

func TestProposalsOfEveryVersion(t *testing.T) {
	req := &kmsg.AlterPartitionRequest{BrokerID: 1}
	p := kmsg.AlterPartitionRequestTopicPartition{
		Partition: 2, LeaderEpoch: 3, PartitionEpoch: 4, NewISR: []int32{1, 2}, LeaderRecoveryState: recovering,
		NewEpochISR: []kmsg.AlterPartitionRequestTopicPartitionNewEpochISR{{BrokerID: 1, BrokerEpoch: 9}},
	}
	for version := range int16(4) {
		req.Version = version
		got := proposed(req, p)
		wantISR := []int32{1, 2}
		if version >= 3 {
			wantISR = []int32{1}
		}
		if got.from != 1 || got.leaderEpoch != 3 || got.partitionEpoch != 4 || !slices.Equal(got.isr, wantISR) ||
			(got.recoveryState == recovering) != (version >= 1) || (got.epochs[1] == 9) != (version >= 3) {
			t.Errorf("version %d: %+v", version, got)
		}
	}
}
