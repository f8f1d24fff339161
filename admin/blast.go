package admin

import (
	"cmp"
	"slices"
	"strings"
)

// Blast is what would happen if one node ended now.
type Blast struct {
	Node        string           `json:"node"`      // broker-2 or the address of a coordinator
	Loses       []LeaderMove     `json:"loses"`     // partitions that lose their leader, by name
	Followers   []TopicPartition `json:"followers"` // partitions that lose an in-sync replica only
	BelowMinISR []ShortISR       `json:"below_min_isr"`
	Offline     []TopicPartition `json:"offline"`    // nobody in sync is left to lead
	Controller  bool             `json:"controller"` // the controller moves
	Groups      []string         `json:"groups"`     // groups whose coordinator moves
	// Quorum is set for coordinators: how many would serve, and how many are needed.
	Quorum *Quorum `json:"quorum,omitempty"`
}

// LeaderMove is a partition and its leader before and after; Next is -1 if there is none.
type LeaderMove struct {
	TopicPartition
	Leader int32 `json:"leader"`
	Next   int32 `json:"next"`
}

// ShortISR is a partition with fewer in-sync replicas than it needs for acks=all.
type ShortISR struct {
	TopicPartition
	ISR    int `json:"isr"`
	MinISR int `json:"min_isr"`
}

// Quorum is the state of a coordinator ensemble.
type Quorum struct {
	Serving int  `json:"serving"`
	Needed  int  `json:"needed"`
	Size    int  `json:"size"`
	Leader  bool `json:"leader"` // the node leads the ensemble: there is an election
}

// Holds says whether the ensemble still serves.
func (q Quorum) Holds() bool { return q.Serving >= q.Needed }

// TopicPartition names a partition.
type TopicPartition struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
}

// BlastRadius says what would happen if these brokers ended now, all at once.
func BlastRadius(s *Snapshot, brokers ...int32) Blast {
	names := make([]string, len(brokers))
	for i, id := range brokers {
		names[i] = NodeName(id)
	}
	b := Blast{Node: strings.Join(names, " and "), Controller: slices.Contains(brokers, s.Controller)}
	for _, t := range s.Topics {
		for j := range t.Partitions {
			b.hit(s, t, &t.Partitions[j], brokers)
		}
	}
	for _, g := range s.Groups {
		if slices.Contains(brokers, g.Coordinator) {
			b.Groups = append(b.Groups, g.ID)
		}
	}
	return b
}

// hit adds what happens to one partition.
func (b *Blast) hit(s *Snapshot, t *Topic, p *Partition, brokers []int32) {
	left := without(p.ISR, brokers)
	if len(left) == len(p.ISR) && !slices.Contains(brokers, p.Leader) {
		return
	}
	at := TopicPartition{t.Name, p.ID}
	if slices.Contains(brokers, p.Leader) {
		next := nextLeader(s, p, brokers)
		b.Loses = append(b.Loses, LeaderMove{at, p.Leader, next})
		if next < 0 {
			b.Offline = append(b.Offline, at)
			return
		}
	} else {
		b.Followers = append(b.Followers, at)
	}
	if t.MinISR > 0 && len(left) < t.MinISR {
		b.BelowMinISR = append(b.BelowMinISR, ShortISR{at, len(left), t.MinISR})
	}
}

// nextLeader is whom the controller elects when brokers end: the first in the order of assignment that lives and
// is in sync; -1 for nobody.
func nextLeader(s *Snapshot, p *Partition, brokers []int32) int32 {
	for _, id := range p.Replicas {
		if slices.Contains(brokers, id) || !slices.Contains(p.ISR, id) {
			continue
		}
		if b, ok := s.Broker(id); ok && b.Registered {
			return id
		}
	}
	return -1
}

// CoordinatorBlast says what would happen if the coordinators at these addresses ended now, all at once.
func CoordinatorBlast(s *Snapshot, addresses ...string) Blast {
	q := &Quorum{Size: len(s.Coordinators), Needed: len(s.Coordinators)/2 + 1}
	for _, c := range s.Coordinators {
		switch {
		case slices.Contains(addresses, c.Address):
			q.Leader = q.Leader || c.Role == "leader" || c.Role == "standalone"
		case c.Role != "" && c.Error == "":
			q.Serving++
		}
	}
	return Blast{Node: strings.Join(addresses, " and "), Quorum: q}
}

// NextLeaders counts who leads afterwards, most first.
func (b Blast) NextLeaders() []NextLeader {
	counts := map[int32]int{}
	for _, m := range b.Loses {
		if m.Next >= 0 {
			counts[m.Next]++
		}
	}
	var list []NextLeader
	for id, n := range counts {
		list = append(list, NextLeader{id, n})
	}
	slices.SortFunc(list, func(a, b NextLeader) int {
		return cmp.Or(cmp.Compare(b.Partitions, a.Partitions), cmp.Compare(a.Broker, b.Broker))
	})
	return list
}

// NextLeader is a broker and how many partitions it takes over.
type NextLeader struct {
	Broker     int32 `json:"broker"`
	Partitions int   `json:"partitions"`
}
