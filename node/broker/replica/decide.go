package replica

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// leadership is what a leader knows of one partition beyond its log. The decisions taken from it are methods that
// look at no clock, lock or disk.
type leadership struct {
	self       int32
	epoch      int32
	epochStart int64 // where this leader's log ended when it became leader
	replicas   []int32
	isr        []int32 // as last agreed with the controller
	proposed   []int32 // asked of the controller and not answered; nil when nothing is asked
	stalled    bool    // the controller answered that it knows better, and was not heard of since
	minISR     int     // min.insync.replicas
	remotes    map[int32]remote
}

// remote is what a leader knows of one follower.
type remote struct {
	end         int64 // of its log, by its last fetch; -1 before the first
	start       int64
	brokerEpoch int64     // -1 unknown
	caughtUp    time.Time // the last time at which it had all that the leader had
	fetched     time.Time // its last fetch, and where the leader's log ended then
	leaderEnd   int64
}

// unknownRemote is a follower that has not fetched in this leader epoch. One in the isr gets the whole lag time to do so.
func unknownRemote(inSync bool, now time.Time) remote {
	r := remote{end: -1, start: -1, brokerEpoch: -1, leaderEnd: -1}
	if inSync {
		r.caughtUp = now
	}
	return r
}

// stays is the follower of a leader that begins another epoch with its log ending at leaderEnd.
func (r remote) stays(inSync bool, leaderEnd int64, now time.Time) remote {
	r.leaderEnd, r.fetched, r.caughtUp = leaderEnd, time.Time{}, time.Time{}
	if inSync {
		r.fetched, r.caughtUp = now, now
	}
	return r
}

// fetches is the follower after a fetch from offset. A follower that reads what the log held at its previous fetch
// was caught up then, even if the leader never stands still for it.
func (r remote) fetches(offset, start, brokerEpoch, leaderEnd int64, now time.Time) remote {
	switch {
	case offset >= leaderEnd:
		r.caughtUp = later(r.caughtUp, now)
	case r.leaderEnd >= 0 && offset >= r.leaderEnd:
		r.caughtUp = later(r.caughtUp, r.fetched)
	}
	r.end, r.start, r.brokerEpoch = offset, start, brokerEpoch
	r.fetched, r.leaderEnd = now, max(r.leaderEnd, leaderEnd)
	return r
}

func (r remote) isCaughtUp(leaderEnd int64, now time.Time, lag time.Duration) bool {
	return r.end == leaderEnd || now.Sub(r.caughtUp) <= lag
}

// maximal is every replica that the controller may hold for in sync: the isr and what is proposed.
func (l *leadership) maximal() []int32 {
	if l.proposed == nil {
		return l.isr
	}
	all := slices.Clone(l.isr)
	for _, id := range l.proposed {
		if !slices.Contains(all, id) {
			all = append(all, id)
		}
	}
	return all
}

// effectiveMinISR is min.insync.replicas, but never more than there are replicas.
func (l *leadership) effectiveMinISR() int { return min(l.minISR, len(l.remotes)+1) }

// underMinISR tells whether too few replicas are in sync: acks=all is refused and the high watermark stands still.
func (l *leadership) underMinISR() bool { return len(l.isr) < l.effectiveMinISR() }

// highWatermark is the least log end among the maximal isr and those about to join it. It never goes back.
func (l *leadership) highWatermark(current, end int64, now time.Time, lag time.Duration, alive func(int32) bool) int64 {
	if l.underMinISR() {
		return current
	}
	mark := end
	for id, r := range l.remotes {
		if r.end >= mark {
			continue
		}
		if slices.Contains(l.isr, id) || slices.Contains(l.proposed, id) || r.isCaughtUp(end, now, lag) && alive(id) {
			mark = r.end
		}
	}
	return max(current, mark)
}

// lagging are the members of the isr that have not been caught up for longer than lag.
func (l *leadership) lagging(end int64, now time.Time, lag time.Duration) []int32 {
	var out []int32
	for _, id := range l.isr {
		if id == l.self {
			continue
		}
		if r, ok := l.remotes[id]; !ok || !r.isCaughtUp(end, now, lag) {
			out = append(out, id)
		}
	}
	return out
}

// mayJoin tells whether a follower belongs into the isr: it has all that is committed, including whatever was
// committed before this leader epoch, and it is alive.
func (l *leadership) mayJoin(id int32, highWatermark int64, alive func(int32) bool) bool {
	r, ok := l.remotes[id]
	return ok && !slices.Contains(l.isr, id) && r.end >= highWatermark && r.end >= l.epochStart && alive(id)
}

