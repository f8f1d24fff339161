package admin

import (
	"testing"
	"time"
)

// TestAPauseThatNobodyNoticedIsOverOnceTheNodeAnswersAsBefore: it goes on before its session ended, keeps its registration
// and its place in every isr.
func TestAPauseThatNobodyNoticedIsOverOnceTheNodeAnswersAsBefore(t *testing.T) {
	fault := Event{At: base, Kind: KindFault, Subject: "broker-1", New: "pause", Note: "kdrill pause broker-1"}
	seen := func(ms int, change func(*Snapshot)) *Snapshot {
		s := later(func(s *Snapshot) {
			s.Brokers[0].Answered = at(ms)
			change(s)
		})
		s.At = at(ms)
		return s
	}
	as := func(*Snapshot) {}
	begun := Begin(fault, three(), 2*time.Second).Observe([]Event{{At: at(1), Kind: KindPaused, Subject: "broker-1"}}, seen(300, as))
	if begun.Over() || begun.Left(at(500)) != 1500*time.Millisecond {
		t.Fatalf("%+v", begun)
	}
	resumed := []Event{{At: at(800), Kind: KindResumed, Subject: "broker-1"}}
	r := begun.Observe(resumed, seen(810, as))
	if r.Over() || r.Left(at(900)) != 0 || r.Verdict() != "resumed after 800 ms: waiting for broker-1 to answer in sync" {
		t.Errorf("at once: %q, over %v", r.Verdict(), r.Over())
	}
	for what, harm := range map[string]func(*Snapshot){
		"registered anew":        func(s *Snapshot) { s.Brokers[0].Epoch++ },
		"not registered":         func(s *Snapshot) { s.Brokers[0].Registered = false },
		"does not answer":        func(s *Snapshot) { s.Brokers[0].Error = "did not answer within 900 ms" },
		"out of an isr":          func(s *Snapshot) { partition(s, 1).ISR = []int32{2, 3} },
		"has not answered since": func(s *Snapshot) { s.Brokers[0].Answered = at(700) },
	} {
		if r := r.Observe(nil, seen(1500, harm)); r.NoEffect {
			t.Errorf("%s: no effect", what)
		}
	}
	other := r.Observe(nil, seen(1500, func(s *Snapshot) { partition(s, 1).ISR = []int32{1, 2} })) // of another fault
	for _, r := range []Recovery{r.Observe(nil, seen(1500, as)), other} {
		if !r.Over() || !r.Healed() || r.Took() != 800*time.Millisecond || r.Verdict() != "no effect: resumed after 800 ms, before its session ended" {
			t.Errorf("%q, over %v after %v", r.Verdict(), r.Over(), r.Took())
		}
	}
}

func TestAPausedCoordinatorIsOverWithALeader(t *testing.T) {
	fault := Event{At: base, Kind: KindFault, Subject: "coordinator-2", New: "pause"}
	r := Begin(fault, three(), 0).Observe([]Event{{At: at(1), Kind: KindPaused, Subject: "coordinator-2"}}, later(func(s *Snapshot) {
		s.At, s.Coordinators[1].Answered = at(100), at(-10)
	}))
	if r.Over() {
		t.Fatal("over without a leader")
	}
	r = r.Observe(nil, later(func(s *Snapshot) { s.At, s.Coordinators[1].Answered = at(900), at(800) }))
	if !r.Over() || r.Took() != 900*time.Millisecond {
		t.Errorf("%+v", r)
	}
}

// TestABrokerThatComesBackBeforeAnybodyTookOverLeadsAgain is the last replica of a partition, or one that is back too soon.
func TestABrokerThatComesBackBeforeAnybodyTookOverLeadsAgain(t *testing.T) {
	fault := Event{At: base, Kind: KindFault, Subject: "broker-1", New: "kill"}
	r := Begin(fault, three(), 2*time.Second).Observe([]Event{
		{At: at(5), Kind: KindExit, Subject: "broker-1", New: "signal 9"},
		{At: at(1500), Kind: KindSession, Subject: "broker-1"},
	}, later(func(s *Snapshot) { s.At, s.Brokers[0].Registered = at(1510), false }))
	if r.LedAgain != 0 || r.Over() {
		t.Fatalf("%+v", r)
	}
	r = r.Observe([]Event{{At: at(1600), Kind: KindJoined, Subject: "broker-1"}}, later(func(s *Snapshot) { s.At = at(1700) }))
	if r.LedAgain != 1 || r.Led != 1600*time.Millisecond || !r.Over() {
		t.Errorf("%d of %d led again after %v, over %v", r.LedAgain, r.ToLead, r.Led, r.Over())
	}
}

// TestAPartitionThatIsGivenToADeadNodeIsLostToo: the controller rebalances leaders before it knows that one has died.
func TestAPartitionThatIsGivenToADeadNodeIsLostToo(t *testing.T) {
	fault := Event{At: base, Kind: KindFault, Subject: "broker-3", New: "kill"}
	before := later(func(s *Snapshot) { partition(s, 2).Leader = 1 })
	r := Begin(fault, before, 2*time.Second).Observe([]Event{
		{At: at(5), Kind: KindExit, Subject: "broker-3", New: "signal 9"},
		{At: at(800), Kind: KindLeader, Subject: "orders/2", Old: "broker-1", New: "broker-3"},
		{At: at(1900), Kind: KindSession, Subject: "broker-3"},
	}, nil)
	if r.ToLead != 1 || r.LedAgain != 0 {
		t.Errorf("%d of %d led again, want 0 of 1", r.LedAgain, r.ToLead)
	}
	r = r.Observe([]Event{{At: at(1950), Kind: KindLeader, Subject: "orders/2", Old: "broker-3", New: "broker-1"}}, nil)
	if !r.Healed() || r.Led != 1950*time.Millisecond {
		t.Errorf("%d of %d led again after %v", r.LedAgain, r.ToLead, r.Led)
	}
}
