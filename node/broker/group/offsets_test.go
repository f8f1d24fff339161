package group

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/log"
)

func TestWhoMayCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := coordinate(t, newDisk())
		tool := newConsumer(t, c, "tool")
		must(t, tool.commit(0, 5)) // makes a group without members
		if p, err := tool.position(0); p != 5 || err != nil || tool.state() != "Empty" {
			t.Fatal(p, err, tool.state())
		}
		nobody := newConsumer(t, c, "nobody")
		nobody.group, nobody.generation, nobody.id = "other", 3, "x"
		wants(t, kerr.IllegalGeneration, nobody.commit(0, 1))

		k := settled(t, c, 1)[0]
		must(t, k.commit(0, 6))
		wants(t, kerr.UnknownMemberID, tool.commit(0, 7))
		late := *k
		late.generation--
		wants(t, kerr.IllegalGeneration, late.commit(0, 7), late.heartbeat())
		late.id = "stranger"
		wants(t, kerr.UnknownMemberID, late.commit(0, 7), late.heartbeat())

		joining := newConsumer(t, c, "b")
		done := make(chan error, 1)
		go func() { done <- joining.join() }()
		synctest.Wait()
		must(t, k.commit(0, 8)) // still, while the group prepares
		must(t, k.join(), <-done)
		wants(t, kerr.RebalanceInProgress, k.commit(0, 9))
		if p, err := k.position(0); p != 8 || err != nil {
			t.Fatal(p, err)
		}
		if p, err := k.position(1); p != -1 || err != nil {
			t.Fatal(p, err)
		}
	})
}

func TestACommitThatIsNotStoredIsNotSeen(t *testing.T) {
	for refuse, want := range map[error]error{
		kerr.NotEnoughReplicasAfterAppend: kerr.CoordinatorNotAvailable,
		kerr.UnknownTopicOrPartition:      kerr.CoordinatorNotAvailable,
		kerr.RequestTimedOut:              kerr.CoordinatorNotAvailable,
		kerr.NotLeaderForPartition:        kerr.NotCoordinator,
		kerr.KafkaStorageError:            kerr.NotCoordinator,
		kerr.MessageTooLarge:              kerr.InvalidCommitOffsetSize,
		kerr.UnknownServerError:           kerr.UnknownServerError,
	} {
		synctest.Test(t, func(t *testing.T) {
			d := newDisk()
			k := settled(t, coordinate(t, d), 1)[0]
			must(t, k.commit(0, 1))
			d.set(func() { d.refuse = refuse })
			wants(t, want, k.commit(0, 2))
			if p, _ := k.position(0); p != 1 {
				t.Errorf("position %d", p)
			}
		})
	}
}

// slow is a store whose appends are committed when a test says so.
type slow struct {
	*disk
	appended chan chan struct{} // closed by the test
	end      int64
}

func (s *slow) Append(context.Context, int32, int32, []byte) (at int64, err error) {
	at = s.end
	s.end++
	committed := make(chan struct{})
	s.appended <- committed
	<-committed
	return at, nil
}

func TestCommitsOfAGroupDoNotWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		c := coordinate(t, d)
		s := &slow{disk: d, appended: make(chan chan struct{})}
		c.cfg.Store = s
		k := newConsumer(t, c, "a")
		answers := [2]chan error{make(chan error, 1), make(chan error, 1)}
		var committed [2]chan struct{}
		for i := range answers {
			go func() { answers[i] <- k.commit(0, int64(i)) }()
			committed[i] = <-s.appended
		}
		for _, i := range []int{1, 0} { // the second is told first
			close(committed[i])
			must(t, <-answers[i])
			if got, err := k.position(0); got != 1 || err != nil {
				t.Errorf("after commit %d: position %d: %v", i, got, err)
			}
		}
	})
}

func TestLargeMetadataIsRefusedForItsPartitionOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := coordinate(t, newDisk())
		req := kmsg.NewPtrOffsetCommitRequest()
		req.Version, req.Group, req.Generation = 2, "g", -1
		topic := kmsg.NewOffsetCommitRequestTopic()
		topic.Topic = "orders"
		for i := range int32(2) {
			p := kmsg.NewOffsetCommitRequestTopicPartition()
			p.Partition, p.Offset, p.Metadata = i, 9, kmsg.StringPtr(strings.Repeat("x", 4096+int(i)))
			topic.Partitions = append(topic.Partitions, p)
		}
		req.Topics = append(req.Topics, topic)
		got := c.OffsetCommit(t.Context(), "", "", req).Topics[0].Partitions
		if got[0].ErrorCode != 0 || got[1].ErrorCode != kerr.OffsetMetadataTooLarge.Code {
			t.Error(got)
		}
	})
}

