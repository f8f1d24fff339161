package admin

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// A topic that was in a snapshot is sealed: it is never changed again, since snapshots share what did not change between
// them. Changing one starts with a copy.

// topic returns a topic to change, making it if it is new.
func (w *world) topic(name string) *Topic {
	t, ok := w.topics[name]
	switch {
	case !ok:
		t = &Topic{Name: name, PerSecond: -1}
		w.listed = nil
	case t.sealed:
		open := *t
		open.sealed, open.Partitions = false, slices.Clone(t.Partitions)
		t = &open
		w.edited = append(w.edited, t)
	default:
		return t
	}
	w.topics[name] = t
	return t
}

// forgetTopic takes a topic away.
func (w *world) forgetTopic(name string) {
	delete(w.topics, name)
	w.listed = nil
}

// partition returns a partition to change, making it and those before it if they are new.
func (t *Topic) partition(id int32) *Partition {
	for int32(len(t.Partitions)) <= id {
		t.Partitions = append(t.Partitions, unread(int32(len(t.Partitions))))
	}
	return &t.Partitions[id]
}

// unread is a partition of which nothing is known.
func unread(id int32) Partition {
	return Partition{
		ID: id, Leader: -1, LeaderEpoch: -1, ControllerEpoch: -1, PartitionEpoch: -1,
		Start: -1, End: -1, Size: -1, PerSecond: -1,
	}
}

// change changes a partition, making its topic and itself if they are new. If that leaves it as it was, its topic stays
// shared with the snapshots that have it.
func (w *world) change(topic string, id int32, change func(*Partition)) {
	t, known := w.topics[topic]
	known = known && int(id) < len(t.Partitions)
	p := &w.draft
	if *p = unread(id); known {
		*p = t.Partitions[id]
	}
	change(p)
	if !known || !p.same(&t.Partitions[id]) {
		*w.topic(topic).partition(id) = *p
	}
	*p = Partition{}
}

func (p *Partition) same(q *Partition) bool {
	return p.ID == q.ID && p.Leader == q.Leader && p.LeaderEpoch == q.LeaderEpoch && p.ControllerEpoch == q.ControllerEpoch &&
		p.PartitionEpoch == q.PartitionEpoch && p.Start == q.Start && p.End == q.End && p.Size == q.Size && p.PerSecond == q.PerSecond &&
		p.ChangedAt.Equal(q.ChangedAt) && p.OffsetsAt.Equal(q.OffsetsAt) && p.SizeAt.Equal(q.SizeAt) &&
		slices.Equal(p.Replicas, q.Replicas) && slices.Equal(p.ISR, q.ISR)
}

// sealedTopics lists all topics by name and seals them. A list that was returned is never changed either.
func (w *world) sealedTopics() []*Topic {
	switch {
	case w.listed == nil:
		w.listed = slices.AppendSeq(make([]*Topic, 0, len(w.topics)), maps.Values(w.topics))
		slices.SortFunc(w.listed, func(a, b *Topic) int { return cmp.Compare(a.Name, b.Name) })
		for _, t := range w.listed {
			t.seal()
		}
		w.loads = loadsOf(w.listed)
	case len(w.edited) > 0:
		w.listed = slices.Clone(w.listed)
		before := make([]*Topic, len(w.edited))
		for n, t := range w.edited {
			i, _ := slices.BinarySearchFunc(w.listed, t.Name, byName)
			before[n], w.listed[i] = w.listed[i], t
			t.seal()
		}
		w.loads = w.loads.replaced(before, w.edited)
	}
	w.edited = w.edited[:0]
	return w.listed
}

func byName(t *Topic, name string) int { return cmp.Compare(t.Name, name) }

// seal sums the topic up; a sealed one stays untouched.
func (t *Topic) seal() {
	if t.sealed {
		return
	}
	t.PerSecond = sumRates(t.Partitions)
	t.tally = tallyOf(t)
	t.sealed = true
}

// tally is what there is to count in a topic.
type tally struct {
	offline, belowMinISR, underReplicated int
	unread                                bool // offsets of a partition that is led were never read
}

// counts are those of a sealed topic at once, those of any other one by going over its partitions.
func (t *Topic) counts() tally {
	if t.sealed {
		return t.tally
	}
	return tallyOf(t)
}

func tallyOf(t *Topic) tally {
	var sum tally
	for i := range t.Partitions {
		p := &t.Partitions[i]
		if p.Leader >= 0 && (p.End < 0 || p.Start < 0) {
			sum.unread = true
		}
		switch {
		case p.never():
			continue
		case p.Offline():
			sum.offline++
		case short(p, t.MinISR) != "":
			sum.belowMinISR++
		}
		if p.UnderReplicated() {
			sum.underReplicated++
		}
	}
	return sum
}

// sumRates is -1 when no partition's rate is known.
func sumRates(partitions []Partition) float64 {
	sum := -1.0
	for _, p := range partitions {
		if p.PerSecond >= 0 {
			sum = max(sum, 0) + p.PerSecond
		}
	}
	return sum
}

// rate is how fast a count grows, smoothed; -1 while it was read only once.
func rate(before float64, from, to int64, elapsed time.Duration) float64 {
	if from < 0 || to < 0 || elapsed <= 0 {
		return before
	}
	now := max(0, float64(to-from)) / elapsed.Seconds()
	if before < 0 {
		return now
	}
	smooth := 0.4*before + 0.6*now
	if smooth < 0.05 {
		return 0
	}
	return smooth
}

// interned is a list of broker ids that many partitions have in common: one array in memory for all of them.
func (w *world) interned(ids []int32) []int32 {
	var key idList
	if len(ids) == 0 || len(ids) > len(key.ids) {
		return ids
	}
	key.n = len(ids)
	copy(key.ids[:], ids)
	if known, ok := w.lists[key]; ok {
		return known
	}
	if w.lists == nil || len(w.lists) >= mostLists {
		w.lists = map[idList][]int32{}
	}
	list := slices.Clone(ids)
	w.lists[key] = list
	return list
}

// mostLists bounds what is kept of lists that were in use once.
const mostLists = 4096

type idList struct {
	n   int
	ids [7]int32
}
