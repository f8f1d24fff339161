package admin

import (
	"slices"
	"time"
)

// asked are partitions that a broker is asked about, by topic.
type asked []askedTopic

type askedTopic struct {
	topic      string
	partitions []int32
}

// offsetsAtOnce is how many partitions one request names at most, and how many are asked about in an interval of those
// that nobody looks at: each costs a microsecond here and there, and memory while the answer is taken in.
const offsetsAtOnce = 2000

// pieces cuts a long list into requests.
func (a asked) pieces(most int) (pieces []asked) {
	n, from := 0, 0
	for i, t := range a {
		if n += len(t.partitions); n >= most {
			pieces = append(pieces, a[from:i+1])
			n, from = 0, i+1
		}
	}
	if from < len(a) {
		pieces = append(pieces, a[from:])
	}
	return pieces
}

// wanted is of what one broker is asked the offsets.
type wanted struct {
	always asked // every time: somebody looks at them, or there are few
	turn   asked // now and then: it is their turn, or they were never read
	starts asked // those of turn whose log start offsets are asked, too
}

func (w *wanted) all() asked { return slices.Concat(w.always, w.turn) }

// wantedBy is what is wanted of each broker.
type wantedBy map[int32]*wanted

func (by wantedBy) of(broker int32) *wanted {
	w, ok := by[broker]
	if !ok {
		w = &wanted{}
		by[broker] = w
	}
	return w
}

// add adds the partitions of a topic that are led, or of them those that were never read, to one of the leaders' lists.
func (by wantedBy) add(t *Topic, list func(*wanted) *asked, unread bool) {
	for i := range t.Partitions {
		p := &t.Partitions[i]
		if p.Leader < 0 || unread && p.End >= 0 && p.Start >= 0 {
			continue
		}
		to := list(by.of(p.Leader))
		if n := len(*to); n == 0 || (*to)[n-1].topic != t.Name {
			*to = append(*to, askedTopic{t.Name, make([]int32, 0, len(t.Partitions)-i)})
		}
		last := &(*to)[len(*to)-1]
		last.partitions = append(last.partitions, p.ID)
	}
}

func (w *wanted) eachTime() *asked { return &w.always }
func (w *wanted) inTurn() *asked   { return &w.turn }
func (w *wanted) start() *asked    { return &w.starts }

// offsetsWanted lists by leader the partitions whose offsets somebody wants to see. Where that is every topic of a
// large cluster, those that are named and those that were never read come first, the others take turns; a nil turn asks about
// all of them at once.
func (w *world) offsetsWanted(i Interest, at *turn) wantedBy {
	by := wantedBy{}
	if i.AllOffsets && (at == nil || w.loads.partitions <= offsetsAtOnce) {
		for _, t := range w.topics {
			by.add(t, (*wanted).eachTime, false)
		}
		return by
	}
	named := w.named(i)
	for name := range named {
		if t, ok := w.topics[name]; ok {
			by.add(t, (*wanted).eachTime, false)
		}
	}
	if i.AllOffsets {
		at.take(w.listed, named, by)
	}
	return by
}

// named are the topics that somebody looks at.
func (w *world) named(i Interest) map[string]bool {
	named := map[string]bool{}
	for _, t := range i.Offsets {
		named[t] = true
	}
	for _, g := range w.groups {
		if i.Groups || g.ID == i.Group {
			for _, p := range g.Partitions {
				named[p.Topic] = true
			}
		}
	}
	return named
}

// turn is how far the rotation over the topics has come that nobody looks at.
type turn struct {
	after string // the topic that was asked about last
	lap   int    // how often it has come around
}

// In every how many laps a topic is asked about into which nothing was written lately, and log start offsets, which only
// retention and the deletion of records move.
const (
	quietLaps = 2
	startLaps = 4
)

// take adds the topics whose turn it is and those that were never read, without those that are asked about anyway.
func (t *turn) take(topics []*Topic, without map[string]bool, by wantedBy) {
	start, _ := slices.BinarySearchFunc(topics, t.after, func(topic *Topic, name string) int {
		if topic.Name <= name {
			return -1
		}
		return 1
	})
	turns, firsts := offsetsAtOnce, 5*offsetsAtOnce
	for i := range topics {
		at := (start + i) % len(topics)
		topic := topics[at]
		isTurn := turns > 0
		if isTurn {
			turns -= len(topic.Partitions)
			if topic.Name <= t.after {
				t.lap++
			}
			t.after = topic.Name
		}
		if without[topic.Name] {
			continue
		}
		unread, lap := topic.counts().unread, t.lap+at // not all in the same laps
		first := unread && !isTurn
		switch {
		case first && firsts > 0:
			firsts -= len(topic.Partitions)
		case !isTurn, !unread && topic.PerSecond == 0 && lap%quietLaps != 0:
			continue
		}
		by.add(topic, (*wanted).inTurn, first)
		if unread || lap%startLaps == 0 {
			by.add(topic, (*wanted).start, first)
		}
	}
}

// startsEvery is how often log start offsets are asked: more often while one of these partitions' is unknown.
func (w *world) startsEvery(list asked) time.Duration {
	for _, one := range list {
		if t := w.topics[one.topic]; t != nil && slices.ContainsFunc(t.Partitions, func(p Partition) bool { return p.Leader >= 0 && p.Start < 0 }) {
			return unknownEvery
		}
	}
	return startsEvery
}

// logDirsEvery is how often all sizes are asked: one broker's answer is about a share of all partitions.
func (w *world) logDirsEvery() time.Duration {
	const perSecond = 1000
	return max(logDirsEvery, time.Duration(w.loads.partitions/perSecond)*time.Second)
}
