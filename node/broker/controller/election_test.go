package controller

import (
	"slices"
	"testing"

	"kdrill/node/layout"
)

func these(ids ...int32) among { return func(id int32) bool { return slices.Contains(ids, id) } }

func stateOf(leader, epoch int32, isr ...int32) layout.PartitionState {
	return layout.PartitionState{Version: 1, Leader: leader, LeaderEpoch: epoch, ISR: isr}
}

func recoveringState(leader, epoch int32, isr ...int32) layout.PartitionState {
	s := stateOf(leader, epoch, isr...)
	s.LeaderRecoveryState = recovering
	return s
}

func checkState(t *testing.T, got, want layout.PartitionState, ok, wantOK bool) {
	t.Helper()
	if ok != wantOK || !sameState(got, want) {
		t.Errorf("got %+v, %v; want %+v, %v", got, ok, want, wantOK)
	}
}

func TestElectionWhenTheLeaderIsGone(t *testing.T) {
	for name, c := range map[string]struct {
		replicas []int32
		was      layout.PartitionState
		live     among
		unclean  bool
		want     layout.PartitionState
		ok       bool
	}{
		"the order of assignment decides, not that of the isr":   {[]int32{1, 2, 3}, stateOf(1, 4, 1, 3, 2), these(2, 3), false, stateOf(2, 5, 3, 2), true},
		"out of sync replicas are passed over":                   {[]int32{1, 2, 3}, stateOf(1, 4, 1, 3), these(2, 3), false, stateOf(3, 5, 3), true},
		"without live member of the isr nobody leads":            {[]int32{1, 2}, stateOf(1, 4, 1), these(2), false, stateOf(1, 4, 1), false},
		"unless it may be unclean":                               {[]int32{1, 2, 3}, stateOf(1, 4, 1), these(3, 2), true, recoveringState(2, 5, 2), true},
		"which it is not where a clean election is possible":     {[]int32{1, 2, 3}, stateOf(1, 4, 1, 3), these(2, 3), true, stateOf(3, 5, 3), true},
		"nothing helps without a live replica":                   {[]int32{1, 2}, stateOf(1, 4, 1, 2), these(3), true, stateOf(1, 4, 1, 2), false},
		"the leader itself may lead again after it bounced":      {[]int32{1}, stateOf(layout.NoLeader, 5, 1), these(1), false, stateOf(1, 6, 1), true},
		"a clean election of one that still recovers keeps this": {[]int32{1, 2}, recoveringState(layout.NoLeader, 5, 1), these(1), false, recoveringState(1, 6, 1), true},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := electOffline(c.replicas, c.was, c.live, c.unclean)
			checkState(t, got, c.want, ok, c.ok)
		})
	}
}

func TestPreferredElection(t *testing.T) {
	for name, c := range map[string]struct {
		replicas []int32
		was      layout.PartitionState
		live     among
		want     layout.PartitionState
		ok       bool
	}{
		"the first replica leads, the isr stays": {[]int32{1, 2, 3}, stateOf(2, 4, 2, 1), these(1, 2), stateOf(1, 5, 2, 1), true},
		"not while it is out of sync":            {[]int32{1, 2}, stateOf(2, 4, 2), these(1, 2), stateOf(2, 4, 2), false},
		"not while it is dead":                   {[]int32{1, 2}, stateOf(2, 4, 2, 1), these(2), stateOf(2, 4, 2, 1), false},
		"not without replicas":                   {nil, stateOf(2, 4, 2), these(2), stateOf(2, 4, 2), false},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := electPreferred(c.replicas, c.was, c.live)
			checkState(t, got, c.want, ok, c.ok)
		})
	}
}

