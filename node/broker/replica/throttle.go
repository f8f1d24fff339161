package replica

import (
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"kdrill/node/broker/quota"
)

// The topic configurations that list replicas whose copying is limited.
const (
	leaderThrottled   = "leader.replication.throttled.replicas"
	followerThrottled = "follower.replication.throttled.replicas"
)

// throttles limit what is copied of partitions that a topic lists: as leader and as follower. Replicas in the isr are
// never held back, or they would leave it; what they copy counts all the same.
type throttles struct{ leader, follower *quota.Throttle }

// throttled tells which of the throttles a partition is under on this broker.
type throttled struct{ asLeader, asFollower atomic.Bool }

func (t *throttled) set(overrides map[string]string, k key, self int32) {
	t.asLeader.Store(lists(overrides[leaderThrottled], k.Partition, self))
	t.asFollower.Store(lists(overrides[followerThrottled], k.Partition, self))
}

// lists tells whether partition:broker,… or * has a replica.
func lists(replicas string, partition, broker int32) bool {
	wanted := strconv.Itoa(int(partition)) + ":" + strconv.Itoa(int(broker))
	return strings.TrimSpace(replicas) == "*" ||
		slices.ContainsFunc(strings.Split(replicas, ","), func(item string) bool { return strings.TrimSpace(item) == wanted })
}

// SetThrottles limits what followers copy from leaders here, and what followers here copy, of the partitions that are
// listed: in bytes a second, negative for no limit.
func (r *Replicas) SetThrottles(leader, follower int64) {
	r.throttles.leader.SetLimit(leader)
	r.throttles.follower.SetLimit(follower)
}

// ThrottledRates are the bytes a second that partitions under a throttle have copied of late.
func (r *Replicas) ThrottledRates(now time.Time) (leader, follower float64) {
	return r.throttles.leader.Rate(now), r.throttles.follower.Rate(now)
}

// withholds tells whether a follower gets no records of this partition for now.
func (p *partition) withholds(s standing) bool {
	return s.outOfSync && p.throttled.asLeader.Load() && p.r.throttles.leader.Rest(time.Now()) > 0
}

// sent notes what a follower was answered.
func (p *partition) sent(bytes int) {
	if p.throttled.asLeader.Load() {
		p.r.throttles.leader.Note(bytes, time.Now())
	}
}

// received notes what was copied from a leader.
func (p *partition) received(bytes int) {
	if p.throttled.asFollower.Load() {
		p.r.throttles.follower.Note(bytes, time.Now())
	}
}

// held is how long a partition that lags is not to be asked for, 0 if it may be. Longer than replica.fetch.backoff.ms is
// not waited at once: the limit may change.
func (q *pursuit) held(now time.Time) time.Duration {
	if q.level || !q.p.throttled.asFollower.Load() {
		return 0
	}
	return min(q.p.r.throttles.follower.Rest(now), q.p.r.cfg.Settings.FetchBackoff)
}
