package admin

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Recovery is the stopwatch of one fault. It starts with the fault and folds in what happens after it; folding
// never changes the value it started from. All durations count from the fault; zero means not yet.
type Recovery struct {
	Fault   Event         `json:"fault"`
	Broker  int32         `json:"broker"`            // -1 for a coordinator
	Session time.Duration `json:"session,omitempty"` // the node's session timeout, 0 unknown
	Gentle  bool          `json:"gentle"`            // the node was asked to stop: it hands over before it goes

	Exited     time.Duration `json:"exited"`     // the process ended
	Detected   time.Duration `json:"detected"`   // the cluster noticed: the session ended or leaders began to move
	Controller time.Duration `json:"controller"` // there is a new controller, if it had to move
	Elected    time.Duration `json:"elected"`    // the first partition got another leader
	Led        time.Duration `json:"led"`        // the last one did
	Returned   time.Duration `json:"returned"`   // the node registered again
	Full       time.Duration `json:"full"`       // every replica is in sync again
	Quorum     time.Duration `json:"quorum"`     // coordinators only: the ensemble has a leader again
	Resumed    time.Duration `json:"resumed"`    // a node that stood still goes on
	NoEffect   bool          `json:"no_effect"`  // it did so before the cluster noticed

	ToLead         int  `json:"to_lead"`         // partitions that lost their leader
	LedAgain       int  `json:"led_again"`       // of them, those with another leader
	ToSync         int  `json:"to_sync"`         // partitions with a replica on the node
	InSync         int  `json:"in_sync"`         // of them, those with every replica in sync
	MoveController bool `json:"move_controller"` // the controller was on the node

	lost  map[TopicPartition]time.Duration // partitions that lost their leader; when they were led again
	holds []TopicPartition                 // partitions with a replica on the node

	halted time.Duration    // the process was stopped from running
	epoch  int64            // of the broker's registration before the fault
	member []TopicPartition // partitions in whose isr it was before the fault
}

// Begin starts the stopwatch of a fault. before is the last snapshot from before it; session is the broker's
// session timeout, 0 unknown.
func Begin(fault Event, before *Snapshot, session time.Duration) Recovery {
	r := Recovery{Fault: fault, Broker: -1, Session: session, lost: map[TopicPartition]time.Duration{}}
	verb, _, _ := strings.Cut(strings.TrimPrefix(fault.Note, "kdrill "), " ")
	r.Gentle = verb == "stop" || verb == "restart" || fault.New == "stop" || fault.New == "restart"
	name, ok := strings.CutPrefix(fault.Subject, "broker-")
	id, err := strconv.ParseInt(name, 10, 32)
	if !ok || err != nil || before == nil {
		return r
	}
	r.Broker = int32(id)
	r.MoveController = before.Controller == r.Broker
	for _, t := range before.Topics {
		for _, p := range t.Partitions {
			at := TopicPartition{t.Name, p.ID}
			if p.Leader == r.Broker {
				r.lost[at] = 0
			}
			if slices.Contains(p.Replicas, r.Broker) {
				r.holds = append(r.holds, at)
			}
			if slices.Contains(p.ISR, r.Broker) {
				r.member = append(r.member, at)
			}
		}
	}
	if b, ok := before.Broker(r.Broker); ok {
		r.epoch = b.Epoch
	}
	r.ToLead, r.ToSync = len(r.lost), len(r.holds)
	return r
}

// Observe folds what happened, and how things stand now, into the stopwatch. Events from before the fault are
// left out; now may be nil.
func (r Recovery) Observe(events []Event, now *Snapshot) Recovery {
	lost := make(map[TopicPartition]time.Duration, len(r.lost))
	for at, when := range r.lost {
		lost[at] = when
	}
	r.lost = lost
	for _, e := range events {
		if since := e.At.Sub(r.Fault.At); since > 0 {
			r.event(e, since)
		}
	}
	if now != nil && now.At.After(r.Fault.At) {
		r.snapshot(now, now.At.Sub(r.Fault.At))
	}
	return r
}

// first sets a time that is not set yet, or was later.
func first(at *time.Duration, since time.Duration) {
	if *at == 0 || since < *at {
		*at = since
	}
}

