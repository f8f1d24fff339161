package group

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Random members come, go, fall silent and repeat themselves. Whatever happens, the group keeps its invariants, and once
// everybody behaves it settles.
func TestTheStateMachineKeepsItsInvariants(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 3))
		now := time.UnixMilli(0)
		g := newFSM("g", 3*time.Second, now)
		w := &world{g: &g, joins: map[string]chan joined{}, syncs: map[string]chan synced{}, r: r}
		for step := range 300 {
			now = now.Add(time.Duration(r.IntN(2000)) * time.Millisecond)
			w.act(now)
			if err := w.wrong(); err != nil {
				t.Fatalf("seed %d, step %d: %v", seed, step, err)
			}
		}
		for range 100 { // nobody new, nobody leaves
			now = now.Add(time.Second)
			w.behave(now)
			if err := w.wrong(); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
		if g.state != stable && g.state != empty {
			t.Fatalf("seed %d: the group hangs in %v with %d members, deadline %v", seed, g.state, len(g.members), g.deadline().Sub(now))
		}
	}
}

// A world drives one state machine as clients would.
type world struct {
	g     *fsm
	r     *rand.Rand
	born  int
	joins map[string]chan joined // of those who wait, by member id
	syncs map[string]chan synced
}

func (w *world) candidate(id string) candidate {
	answer := make(chan joined, 1)
	c := candidate{
		memberID: id, newID: fmt.Sprintf("m%d", w.born), session: 6 * time.Second, rebalance: 8 * time.Second,
		protocolType: "consumer", protocols: []protocol{{"range", []byte(id)}}, needsID: true, maxSize: 100, answer: answer,
	}
	w.born++
	if id == "" {
		if w.r.IntN(3) == 0 {
			c.instance = fmt.Sprintf("i%d", w.r.IntN(3))
		}
		w.joins[c.newID] = answer
	} else {
		for instance, member := range w.g.static {
			if member == id {
				c.instance = instance
			}
		}
		w.joins[id] = answer
	}
	return c
}

