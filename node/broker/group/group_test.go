package group

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const partitions = 50

// disk is a Store in memory.
type disk struct {
	mu      sync.Mutex
	batches map[int32][][]byte
	epochs  map[int32]int32                          // of the last append
	refuse  error                                    // what Append says
	stalls  chan struct{}                            // if set, Append and Read wait for it
	fails   int                                      // how many reads fail
	verdict func(partition int32, by Producer) error // of a transaction's coordinator
}

func newDisk() *disk { return &disk{batches: map[int32][][]byte{}, epochs: map[int32]int32{}} }

func (d *disk) wait(ctx context.Context) error {
	d.mu.Lock()
	stalls := d.stalls
	d.mu.Unlock()
	if stalls == nil {
		return nil
	}
	select {
	case <-stalls:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *disk) Append(ctx context.Context, partition, epoch int32, batch []byte) (int64, error) {
	if err := d.wait(ctx); err != nil {
		return -1, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.refuse != nil {
		return -1, d.refuse
	}
	d.epochs[partition] = epoch
	d.batches[partition] = append(d.batches[partition], slices.Clone(batch))
	return int64(len(d.batches[partition])), nil
}

func (d *disk) Verify(_ context.Context, partition int32, by Producer) (Append, error) {
	if d.verdict != nil {
		return d.Append, d.verdict(partition, by)
	}
	return d.Append, nil
}

func (d *disk) Read(partition int32) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		d.wait(context.Background())
		d.mu.Lock()
		batches := d.batches[partition]
		d.fails--
		fails := d.fails >= 0
		d.mu.Unlock()
		if fails {
			yield(nil, errors.New("disk on fire"))
			return
		}
		for _, b := range batches {
			if !yield(b, nil) {
				return
			}
		}
	}
}

func (d *disk) set(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f()
}

// known says that every topic but "nowhere" exists.
func known(topic string, _ int32) bool { return topic != "nowhere" }

