package replica

import (
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// sessionFetch asks for offsets of partitions by number within a session.
func sessionFetch(id, epoch int32, offsets map[int32]int64, forget ...int32) *kmsg.FetchRequest {
	req := consumerFetch(key{Topic: "orders"}, 0)
	req.SessionID, req.SessionEpoch = id, epoch
	template := req.Topics[0].Partitions[0]
	req.Topics[0].Partitions = nil
	for _, p := range slices.Sorted(func(yield func(int32) bool) {
		for p := range offsets {
			if !yield(p) {
				return
			}
		}
	}) {
		template.Partition, template.FetchOffset = p, offsets[p]
		req.Topics[0].Partitions = append(req.Topics[0].Partitions, template)
	}
	if len(offsets) == 0 {
		req.Topics = nil
	}
	if len(forget) > 0 {
		t := kmsg.NewFetchRequestForgottenTopic()
		t.Topic, t.Partitions = "orders", forget
		req.ForgottenTopics = append(req.ForgottenTopics, t)
	}
	return req
}

// answered lists the partitions in an answer.
func answered(resp *kmsg.FetchResponse) (ids []int32) {
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			ids = append(ids, p.Partition)
		}
	}
	return ids
}

func TestASessionAnswersOnlyWhatIsNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 1)
		for p := range int32(3) {
			c.create("orders", p, 1)
		}
		check := func(what string, req *kmsg.FetchRequest, want ...int32) *kmsg.FetchResponse {
			t.Helper()
			resp := c.fetch(1, req)
			if got := answered(resp); resp.ErrorCode != 0 || !slices.Equal(got, want) {
				t.Errorf("%s: partitions %v, want %v; %v", what, got, want, kerr.ErrorForCode(resp.ErrorCode))
			}
			return resp
		}
		first := check("begin", sessionFetch(0, 0, map[int32]int64{0: 0, 1: 0, 2: 0}), 0, 1, 2)
		id := first.SessionID
		if id == 0 {
			t.Fatal("no session")
		}
		check("nothing new", sessionFetch(id, 1, nil))
		c.mustProduce(1, key{Topic: "orders", Partition: 0}, 1, "a")
		check("a record", sessionFetch(id, 2, nil), 0)
		c.mustProduce(1, key{Topic: "orders", Partition: 2}, 1, "a")
		check("those with records go to the end of the line", sessionFetch(id, 3, nil), 2, 0)
		check("read on", sessionFetch(id, 4, map[int32]int64{0: 1, 2: 1}))
		c.mustProduce(1, key{Topic: "orders", Partition: 0}, 1, "b")
		check("forgotten", sessionFetch(id, 5, nil, 0))
		check("an error is told every time", sessionFetch(id, 6, map[int32]int64{7: 0}), 7)
		check("an error is told every time", sessionFetch(id, 7, nil), 7)
		check("added again", sessionFetch(id, 8, map[int32]int64{0: 1}, 7), 0)
		if got := c.fetch(1, sessionFetch(id, 8, nil)).ErrorCode; got != kerr.InvalidFetchSessionEpoch.Code {
			t.Errorf("an epoch used twice: %v", kerr.ErrorForCode(got))
		}
		if got := c.fetch(1, sessionFetch(id+1, 1, nil)).ErrorCode; got != kerr.FetchSessionIDNotFound.Code {
			t.Errorf("no such session: %v", kerr.ErrorForCode(got))
		}
		byID := sessionFetch(id, 9, nil)
		byID.Version = 13
		if got := c.fetch(1, byID).ErrorCode; got != kerr.FetchSessionTopicIDError.Code {
			t.Errorf("topic ids in a session of names: %v", kerr.ErrorForCode(got))
		}
		check("close", sessionFetch(id, sessionless, map[int32]int64{1: 0}), 1)
		if got := c.fetch(1, sessionFetch(id, 9, nil)).ErrorCode; got != kerr.FetchSessionIDNotFound.Code {
			t.Errorf("closed: %v", kerr.ErrorForCode(got))
		}
	})
}

func TestSessionsAreBounded(t *testing.T) {
	at := time.Date(2025, 3, 1, 12, 0, 0, 0, time.UTC)
	all := newSessions(2)
	first := all.create(false, false, at)
	second := all.create(false, false, at.Add(time.Second))
	if all.create(false, false, at.Add(sessionIdle)) != nil {
		t.Error("a consumer took the place of one that is in use")
	}
	if all.create(false, true, at.Add(sessionIdle)) == nil || all.byID[first.id] != nil {
		t.Error("a follower did not take the place of the oldest consumer")
	}
	if all.create(false, false, at.Add(sessionIdle+2*time.Second)) == nil || all.byID[second.id] != nil {
		t.Error("a consumer did not take the place of one that is idle")
	}
	if len(all.byID) != 2 {
		t.Errorf("%d sessions", len(all.byID))
	}
}

func TestSessionEpochsWrapToOne(t *testing.T) {
	if nextEpoch(math.MaxInt32) != 1 || nextEpoch(newSession) != 1 {
		t.Error("0 and -1 are no epochs of a running session")
	}
}

func TestFollowersUseOneSessionAcrossReconnects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, 2)
		for p := range int32(20) {
			c.create("orders", p, 1, 2) // each interrupts the fetch under way
			c.settle()
		}
		all := c.brokers[1].sessions
		all.mu.Lock()
		defer all.mu.Unlock()
		if len(all.byID) != 1 {
			t.Errorf("%d sessions of one follower", len(all.byID))
		}
		for _, s := range all.byID {
			if len(s.wants) != 20 || !s.follower {
				t.Errorf("session of %d partitions", len(s.wants))
			}
		}
	})
}