func (r *Recovery) event(e Event, since time.Duration) {
	mine := e.Subject == r.Fault.Subject
	switch e.Kind {
	case KindExit:
		if mine {
			first(&r.Exited, since)
		}
	case KindPaused:
		if mine {
			first(&r.halted, since)
		}
	case KindResumed:
		if mine {
			first(&r.Resumed, since)
		}
	case KindSession:
		if mine {
			first(&r.Detected, since)
		}
	case KindController:
		if r.MoveController && e.Old == r.Fault.Subject {
			first(&r.Controller, since)
			first(&r.Detected, since)
		}
		if r.Broker < 0 && e.Old == r.Fault.Subject { // a controller of KRaft
			first(&r.Quorum, since)
		}
	case KindLeader, KindOffline:
		r.leader(e, since)
	case KindJoined:
		if mine {
			first(&r.Returned, since)
		}
	case KindCoordinator:
		if r.Broker < 0 {
			first(&r.Quorum, since)
		}
	}
}

// leader notes that a partition moved away from the node, or to it: a controller that does not know yet prefers it as before.
func (r *Recovery) leader(e Event, since time.Duration) {
	at, ok := parsePartition(e.Subject)
	if _, has := r.lost[at]; ok && !has && e.Kind == KindLeader && e.New == r.Fault.Subject && r.Broker >= 0 && r.Detected == 0 && r.Resumed == 0 {
		r.lost[at] = 0
		r.ToLead++
		return
	}
	when, mine := r.lost[at]
	if !ok || !mine || when != 0 {
		return
	}
	first(&r.Detected, since)
	if e.Kind == KindOffline || e.New == "none" {
		return
	}
	r.led(at, since)
}

func (r *Recovery) led(at TopicPartition, since time.Duration) {
	r.lost[at] = since
	r.LedAgain++
	first(&r.Elected, since)
	if r.LedAgain == r.ToLead {
		r.Led = 0
		for _, when := range r.lost {
			r.Led = max(r.Led, when)
		}
	}
}

// snapshot catches what no event told, such as a partition that was deleted meanwhile.
func (r *Recovery) snapshot(s *Snapshot, since time.Duration) {
	if r.Broker < 0 {
		// What a leader said before the fault, or it was the one that ended, says nothing about now.
		ended := cmp.Or(r.Exited, r.halted)
		exited := r.Fault.At.Add(ended)
		if r.Quorum == 0 && ended > 0 && slices.ContainsFunc(s.Coordinators, func(c Coordinator) bool {
			return c.leads() && c.Answered.After(exited)
		}) {
			r.Quorum = since
		}
		return
	}
	// A snapshot may be older than the fault in what it shows: only one that shows the node gone counts.
	if b, ok := s.Broker(r.Broker); ok && !b.Registered && r.Detected == 0 {
		r.Detected = since
	}
	if r.Detected == 0 {
		r.NoEffect = r.NoEffect || r.unharmed(s)
		return
	}
	for at, when := range r.lost {
		if when != 0 {
			continue
		}
		p, ok := s.partition(at)
		if ok && p.Leader == r.Broker && r.Returned > 0 { // nobody else could: it leads again itself
			r.led(at, r.Returned)
			continue
		}
		if !ok || p.Leader >= 0 && p.Leader != r.Broker {
			changed := since
			if ok && p.ChangedAt.After(r.Fault.At) {
				changed = p.ChangedAt.Sub(r.Fault.At)
			}
			r.led(at, changed)
		}
	}
	r.sync(s, since)
}

// certain is how long after it goes on a node must be seen unharmed: what its pause has caused is known by then.
const certain = 500 * time.Millisecond

// unharmed says whether a node that stood still goes on as what it was: it answers, its registration is that of before, and
// it is in every isr that it was in.
func (r *Recovery) unharmed(s *Snapshot) bool {
	b, ok := s.Broker(r.Broker)
	if !ok || r.Resumed == 0 || !b.Registered || b.Error != "" || b.Epoch != r.epoch || b.Answered.Before(r.Fault.At.Add(r.Resumed+certain)) {
		return false
	}
	return !slices.ContainsFunc(r.member, func(at TopicPartition) bool {
		p, ok := s.partition(at)
		return ok && !slices.Contains(p.ISR, r.Broker)
	})
}