func TestElectionWhenTheLeaderShutsDown(t *testing.T) {
	for name, c := range map[string]struct {
		was     layout.PartitionState
		leaving among
		want    layout.PartitionState
		ok      bool
	}{
		"the next in sync takes over and the leader leaves the isr": {stateOf(1, 4, 1, 3, 2), these(1), stateOf(2, 5, 3, 2), true},
		"others that shut down too cannot":                          {stateOf(1, 4, 1, 3, 2), these(1, 2), stateOf(3, 5, 3), true},
		"the last in sync keeps it":                                 {stateOf(1, 4, 1), these(1), stateOf(1, 4, 1), false},
		"so it does when everybody goes":                            {stateOf(1, 4, 1, 2, 3), these(1, 2, 3), stateOf(1, 4, 1, 2, 3), false},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := electForShutdown([]int32{1, 2, 3}, c.was, these(1, 2, 3), c.leaving)
			checkState(t, got, c.want, ok, c.ok)
		})
	}
}

func TestFirstStateOfAPartition(t *testing.T) {
	got, ok := firstState([]int32{3, 1, 2}, these(1, 2))
	checkState(t, got, stateOf(1, 0, 1, 2), ok, true)
	got, ok = firstState([]int32{3}, these(1, 2))
	checkState(t, got, layout.PartitionState{}, ok, false)
}

func TestDeadReplicasLeaveTheISR(t *testing.T) {
	for name, c := range map[string]struct {
		was  layout.PartitionState
		gone among
		want layout.PartitionState
		ok   bool
	}{
		"a follower leaves, under a new leader epoch":           {stateOf(1, 4, 1, 2, 3), these(2), stateOf(1, 5, 1, 3), true},
		"a leader leaves and nobody leads":                      {stateOf(1, 4, 1, 2), these(1), stateOf(layout.NoLeader, 5, 2), true},
		"the last member stays, but leads no more":              {stateOf(1, 4, 1), these(1), stateOf(layout.NoLeader, 5, 1), true},
		"when all die at once the leader has the newest log":    {stateOf(2, 4, 1, 2, 3), these(1, 2, 3), stateOf(layout.NoLeader, 5, 2), true},
		"who was out of sync changes nothing":                   {stateOf(1, 4, 1, 3), these(2), stateOf(1, 4, 1, 3), false},
		"a second look at an offline partition changes nothing": {stateOf(layout.NoLeader, 5, 1), these(1), stateOf(layout.NoLeader, 5, 1), false},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := withoutReplicas(c.was, c.gone)
			checkState(t, got, c.want, ok, c.ok)
		})
	}
}

func TestDecisionsNeverChangeTheStateTheyStartFrom(t *testing.T) {
	was := stateOf(1, 4, 1, 2, 3)
	electOffline([]int32{1, 2, 3}, was, these(2, 3), true)
	electPreferred([]int32{1, 2, 3}, was, these(1, 2, 3))
	electForShutdown([]int32{1, 2, 3}, was, these(1, 2, 3), these(1))
	withoutReplicas(was, these(1, 3))
	if !slices.Equal(was.ISR, []int32{1, 2, 3}) {
		t.Errorf("the isr became %v", was.ISR)
	}
}

func TestLeadersMoveBackOnlyWhereEnoughAreAway(t *testing.T) {
	partitions := func(leaders ...int32) []*partition { // all prefer broker 1
		var all []*partition
		for i, leader := range leaders {
			all = append(all, &partition{
				TopicPartition: layout.TopicPartition{Topic: "t", Partition: int32(i)}, replicas: []int32{1, 2},
				state: &state{PartitionState: stateOf(leader, 0, 1, 2)},
			})
		}
		return all
	}
	ten := partitions(2, 1, 1, 1, 1, 1, 1, 1, 1, 1)
	if got := imbalanced(ten, these(1, 2), 10); len(got) != 0 {
		t.Errorf("10 %% away is not more than 10 %%, but %v move", got)
	}
	if got := imbalanced(ten, these(1, 2), 9); len(got) != 1 || got[0].Partition != 0 {
		t.Errorf("with 9 %% allowed %v move", got)
	}
	three := append(partitions(2, 2, 1), &partition{replicas: []int32{1, 2}})
	three[1].state.ISR = []int32{2}
	if got := imbalanced(three, these(1, 2), 10); len(got) != 1 || got[0].Partition != 0 {
		t.Errorf("only what is in sync can move, but %v does", got)
	}
	if got := imbalanced(three, these(2), 10); len(got) != 0 {
		t.Errorf("%v move to a dead broker", got)
	}
}