func TestOffsetFetchOfAllVersions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := coordinate(t, newDisk())
		must(t, newConsumer(t, c, "tool").commit(3, 30))
		for v := range int16(9) {
			req := kmsg.NewPtrOffsetFetchRequest()
			req.Version, req.Group = v, "g"
			topic := kmsg.NewOffsetFetchRequestTopic()
			topic.Topic, topic.Partitions = "orders", []int32{3, 4}
			req.Topics = append(req.Topics, topic)
			group := kmsg.NewOffsetFetchRequestGroup()
			group.Group = "g"
			group.Topics = append(group.Topics, kmsg.OffsetFetchRequestGroupTopic{Topic: "orders", Partitions: []int32{3, 4}})
			req.Groups = append(req.Groups, group)
			// Over the wire and back, as a client does.
			resp := c.OffsetFetch(t.Context(), "", "", overWire(t, req))
			back := kmsg.NewPtrOffsetFetchResponse()
			back.Version = v
			if err := back.ReadFrom(resp.AppendTo(nil)); err != nil {
				t.Fatal(err)
			}
			var offsets []int64
			for _, rt := range back.Topics {
				for _, p := range rt.Partitions {
					offsets = append(offsets, p.Offset)
				}
			}
			for _, g := range back.Groups {
				for _, p := range g.Topics[0].Partitions {
					offsets = append(offsets, p.Offset)
				}
			}
			if !slices.Equal(offsets, []int64{30, -1}) {
				t.Errorf("version %d: %v", v, offsets)
			}
			c.Resign(c.PartitionFor("g"))
			resp = c.OffsetFetch(t.Context(), "", "", req)
			var err int16
			switch {
			case v < 2:
				err = resp.Topics[0].Partitions[0].ErrorCode
			case v < 8:
				err = resp.ErrorCode
			default:
				err = resp.Groups[0].ErrorCode
			}
			wants(t, kerr.NotCoordinator, kerr.ErrorForCode(err))
			c.Lead(c.PartitionFor("g"), int32(v)+2)
			synctest.Wait()
		}
	})
}

func overWire(t *testing.T, req *kmsg.OffsetFetchRequest) *kmsg.OffsetFetchRequest {
	t.Helper()
	back := kmsg.NewPtrOffsetFetchRequest()
	back.Version = req.Version
	if err := back.ReadFrom(req.AppendTo(nil)); err != nil {
		t.Fatal(err)
	}
	return back
}

func (k *consumer) deleteGroup() error {
	req := kmsg.NewPtrDeleteGroupsRequest()
	req.Version, req.Groups = 2, []string{k.group}
	return kerr.ErrorForCode(k.c.DeleteGroups(k.t.Context(), "", "", req).Groups[0].ErrorCode)
}

func (k *consumer) deleteOffset(topic string) error { return k.deleteOffsets(topic, 0) }

func (k *consumer) deleteOffsets(topic string, partitions ...int32) error {
	req := kmsg.NewPtrOffsetDeleteRequest()
	req.Group = k.group
	rt := kmsg.NewOffsetDeleteRequestTopic()
	rt.Topic = topic
	for _, p := range partitions {
		rt.Partitions = append(rt.Partitions, kmsg.OffsetDeleteRequestTopicPartition{Partition: p})
	}
	req.Topics = append(req.Topics, rt)
	resp := k.c.OffsetDelete(k.t.Context(), "", "", req)
	if resp.ErrorCode != 0 {
		return kerr.ErrorForCode(resp.ErrorCode)
	}
	return kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode)
}

func TestDeletedGroupsStayDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		k := settled(t, coordinate(t, d), 1)[0]
		must(t, k.commit(0, 9))
		wants(t, kerr.NonEmptyGroup, k.deleteGroup())
		must(t, k.leave(), k.deleteGroup())
		wants(t, kerr.GroupIDNotFound, k.deleteGroup())
		k.c = coordinate(t, d)
		wants(t, kerr.GroupIDNotFound, k.deleteGroup())
		if p, _ := k.position(0); p != -1 || k.state() != "Dead" {
			t.Error(p, k.state())
		}
	})
}

