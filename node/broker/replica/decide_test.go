package replica

import (
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const lag = 30 * time.Second

var (
	now     = time.Date(2025, 3, 1, 12, 0, 0, 0, time.UTC)
	all     = func(int32) bool { return true }
	nobody  = func(int32) bool { return false }
	recent  = now.Add(-time.Second)
	longAgo = now.Add(-time.Minute)
)

func leads(isr []int32, remotes map[int32]remote) *leadership {
	return &leadership{self: 1, isr: isr, minISR: 1, remotes: remotes}
}

func TestHighWatermark(t *testing.T) {
	for _, test := range []struct {
		name  string
		lead  *leadership
		alive func(int32) bool
		mark  int64 // current: 10, the leader's log ends at 100
	}{
		{"alone", leads([]int32{1}, nil), all, 100},
		{"least of the isr", leads([]int32{1, 2, 3}, map[int32]remote{2: {end: 50}, 3: {end: 40}}), all, 40},
		{"one that lags outside the isr does not count", leads([]int32{1, 2}, map[int32]remote{2: {end: 50}, 3: {end: 40, caughtUp: longAgo}}), all, 50},
		{"one about to join counts", leads([]int32{1, 2}, map[int32]remote{2: {end: 50}, 3: {end: 40, caughtUp: recent}}), all, 40},
		{"one about to join that is dead does not", leads([]int32{1, 2}, map[int32]remote{2: {end: 50}, 3: {end: 40, caughtUp: recent}}), nobody, 50},
		{"one whose entry is not confirmed counts", &leadership{
			self: 1, isr: []int32{1}, proposed: []int32{1, 2}, remotes: map[int32]remote{2: {end: 60}},
		}, nobody, 60},
		{"one whose exit is not confirmed counts", &leadership{
			self: 1, isr: []int32{1, 2}, proposed: []int32{1}, remotes: map[int32]remote{2: {end: 60}},
		}, nobody, 60},
		{"one that never fetched", leads([]int32{1, 2}, map[int32]remote{2: {end: -1}}), all, 10},
		{"never back", leads([]int32{1, 2}, map[int32]remote{2: {end: 5}}), all, 10},
		{"below min isr", &leadership{self: 1, isr: []int32{1}, minISR: 2, remotes: map[int32]remote{2: {caughtUp: longAgo}}}, all, 10},
		{"min isr beyond the replicas is all of them", &leadership{
			self: 1, isr: []int32{1, 2}, minISR: 3, remotes: map[int32]remote{2: {end: 70}},
		}, all, 70},
	} {
		if got := test.lead.highWatermark(10, 100, now, lag, test.alive); got != test.mark {
			t.Errorf("%s: %d, want %d", test.name, got, test.mark)
		}
	}
}

func TestLagging(t *testing.T) {
	for _, test := range []struct {
		name   string
		remote remote
		out    bool // the leader's log ends at 100
	}{
		{"has all, however long ago it fetched", remote{end: 100, caughtUp: longAgo}, false},
		{"behind, but caught up lately", remote{end: 40, caughtUp: recent}, false},
		{"behind for too long", remote{end: 99, caughtUp: longAgo}, true},
		{"behind for just as long as allowed", remote{end: 99, caughtUp: now.Add(-lag)}, false},
	} {
		l := leads([]int32{1, 2}, map[int32]remote{2: test.remote})
		if got := l.lagging(100, now, lag); slices.Contains(got, 2) != test.out {
			t.Errorf("%s: lagging %v", test.name, got)
		}
	}
	if got := leads([]int32{1, 4}, nil).lagging(100, now, lag); !slices.Equal(got, []int32{4}) {
		t.Errorf("a member that is no replica: %v", got)
	}
}

func TestMayJoin(t *testing.T) {
	for _, test := range []struct {
		name  string
		end   int64 // high watermark 50
		start int64 // of the leader's epoch
		alive func(int32) bool
		ok    bool
	}{
		{"has all that is committed", 50, 30, all, true},
		{"has not", 49, 30, all, false},
		{"high watermark behind the epoch's start", 55, 60, all, false},
		{"not alive", 50, 30, nobody, false},
	} {
		l := leads([]int32{1}, map[int32]remote{2: {end: test.end}})
		l.epochStart = test.start
		if got := l.mayJoin(2, 50, test.alive); got != test.ok {
			t.Errorf("%s: %v", test.name, got)
		}
	}
	if leads([]int32{1, 2}, map[int32]remote{2: {end: 50}}).mayJoin(2, 50, all) {
		t.Error("a member joins again")
	}
	if leads([]int32{1}, nil).mayJoin(3, 0, all) {
		t.Error("a stranger joins")
	}
}

func TestWhenAFollowerWasCaughtUp(t *testing.T) {
	at := func(s int) time.Time { return now.Add(time.Duration(s) * time.Second) }
	r := unknownRemote(true, at(0))
	for _, step := range []struct {
		name           string
		second         int
		offset, leader int64
		caughtUp       int
	}{
		{"fetches from the end", 1, 100, 100, 1},
		{"fetches what was there a second ago, the leader moved on", 2, 100, 200, 1},
		{"reached where the leader was at its last fetch", 3, 200, 300, 2},
		{"did not reach that", 4, 250, 400, 2},
		{"moves, but never gets there", 5, 260, 500, 2},
		{"is there", 6, 500, 500, 6},
	} {
		r = r.fetches(step.offset, 0, 1, step.leader, at(step.second))
		if !r.caughtUp.Equal(at(step.caughtUp)) || r.end != step.offset {
			t.Errorf("%s: caught up %v after the start, end %d", step.name, r.caughtUp.Sub(now), r.end)
		}
	}
	if r := r.stays(false, 500, at(9)); !r.caughtUp.IsZero() || r.end != 500 {
		t.Errorf("out of the isr in a new epoch: %+v", r)
	}
}

func TestLowWatermark(t *testing.T) {
	l := leads([]int32{1, 2}, map[int32]remote{2: {start: 5}, 3: {start: 2}})
	if got := l.lowWatermark(9, all); got != 2 {
		t.Error(got)
	}
	if got := l.lowWatermark(9, func(id int32) bool { return id != 3 }); got != 5 {
		t.Errorf("without the dead one: %d", got)
	}
}

func TestJudgeAlter(t *testing.T) {
	answer := func(leaderEpoch, partitionEpoch int32) *kmsg.AlterPartitionResponseTopicPartition {
		return &kmsg.AlterPartitionResponseTopicPartition{LeaderEpoch: leaderEpoch, PartitionEpoch: partitionEpoch}
	}
	for _, test := range []struct {
		name   string
		err    *kerr.Error
		answer *kmsg.AlterPartitionResponseTopicPartition
		want   verdict
	}{
		{"agreed", nil, answer(3, 8), adopt},
		{"was so already", nil, answer(3, 7), adopt},
		{"of an older state", nil, answer(3, 6), await},
		{"a newer leader", nil, answer(4, 9), await},
		{"stale partition epoch", kerr.InvalidUpdateVersion, nil, await},
		{"stale leader epoch", kerr.FencedLeaderEpoch, nil, await},
		{"topic gone", kerr.UnknownTopicOrPartition, nil, await},
		{"member not alive", kerr.IneligibleReplica, nil, revert},
		{"not attempted", kerr.OperationNotAttempted, nil, revert},
		{"wrong controller", kerr.NotController, nil, retry},
		{"anything else", kerr.UnknownServerError, nil, retry},
	} {
		var code int16
		if test.err != nil {
			code = test.err.Code
		}
		if got := judgeAlter(code, test.answer, 3, 7); got != test.want {
			t.Errorf("%s: verdict %d, want %d", test.name, got, test.want)
		}
	}
}

func TestJudgeState(t *testing.T) {
	a, b, none := [16]byte{1}, [16]byte{2}, [16]byte{}
	for _, test := range []struct {
		name        string
		known, sent [16]byte
		epoch       int32 // known: 5
		replicas    []int32
		want        *kerr.Error
	}{
		{"newer", a, a, 6, []int32{1, 2}, nil},
		{"older", a, a, 4, []int32{1, 2}, kerr.StaleControllerEpoch},
		{"the same again", a, a, 5, []int32{1, 2}, kerr.StaleControllerEpoch},
		{"not a replica", a, a, 6, []int32{2, 3}, kerr.UnknownTopicOrPartition},
		{"another topic of this name", a, b, 6, []int32{1, 2}, kerr.InconsistentTopicID},
		{"from a controller without topic ids", a, none, 6, []int32{1}, nil},
		{"first id", none, a, 6, []int32{1}, nil},
	} {
		s := &kmsg.LeaderAndISRRequestTopicPartition{LeaderEpoch: test.epoch, Replicas: test.replicas}
		if got := judgeState(1, 5, test.known, test.sent, s); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

func TestMayStop(t *testing.T) {
	for epoch, want := range map[int32]bool{4: false, 5: true, 6: true, noEpoch: true, epochDuringDelete: true} {
		if got := mayStop(epoch, 5); got != want {
			t.Errorf("StopReplica with epoch %d while 5 is known: %v", epoch, got)
		}
	}
}

func TestTruncation(t *testing.T) {
	for _, test := range []struct {
		name     string
		epoch    int32 // the leader ends this epoch at 100
		found    int32 // the largest here up to it, and its end
		foundEnd int64
		logEnd   int64
		want     int64
	}{
		{"leader has less of the epoch", 4, 4, 150, 150, 100},
		{"follower has less of the epoch", 4, 4, 80, 200, 80},
		{"follower lacks the epoch", 4, 3, 60, 200, 60},
		{"follower knows no epoch so old", 4, -1, -1, 200, 100},
		{"log shorter than all of it", 4, 4, 150, 90, 90},
	} {
		if got := truncation(test.epoch, 100, test.found, test.foundEnd, test.logEnd); got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
}

func TestNearestReplica(t *testing.T) {
	rack := func(id int32) string { return map[int32]string{1: "a", 2: "b", 3: "b", 4: "c", 5: "b"}[id] }
	l := leads([]int32{1, 2, 3, 4}, map[int32]remote{
		2: {end: 100, start: 0, caughtUp: now}, 3: {end: 100, start: 20, caughtUp: now},
		4: {end: 90, caughtUp: now}, 5: {end: 100, caughtUp: now},
	})
	for _, test := range []struct {
		name   string
		rack   string
		offset int64
		want   int32
	}{
		{"the leader's own rack", "a", 50, -1},
		{"no replica there", "d", 50, -1},
		{"of equals the larger id; 5 is not in sync", "b", 50, 3},
		{"the one whose log begins before", "b", 10, 2},
		{"none has it yet", "c", 95, -1},
		{"has all up to it", "c", 90, 4},
	} {
		if got := l.nearest(test.rack, test.offset, rack); got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
}
