package admin

import (
	"fmt"
	"slices"
	"strings"
)

// Level says how well a cluster is.
type Level string

// The levels of health.
const (
	Healthy  Level = "healthy"
	Degraded Level = "degraded" // works, with less redundancy than it should have, or cannot be seen fully
	Broken   Level = "broken"   // something cannot be read or written now
)

// Health is one line about a cluster.
type Health struct {
	Level           Level  `json:"level"`
	Why             string `json:"why"` // empty when healthy, else one line such as "2 partitions offline"
	Offline         int    `json:"offline"`
	BelowMinISR     int    `json:"below_min_isr"`
	UnderReplicated int    `json:"under_replicated"`
}

// Check judges a snapshot.
func Check(s *Snapshot) Health {
	h := Health{Level: Healthy}
	sum := s.counted()
	h.Offline, h.BelowMinISR, h.UnderReplicated = sum.offline, sum.belowMinISR, sum.underReplicated
	h.Level, h.Why = h.judge(s)
	return h
}

// judge names the worst only: one line, what to look at first.
func (h *Health) judge(s *Snapshot) (Level, string) {
	var gone, mute []int32
	for _, b := range s.Brokers {
		switch {
		case !b.Registered:
			gone = append(gone, b.ID)
		case b.Error != "":
			mute = append(mute, b.ID)
		}
	}
	serving := 0
	for _, c := range s.Coordinators {
		if c.Role != "" && c.Error == "" {
			serving++
		}
	}
	down := len(s.Coordinators) - serving
	asked := slices.ContainsFunc(s.Coordinators, func(c Coordinator) bool { return !c.Answered.IsZero() || c.Error != "" })
	switch {
	case s.Problem != "":
		return Broken, s.Problem
	case h.Offline > 0:
		return Broken, count(h.Offline, "partition") + " offline"
	case h.BelowMinISR > 0:
		return Broken, count(h.BelowMinISR, "partition") + " below min ISR: acks=all is refused"
	case asked && serving*2 <= len(s.Coordinators):
		return Broken, fmt.Sprintf("no %s quorum: %d of %d serve", strings.TrimSuffix(s.Ensemble(), "s"), serving, len(s.Coordinators))
	case s.Controller < 0 && !s.Bare:
		return Degraded, "no controller"
	case len(gone) > 0:
		return Degraded, names(gone) + isAre(gone) + "gone"
	case len(mute) > 0:
		return Degraded, fmt.Sprintf("%s %s", names(mute), mustBroker(s, mute[0]).Error)
	case h.UnderReplicated > 0:
		return Degraded, count(h.UnderReplicated, "partition") + " under-replicated"
	case asked && down > 0:
		return Degraded, fmt.Sprintf("%d of %d %s serve", serving, len(s.Coordinators), s.Ensemble())
	}
	return Healthy, ""
}

func mustBroker(s *Snapshot, id int32) Broker {
	if b, ok := s.Broker(id); ok {
		return *b
	}
	return Broker{ID: id}
}
