package admin

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestHealthNamesTheWorstOnly(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Snapshot)
		level  Level
		why    string
	}{
		{"all is well", func(*Snapshot) {}, Healthy, ""},
		{"a broker is gone", func(s *Snapshot) { s.Brokers[1].Registered = false; partition(s, 0).ISR = []int32{1, 3} }, Degraded, "broker-2 is gone"},
		{"a broker hangs", func(s *Snapshot) { s.Brokers[1].Error = "did not answer within 900 ms" }, Degraded, "broker-2 did not answer within 900 ms"},
		{"a replica lags", func(s *Snapshot) { partition(s, 0).ISR = []int32{1, 3} }, Degraded, "1 partition under-replicated"},
		{"acks=all is refused", func(s *Snapshot) { partition(s, 0).ISR = []int32{1}; s.Brokers[1].Registered = false }, Broken, "1 partition below min ISR: acks=all is refused"},
		{"nobody leads", func(s *Snapshot) { partition(s, 0).Leader = -1; partition(s, 1).ISR = []int32{2} }, Broken, "1 partition offline"},
		{"no controller", func(s *Snapshot) { s.Controller = -1 }, Degraded, "no controller"},
		{"one coordinator of three", func(s *Snapshot) { s.Coordinators[0].Role = ""; s.Coordinators[0].Error = "refuses connections" }, Degraded, "2 of 3 coordinators serve"},
		{"two coordinators of three", func(s *Snapshot) { s.Coordinators[0].Role = ""; s.Coordinators[1].Role = "" }, Broken, "no coordinator quorum: 1 of 3 serve"},
		{"coordinators were not asked yet", func(s *Snapshot) { s.Coordinators = []Coordinator{{Address: "z1"}} }, Healthy, ""},
		{"nothing answers", func(s *Snapshot) { s.Problem = "no broker answers" }, Broken, "no broker answers"},
		{"a partition whose state was not read yet", func(s *Snapshot) { *partition(s, 0) = Partition{Leader: -1, LeaderEpoch: -1} }, Healthy, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := three()
			tt.change(s)
			if h := Check(s); h.Level != tt.level || h.Why != tt.why {
				t.Errorf("%s %q, want %s %q", h.Level, h.Why, tt.level, tt.why)
			}
		})
	}
}

func TestTheBlastRadiusOfABroker(t *testing.T) {
	s := three()
	s.Groups[0].Coordinator = 1
	partition(s, 0).ISR = []int32{1, 3} // 2 is next in the assignment but not in sync
	partition(s, 1).ISR = []int32{2, 1} // would fall below min ISR
	partition(s, 2).Leader = 1          // not its preferred leader
	s.Topics[0].Partitions = append(s.Topics[0].Partitions, Partition{ID: 3, Leader: 1, Replicas: []int32{1, 2}, ISR: []int32{1}})
	got := BlastRadius(s, 1)
	orders := func(p int32) TopicPartition { return TopicPartition{"orders", p} }
	want := Blast{
		Node: "broker-1", Controller: true, Groups: []string{"billing"},
		Loses:       []LeaderMove{{orders(0), 1, 3}, {orders(2), 1, 3}, {orders(3), 1, -1}},
		Followers:   []TopicPartition{orders(1)},
		BelowMinISR: []ShortISR{{orders(0), 1, 2}, {orders(1), 1, 2}},
		Offline:     []TopicPartition{orders(3)},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]NextLeader{{3, 2}}, got.NextLeaders()); diff != "" {
		t.Error(diff)
	}
}

func TestBrokersThatEndTogetherDoNotTakeOverFromEachOther(t *testing.T) {
	got := BlastRadius(three(), 1, 2)
	if got.Node != "broker-1 and broker-2" || len(got.Loses) != 2 || got.Loses[0].Next != 3 || got.Loses[1].Next != 3 || len(got.BelowMinISR) != 3 {
		t.Errorf("%+v", got)
	}
	if b := CoordinatorBlast(three(), "z1", "z2"); b.Quorum.Holds() || b.Quorum.Serving != 1 || !b.Quorum.Leader {
		t.Errorf("%+v", *b.Quorum)
	}
}

func TestNobodyElectsABrokerThatIsGone(t *testing.T) {
	s := three()
	s.Brokers[1].Registered = false
	if got := BlastRadius(s, 1).Loses; len(got) != 1 || got[0].Next != 3 {
		t.Errorf("%+v", got)
	}
}

func TestTheBlastRadiusOfACoordinator(t *testing.T) {
	s := three()
	b := CoordinatorBlast(s, "z2")
	if want := (Quorum{Serving: 2, Needed: 2, Size: 3, Leader: true}); *b.Quorum != want || !b.Quorum.Holds() {
		t.Errorf("%+v, want %+v", *b.Quorum, want)
	}
	s.Coordinators[0].Role = ""
	if b := CoordinatorBlast(s, "z3"); b.Quorum.Holds() || b.Quorum.Leader {
		t.Errorf("%+v", *b.Quorum)
	}
}