// coordinate starts a coordinator of all partitions.
func coordinate(t *testing.T, d *disk, change ...func(*Settings)) *Coordinator {
	t.Helper()
	s := DefaultSettings()
	for _, f := range change {
		f(&s)
	}
	c := New(Config{Partitions: func() int32 { return partitions }, Store: d, Known: known, Settings: s, Log: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	for p := range int32(partitions) {
		c.Lead(p, 1)
	}
	synctest.Wait()
	return c
}

// A consumer is a client of one group.
type consumer struct {
	t          *testing.T
	c          *Coordinator
	name       string
	group      string
	id         string
	instance   *string
	generation int32
	protocols  []string
	session    time.Duration
	joined     *kmsg.JoinGroupResponse
	assignment string
}

func newConsumer(t *testing.T, c *Coordinator, name string) *consumer {
	return &consumer{t: t, c: c, name: name, group: "g", protocols: []string{"range"}, session: 10 * time.Second, generation: -1}
}

func (k *consumer) joinRequest() *kmsg.JoinGroupRequest {
	req := kmsg.NewPtrJoinGroupRequest()
	req.Version, req.Group, req.MemberID, req.InstanceID = 9, k.group, k.id, k.instance
	req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = int32(k.session.Milliseconds()), 20_000
	req.ProtocolType = "consumer"
	for _, p := range k.protocols {
		rp := kmsg.NewJoinGroupRequestProtocol()
		rp.Name, rp.Metadata = p, subscription(k.name)
		req.Protocols = append(req.Protocols, rp)
	}
	return req
}

// subscription subscribes to topic "orders" and tells a name.
func subscription(name string) []byte {
	s := kmsg.NewConsumerMemberMetadata()
	s.Topics, s.UserData = []string{"orders"}, []byte(name)
	return s.AppendTo(nil)
}

// join asks until it is a member, and returns the error that stopped it.
func (k *consumer) join() error {
	for {
		resp := k.c.JoinGroup(k.t.Context(), k.name, "/127.0.0.1", k.joinRequest())
		err := kerr.ErrorForCode(resp.ErrorCode)
		if errors.Is(err, kerr.MemberIDRequired) {
			k.id = resp.MemberID
			continue
		}
		if err == nil {
			k.id, k.generation, k.joined = resp.MemberID, resp.Generation, resp
		}
		return err
	}
}

// sync gets the assignment; the leader assigns each member its own name.
func (k *consumer) sync() error {
	req := kmsg.NewPtrSyncGroupRequest()
	req.Version, req.Group, req.MemberID, req.InstanceID, req.Generation = 5, k.group, k.id, k.instance, k.generation
	req.ProtocolType, req.Protocol = k.joined.ProtocolType, k.joined.Protocol
	for _, m := range k.joined.Members {
		a := kmsg.NewSyncGroupRequestGroupAssignment()
		a.MemberID, a.MemberAssignment = m.MemberID, []byte("for "+m.MemberID)
		req.GroupAssignment = append(req.GroupAssignment, a)
	}
	resp := k.c.SyncGroup(k.t.Context(), k.name, "", req)
	k.assignment = string(resp.MemberAssignment)
	return kerr.ErrorForCode(resp.ErrorCode)
}

func (k *consumer) heartbeat() error {
	req := kmsg.NewPtrHeartbeatRequest()
	req.Version, req.Group, req.MemberID, req.InstanceID, req.Generation = 4, k.group, k.id, k.instance, k.generation
	return kerr.ErrorForCode(k.c.Heartbeat(k.t.Context(), k.name, "", req).ErrorCode)
}

func (k *consumer) leave() error {
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Version, req.Group = 5, k.group
	m := kmsg.NewLeaveGroupRequestMember()
	m.MemberID, m.InstanceID = k.id, k.instance
	req.Members = append(req.Members, m)
	resp := k.c.LeaveGroup(k.t.Context(), k.name, "", req)
	if resp.ErrorCode != 0 {
		return kerr.ErrorForCode(resp.ErrorCode)
	}
	return kerr.ErrorForCode(resp.Members[0].ErrorCode)
}

func (k *consumer) commit(partition int32, offset int64) error {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Version, req.Group, req.MemberID, req.InstanceID, req.Generation = 8, k.group, k.id, k.instance, k.generation
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Partition, p.Offset, p.LeaderEpoch, p.Metadata = partition, offset, 7, kmsg.StringPtr("by "+k.name)
	t := kmsg.NewOffsetCommitRequestTopic()
	t.Topic, t.Partitions = "orders", append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return kerr.ErrorForCode(k.c.OffsetCommit(k.t.Context(), k.name, "", req).Topics[0].Partitions[0].ErrorCode)
}

// position fetches all offsets of the group and returns that of a partition of orders.
func (k *consumer) position(partition int32) (int64, error) {
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Version = 8
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = k.group
	req.Groups = append(req.Groups, g)
	resp := k.c.OffsetFetch(k.t.Context(), k.name, "", req).Groups[0]
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if p.Partition == partition {
				return p.Offset, nil
			}
		}
	}
	return -1, kerr.ErrorForCode(resp.ErrorCode)
}

func (k *consumer) state() string {
	req := kmsg.NewPtrDescribeGroupsRequest()
	req.Version, req.Groups = 5, []string{k.group}
	return k.c.DescribeGroups(k.t.Context(), "", "", req).Groups[0].State
}

// together runs something for all consumers at once and returns their errors.
func together(consumers []*consumer, f func(*consumer) error) []error {
	errs := make([]error, len(consumers))
	var all sync.WaitGroup
	for i, k := range consumers {
		all.Go(func() { errs[i] = f(k) })
	}
	all.Wait()
	return errs
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func wants(t *testing.T, want error, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if !errors.Is(err, want) {
			t.Fatalf("%v, want %v", err, want)
		}
	}
}

// settled is a stable group of n members.
func settled(t *testing.T, c *Coordinator, n int) []*consumer {
	t.Helper()
	var all []*consumer
	for i := range n {
		all = append(all, newConsumer(t, c, string(rune('a'+i))))
	}
	must(t, together(all, (*consumer).join)...)
	must(t, together(all, (*consumer).sync)...)
	return all
}