func TestOffsetsOfSubscribedTopicsAreNotDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		k := settled(t, coordinate(t, d), 1)[0]
		must(t, k.commit(0, 9))
		wants(t, kerr.GroupSubscribedToTopic, k.deleteOffset("orders"))
		must(t, k.deleteOffset("elsewhere"), k.leave(), k.deleteOffset("orders"))
		if p, _ := k.position(0); p != -1 {
			t.Error(p)
		}
		k.c = coordinate(t, d)
		if p, _ := k.position(0); p != -1 {
			t.Error("it came back")
		}
	})
}

func TestAGroupGoesWithItsLastOffset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		tool := newConsumer(t, coordinate(t, d), "tool")
		must(t, tool.commit(0, 5), tool.commit(1, 5), tool.deleteOffset("orders"))
		if state := tool.state(); state != "Empty" {
			t.Errorf("%s while an offset is left", state)
		}
		must(t, tool.deleteOffsets("orders", 0, 1))
		wants(t, kerr.GroupIDNotFound, tool.deleteOffset("orders"))
		tool.c = coordinate(t, d)
		if state := tool.state(); state != "Dead" {
			t.Errorf("%s after a restart", state)
		}
		k := settled(t, tool.c, 1)[0]
		must(t, k.deleteOffset("elsewhere"), k.heartbeat()) // it has members
	})
}

// No offset is kept for a partition that does not exist; those of the same request that do are.
func TestOffsetsNeedAPartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := settled(t, coordinate(t, newDisk()), 1)[0]
		part := func(topic string) (rt kmsg.OffsetCommitRequestTopic) {
			p := kmsg.NewOffsetCommitRequestTopicPartition()
			p.Offset = 3
			rt.Topic, rt.Partitions = topic, append(rt.Partitions, p)
			return rt
		}
		req := kmsg.NewPtrOffsetCommitRequest()
		req.Version, req.Group, req.MemberID, req.Generation = 8, k.group, k.id, k.generation
		req.Topics = append(req.Topics, part("nowhere"), part("orders"))
		answer := k.c.OffsetCommit(t.Context(), "", "", req).Topics
		wants(t, kerr.UnknownTopicOrPartition, kerr.ErrorForCode(answer[0].Partitions[0].ErrorCode))
		must(t, kerr.ErrorForCode(answer[1].Partitions[0].ErrorCode))
		if committed, _, err := k.c.committed(k.group, nil); err != nil || len(committed) != 1 {
			t.Errorf("%v, %v", committed, err)
		}
		wants(t, kerr.UnknownTopicOrPartition, k.deleteOffset("nowhere"))
		req.Group, req.MemberID, req.Generation, req.Topics = "new", "", -1, req.Topics[:1]
		k.c.OffsetCommit(t.Context(), "", "", req)
		if k.group = "new"; k.state() != "Dead" {
			t.Errorf("a group that could commit nothing is %s", k.state())
		}
	})
}

func TestADeletedTopicTakesItsOffsetsAlong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		k := settled(t, coordinate(t, d), 1)[0]
		must(t, k.commit(0, 9))
		k.c.TopicDeleted("elsewhere")
		synctest.Wait()
		if p, _ := k.position(0); p != 9 {
			t.Error(p)
		}
		k.c.TopicDeleted("orders")
		synctest.Wait()
		if p, _ := k.position(0); p != -1 {
			t.Error(p)
		}
		must(t, k.heartbeat())
	})
}

func TestOffsetsExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		c := coordinate(t, d, func(s *Settings) { s.Retention = time.Hour })
		tool := newConsumer(t, c, "tool")
		tool.group = "tool"
		must(t, tool.commit(0, 1))
		k := settled(t, c, 1)[0]
		must(t, k.commit(0, 1))
		for range 1000 { // members keep what they subscribe to
			time.Sleep(5 * time.Second)
			must(t, k.heartbeat())
		}
		if p, _ := tool.position(0); p != -1 || tool.state() != "Dead" {
			t.Error("an hour after its commit", p, tool.state())
		}
		if p, _ := k.position(0); p != 1 {
			t.Error("of a living group", p)
		}
		must(t, k.leave())
		time.Sleep(50 * time.Minute)
		if p, _ := k.position(0); p != 1 {
			t.Error("too early", p)
		}
		time.Sleep(20 * time.Minute)
		if p, _ := k.position(0); p != -1 || k.state() != "Dead" {
			t.Error("an hour after its last member", p, k.state())
		}
		m := newMemory()
		for _, batches := range d.batches {
			for _, b := range batches {
				must(t, m.read(b))
			}
		}
		if len(m.groups) != 0 || len(m.commits["g"])+len(m.commits["tool"]) != 0 {
			t.Errorf("the log still says %v", m)
		}
	})
}

func TestListAndDescribe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := coordinate(t, newDisk())
		all := settled(t, c, 2)
		tool := newConsumer(t, c, "tool")
		tool.group = "tool"
		must(t, tool.commit(0, 1))
		list := func(states ...string) (ids []string) {
			req := kmsg.NewPtrListGroupsRequest()
			req.Version, req.StatesFilter = 4, states
			for _, g := range c.ListGroups(t.Context(), "", "", req).Groups {
				ids = append(ids, g.Group+" "+g.GroupState)
			}
			return ids
		}
		if got := list(); !slices.Equal(got, []string{"g Stable", "tool Empty"}) {
			t.Error(got)
		}
		if got := list("stable"); !slices.Equal(got, []string{"g Stable"}) {
			t.Error(got)
		}
		byType := kmsg.NewPtrListGroupsRequest()
		byType.Version = 5
		for kind, n := range map[string]int{"Classic": 2, "consumer": 0} {
			byType.TypesFilter = []string{kind}
			if got := c.ListGroups(t.Context(), "", "", byType).Groups; len(got) != n || n > 0 && got[0].GroupType != "classic" {
				t.Errorf("of type %s: %+v", kind, got)
			}
		}
		req := kmsg.NewPtrDescribeGroupsRequest()
		req.Groups = []string{"g"}
		d := c.DescribeGroups(t.Context(), "", "", req).Groups[0]
		if d.Protocol != "range" || d.ProtocolType != "consumer" || len(d.Members) != 2 {
			t.Fatalf("%+v", d)
		}
		m := d.Members[0]
		i := slices.IndexFunc(all, func(k *consumer) bool { return k.id == m.MemberID })
		if m.ClientID != all[i].name || m.ClientHost != "/127.0.0.1" || string(m.MemberAssignment) != "for "+m.MemberID || len(m.ProtocolMetadata) == 0 {
			t.Errorf("%+v", m)
		}
	})
}

// Whatever __consumer_offsets holds, loading ends, and what was understood can be written again.
func FuzzMemory(f *testing.F) {
	g := newFSM("g", 0, time.UnixMilli(5))
	g.members["a"] = &member{id: "a", instance: "i", protocols: []protocol{{"range", subscription("a")}}}
	r := g.record(time.UnixMilli(7))
	f.Add(r.Key, r.Value)
	r = commit{offset: 4, leaderEpoch: 1, metadata: "m", at: time.UnixMilli(9)}.record("g", place{"orders", 3})
	f.Add(r.Key, r.Value)
	f.Add(r.Key, []byte(nil))
	f.Fuzz(func(t *testing.T, key, value []byte) {
		m := newMemory()
		if m.add(log.Record{Key: key, Value: value}, m.commits) != nil {
			return
		}
		for id, value := range m.groups {
			g := newFSM(id, 0, time.Time{})
			if g.restore(value, time.UnixMilli(0)) == nil {
				again := newFSM(id, 0, time.Time{})
				if err := again.restore(g.record(time.UnixMilli(0)).Value, time.UnixMilli(0)); err != nil || len(again.members) != len(g.members) {
					t.Fatalf("%d members became %d: %v", len(g.members), len(again.members), err)
				}
			}
		}
		for id, commits := range m.commits {
			for at, v := range commits {
				again := newMemory()
				if err := again.add(v.record(id, at), again.commits); err != nil {
					t.Fatal(err)
				}
				if got := again.commits[id][at]; got.offset != v.offset || got.metadata != v.metadata {
					t.Fatalf("%+v became %+v", v, got)
				}
			}
		}
	})
}
