package ui

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"kdrill/admin"
)

const (
	foldFrom   = 4                      // events; fewer stay a line each
	foldWithin = 500 * time.Millisecond // from one event to the next
)

// Run is one line of a folded timeline: the indices of events that follow each other and say the same of different
// partitions, or of a single event.
type Run []int

// Of picks the run's events.
func (r Run) Of(events []admin.Event) []admin.Event {
	picked := make([]admin.Event, len(r))
	for i, at := range r {
		picked[i] = events[at]
	}
	return picked
}

// Fold makes runs of the events that are shown: a broker that leads a thousand partitions must not fill the timeline
// when it dies.
func Fold(events []admin.Event, shown func(admin.Event) bool) []Run {
	var runs []Run
	flush := func(run Run) {
		if len(run) >= foldFrom {
			runs = append(runs, run)
			return
		}
		for _, i := range run {
			runs = append(runs, Run{i})
		}
	}
	var run Run
	for i, e := range events {
		if !shown(e) {
			continue
		}
		if len(run) > 0 && !alike(events[run[len(run)-1]], e) {
			flush(run)
			run = nil
		}
		run = append(run, i)
	}
	flush(run)
	return runs
}

// alike says whether b tells of another partition what a told of one.
func alike(a, b admin.Event) bool {
	if a.Kind != b.Kind || a.Fault != b.Fault || a.Internal() != b.Internal() || b.At.Sub(a.At) > foldWithin {
		return false
	}
	switch b.Kind {
	case admin.KindLeader, admin.KindOffline:
		return a.Old == b.Old
	case admin.KindISR:
		return a.Note == b.Note
	case admin.KindBelowMinISR:
		return true
	}
	return false
}

// TellAll puts the events of a run into words.
func TellAll(events []admin.Event) Told {
	t := Tell(events[0])
	if len(events) == 1 {
		return t
	}
	t.Subject = fmt.Sprintf("%d partitions", len(events))
	switch events[0].Kind {
	case admin.KindLeader:
		t.What = t.What[:len(t.What)-len(events[0].New)] + tally(events, func(e admin.Event) string { return e.New })
	case admin.KindISR:
		t.What = t.Note
	case admin.KindOffline:
		t.What = "offline, " + orElse(events[0].Old, "nobody") + " led them"
	case admin.KindBelowMinISR:
		t.What = "below min ISR"
	}
	t.Note = tally(events, func(e admin.Event) string {
		topic, _, _ := strings.Cut(e.Subject, "/")
		return topic
	})
	return t
}

// tallied is how many names a tally has room for.
const tallied = 3

// tally is "broker-2 (6), broker-3 (5)", most first.
func tally(events []admin.Event, of func(admin.Event) string) string {
	counts := map[string]int{}
	for _, e := range events {
		counts[of(e)]++
	}
	names := slices.Sorted(maps.Keys(counts))
	slices.SortStableFunc(names, func(a, b string) int { return counts[b] - counts[a] })
	for i, name := range names {
		names[i] = fmt.Sprintf("%s (%d)", name, counts[name])
	}
	if more := len(names) - tallied; more > 0 {
		names = append(names[:tallied], fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
}
