package admin

import (
	"strings"
	"time"
)

// Kind says what an [Event] is about. The words are those of the timeline.
type Kind = string

// The kinds of events. Subject, Old and New are given for each.
const (
	KindFault        Kind = "fault"         // subject node; Note is the command line that does the same
	KindExit         Kind = "exit"          // subject node; New "signal 9" or "status 1"
	KindStarted      Kind = "started"       // subject node; New its pid
	KindPaused       Kind = "paused"        // subject node
	KindResumed      Kind = "resumed"       // subject node
	KindSession      Kind = "session"       // subject broker; its session with ZooKeeper or the controllers ended, its registration is gone
	KindJoined       Kind = "joined"        // subject node; it registered (again)
	KindController   Kind = "controller"    // Old, New nodes
	KindCoordinator  Kind = "coordinator"   // subject "coordinators"; Old, New leader
	KindQuorum       Kind = "quorum"        // subject a KRaft controller; Old, New its roles; Note what happened
	KindLeader       Kind = "leader"        // subject topic/partition; Old, New nodes
	KindISR          Kind = "isr"           // subject topic/partition; Old, New lists of ids such as "1,3,2"
	KindOffline      Kind = "offline"       // subject topic/partition; Old the node that led it
	KindBelowMinISR  Kind = "below-min-isr" // subject topic/partition; New "1 of 2"
	KindGroup        Kind = "group"         // subject group; Old, New states or member counts
	KindTopicCreated Kind = "topic-created" // subject topic; New "3 partitions"
	KindTopicDeleted Kind = "topic-deleted" // subject topic
	KindPartitions   Kind = "partitions"    // subject topic; Old, New counts
	KindRecovered    Kind = "recovered"     // subject the fault's node; New the time it took
	KindObserver     Kind = "observer"      // something this program could not see; Note says what and why
)

// Event is one line of the timeline. Nodes appear as broker-<id>, "none" stands for no node.
type Event struct {
	At       time.Time `json:"at"`
	Kind     Kind      `json:"kind"`
	Subject  string    `json:"subject"`
	Old      string    `json:"old,omitempty"`
	New      string    `json:"new,omitempty"`
	OldEpoch int32     `json:"old_epoch,omitempty"`
	NewEpoch int32     `json:"new_epoch,omitempty"`
	Note     string    `json:"note,omitempty"`
	// Fault is the id of the fault that was open when it happened, empty outside of faults.
	Fault string `json:"fault,omitempty"`
	// Since is the time since that fault, in nanoseconds.
	Since time.Duration `json:"since,omitempty"`
	// By says who asked for a fault: "console", "command line", a drill's name.
	By string `json:"by,omitempty"`
}

// NoEffect says whether a fault was over before anybody noticed it; the note says how.
func (e Event) NoEffect() bool { return e.Kind == KindRecovered && strings.HasPrefix(e.Note, noEffect) }

// Internal says whether the event is about one partition of an internal topic: one broker has dozens of them, and they
// hide the user's own.
func (e Event) Internal() bool {
	return strings.HasPrefix(e.Subject, "__") && strings.Contains(e.Subject, "/")
}
