package admin

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// base is when the snapshots of the tables below were taken.
var base = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func at(ms int) time.Time { return base.Add(time.Duration(ms) * time.Millisecond) }

// three is a healthy cluster of three brokers and three coordinators with one topic.
func three() *Snapshot {
	s := &Snapshot{
		At: base, ClusterID: "c", Mode: ModeZooKeeper, Controller: 1, ControllerEpoch: 4, TopicsAt: base, GroupsAt: base, Watching: true, watched: true,
		Coordinators: []Coordinator{{Address: "z1", Role: "follower", Answered: base}, {Address: "z2", Role: "leader", Answered: base}, {Address: "z3", Role: "follower", Answered: base}},
	}
	for id := int32(1); id <= 3; id++ {
		s.Brokers = append(s.Brokers, Broker{ID: id, Registered: true, Epoch: int64(10 * id), Answered: base})
	}
	s.Topics = []*Topic{{Name: "orders", ID: "A", MinISR: 2, Partitions: []Partition{
		{ID: 0, Leader: 1, LeaderEpoch: 3, Replicas: []int32{1, 2, 3}, ISR: []int32{1, 2, 3}},
		{ID: 1, Leader: 2, LeaderEpoch: 5, Replicas: []int32{2, 3, 1}, ISR: []int32{2, 3, 1}},
		{ID: 2, Leader: 3, LeaderEpoch: 1, Replicas: []int32{3, 1, 2}, ISR: []int32{3, 1, 2}},
	}}}
	s.Groups = []Group{{ID: "billing", State: "Stable", Coordinator: 2, At: base, Members: []Member{{ID: "m1"}, {ID: "m2"}}}}
	return s
}

// later is the same cluster, seen again, with a change.
func later(change func(*Snapshot)) *Snapshot {
	s := three()
	s.At = at(1000)
	change(s)
	return s
}

func partition(s *Snapshot, i int) *Partition { return &s.Topics[0].Partitions[i] }

