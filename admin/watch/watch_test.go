package watch

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"kdrill/node/layout"
)

// follow runs a watcher until the test ends.
func follow(t *testing.T, cfg Config) *Watcher {
	t.Helper()
	w := New(cfg)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		for range w.Updates() {
		}
		<-done
	})
	return w
}

// next returns the next update of type T that holds.
func next[T Update](t *testing.T, w *Watcher, holds func(T) bool) T {
	t.Helper()
	limit := time.After(2 * time.Minute)
	for {
		select {
		case u := <-w.Updates():
			if u, ok := u.(T); ok && holds(u) {
				return u
			}
		case <-limit:
			t.Fatalf("no %v", reflect.TypeFor[T]())
		}
	}
}

func any1[T Update](T) bool { return true }

func put(t *testing.T, conn *zk.Conn, path string, value any, flags int32) {
	t.Helper()
	parts := strings.Split(strings.Trim(path, "/"), "/")
	for i := range len(parts) - 1 {
		parent := "/" + strings.Join(parts[:i+1], "/")
		if _, err := conn.Create(parent, nil, 0, zk.WorldACL(zk.PermAll)); err != nil && err != zk.ErrNodeExists {
			t.Fatal(err)
		}
	}
	data, isBytes := value.([]byte)
	if !isBytes {
		data = layout.Encode(value)
	}
	if _, err := conn.Create(path, data, flags, zk.WorldACL(zk.PermAll)); err == zk.ErrNodeExists {
		if _, err := conn.Set(path, data, -1); err != nil {
			t.Fatal(err)
		}
	} else if err != nil {
		t.Fatal(err)
	}
}

func putTopic(t *testing.T, conn *zk.Conn, name string, partitions int) {
	t.Helper()
	replicas := slices.Repeat([][]int32{{1, 2, 3}}, partitions)
	put(t, conn, layout.Topic(name), layout.NewTopicAssignment("", replicas), 0)
	for p := range partitions {
		put(t, conn, layout.State(name, int32(p)), layout.PartitionState{Version: 1, Leader: 1, ControllerEpoch: 1, ISR: []int32{1, 2, 3}}, 0)
	}
}

func TestEveryChangeOfAClustersZnodesGoesUp(t *testing.T) {
	e := startEnsemble(t, 1)
	conn := client(t, e.direct...)
	w := follow(t, Config{Connect: e.addresses[0]})
	next(t, w, any1[Synced]) // nothing exists yet: every root waits to be created

	put(t, conn, layout.Broker(1), layout.BrokerRegistration{Version: 5, Host: "localhost", Port: 9092}, zk.FlagEphemeral)
	b := next(t, w, any1[Broker])
	_, stat, err := conn.Get(layout.Broker(1))
	if err != nil {
		t.Fatal(err)
	}
	if b.ID != 1 || b.Registration.Port != 9092 || b.Epoch != stat.Czxid || b.Session != conn.SessionID() {
		t.Errorf("broker %+v, stat %+v", b, stat)
	}

	put(t, conn, layout.ControllerEpoch, []byte("7"), 0)
	put(t, conn, layout.Controller, layout.NewControllerRegistration(1, time.Now()), zk.FlagEphemeral)
	next(t, w, func(u ControllerEpoch) bool { return u.Epoch == 7 })
	next(t, w, func(u Controller) bool { return u.ID == 1 && !u.At.IsZero() })

	putTopic(t, conn, "orders", 2)
	a := next(t, w, any1[Assignment])
	if a.Topic != "orders" || len(a.IDs()) != 2 {
		t.Errorf("assignment %+v", a)
	}
	next(t, w, func(u State) bool { return u.Partition == 1 && u.Leader == 1 })

	put(t, conn, layout.State("orders", 1), layout.PartitionState{Version: 1, Leader: 2, LeaderEpoch: 1, ControllerEpoch: 1, ISR: []int32{2, 3}}, 0)
	s := next(t, w, func(u State) bool { return u.Partition == 1 && u.Leader == 2 })
	_, stat, err = conn.Get(layout.State("orders", 1))
	if err != nil {
		t.Fatal(err)
	}
	if s.LeaderEpoch != 1 || s.Version != stat.Version || s.At.UnixMilli() != stat.Mtime || !slices.Equal(s.ISR, []int32{2, 3}) {
		t.Errorf("state %+v, stat %+v", s, stat)
	}

	drop := func(path string) {
		t.Helper()
		if err := conn.Delete(path, -1); err != nil {
			t.Fatal(err)
		}
	}
	drop(layout.Broker(1))
	next(t, w, func(u Brokers) bool { return len(u.IDs) == 0 })
	drop(layout.Controller) // what changes at once may come up in any order
	next(t, w, func(u Controller) bool { return u.ID == layout.NoLeader })
}

