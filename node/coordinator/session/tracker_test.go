package session

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

const (
	timeout = 2 * time.Second
	scan    = 50 * time.Millisecond
)

// watch scans as a leader does, for d, and returns when each session ended.
func watch(tr *Tracker, d time.Duration) map[int64]time.Duration {
	start, ended := time.Now(), map[int64]time.Duration{}
	for time.Since(start) < d {
		time.Sleep(scan)
		for _, id := range tr.Expired() {
			ended[id] = time.Since(start)
			tr.Close(id)
		}
	}
	return ended
}

func leader() *Tracker {
	tr := New(time.Second)
	tr.Renew()
	return tr
}

func TestASilentSessionEndsAfterItsTimeoutAndNotBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := leader()
		tr.Open(1, timeout)
		tr.Open(2, 2*timeout)
		ended := watch(tr, 3*timeout)
		for id, want := range map[int64]time.Duration{1: timeout, 2: 2 * timeout} {
			if ended[id] < want || ended[id] > want+2*scan {
				t.Errorf("session %d ended after %v, its timeout is %v", id, ended[id], want)
			}
		}
	})
}

func TestASignOfLifeAnywhereKeepsASession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := leader()
		tr.Open(1, timeout) // connected here
		tr.Open(2, timeout) // connected elsewhere
		for range 5 {
			if ended := watch(tr, timeout*2/3); len(ended) > 0 {
				t.Fatalf("ended: %v", ended)
			}
			tr.Touch(1)
			tr.Heard([]int64{2, 99})
		}
	})
}

func TestANewLeaderGivesAFullTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := New(time.Second)
		tr.Open(1, timeout)
		time.Sleep(10 * timeout) // as a follower it hears nothing of the others' clients
		tr.Renew()
		if ended := watch(tr, 2*timeout); ended[1] < timeout {
			t.Errorf("ended after %v", ended[1])
		}
	})
}

func TestALeaderThatWasStoppedItselfBlamesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := leader()
		tr.Open(1, timeout)
		watch(tr, scan)
		time.Sleep(10 * timeout) // SIGSTOP
		if ended := watch(tr, 2*timeout); ended[1] < timeout {
			t.Errorf("ended after %v", ended[1])
		}
	})
}

func TestAnUnclosedSessionIsReportedAgainAfterAnotherTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := leader()
		tr.Open(1, timeout)
		reports := 0
		for range 3 * timeout / scan {
			time.Sleep(scan)
			reports += len(tr.Expired())
		}
		if reports != 2 {
			t.Errorf("reported %d times in three timeouts", reports)
		}
	})
}

func TestSignsOfLifeArePassedOnOnce(t *testing.T) {
	tr := leader()
	for range 3 {
		tr.Touch(4)
		tr.Touch(5)
	}
	ids := tr.TakeTouched()
	if slices.Sort(ids); !slices.Equal(ids, []int64{4, 5}) || tr.TakeTouched() != nil {
		t.Errorf("%v", ids)
	}
}

// Of many sessions with different timeouts, some heard, some opened anew and some closed, those that are silent end, each
// at its own time.
func TestManySessionsEndEachInItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := leader()
		const sessions = 500
		ends := func(id int64) time.Duration { return timeout + time.Duration(id)*scan }
		for id := range int64(sessions) {
			tr.Open(id, 100*timeout)
			tr.Open(id, ends(id)) // a shorter one
		}
		start, heard, ended := time.Now(), map[int64]time.Duration{}, map[int64]time.Duration{}
		for n := 0; time.Since(start) < 2*ends(sessions); n++ {
			if next := tr.Next(time.Hour); n < 40 && next > ends(0) {
				t.Fatalf("the first looks to end in %v", next)
			}
			time.Sleep(scan)
			for _, id := range tr.Expired() {
				ended[id] = time.Since(start)
				tr.Close(id)
			}
			if id := int64(n*7) % sessions; n < 40 {
				tr.Touch(id)
				heard[id] = time.Since(start)
				tr.Close(sessions - id - 1)
				tr.Open(sessions-id-1, ends(sessions-id-1))
				heard[sessions-id-1] = time.Since(start)
			}
		}
		for id := range int64(sessions) {
			want := heard[id] + ends(id)
			if ended[id] <= want || ended[id] > want+2*scan {
				t.Errorf("session %d ended after %v, want %v", id, ended[id], want)
			}
		}
	})
}
