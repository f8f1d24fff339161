package admin

import "maps"

// Load is what one broker has of all partitions.
type Load struct {
	Leads    int
	Replicas int
	Behind   int // replicas out of sync
}

// loads counts topics and what brokers have of them; key -1 is nobody, who leads what is offline.
type loads struct {
	tally
	partitions int
	by         map[int32]Load
}

// add adds a topic, or takes it away with sign -1.
func (l *loads) add(t *Topic, sign int) {
	sum := t.counts()
	l.offline += sign * sum.offline
	l.belowMinISR += sign * sum.belowMinISR
	l.underReplicated += sign * sum.underReplicated
	l.partitions += sign * len(t.Partitions)
	for i := range t.Partitions {
		p := &t.Partitions[i]
		l.change(p.Leader, Load{Leads: sign})
		for _, id := range p.Replicas {
			l.change(id, Load{Replicas: sign})
		}
		if p.UnderReplicated() {
			for _, id := range p.Out() {
				l.change(id, Load{Behind: sign})
			}
		}
	}
}

func (l *loads) change(broker int32, by Load) {
	now := l.by[broker]
	now.Leads, now.Replicas, now.Behind = now.Leads+by.Leads, now.Replicas+by.Replicas, now.Behind+by.Behind
	l.by[broker] = now
}

// loadsOf goes once over all partitions.
func loadsOf(topics []*Topic) *loads {
	l := &loads{by: map[int32]Load{}}
	for _, t := range topics {
		l.add(t, 1)
	}
	return l
}

// replaced is the same with some topics changed.
func (l *loads) replaced(old, now []*Topic) *loads {
	next := *l
	next.by = maps.Clone(l.by)
	for i := range old {
		next.add(old[i], -1)
		next.add(now[i], 1)
	}
	return &next
}

// counted are the loads of the snapshot's topics: known beforehand if an observer made it.
func (s *Snapshot) counted() *loads {
	if s.loads != nil {
		return s.loads
	}
	return loadsOf(s.Topics)
}

// Count sums the snapshot up once for all, as an observer does. It is for who makes a snapshot, before others have it.
func (s *Snapshot) Count() {
	for _, t := range s.Topics {
		t.seal()
	}
	s.loads = loadsOf(s.Topics)
}

// Loads is what each broker has of all partitions. Key -1 leads those that are offline. Only to be read.
func (s *Snapshot) Loads() map[int32]Load { return s.counted().by }

// PartitionCount is how many partitions there are.
func (s *Snapshot) PartitionCount() int { return s.counted().partitions }

// Large says whether there are too many partitions to ask for all their offsets in every interval: those of topics that an
// [Interest] names are, the others take turns.
func (s *Snapshot) Large() bool { return s.PartitionCount() > offsetsAtOnce }