func (w *world) someone() string {
	ids := []string{"stranger"}
	for id := range w.g.members {
		ids = append(ids, id)
	}
	for id := range w.g.pending {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids[w.r.IntN(len(ids))]
}

func (w *world) act(now time.Time) {
	switch id := w.someone(); w.r.IntN(10) {
	case 0:
		w.g.join(w.candidate(""), now)
	case 1, 2:
		w.g.join(w.candidate(id), now)
	case 3, 4:
		w.sync(id, now)
	case 5:
		w.g.leave(id, "", now)
	case 6:
		w.g.heartbeat(id, "", w.g.generation, now)
	case 7:
		w.g.mayCommit(id, "", w.g.generation, now)
	case 8:
		w.g.assigned(w.g.generation-int32(w.r.IntN(2)), nil, now)
	case 9:
		w.g.assigned(w.g.generation, kerr.NotEnoughReplicas, now)
	}
	w.g.tick(now)
}

func (w *world) sync(id string, now time.Time) {
	answer := make(chan synced, 1)
	w.syncs[id] = answer
	w.g.sync(syncing{memberID: id, generation: w.g.generation, answer: answer, protocol: kmsg.StringPtr(w.g.protocol)}, now)
}

// behave lets every member do what the state asks of it.
func (w *world) behave(now time.Time) {
	for id, m := range w.g.members {
		switch {
		case w.g.members[id] != m || m.waiting():
		case w.g.state == preparing:
			w.g.join(w.candidate(id), now)
		case w.g.state == completing:
			w.sync(id, now)
		default:
			w.g.heartbeat(id, m.instance, w.g.generation, now)
		}
	}
	if m := w.g.members[w.g.leader]; w.g.state == completing && m != nil && m.sync != nil {
		w.g.assigned(w.g.generation, nil, now)
	}
	w.g.tick(now)
}

// wrong names an invariant that does not hold.
func (w *world) wrong() error {
	g := w.g
	for id, m := range g.members {
		switch {
		case m.id != id:
			return fmt.Errorf("member %s is filed as %s", m.id, id)
		case m.join != nil && g.state != preparing:
			return fmt.Errorf("%s waits to join in %v", id, g.state)
		case m.sync != nil && g.state != completing:
			return fmt.Errorf("%s waits to sync in %v", id, g.state)
		case m.instance != "" && g.static[m.instance] != id:
			return fmt.Errorf("instance %s of %s is filed as %s", m.instance, id, g.static[m.instance])
		}
	}
	for instance, id := range g.static {
		if g.members[id] == nil {
			return fmt.Errorf("instance %s names %s, who is gone", instance, id)
		}
	}
	for id := range g.unsynced {
		if g.members[id] == nil {
			return fmt.Errorf("%s, who is gone, is expected to sync", id)
		}
	}
	switch {
	case (len(g.members) == 0) != (g.leader == ""):
		return fmt.Errorf("%d members, leader %q", len(g.members), g.leader)
	case len(g.members) > 0 && g.members[g.leader] == nil:
		return fmt.Errorf("leader %s is gone", g.leader)
	case g.state == empty && len(g.members) > 0, (g.state == stable || g.state == completing) && len(g.members) == 0:
		return fmt.Errorf("%d members in %v", len(g.members), g.state)
	case g.state == completing && g.members[g.leader].sync != nil: // its assignment is being stored, that ends by itself
		return nil
	case g.state != empty && g.deadline().IsZero():
		return fmt.Errorf("nothing would wake %v", g.state)
	}
	return nil
}

// Every answer fits every version a client may ask for, errors too.
func TestAnswersFitAllVersions(t *testing.T) {
	d := newDisk()
	d.stalls = nil
	c := New(Config{Partitions: func() int32 { return 0 }, Store: d, Known: known, Settings: DefaultSettings()})
	answers := []struct {
		req    kmsg.Request
		max    int16
		answer func(kmsg.Request) kmsg.Response
	}{
		{kmsg.NewPtrJoinGroupRequest(), 9, func(r kmsg.Request) kmsg.Response {
			return c.JoinGroup(t.Context(), "", "", r.(*kmsg.JoinGroupRequest))
		}},
		{kmsg.NewPtrSyncGroupRequest(), 5, func(r kmsg.Request) kmsg.Response {
			return c.SyncGroup(t.Context(), "", "", r.(*kmsg.SyncGroupRequest))
		}},
		{kmsg.NewPtrHeartbeatRequest(), 4, func(r kmsg.Request) kmsg.Response {
			return c.Heartbeat(t.Context(), "", "", r.(*kmsg.HeartbeatRequest))
		}},
		{kmsg.NewPtrLeaveGroupRequest(), 5, func(r kmsg.Request) kmsg.Response {
			return c.LeaveGroup(t.Context(), "", "", r.(*kmsg.LeaveGroupRequest))
		}},
		{kmsg.NewPtrOffsetCommitRequest(), 9, func(r kmsg.Request) kmsg.Response {
			return c.OffsetCommit(t.Context(), "", "", r.(*kmsg.OffsetCommitRequest))
		}},
		{kmsg.NewPtrOffsetFetchRequest(), 8, func(r kmsg.Request) kmsg.Response {
			return c.OffsetFetch(t.Context(), "", "", r.(*kmsg.OffsetFetchRequest))
		}},
		{kmsg.NewPtrDescribeGroupsRequest(), 5, func(r kmsg.Request) kmsg.Response {
			return c.DescribeGroups(t.Context(), "", "", r.(*kmsg.DescribeGroupsRequest))
		}},
		{kmsg.NewPtrListGroupsRequest(), 4, func(r kmsg.Request) kmsg.Response {
			return c.ListGroups(t.Context(), "", "", r.(*kmsg.ListGroupsRequest))
		}},
		{kmsg.NewPtrDeleteGroupsRequest(), 2, func(r kmsg.Request) kmsg.Response {
			return c.DeleteGroups(t.Context(), "", "", r.(*kmsg.DeleteGroupsRequest))
		}},
		{kmsg.NewPtrOffsetDeleteRequest(), 0, func(r kmsg.Request) kmsg.Response {
			return c.OffsetDelete(t.Context(), "", "", r.(*kmsg.OffsetDeleteRequest))
		}},
	}
	for _, a := range answers {
		for v := range a.max + 1 {
			a.req.SetVersion(v)
			resp := a.answer(a.req)
			if resp.GetVersion() != v {
				t.Errorf("key %d version %d is answered in version %d", resp.Key(), v, resp.GetVersion())
			}
			back := a.req.ResponseKind()
			back.SetVersion(v)
			if err := back.ReadFrom(resp.AppendTo(nil)); err != nil {
				t.Errorf("key %d version %d: %v", resp.Key(), v, err)
			}
		}
	}
}