// leaderFirst moves the leader to the front.
func leaderFirst(all []*consumer) []*consumer {
	slices.SortStableFunc(all, func(a, b *consumer) int {
		isLeader := func(k *consumer) int {
			if k.id == k.joined.LeaderID {
				return 0
			}
			return 1
		}
		return isLeader(a) - isLeader(b)
	})
	return all
}

func TestJavaHash(t *testing.T) {
	for id, want := range map[string]int32{
		"":                   0,
		"a":                  97 % partitions,
		"hello":              99162322 % partitions,
		"é":                  233 % partitions,
		"😀":                  1772899 % partitions, // two UTF-16 units
		"polygenelubricants": 0,                    // the most negative hash
		"Aa":                 2112 % partitions,
		"BB":                 2112 % partitions,
	} {
		if got := PartitionOf(id, partitions); got != want {
			t.Errorf("%q belongs to %d, want %d", id, got, want)
		}
	}
}

func TestMembersShareAGeneration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		all := settled(t, coordinate(t, newDisk()), 3)
		if waited := time.Since(began); waited != 6*time.Second {
			t.Errorf("joined after %v, want the initial delay, once more for the second member", waited)
		}
		leaders := 0
		for _, k := range all {
			if k.generation != 1 || *k.joined.Protocol != "range" || k.assignment != "for "+k.id {
				t.Errorf("%s: generation %d, assignment %q", k.name, k.generation, k.assignment)
			}
			if k.id == k.joined.LeaderID {
				leaders++
				if len(k.joined.Members) != 3 {
					t.Errorf("the leader knows %d members", len(k.joined.Members))
				}
			} else if len(k.joined.Members) != 0 {
				t.Errorf("%s is told the members", k.name)
			}
		}
		if leaders != 1 || all[0].state() != "Stable" {
			t.Errorf("%d leaders, state %s", leaders, all[0].state())
		}
	})
}

func TestLateComersExtendTheFirstRebalance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := coordinate(t, newDisk())
		began := time.Now()
		var all []*consumer
		for _, name := range []string{"a", "b", "c"} {
			all = append(all, newConsumer(t, c, name))
		}
		errs := together(all, func(k *consumer) error {
			time.Sleep(2 * time.Second * time.Duration(k.name[0]-'a')) // at 0, 2 and 4 s
			return k.join()
		})
		must(t, errs...)
		if waited := time.Since(began); waited != 9*time.Second { // 3, extended at 3 (b) and 6 (c)
			t.Errorf("joined after %v", waited)
		}
	})
}

func TestASilentMemberIsReplacedByARebalance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := leaderFirst(settled(t, coordinate(t, newDisk()), 3))
		silent, rest := all[0], all[1:]
		for range 3 { // 9 s, the session is 10
			time.Sleep(3 * time.Second)
			must(t, together(rest, (*consumer).heartbeat)...)
		}
		time.Sleep(2 * time.Second)
		wants(t, kerr.RebalanceInProgress, together(rest, (*consumer).heartbeat)...)
		must(t, together(rest, (*consumer).join)...)
		must(t, together(rest, (*consumer).sync)...)
		wants(t, kerr.UnknownMemberID, silent.heartbeat())
		for _, k := range rest {
			if k.generation != 2 {
				t.Errorf("generation %d", k.generation)
			}
			must(t, k.heartbeat())
		}
		wants(t, kerr.UnknownMemberID, silent.join())
	})
}

func TestWhoDoesNotRejoinInTimeIsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := coordinate(t, newDisk())
		all := settled(t, c, 2)
		slow := all[1]
		newcomer := newConsumer(t, c, "z")
		began := time.Now()
		var wait sync.WaitGroup
		wait.Go(func() {
			for time.Since(began) < 19*time.Second { // alive, but it never joins again
				if err := slow.heartbeat(); time.Since(began) > 0 && !errors.Is(err, kerr.RebalanceInProgress) {
					t.Errorf("after %v: %v", time.Since(began), err)
				}
				time.Sleep(3 * time.Second)
			}
		})
		must(t, together([]*consumer{all[0], newcomer}, (*consumer).join)...)
		if waited := time.Since(began); waited != 20*time.Second {
			t.Errorf("the rebalance took %v, want the rebalance timeout", waited)
		}
		wait.Wait()
		wants(t, kerr.UnknownMemberID, slow.heartbeat())
	})
}

func TestWhoDoesNotSyncIsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := coordinate(t, newDisk())
		all := []*consumer{newConsumer(t, c, "a"), newConsumer(t, c, "b")}
		must(t, together(all, (*consumer).join)...)
		all = leaderFirst(all)
		must(t, all[0].sync())
		for range 7 {
			time.Sleep(3 * time.Second)
			all[0].heartbeat()
			all[1].heartbeat()
		}
		wants(t, kerr.UnknownMemberID, all[1].heartbeat())
		wants(t, kerr.RebalanceInProgress, all[0].heartbeat())
	})
}

func TestLeavingIsNoticedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := settled(t, coordinate(t, newDisk()), 2)
		must(t, all[0].leave())
		wants(t, kerr.UnknownMemberID, all[0].leave())
		began := time.Now()
		wants(t, kerr.RebalanceInProgress, all[1].heartbeat())
		must(t, all[1].join(), all[1].sync())
		if time.Since(began) != 0 || all[1].joined.LeaderID != all[1].id {
			t.Errorf("took %v", time.Since(began))
		}
		must(t, all[1].leave())
		if s := all[1].state(); s != "Empty" {
			t.Error(s)
		}
	})
}

func TestProtocols(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := coordinate(t, newDisk())
		a, b, d := newConsumer(t, c, "a"), newConsumer(t, c, "b"), newConsumer(t, c, "d")
		a.protocols, b.protocols, d.protocols = []string{"sticky", "range"}, []string{"range", "robin", "sticky"}, []string{"range", "sticky"}
		must(t, together([]*consumer{a, b, d}, (*consumer).join)...)
		if *a.joined.Protocol != "range" { // two votes to one
			t.Error(*a.joined.Protocol)
		}
		stranger := newConsumer(t, c, "s")
		stranger.protocols = []string{"robin"}
		wants(t, kerr.InconsistentGroupProtocol, stranger.join())
		stranger.protocols = nil
		wants(t, kerr.InconsistentGroupProtocol, stranger.join())
	})
}

// Since version 5 whoever syncs says for which protocol (KIP-559).
func TestWhoSyncsNamesTheProtocol(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := settled(t, coordinate(t, newDisk()), 1)[0]
		k.joined.Protocol = nil
		wants(t, kerr.InconsistentGroupProtocol, k.sync())
	})
}

func TestSessionTimeoutsHaveLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newConsumer(t, coordinate(t, newDisk()), "a")
		for _, s := range []time.Duration{time.Second, time.Hour} {
			k.session = s
			wants(t, kerr.InvalidSessionTimeout, k.join())
		}
		k.group, k.session = "", 10*time.Second
		wants(t, kerr.InvalidGroupID, k.join(), k.heartbeat())
	})
}

func TestAGroupHasRoomForSoMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		most := func(n int) func(*Settings) { return func(s *Settings) { s.MaxSize = n } }
		c := coordinate(t, d, most(2))
		all := settled(t, c, 2)
		late := newConsumer(t, c, "late")
		if err := late.join(); !errors.Is(err, kerr.GroupMaxSizeReached) {
			t.Fatalf("the third of two: %v", err)
		}
		must(t, all[0].heartbeat()) // nobody had to rebalance for that
		must(t, all[0].leave())
		synctest.Wait()
		joined := make(chan error)
		go func() { joined <- late.join() }() // there is room
		synctest.Wait()
		must(t, all[1].join(), <-joined)
		both := []*consumer{late, all[1]}
		must(t, together(both, (*consumer).sync)...)

		// Another coordinator allows one member. The group rebalances, and has room for who rejoins first.
		smaller := coordinate(t, d, most(1))
		for _, k := range both {
			k.c = smaller
		}
		refused := 0
		for _, err := range together(both, (*consumer).join) {
			if errors.Is(err, kerr.GroupMaxSizeReached) {
				refused++
			} else if err != nil {
				t.Error(err)
			}
		}
		if refused != 1 {
			t.Errorf("%d are refused, want 1", refused)
		}
	})
}