// sync counts the partitions that are whole again.
func (r *Recovery) sync(s *Snapshot, since time.Duration) {
	r.InSync = 0
	var last time.Duration
	for _, at := range r.holds {
		p, ok := s.partition(at)
		if !ok || !p.UnderReplicated() {
			r.InSync++
			if ok && p.ChangedAt.After(r.Fault.At) {
				last = max(last, p.ChangedAt.Sub(r.Fault.At))
			}
		}
	}
	if r.Full == 0 && r.Returned > 0 && r.InSync == r.ToSync && r.LedAgain == r.ToLead {
		r.Full = cmp.Or(last, since)
	}
}

func (s *Snapshot) partition(at TopicPartition) (*Partition, bool) {
	t, ok := s.Topic(at.Topic)
	if !ok || int(at.Partition) >= len(t.Partitions) || at.Partition < 0 {
		return nil, false
	}
	return &t.Partitions[at.Partition], true
}

func parsePartition(subject string) (TopicPartition, bool) {
	i := strings.LastIndexByte(subject, '/')
	if i < 0 {
		return TopicPartition{}, false
	}
	n, err := strconv.ParseInt(subject[i+1:], 10, 32)
	return TopicPartition{subject[:i], int32(n)}, err == nil && n >= 0
}

// Left is how long the session of the dead node lives on at most; 0 once it has ended or where it is unknown.
func (r Recovery) Left(now time.Time) time.Duration {
	if r.Session == 0 || r.Detected > 0 || r.Broker < 0 || r.Gentle || r.Resumed > 0 {
		return 0
	}
	return max(0, r.Session-now.Sub(r.Fault.At))
}

// Healed says whether every partition is led again, though the node may still be away.
func (r Recovery) Healed() bool {
	if r.Broker < 0 {
		return r.Quorum > 0
	}
	if r.NoEffect {
		return true
	}
	return r.Detected > 0 && r.LedAgain == r.ToLead && (!r.MoveController || r.Controller > 0)
}

// Over says whether everything is as it was.
func (r Recovery) Over() bool {
	if r.Broker < 0 {
		return r.Quorum > 0
	}
	return r.Full > 0 || r.NoEffect
}

// Took is how long it took until it was over, 0 while it is not.
func (r Recovery) Took() time.Duration {
	switch {
	case r.Broker < 0:
		return r.Quorum
	case r.NoEffect:
		return r.Resumed
	}
	return r.Full
}

// noEffect begins the verdict on a fault that nobody noticed.
const noEffect = "no effect"

// Verdict is one line about how it went so far.
func (r Recovery) Verdict() string {
	switch {
	case r.Broker < 0 && r.Quorum > 0:
		return "the " + r.ensemble() + " have a leader after " + Seconds(r.Quorum)
	case r.Broker < 0:
		return "waiting for the " + r.ensemble() + " to elect a leader"
	case r.NoEffect:
		return noEffect + ": resumed after " + Seconds(r.Resumed) + ", before its session ended"
	case r.Detected == 0 && r.Resumed > 0:
		return "resumed after " + Seconds(r.Resumed) + ": waiting for " + r.Fault.Subject + " to answer in sync"
	case r.Detected == 0 && r.Gentle:
		return "waiting for " + r.Fault.Subject + " to hand over"
	case r.Detected == 0:
		return "waiting for the session of " + r.Fault.Subject + " to end"
	case r.LedAgain < r.ToLead:
		return fmt.Sprintf("%d of %d led again", r.LedAgain, r.ToLead)
	case r.ToLead == 0:
		return strings.TrimSuffix("no partition lost its leader; "+r.fullness(), "; ")
	}
	return fmt.Sprintf("%s led again after %s; %s", count(r.ToLead, "partition"), Seconds(r.Unled()), r.fullness())
}

// ensemble is what the node of the fault votes in, if it is no broker.
func (r Recovery) ensemble() string {
	if strings.HasPrefix(r.Fault.Subject, "controller-") {
		return "controllers"
	}
	return "coordinators"
}

// Unled is how long the partition that waited longest had no leader that could answer.
func (r Recovery) Unled() time.Duration {
	if r.Gentle { // it led until it handed over
		return max(0, r.Led-r.Elected)
	}
	return r.Led
}

func (r Recovery) fullness() string {
	if r.Full > 0 {
		return "ISR full after " + Seconds(r.Full)
	}
	if r.Returned == 0 {
		return "ISR full: waiting for " + r.Fault.Subject
	}
	return fmt.Sprintf("ISR full in %d of %d", r.InSync, r.ToSync)
}
