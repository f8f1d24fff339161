package cluster

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

func TestWhatPSPrintsIsRead(t *testing.T) {
	got := parsePS("  412 Ss    18220   0:01.25 Fri Nov 20 19:27:56 2026\n  413 T+     10  1-02:00:01 Fri Nov 20 19:27:57 2026\n  414 Z 0 0:00.00 Fri Nov 20 19:27:57 2026\nrubbish\n")
	want := map[int]vital{
		412: {identity: "Fri Nov 20 19:27:56 2026", rss: 18220 << 10, cpu: 1250 * time.Millisecond},
		413: {identity: "Fri Nov 20 19:27:57 2026", halted: true, rss: 10 << 10, cpu: 26*time.Hour + time.Second},
	}
	if len(got) != len(want) {
		t.Errorf("%+v", got)
	}
	for pid, v := range want {
		if got[pid] != v {
			t.Errorf("%d: %+v, want %+v", pid, got[pid], v)
		}
	}
}

func FuzzParsePS(f *testing.F) {
	f.Add("412 S 18220 0:01.25 Fri Nov 20 19:27:56 2026\n")
	f.Fuzz(func(t *testing.T, out string) {
		for pid, v := range parsePS(out) {
			if v.identity == "" {
				t.Errorf("process %d without identity", pid)
			}
		}
	})
}

func TestAProcessIsRecognizedUntilItEnds(t *testing.T) {
	me, err := identify(os.Getpid())
	if err != nil || !me.alive() {
		t.Fatalf("%+v: %v", me, err)
	}
	if v := look(me.PID)[me.PID]; v.rss <= 0 || v.halted {
		t.Errorf("%+v", v)
	}
	stranger := process{PID: me.PID, Identity: "an earlier process with this pid"}
	if stranger.alive() || stranger.signal(syscall.SIGKILL) == nil {
		t.Error("a process with a pid that is used again was taken for the one before")
	}
	child := exec.Command("sleep", "60")
	child.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	p, err := identify(child.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	waitGone(t, p.PID) // still a zombie
	if err := p.signal(0); err == nil {
		t.Error("a zombie took a signal")
	}
	_ = child.Wait()
}
