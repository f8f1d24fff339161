package controller

import (
	"slices"

	"kdrill/node/layout"
)

// recovering is [layout.PartitionState].LeaderRecoveryState of a leader that was elected outside the ISR.
const recovering int8 = 1

// among says whether a broker belongs to a set, such as the live ones.
type among func(id int32) bool

// electOffline chooses a leader for a partition whose leader is gone: the first assigned replica that is live and in
// sync; if there is none and unclean allows it, the first live one, which is then the whole ISR. Dead replicas leave
// the ISR. It returns false if nobody can lead.
func electOffline(replicas []int32, s layout.PartitionState, live among, unclean bool) (layout.PartitionState, bool) {
	inSync := only(s.ISR, live)
	if leader, ok := first(replicas, func(id int32) bool { return slices.Contains(inSync, id) }); ok {
		return led(s, leader, inSync), true
	}
	leader, ok := first(replicas, live)
	if !ok || !unclean {
		return s, false
	}
	s.LeaderRecoveryState = recovering
	return led(s, leader, []int32{leader}), true
}

// electPreferred chooses the first assigned replica if it is live and in sync.
func electPreferred(replicas []int32, s layout.PartitionState, live among) (layout.PartitionState, bool) {
	if len(replicas) == 0 || !live(replicas[0]) || !slices.Contains(s.ISR, replicas[0]) {
		return s, false
	}
	return led(s, replicas[0], s.ISR), true
}

// electForShutdown chooses a leader that stays: the first assigned replica that is running, in sync and not shutting
// down. Those shutting down leave the ISR. It returns false if the partition must stay where it is.
func electForShutdown(replicas []int32, s layout.PartitionState, running, shuttingDown among) (layout.PartitionState, bool) {
	stays := func(id int32) bool { return !shuttingDown(id) }
	leader, ok := first(replicas, func(id int32) bool {
		return running(id) && stays(id) && slices.Contains(s.ISR, id)
	})
	if !ok {
		return s, false
	}
	return led(s, leader, only(s.ISR, stays)), true
}

// firstState is the state of a new partition: every live replica is in sync and the first of them leads.
func firstState(replicas []int32, live among) (layout.PartitionState, bool) {
	isr := only(replicas, live)
	if len(isr) == 0 {
		return layout.PartitionState{}, false
	}
	return layout.PartitionState{Version: 1, Leader: isr[0], ISR: isr}, true
}

// withoutReplicas takes replicas out of the ISR, except its last member: what that one holds is the partition's truth.
// A partition whose leader is taken out has no leader until the next election. It returns false if nothing changed.
func withoutReplicas(s layout.PartitionState, gone among) (layout.PartitionState, bool) {
	isr := slices.DeleteFunc(slices.Clone(s.ISR), gone)
	if len(isr) == len(s.ISR) {
		return s, false
	}
	if len(isr) == 0 {
		isr = s.ISR[:1]
		if slices.Contains(s.ISR, s.Leader) {
			isr = []int32{s.Leader}
		}
	}
	leader := s.Leader
	if leader != layout.NoLeader && gone(leader) {
		leader = layout.NoLeader
	}
	if leader == s.Leader && len(isr) == len(s.ISR) {
		return s, false
	}
	return led(s, leader, isr), true
}

// led is the state s under a new leader epoch.
func led(s layout.PartitionState, leader int32, isr []int32) layout.PartitionState {
	s.Leader, s.ISR = leader, slices.Clone(isr)
	s.LeaderEpoch++
	return s
}

func only(ids []int32, keep among) []int32 {
	var kept []int32
	for _, id := range ids {
		if keep(id) {
			kept = append(kept, id)
		}
	}
	return kept
}

func first(ids []int32, fits among) (int32, bool) {
	i := slices.IndexFunc(ids, fits)
	if i < 0 {
		return layout.NoLeader, false
	}
	return ids[i], true
}