func TestATopicThatIsMadeAgainIsWatchedAgain(t *testing.T) {
	e := startEnsemble(t, 1)
	conn := client(t, e.direct...)
	putTopic(t, conn, "orders", 1)
	w := follow(t, Config{Connect: e.addresses[0]})
	first := next(t, w, any1[State])
	for _, path := range []string{layout.State("orders", 0), layout.Partition("orders", 0), layout.Partitions("orders"), layout.Topic("orders")} {
		if err := conn.Delete(path, -1); err != nil {
			t.Fatal(err)
		}
	}
	next(t, w, func(u Topics) bool { return len(u.Names) == 0 })
	putTopic(t, conn, "orders", 1)
	again := next(t, w, any1[State])
	if again.Created <= first.Created {
		t.Errorf("created at %d, before at %d", again.Created, first.Created)
	}
}

func TestAHungCoordinatorIsLeftAndNothingIsMissed(t *testing.T) {
	e := startEnsemble(t, 3)
	conn := client(t, e.direct...)
	putTopic(t, conn, "orders", 1)
	w := follow(t, Config{Connect: strings.Join(e.addresses, ","), Session: time.Second})
	next(t, w, any1[Synced])

	e.serving(t).hang(true)
	put(t, conn, layout.State("orders", 0), layout.PartitionState{Version: 1, Leader: 3, LeaderEpoch: 1, ControllerEpoch: 1, ISR: []int32{3}}, 0)
	hung := time.Now()
	next(t, w, any1[Offline])
	next(t, w, func(u State) bool { return u.Leader == 3 })
	t.Logf("told %v after the coordinator hung", time.Since(hung).Round(time.Millisecond))
}

func TestStatesBeyondTheBoundAreNotWatched(t *testing.T) {
	e := startEnsemble(t, 1)
	conn := client(t, e.direct...)
	putTopic(t, conn, "orders", 5)
	w := follow(t, Config{Connect: e.addresses[0], MaxPartitions: 3})
	states := 0
	limit := time.After(2 * time.Minute)
	for synced := false; !synced; {
		select {
		case u := <-w.Updates():
			switch u.(type) {
			case State:
				states++
			case Synced:
				synced = true
			}
		case <-limit:
			t.Fatal("never synced")
		}
	}
	if states != 3 {
		t.Errorf("%d states read, want 3", states)
	}
}

func TestAChrootIsPutBeforeEveryPath(t *testing.T) {
	e := startEnsemble(t, 1)
	conn := client(t, e.direct...)
	put(t, conn, "/kafka"+layout.ControllerEpoch, []byte("3"), 0)
	w := follow(t, Config{Connect: e.addresses[0] + "/kafka"})
	next(t, w, func(u ControllerEpoch) bool { return u.Epoch == 3 })
	put(t, conn, "/kafka"+layout.ControllerEpoch, []byte("4"), 0)
	next(t, w, func(u ControllerEpoch) bool { return u.Epoch == 4 })
}
