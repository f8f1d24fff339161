package admin

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Diff returns what happened between two snapshots of one cluster, earliest first. What was unknown before is not
// news: the first snapshot brings no event. An event carries the time at which the cluster recorded the change
// where that can be seen, else that of the snapshot.
func Diff(prev, next *Snapshot) []Event {
	if prev == nil || next == nil {
		return nil
	}
	var events []Event
	add := func(e Event) {
		if e.At.IsZero() {
			e.At = next.At
		}
		events = append(events, e)
	}
	diffObserver(prev, next, add)
	diffBrokers(prev, next, add)
	diffController(prev, next, add)
	diffQuorum(prev, next, add)
	diffTopics(prev, next, add)
	diffGroups(prev, next, add)
	slices.SortStableFunc(events, func(a, b Event) int { return cmp.Or(a.At.Compare(b.At), rank(a.Kind)-rank(b.Kind)) })
	return events
}

// rank orders what happened in the same instant: causes before effects.
func rank(k Kind) int {
	return slices.Index([]Kind{KindObserver, KindSession, KindJoined, KindCoordinator, KindQuorum, KindController, KindTopicDeleted, KindTopicCreated, KindPartitions, KindOffline, KindLeader, KindISR, KindBelowMinISR, KindGroup}, k)
}

// NodeName is how a broker appears in events: broker-2, or none.
func NodeName(broker int32) string {
	if broker < 0 {
		return "none"
	}
	return "broker-" + strconv.Itoa(int(broker))
}

func (t TopicPartition) String() string { return t.Topic + "/" + strconv.Itoa(int(t.Partition)) }

// ids writes a list of broker ids as "1,3,2".
func ids(list []int32) string {
	var b strings.Builder
	for i, id := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(int(id)))
	}
	return b.String()
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

// diffObserver tells what could be seen before and cannot now, and the other way round.
func diffObserver(prev, next *Snapshot, add func(Event)) {
	switch { // before brokers answered once, a cluster that starts is no news
	case prev.ClusterID == "":
	case prev.Problem == "" && next.Problem != "":
		add(Event{Kind: KindObserver, Subject: "cluster", Note: next.Problem})
	case prev.Problem != "" && next.Problem == "":
		add(Event{Kind: KindObserver, Subject: "cluster", Note: "answers again"})
	}
	switch {
	case prev.Watching && !next.Watching:
		add(Event{Kind: KindObserver, Subject: "coordinators", Note: "none serves us: changes are seen by polling brokers until one does"})
	case !prev.Watching && next.Watching && prev.watched:
		add(Event{Kind: KindObserver, Subject: "coordinators", Note: "serve us again"})
	}
}

func diffBrokers(prev, next *Snapshot, add func(Event)) {
	for _, b := range next.Brokers {
		name := NodeName(b.ID)
		was, known := prev.Broker(b.ID)
		if !known {
			was = &Broker{ID: b.ID, Epoch: -1}
		}
		bounced := was.Registered && b.Registered && was.Epoch >= 0 && b.Epoch >= 0 && was.Epoch != b.Epoch
		if was.Registered && !b.Registered || bounced {
			e := Event{Kind: KindSession, Subject: name, Note: "its registration is gone"}
			if bounced {
				e.At, e.Note = b.registeredAt, "a new session took over"
			}
			add(e)
		}
		if !was.Registered && b.Registered || bounced {
			e := Event{Kind: KindJoined, Subject: name, At: b.registeredAt}
			if at := cmp.Or(b.registeredAt, next.At); !was.goneAt.IsZero() && at.After(was.goneAt) {
				e.Note = "after " + Seconds(at.Sub(was.goneAt)) + " away"
			}
			add(e)
		}
		switch {
		case was.Answers() && b.Error != "":
			add(Event{Kind: KindObserver, Subject: name, Note: b.Error})
		case was.Error != "" && !was.Answered.IsZero() && b.Answers():
			add(Event{Kind: KindObserver, Subject: name, Note: "answers again"})
		}
	}
}

// Seconds writes a duration as people read a stopwatch: 31 ms, 2.0 s, 1m5s.
func Seconds(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return d.Round(time.Second).String()
}

func diffController(prev, next *Snapshot, add func(Event)) {
	was := prev.lastController()
	again := prev.ControllerEpoch > 0 && next.ControllerEpoch > prev.ControllerEpoch // perhaps the same one
	if next.Controller >= 0 && was >= 0 && (was != next.Controller || again) {
		add(Event{
			At: next.controllerAt, Kind: KindController, Subject: "controller", Old: prev.NameOf(was), New: next.ControllerName(),
			OldEpoch: max(0, prev.ControllerEpoch), NewEpoch: max(0, next.ControllerEpoch),
		})
	}
	if next.Mode == ModeKRaft { // who leads the quorum is the controller
		return
	}
	if was, is := prev.lastLeadingCoordinator(), next.leadingCoordinator(); was != "" && is != "" && was != is {
		add(Event{Kind: KindCoordinator, Subject: "coordinators", Old: was, New: is})
	}
}

// lastController is the controller, or the last one while there is none; -1 if none was ever seen.
func (s *Snapshot) lastController() int32 {
	if s.Controller < 0 && s.formerController != nil {
		return *s.formerController
	}
	return s.Controller
}

// leadingCoordinator is the address of the coordinator that leads its ensemble, empty while none does.
func (c *Coordinator) leads() bool { return c.Role == "leader" || c.Role == "standalone" }

func (s *Snapshot) leadingCoordinator() string {
	for _, c := range s.Coordinators {
		if c.leads() {
			return c.Address
		}
	}
	return ""
}

func (s *Snapshot) lastLeadingCoordinator() string {
	return cmp.Or(s.leadingCoordinator(), s.formerCoordinator)
}