// nearest is the follower that a consumer in a rack should read from, -1 if it is well served by the leader: one in
// sync, in the same rack, that has the offset; of several the one that has most, as Kafka's RackAwareReplicaSelector
// chooses. rack is where a live broker is, "" if unknown.
func (l *leadership) nearest(rackOfReader string, offset int64, rack func(int32) string) int32 {
	if rack(l.self) == rackOfReader {
		return -1
	}
	best := int32(-1)
	for _, id := range l.isr {
		r, ok := l.remotes[id]
		if !ok || rack(id) != rackOfReader || r.end < offset || r.start > offset {
			continue
		}
		if best < 0 || ahead(id, r, best, l.remotes[best]) {
			best = id
		}
	}
	return best
}

// ahead tells whether one follower has more than another, was caught up later, or else has the larger id.
func ahead(id int32, r remote, otherID int32, other remote) bool {
	if r.end != other.end {
		return r.end > other.end
	}
	if !r.caughtUp.Equal(other.caughtUp) {
		return r.caughtUp.After(other.caughtUp)
	}
	return id > otherID
}

// lowWatermark is the least log start among this log and those of the live followers.
func (l *leadership) lowWatermark(start int64, alive func(int32) bool) int64 {
	for id, r := range l.remotes {
		if alive(id) {
			start = min(start, r.start)
		}
	}
	return start
}

// verdict is what to do about the answer to a proposal.
type verdict int

const (
	adopt  verdict = iota // the controller's isr holds from now on
	retry                 // ask the same again, later
	revert                // the isr stays as it was
	await                 // the controller knows better: its LeaderAndIsr is on its way
)

// judgeAlter decides on the controller's answer for one partition, by its error or else by its epochs.
func judgeAlter(code int16, answer *kmsg.AlterPartitionResponseTopicPartition, leaderEpoch, partitionEpoch int32) verdict {
	switch code {
	case 0:
		if answer.LeaderEpoch != leaderEpoch || answer.PartitionEpoch < partitionEpoch {
			return await
		}
		return adopt
	case kerr.OperationNotAttempted.Code, kerr.IneligibleReplica.Code:
		return revert
	case kerr.UnknownTopicOrPartition.Code, kerr.UnknownTopicID.Code, kerr.FencedLeaderEpoch.Code,
		kerr.InvalidUpdateVersion.Code, kerr.InvalidRequest.Code, kerr.NewLeaderElected.Code:
		return await
	}
	return retry
}

// judgeState decides whether a partition's new state from the controller is newer than what is known here. The
// error answers the controller; a state that is not accepted changes nothing.
func judgeState(self, knownEpoch int32, knownID, topicID [16]byte, s *kmsg.LeaderAndISRRequestTopicPartition) *kerr.Error {
	var none [16]byte
	switch {
	case knownID != none && topicID != none && knownID != topicID:
		return kerr.InconsistentTopicID
	case s.LeaderEpoch <= knownEpoch:
		return kerr.StaleControllerEpoch
	case !slices.Contains(s.Replicas, self):
		return kerr.UnknownTopicOrPartition
	}
	return nil
}

// The leader epochs in StopReplica that are no epochs.
const (
	noEpoch           = -1 // before v3
	epochDuringDelete = -2 // the topic is being deleted
)

// mayStop tells whether a StopReplica with this leader epoch is not older than what is known.
func mayStop(requested, known int32) bool {
	return requested == noEpoch || requested == epochDuringDelete || requested >= known
}

// judgeEpoch compares the leader epoch that a client believes in with the current one; -1 believes nothing.
func judgeEpoch(requested, current int32) *kerr.Error {
	switch {
	case requested < 0 || requested == current:
		return nil
	case requested < current:
		return kerr.FencedLeaderEpoch
	}
	return kerr.UnknownLeaderEpoch
}

// truncation is where a follower cuts its log after the leader said that it ends epoch at end. The follower's own
// largest epoch up to that one is found, ending at foundEnd; -1 when it has none.
func truncation(epoch int32, end int64, found int32, foundEnd, logEnd int64) int64 {
	switch {
	case found < 0:
		return min(end, logEnd)
	case found != epoch: // the leader has an epoch that is missing here: back to the end of the one before, and ask again
		return min(foundEnd, logEnd)
	}
	return min(foundEnd, end, logEnd)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