func TestAnUnusedMemberIDLapses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := coordinate(t, newDisk())
		all := settled(t, c, 1)
		ghost := newConsumer(t, c, "ghost")
		resp := c.JoinGroup(t.Context(), "ghost", "", ghost.joinRequest())
		wants(t, kerr.MemberIDRequired, kerr.ErrorForCode(resp.ErrorCode))
		for range 5 {
			time.Sleep(3 * time.Second)
			must(t, all[0].heartbeat())
		}
		ghost.id = resp.MemberID
		wants(t, kerr.UnknownMemberID, ghost.join())
	})
}

func TestOldClientsNeedNoMemberID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newConsumer(t, coordinate(t, newDisk()), "old")
		req := k.joinRequest()
		req.Version = 3
		resp := k.c.JoinGroup(t.Context(), "old", "", req)
		must(t, kerr.ErrorForCode(resp.ErrorCode))
		if resp.MemberID == "" || resp.LeaderID != resp.MemberID {
			t.Errorf("%+v", resp)
		}
	})
}

func TestAStaticMemberReturnsWithoutRebalance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := coordinate(t, newDisk())
		a, b := newConsumer(t, c, "a"), newConsumer(t, c, "b")
		a.instance, b.instance = kmsg.StringPtr("i-a"), kmsg.StringPtr("i-b")
		both := []*consumer{a, b}
		must(t, together(both, (*consumer).join)...)
		must(t, together(both, (*consumer).sync)...)

		old := *b
		b.id = ""
		must(t, b.join())
		if b.id == old.id || b.generation != 1 {
			t.Fatalf("%s, generation %d", b.id, b.generation)
		}
		must(t, b.sync(), a.heartbeat(), b.heartbeat())
		if b.assignment != "for "+old.id {
			t.Errorf("assignment %q", b.assignment)
		}
		wants(t, kerr.FencedInstanceID, old.heartbeat(), old.commit(0, 1), old.leave())

		// It is known under its new id after a change of coordinator too.
		synctest.Wait()
		next := coordinate(t, c.cfg.Store.(*disk), func(s *Settings) { s.MaxSize = 2 })
		a.c, b.c, old.c = next, next, next
		must(t, a.heartbeat(), b.heartbeat())
		wants(t, kerr.FencedInstanceID, old.heartbeat())

		// A group that is full has no place for who has no id yet.
		again := *b
		again.id = ""
		wants(t, kerr.GroupMaxSizeReached, again.join())
		must(t, a.heartbeat(), b.heartbeat())
	})
}

func TestMembersSurviveTheirCoordinator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		first := coordinate(t, d)
		all := settled(t, first, 3)
		must(t, all[0].commit(4, 42), all[1].commit(5, 1000))

		first.Resign(first.PartitionFor("g"))
		wants(t, kerr.NotCoordinator, together(all, (*consumer).heartbeat)...)
		next := coordinate(t, d)
		for _, k := range all {
			k.c = next
		}
		for range 5 {
			must(t, together(all, (*consumer).heartbeat)...)
			time.Sleep(5 * time.Second)
		}
		if p, err := all[2].position(4); p != 42 || err != nil {
			t.Error(p, err)
		}
		must(t, all[0].commit(4, 43))
		must(t, all[1].sync()) // who missed its assignment gets it from the log
		if all[1].assignment != "for "+all[1].id {
			t.Error(all[1].assignment)
		}
		time.Sleep(11 * time.Second)
		wants(t, kerr.UnknownMemberID, all[0].heartbeat())
	})
}

