package quorum

import (
	"bufio"
	"bytes"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

func TestAnOriginTakesEachProposalOnceAndInOrder(t *testing.T) {
	var o origin
	for i, step := range []struct {
		life int64
		seq  uint64
		want bool
	}{
		{5, 2, false}, // 1 was lost on its way
		{5, 1, true},
		{5, 1, false}, // sent again
		{5, 2, true},
		{4, 3, false}, // of an older life
		{6, 3, false}, // the node restarted
		{6, 1, true},
		{5, 3, false},
		{6, 2, true},
	} {
		if got := o.accepts(step.life, step.seq); got != step.want {
			t.Errorf("step %d: %v", i+1, got)
		}
	}
}

// A leader that loses, repeats and reorders whole sendings must not change what is applied.
func TestProposalsSurviveALossyWay(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 1))
		out := outbox{node: 3}
		out.open(77)
		var o origin
		var log [][]byte // what the leader has put into the log
		submitted, next := 0, 0
		for next < 200 {
			for range r.IntN(5) {
				if submitted < 200 {
					out.add([]byte{byte(submitted)}, submitted)
					submitted++
				}
			}
			data, last := out.unsent(1 + r.IntN(100))
			if r.IntN(4) > 0 { // else it is lost
				log = append(log, data...)
			}
			if len(data) > 0 {
				out.delivered(last)
			}
			if r.IntN(5) == 0 {
				out.resend()
			}
			if len(log) == 0 {
				continue
			}
			take := r.IntN(len(log)) + 1
			for _, b := range log[:take] {
				node, life, seq, payload, err := unseal(b)
				if err != nil || node != 3 {
					t.Fatal(node, err)
				}
				if !o.accepts(life, seq) {
					continue
				}
				if token := out.applied(life, seq); token != next || payload[0] != byte(next) {
					t.Fatalf("seed %d: proposal %v applied in the place of %d", seed, token, next)
				}
				next++
			}
			log = log[take:]
		}
	}
}

func TestAClosedOutboxForgets(t *testing.T) {
	out := outbox{node: 1}
	if out.add(nil, 1) {
		t.Error("it takes proposals before it is open")
	}
	out.open(5)
	out.add(nil, 1)
	out.close()
	if data, _ := out.unsent(100); data != nil || out.applied(5, 1) != nil || out.add(nil, 2) {
		t.Error("it remembers")
	}
	out.open(6)
	out.add(nil, 3)
	if out.applied(5, 1) != nil {
		t.Error("a proposal of the older life was taken for one of this")
	}
	if out.applied(6, 1) != 3 {
		t.Error("it lost its proposal")
	}
}

func TestASnapshotMayHoldProposalsThatWereUnderWay(t *testing.T) {
	out := outbox{node: 1}
	out.open(5)
	for i := range 4 {
		out.add(nil, i+1)
	}
	_, last := out.unsent(1000)
	out.delivered(last)
	out.skip(origin{life: 4, seq: 9})
	out.skip(origin{life: 5, seq: 2})
	out.add(nil, 5)
	if data, last := out.unsent(1000); len(data) != 1 || last != 5 {
		t.Errorf("%d unsent, up to %d", len(data), last)
	}
	for i := uint64(3); i <= 5; i++ {
		if token := out.applied(5, i); token != int(i) {
			t.Errorf("proposal %d: %v", i, token)
		}
	}
}

func TestAnOverdueProposalIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := outbox{node: 1}
		out.open(1)
		out.add([]byte("x"), 1)
		if time.Sleep(2 * time.Second); out.overdue(time.Second) {
			t.Error("overdue before it was sent")
		}
		_, last := out.unsent(100)
		out.delivered(last)
		if !out.overdue(time.Second) {
			t.Error("not overdue")
		}
		out.resend()
		if data, _ := out.unsent(100); len(data) != 1 || out.overdue(time.Second) {
			t.Error("not sent again")
		}
	})
}

func FuzzUnseal(f *testing.F) {
	f.Add(seal(1, 2, 3, []byte("x")))
	f.Add([]byte{0x80})
	f.Fuzz(func(t *testing.T, b []byte) {
		node, life, seq, payload, err := unseal(b)
		if err != nil {
			return
		}
		n, l, s, p, err := unseal(seal(node, life, seq, payload))
		if err != nil || n != node || l != life || s != seq || string(p) != string(payload) {
			t.Error("does not come back")
		}
	})
}

func FuzzOrigins(f *testing.F) {
	f.Add([]byte{0})
	f.Add(append([]byte{1}, seal(1, 2, 3, nil)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		origins, err := readOrigins(bufio.NewReader(bytes.NewReader(b)))
		if err != nil {
			return
		}
		a := applier{origins: origins}
		again, err := readOrigins(bufio.NewReader(bytes.NewReader(a.encodeOrigins())))
		if err != nil || len(again) != len(origins) {
			t.Errorf("does not come back: %v", err)
		}
	})
}
