package group

import (
	"cmp"
	"slices"
)

// Status is the state of one group that is coordinated here.
type Status struct {
	ID, State string
	Members   int
	Offsets   []Committed
}

// Committed is an offset that a group has committed.
type Committed struct {
	Topic     string
	Partition int32
	Offset    int64
}

// Statuses returns the groups of the partitions that are loaded, in the order of their ids.
func (c *Coordinator) Statuses() []Status {
	groups, _ := c.led.All()
	var all []Status
	for _, g := range groups {
		g.mu.Lock()
		s := Status{ID: g.fsm.id, State: g.fsm.state.String(), Members: len(g.fsm.members)}
		for at, commit := range g.offsets {
			s.Offsets = append(s.Offsets, Committed{at.topic, at.partition, commit.offset})
		}
		g.mu.Unlock()
		if s.State == dead.String() {
			continue
		}
		slices.SortFunc(s.Offsets, func(a, b Committed) int {
			return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
		})
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b Status) int { return cmp.Compare(a.ID, b.ID) })
	return all
}