func TestWhoWaitsIsToldWhenTheCoordinatorMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		c := coordinate(t, d)
		all := []*consumer{newConsumer(t, c, "a"), newConsumer(t, c, "b")}
		must(t, together(all, (*consumer).join)...)
		all = leaderFirst(all)
		waiting := make(chan error, 1)
		go func() { waiting <- all[1].sync() }()
		synctest.Wait()
		c.Resign(c.PartitionFor("g"))
		wants(t, kerr.NotCoordinator, <-waiting)
		next := coordinate(t, d)
		all[0].c, all[1].c = next, next
		wants(t, kerr.UnknownMemberID, all[0].sync(), all[1].join())
		for _, k := range all {
			k.id = ""
		}
		must(t, together(all, (*consumer).join)...)
		must(t, together(all, (*consumer).sync)...)
	})
}

func TestWhoWaitsIsNotDisturbedByTheDeathOfAFollower(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		c := coordinate(t, d)
		all := []*consumer{newConsumer(t, c, "a"), newConsumer(t, c, "b")}
		must(t, together(all, (*consumer).join)...)
		all = leaderFirst(all)
		waiting := make(chan error, 1)
		go func() { waiting <- all[1].sync() }()
		synctest.Wait()
		number := c.PartitionFor("g")
		c.Lead(number, 2)
		must(t, all[0].sync(), <-waiting, all[0].commit(0, 7))
		if got := d.epochs[number]; got != 2 {
			t.Errorf("stored in epoch %d", got)
		}
		d.stalls = make(chan struct{})
		c.Lead(number, 4) // another may have led in epoch 3
		wants(t, kerr.CoordinatorLoadInProgress, all[0].commit(0, 8))
		close(d.stalls)
		synctest.Wait()
		must(t, all[0].commit(0, 9))
	})
}

func TestLoading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		d.stalls = make(chan struct{})
		d.fails = 3
		c := coordinate(t, d)
		k := newConsumer(t, c, "a")
		wants(t, kerr.CoordinatorLoadInProgress, k.join(), k.commit(0, 1))
		must(t, k.heartbeat())
		list := kmsg.NewPtrListGroupsRequest()
		wants(t, kerr.CoordinatorLoadInProgress, kerr.ErrorForCode(c.ListGroups(t.Context(), "", "", list).ErrorCode))
		close(d.stalls)
		time.Sleep(2 * time.Second) // reads that failed are tried again
		must(t, k.join())

		c.Lead(c.PartitionFor("g"), 1) // an old epoch changes nothing
		must(t, k.sync(), k.heartbeat())
	})
}

func TestBeforeTheTopicExists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := coordinate(t, newDisk())
		c.cfg.Partitions = func() int32 { return 0 }
		wants(t, kerr.CoordinatorNotAvailable, newConsumer(t, c, "a").join())
	})
}

func TestAnAssignmentThatIsNotStoredIsNotGiven(t *testing.T) {
	for refuse, want := range map[error]error{
		kerr.NotEnoughReplicas:     kerr.CoordinatorNotAvailable,
		kerr.NotLeaderForPartition: kerr.NotCoordinator,
		kerr.RequestTimedOut:       kerr.RebalanceInProgress,
	} {
		synctest.Test(t, func(t *testing.T) {
			d := newDisk()
			c := coordinate(t, d)
			k := newConsumer(t, c, "a")
			must(t, k.join())
			d.set(func() { d.refuse = refuse })
			wants(t, want, k.sync())
			d.set(func() { d.refuse = nil })
			wants(t, kerr.RebalanceInProgress, k.heartbeat())
			must(t, k.join(), k.sync(), k.heartbeat())
		})
	}
}

func TestOneGroupDoesNotWaitForAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		c := coordinate(t, d)
		a, b := newConsumer(t, c, "a"), newConsumer(t, c, "b")
		a.group, b.group = "Aa", "BB" // of one partition
		must(t, together([]*consumer{a, b}, (*consumer).join)...)
		must(t, b.sync())
		stalls := make(chan struct{})
		d.set(func() { d.stalls = stalls })
		done := make(chan error, 1)
		go func() { done <- a.sync() }()
		synctest.Wait()
		must(t, b.heartbeat(), a.heartbeat())
		time.Sleep(6 * time.Second) // more than the commit timeout
		wants(t, kerr.RebalanceInProgress, <-done)
		close(stalls)
	})
}
