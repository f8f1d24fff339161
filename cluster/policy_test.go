package cluster

import (
	"testing"
	"time"
)

func TestPoliciesFollowExits(t *testing.T) {
	clean, failed, killed, unseen := Exit{Known: true}, Exit{Known: true, Status: 1}, Exit{Known: true, Signal: 9}, Exit{}
	for policy, want := range map[Policy][4]bool{ // clean, failed, killed, unseen
		RestartNo:         {false, false, false, false},
		RestartOnSuccess:  {true, false, false, false},
		RestartOnFailure:  {false, true, true, true},
		RestartOnAbnormal: {false, false, true, true},
		RestartAlways:     {true, true, true, true},
	} {
		for i, exit := range []Exit{clean, failed, killed, unseen} {
			if got := policy.follows(exit); got != want[i] {
				t.Errorf("%s after %s: %v", policy, exit, got)
			}
		}
	}
}

func TestFailuresAreForgivenWithTime(t *testing.T) {
	var f failures
	now := time.Unix(1000, 0)
	for range 12 {
		f = f.add(now)
	}
	if d := f.delay(); d != 100*time.Millisecond<<8 {
		t.Errorf("after 12 failures at once the delay is %s", d)
	}
	for range 20 {
		f = f.add(now)
	}
	if d := f.delay(); d != restartDelayMost {
		t.Errorf("after 32 failures at once the delay is %s", d)
	}
	if d := f.add(now.Add(10 * failureHalfLife)).delay(); d != restartDelay {
		t.Errorf("long after, the next failure costs %s", d)
	}
	if d := f.add(now.Add(-time.Hour)).delay(); d != restartDelayMost {
		t.Errorf("with a clock that went back it costs %s", d)
	}
}
