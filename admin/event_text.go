package admin

import (
	"fmt"
	"strings"
)

// Change says from what to what: broker-1 -> broker-2, or broker-2 again.
func (e Event) Change() string {
	switch {
	case e.Old == "":
		return e.New
	case e.New == "":
		return e.Old
	case e.Old == e.New:
		return e.New + " again"
	}
	return e.Old + " -> " + e.New
}

// Columns are an event in words: a short tag of what it is about, whom it is about, what changed and what else is
// to be said. A timeline prints them side by side.
func (e Event) Columns() (tag, subject, change, note string) {
	change, note = e.Change(), e.Note
	if e.OldEpoch != 0 || e.NewEpoch != 0 {
		note = strings.TrimLeft(fmt.Sprintf("%s, epoch %d -> %d", note, e.OldEpoch, e.NewEpoch), ", ")
	}
	switch e.Kind {
	case KindSession:
		change = "session ended"
	case KindJoined:
		change = "registered"
	case KindOffline:
		change = "offline"
	case KindBelowMinISR:
		change = "below min ISR, " + e.New
	case KindTopicDeleted:
		change = "deleted"
	case KindTopicCreated:
		change = "created, " + e.New
	case KindPartitions:
		change = e.Old + " -> " + e.New + " partitions"
	case KindPaused, KindResumed:
		change = e.Kind
	case KindStarted:
		change = "started, pid " + e.New
	case KindRecovered:
		change = "recovered in " + e.New
		if e.NoEffect() {
			return tagOf(e.Kind), e.Subject, note, ""
		}
	}
	return tagOf(e.Kind), e.Subject, change, note
}

func tagOf(k Kind) string {
	switch k {
	case KindSession: // with ZooKeeper or with the controllers of KRaft
		return "gone"
	case KindCoordinator:
		return "zk"
	case KindController:
		return "ctrl"
	case KindLeader, KindOffline:
		return "lead"
	case KindISR, KindBelowMinISR:
		return "isr"
	case KindGroup:
		return "grp"
	case KindJoined:
		return "join"
	case KindTopicCreated, KindTopicDeleted, KindPartitions:
		return "topic"
	case KindStarted:
		return "start"
	case KindPaused:
		return "pause"
	case KindResumed:
		return "resume"
	case KindRecovered:
		return "done"
	case KindObserver:
		return "seen"
	}
	return k
}