func TestTheStopwatchOfAKilledBroker(t *testing.T) {
	fault := Event{At: base, Kind: KindFault, Subject: "broker-1", New: "kill", Note: "kdrill kill broker-1"}
	r := Begin(fault, three(), 2*time.Second)
	if r.ToLead != 1 || r.ToSync != 3 || !r.MoveController {
		t.Fatalf("%+v", r)
	}
	if left := r.Left(at(500)); left != 1500*time.Millisecond {
		t.Errorf("%v of the session left", left)
	}
	expect := func(step, verdict string, healed, over bool) {
		t.Helper()
		if r.Verdict() != verdict || r.Healed() != healed || r.Over() != over {
			t.Errorf("%s: %q healed %v over %v, want %q %v %v", step, r.Verdict(), r.Healed(), r.Over(), verdict, healed, over)
		}
	}
	expect("begun", "waiting for the session of broker-1 to end", false, false)

	before := r
	r = r.Observe([]Event{
		{At: at(-5), Kind: KindLeader, Subject: "orders/0", New: "broker-3"}, // before the fault
		{At: at(3), Kind: KindExit, Subject: "broker-1", New: "signal 9"},
		{At: at(2021), Kind: KindSession, Subject: "broker-1"},
		{At: at(2052), Kind: KindController, Subject: "controller", Old: "broker-1", New: "broker-2"},
	}, nil)
	expect("detected", "0 of 1 led again", false, false)
	if before.Detected != 0 || r.Exited != 3*time.Millisecond || r.Detected != 2021*time.Millisecond || r.Controller != 2052*time.Millisecond || r.Left(at(2100)) != 0 {
		t.Errorf("before %+v\nnow %+v", before, r)
	}

	away := func(s *Snapshot) {
		s.Brokers[0].Registered = false
		for i := range 3 {
			partition(s, i).ISR = []int32{2, 3}
		}
		partition(s, 0).Leader = 2
	}
	r = r.Observe([]Event{
		{At: at(2101), Kind: KindLeader, Subject: "orders/0", Old: "broker-1", New: "broker-2"},
		{At: at(2110), Kind: KindLeader, Subject: "orders/1", Old: "broker-2", New: "broker-3"}, // was not its own
	}, func() *Snapshot { s := later(away); s.At = at(2200); return s }())
	expect("led", "1 partition led again after 2.1 s; ISR full: waiting for broker-1", true, false)

	back := later(func(s *Snapshot) {
		for i := range 3 {
			partition(s, i).ChangedAt = at(11818)
		}
		partition(s, 0).Leader = 2
	})
	back.At = at(11900)
	r = r.Observe([]Event{{At: at(11469), Kind: KindJoined, Subject: "broker-1"}}, back)
	expect("back", "1 partition led again after 2.1 s; ISR full after 11.8 s", true, true)
	if r.InSync != 3 || r.Returned != 11469*time.Millisecond || r.Full != 11818*time.Millisecond {
		t.Errorf("%+v", r)
	}
}

func TestTheStopwatchOfABrokerThatLedNothing(t *testing.T) {
	before := three()
	before.Controller = 2
	partition(before, 0).Leader = 2
	r := Begin(Event{At: base, Subject: "broker-1"}, before, 0).Observe([]Event{{At: at(10), Kind: KindSession, Subject: "broker-1"}}, nil)
	if want := "no partition lost its leader; ISR full: waiting for broker-1"; r.Verdict() != want || !r.Healed() {
		t.Errorf("%q healed %v", r.Verdict(), r.Healed())
	}
}

func TestTheStopwatchOfACoordinator(t *testing.T) {
	r := Begin(Event{At: base, Subject: "coordinator-2"}, three(), 0)
	r = r.Observe([]Event{{At: at(300), Kind: KindCoordinator, Subject: "coordinators", Old: "z2", New: "z3"}}, nil)
	if !r.Over() || r.Verdict() != "the coordinators have a leader after 300 ms" {
		t.Errorf("%+v %q", r, r.Verdict())
	}
}

func TestALeaderThatEndedIsNoLeader(t *testing.T) {
	r := Begin(Event{At: base, Subject: "coordinator-2"}, three(), 0)
	r = r.Observe([]Event{{At: at(5), Kind: KindExit, Subject: "coordinator-2", New: "signal 9"}}, nil)
	seen := func(after int, leader string, answered int) *Snapshot {
		return &Snapshot{At: at(after), Coordinators: []Coordinator{{Address: leader, Role: "leader", Answered: at(answered)}}}
	}
	if r := r.Observe(nil, seen(10, "z2", -400)); r.Over() {
		t.Errorf("over by what the killed leader said before: %q", r.Verdict())
	}
	if r := r.Observe(nil, seen(700, "z3", 650)); !r.Over() {
		t.Errorf("not over: %q", r.Verdict())
	}
}
