package admin

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

func diffTopics(prev, next *Snapshot, add func(Event)) {
	if prev.TopicsAt.IsZero() {
		return
	}
	before, now := prev.Topics, next.Topics
	for len(before) > 0 || len(now) > 0 {
		switch {
		case len(now) == 0 || len(before) > 0 && before[0].Name < now[0].Name:
			deleted(before[0], add)
			before = before[1:]
			continue
		case len(before) == 0 || now[0].Name < before[0].Name:
			created(now[0], add)
		case before[0] == now[0]: // shared: nothing happened
			before = before[1:]
		default:
			if was, is := before[0], now[0]; another(was, is) {
				deleted(was, add)
				created(is, add)
			} else {
				diffTopic(was, is, add)
			}
			before = before[1:]
		}
		now = now[1:]
	}
}

func deleted(t *Topic, add func(Event)) { add(Event{Kind: KindTopicDeleted, Subject: t.Name}) }

func created(t *Topic, add func(Event)) {
	add(Event{At: t.createdAt, Kind: KindTopicCreated, Subject: t.Name, New: count(len(t.Partitions), "partition")})
}

// another says whether a topic was deleted and made again under its name.
func another(was, is *Topic) bool { return was.ID != "" && is.ID != "" && was.ID != is.ID }

func diffTopic(was, is *Topic, add func(Event)) {
	if a, b := len(was.Partitions), len(is.Partitions); a != b {
		add(Event{Kind: KindPartitions, Subject: is.Name, Old: fmt.Sprint(a), New: fmt.Sprint(b)})
	}
	for i := range min(len(was.Partitions), len(is.Partitions)) {
		a, b := &was.Partitions[i], &is.Partitions[i]
		if a.never() || b.never() {
			continue
		}
		if a.same(b) && was.MinISR == is.MinISR {
			continue
		}
		subject := TopicPartition{is.Name, b.ID}.String()
		at := b.ChangedAt
		if at.Equal(a.ChangedAt) {
			at = time.Time{}
		}
		diffLeader(a, b, subject, at, add)
		diffISR(a, b, subject, at, add)
		if short(a, was.MinISR) == "" && short(b, is.MinISR) != "" && was.MinISR > 0 {
			add(Event{At: at, Kind: KindBelowMinISR, Subject: subject, New: short(b, is.MinISR)})
		}
	}
}

// never says that the state of a partition was not read yet.
func (p *Partition) never() bool { return p.Leader < 0 && p.LeaderEpoch < 0 && len(p.ISR) == 0 }

func diffLeader(a, b *Partition, subject string, at time.Time, add func(Event)) {
	if a.Leader == b.Leader {
		return
	}
	e := Event{
		At: at, Kind: KindLeader, Subject: subject, Old: NodeName(a.Leader), New: NodeName(b.Leader),
		OldEpoch: max(0, a.LeaderEpoch), NewEpoch: max(0, b.LeaderEpoch),
	}
	if b.Offline() {
		e.Kind, e.Note = KindOffline, "no replica in sync is left to lead"
		if slices.ContainsFunc(b.ISR, func(id int32) bool { return id != a.Leader }) { // the controller is about to elect
			e.Note = "no leader is elected yet"
		}
	}
	add(e)
}

func diffISR(a, b *Partition, subject string, at time.Time, add func(Event)) {
	left, back := without(a.ISR, b.ISR), without(b.ISR, a.ISR)
	if len(left)+len(back) == 0 {
		return
	}
	var notes []string
	if len(left) > 0 {
		notes = append(notes, names(left)+isAre(left)+"out of sync")
	}
	if len(back) > 0 {
		notes = append(notes, names(back)+isAre(back)+"back in sync")
	}
	add(Event{At: at, Kind: KindISR, Subject: subject, Old: ids(a.ISR), New: ids(b.ISR), Note: strings.Join(notes, ", ")})
}

func isAre(list []int32) string {
	if len(list) == 1 {
		return " is "
	}
	return " are "
}

func names(list []int32) string {
	all := make([]string, len(list))
	for i, id := range list {
		all[i] = NodeName(id)
	}
	return strings.Join(all, ", ")
}

// without returns the ids of list that other does not have.
func without(list, other []int32) []int32 {
	var rest []int32
	for _, id := range list {
		if !slices.Contains(other, id) {
			rest = append(rest, id)
		}
	}
	return rest
}

// short is "1 of 2" when fewer replicas are in sync than acks=all needs, else empty.
func short(p *Partition, minISR int) string {
	if minISR <= 0 || len(p.ISR) >= minISR {
		return ""
	}
	return fmt.Sprintf("%d of %d", len(p.ISR), minISR)
}

func diffGroups(prev, next *Snapshot, add func(Event)) {
	if prev.GroupsAt.IsZero() || next.GroupsAt.IsZero() {
		return
	}
	for i := range next.Groups {
		g := &next.Groups[i]
		was, ok := prev.Group(g.ID)
		if !ok {
			add(Event{At: g.At, Kind: KindGroup, Subject: g.ID, New: g.State, Note: count(len(g.Members), "member")})
			continue
		}
		diffGroup(was, g, add)
	}
	for _, g := range prev.Groups {
		if _, ok := next.Group(g.ID); !ok {
			add(Event{Kind: KindGroup, Subject: g.ID, Old: g.State, New: "gone"})
		}
	}
}

func diffGroup(was, is *Group, add func(Event)) {
	if was.Coordinator != is.Coordinator && was.Coordinator >= 0 && is.Coordinator >= 0 {
		add(Event{At: is.At, Kind: KindGroup, Subject: is.ID, Old: NodeName(was.Coordinator), New: NodeName(is.Coordinator), Note: "its coordinator moved"})
	}
	a, b := count(len(was.Members), "member"), count(len(is.Members), "member")
	switch {
	case was.State != is.State:
		e := Event{At: is.At, Kind: KindGroup, Subject: is.ID, Old: was.State, New: is.State, Note: b}
		if a != b {
			e.Note = a + " -> " + b
		}
		add(e)
	case !sameMembers(was, is):
		add(Event{At: is.At, Kind: KindGroup, Subject: is.ID, Old: a, New: b, Note: "rebalanced"})
	}
}

func sameMembers(a, b *Group) bool {
	return slices.EqualFunc(a.Members, b.Members, func(x, y Member) bool { return x.ID == y.ID })
}