func TestDiffTellsWhatHappened(t *testing.T) {
	end := at(1000)
	tests := []struct {
		name   string
		prev   func(*Snapshot)
		change func(*Snapshot)
		want   []Event
	}{
		{name: "nothing", change: func(*Snapshot) {}},
		{
			name: "a leader dies and another takes over, at the time the cluster recorded",
			change: func(s *Snapshot) {
				p := partition(s, 0)
				p.Leader, p.LeaderEpoch, p.ISR, p.ChangedAt = 2, 4, []int32{2, 3}, at(700)
			},
			want: []Event{
				{At: at(700), Kind: KindLeader, Subject: "orders/0", Old: "broker-1", New: "broker-2", OldEpoch: 3, NewEpoch: 4},
				{At: at(700), Kind: KindISR, Subject: "orders/0", Old: "1,2,3", New: "2,3", Note: "broker-1 is out of sync"},
			},
		},
		{
			name:   "replicas come back",
			prev:   func(s *Snapshot) { partition(s, 0).ISR = []int32{1} },
			change: func(*Snapshot) {},
			want:   []Event{{At: end, Kind: KindISR, Subject: "orders/0", Old: "1", New: "1,2,3", Note: "broker-2, broker-3 are back in sync"}},
		},
		{name: "the order of the replicas in sync is no news", change: func(s *Snapshot) { partition(s, 0).ISR = []int32{3, 2, 1} }},
		{
			name:   "too few in sync",
			prev:   func(s *Snapshot) { partition(s, 0).ISR = []int32{1, 2} },
			change: func(s *Snapshot) { partition(s, 0).ISR = []int32{1} },
			want: []Event{
				{At: end, Kind: KindISR, Subject: "orders/0", Old: "1,2", New: "1", Note: "broker-2 is out of sync"},
				{At: end, Kind: KindBelowMinISR, Subject: "orders/0", New: "1 of 2"},
			},
		},
		{
			name: "offline",
			prev: func(s *Snapshot) { p := partition(s, 0); p.ISR = []int32{1}; s.Topics[0].MinISR = 1 },
			change: func(s *Snapshot) {
				p := partition(s, 0)
				p.ISR, p.Leader, p.LeaderEpoch = []int32{1}, -1, 4
				s.Topics[0].MinISR = 1
			},
			want: []Event{{At: end, Kind: KindOffline, Subject: "orders/0", Old: "broker-1", New: "none", OldEpoch: 3, NewEpoch: 4, Note: "no replica in sync is left to lead"}},
		},
		{
			name:   "led again after it was offline",
			prev:   func(s *Snapshot) { partition(s, 0).Leader = -1 },
			change: func(s *Snapshot) { partition(s, 0).LeaderEpoch = 4 },
			want:   []Event{{At: end, Kind: KindLeader, Subject: "orders/0", Old: "none", New: "broker-1", OldEpoch: 3, NewEpoch: 4}},
		},
		{
			name:   "a state that is read for the first time is no news",
			prev:   func(s *Snapshot) { *partition(s, 0) = Partition{Leader: -1, LeaderEpoch: -1} },
			change: func(*Snapshot) {},
		},
		{
			name:   "another controller",
			change: func(s *Snapshot) { s.Controller, s.ControllerEpoch, s.controllerAt = 3, 5, at(400) },
			want:   []Event{{At: at(400), Kind: KindController, Subject: "controller", Old: "broker-1", New: "broker-3", OldEpoch: 4, NewEpoch: 5}},
		},
		{
			name:   "the same controller is elected again",
			change: func(s *Snapshot) { s.ControllerEpoch, s.controllerAt = 5, at(400) },
			want:   []Event{{At: at(400), Kind: KindController, Subject: "controller", Old: "broker-1", New: "broker-1", OldEpoch: 4, NewEpoch: 5}},
		},
		{name: "the epoch of the controller is read for the first time", prev: func(s *Snapshot) { s.ControllerEpoch = -1 }, change: func(*Snapshot) {}},
		{
			name:   "another controller after there was none for a while",
			prev:   func(s *Snapshot) { one := int32(1); s.Controller, s.formerController = -1, &one },
			change: func(s *Snapshot) { s.Controller, s.ControllerEpoch = 3, 5 },
			want:   []Event{{At: end, Kind: KindController, Subject: "controller", Old: "broker-1", New: "broker-3", OldEpoch: 4, NewEpoch: 5}},
		},
		{name: "no controller yet", change: func(s *Snapshot) { s.Controller = -1 }},
		{
			name: "another coordinator leads",
			change: func(s *Snapshot) {
				s.Coordinators[1].Role, s.Coordinators[2].Role = "", "leader"
			},
			want: []Event{{At: end, Kind: KindCoordinator, Subject: "coordinators", Old: "z2", New: "z3"}},
		},
		{
			name:   "a session ends",
			change: func(s *Snapshot) { s.Brokers[1].Registered = false },
			want:   []Event{{At: end, Kind: KindSession, Subject: "broker-2", Note: "its registration is gone"}},
		},
		{
			name:   "a broker registers again",
			prev:   func(s *Snapshot) { s.Brokers[1].Registered, s.Brokers[1].goneAt = false, at(-9000) },
			change: func(s *Snapshot) { s.Brokers[1].registeredAt, s.Brokers[1].Epoch = at(400), 99 },
			want:   []Event{{At: at(400), Kind: KindJoined, Subject: "broker-2", Note: "after 9.4 s away"}},
		},
		{
			name:   "a broker bounces between two looks",
			change: func(s *Snapshot) { s.Brokers[1].registeredAt, s.Brokers[1].Epoch = at(400), 99 },
			want: []Event{
				{At: at(400), Kind: KindSession, Subject: "broker-2", Note: "a new session took over"},
				{At: at(400), Kind: KindJoined, Subject: "broker-2"},
			},
		},
		{
			name:   "a broker is added",
			change: func(s *Snapshot) { s.Brokers = append(s.Brokers, Broker{ID: 4, Registered: true}) },
			want:   []Event{{At: end, Kind: KindJoined, Subject: "broker-4"}},
		},
		{
			name:   "a broker hangs",
			change: func(s *Snapshot) { s.Brokers[1].Error = "did not answer within 900 ms" },
			want:   []Event{{At: end, Kind: KindObserver, Subject: "broker-2", Note: "did not answer within 900 ms"}},
		},
		{
			name: "topics are created, deleted and get partitions",
			prev: func(s *Snapshot) { s.Topics = append(s.Topics, &Topic{Name: "payments"}) },
			change: func(s *Snapshot) {
				s.Topics[0].Partitions = append(s.Topics[0].Partitions, Partition{ID: 3})
				s.Topics = append(s.Topics, &Topic{Name: "refunds", createdAt: at(5), Partitions: make([]Partition, 2)})
			},
			want: []Event{
				{At: at(5), Kind: KindTopicCreated, Subject: "refunds", New: "2 partitions"},
				{At: end, Kind: KindTopicDeleted, Subject: "payments"},
				{At: end, Kind: KindPartitions, Subject: "orders", Old: "3", New: "4"},
			},
		},
		{
			name:   "a topic is deleted and made again",
			change: func(s *Snapshot) { s.Topics[0].ID = "B" },
			want: []Event{
				{At: end, Kind: KindTopicDeleted, Subject: "orders"},
				{At: end, Kind: KindTopicCreated, Subject: "orders", New: "3 partitions"},
			},
		},
		{
			name:   "a group rebalances",
			change: func(s *Snapshot) { s.Groups[0].State, s.Groups[0].At = "PreparingRebalance", at(900) },
			want:   []Event{{At: at(900), Kind: KindGroup, Subject: "billing", Old: "Stable", New: "PreparingRebalance", Note: "2 members"}},
		},
		{
			name:   "a member leaves and the coordinator moves",
			change: func(s *Snapshot) { s.Groups[0].Members, s.Groups[0].Coordinator = s.Groups[0].Members[:1], 3 },
			want: []Event{
				{At: base, Kind: KindGroup, Subject: "billing", Old: "broker-2", New: "broker-3", Note: "its coordinator moved"},
				{At: base, Kind: KindGroup, Subject: "billing", Old: "2 members", New: "1 member", Note: "rebalanced"},
			},
		},
		{
			name:   "a group appears, another is gone",
			prev:   func(s *Snapshot) { s.Groups[0].ID = "audit" },
			change: func(*Snapshot) {},
			want: []Event{
				{At: base, Kind: KindGroup, Subject: "billing", New: "Stable", Note: "2 members"},
				{At: end, Kind: KindGroup, Subject: "audit", Old: "Stable", New: "gone"},
			},
		},
		{
			name:   "the cluster cannot be reached",
			change: func(s *Snapshot) { s.Problem, s.Watching = "no broker answers", false },
			want: []Event{
				{At: end, Kind: KindObserver, Subject: "cluster", Note: "no broker answers"},
				{At: end, Kind: KindObserver, Subject: "coordinators", Note: "none serves us: changes are seen by polling brokers until one does"},
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			prev, next := three(), later(tt.change)
			if tt.prev != nil {
				tt.prev(prev)
			}
			if diff := cmp.Diff(tt.want, Diff(prev, next)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTheFirstSnapshotIsNoNews(t *testing.T) {
	if events := Diff(nil, three()); len(events) != 0 {
		t.Errorf("%+v", events)
	}
}

func TestEventsReadAsATimeline(t *testing.T) {
	for want, e := range map[string]Event{
		"lead|orders/0|broker-2 -> broker-3|epoch 3 -> 4":      {Kind: KindLeader, Subject: "orders/0", Old: "broker-2", New: "broker-3", OldEpoch: 3, NewEpoch: 4},
		"isr|orders/1|1,3,2 -> 1,3|broker-2 is out of sync":    {Kind: KindISR, Subject: "orders/1", Old: "1,3,2", New: "1,3", Note: "broker-2 is out of sync"},
		"exit|broker-2|signal 9|":                              {Kind: KindExit, Subject: "broker-2", New: "signal 9"},
		"gone|broker-2|session ended|its registration is gone": {Kind: KindSession, Subject: "broker-2", Note: "its registration is gone"},
		"isr|orders/0|below min ISR, 1 of 2|":                  {Kind: KindBelowMinISR, Subject: "orders/0", New: "1 of 2"},
		"lead|orders/0|offline|nobody, epoch 3 -> 4":           {Kind: KindOffline, Subject: "orders/0", Old: "broker-1", New: "none", Note: "nobody", OldEpoch: 3, NewEpoch: 4},
		"join|broker-2|registered|after 9.4 s away":            {Kind: KindJoined, Subject: "broker-2", Note: "after 9.4 s away"},
		"topic|orders|created, 3 partitions|":                  {Kind: KindTopicCreated, Subject: "orders", New: "3 partitions"},
		"done|broker-2|recovered in 11.8 s|":                   {Kind: KindRecovered, Subject: "broker-2", New: "11.8 s"},
	} {
		tag, subject, change, note := e.Columns()
		if got := tag + "|" + subject + "|" + change + "|" + note; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
