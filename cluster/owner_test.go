package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// fakeHost runs nodes that consist of nothing but the time they take. All its methods are called by the owner goroutine,
// but for serves and the waiting.
type fakeHost struct {
	next      int
	processes map[int]*fakeProcess
	broken    map[string]error // why a node cannot be started
	mute      sync.Map         // names of nodes that do not serve
	deaf      bool             // processes ignore SIGTERM
	immortal  bool             // and SIGKILL
	log       []string         // what happened to the processes, in order
}

type fakeProcess struct {
	node   string
	exit   chan Exit
	halted bool
}

func newFakeHost() *fakeHost {
	return &fakeHost{processes: map[int]*fakeProcess{}, broken: map[string]error{}}
}

func (h *fakeHost) start(n Node, _ plan) (process, func() Exit, error) {
	if err := h.broken[n.Name]; err != nil {
		return process{}, nil, err
	}
	h.next++
	p := &fakeProcess{node: n.Name, exit: make(chan Exit, 1)}
	h.processes[h.next] = p
	h.log = append(h.log, "start "+n.Name)
	return process{PID: h.next, Identity: fmt.Sprint(h.next)}, func() Exit { return <-p.exit }, nil
}

func (h *fakeHost) signal(p process, sig syscall.Signal) error {
	target := h.processes[p.PID]
	if target == nil {
		return errGone
	}
	h.log = append(h.log, fmt.Sprintf("%d to %s", sig, target.node))
	switch {
	case sig == syscall.SIGKILL && !h.immortal:
		h.end(p.PID, Exit{Known: true, Signal: 9})
	case sig == syscall.SIGTERM && !h.deaf:
		h.end(p.PID, Exit{Known: true})
	case sig == syscall.SIGSTOP:
		target.halted = true
	case sig == syscall.SIGCONT:
		target.halted = false
	}
	return nil
}

func (h *fakeHost) end(pid int, e Exit) {
	h.processes[pid].exit <- e
	delete(h.processes, pid)
}

func (h *fakeHost) look(pids ...int) map[int]vital {
	found := map[int]vital{}
	for _, pid := range pids {
		if p := h.processes[pid]; p != nil {
			found[pid] = vital{identity: fmt.Sprint(pid), halted: p.halted}
		}
	}
	return found
}

func (h *fakeHost) running(map[string]bool) map[string]process { return nil }

func (h *fakeHost) serves(ctx context.Context, n Node) error {
	pause(ctx, 100*time.Millisecond)
	if _, mute := h.mute.Load(n.Name); mute {
		return errors.New("mute")
	}
	return ctx.Err()
}

func (h *fakeHost) reason(n Node) string { return n.Name + " says why" }

// bench is a supervisor without API on a fake host, in a synctest bubble.
type bench struct {
	t *testing.T
	*Supervisor
	host *fakeHost
}

// onBench runs a test on a cluster of 3 coordinators and 2 brokers.
func onBench(t *testing.T, change func(*Spec, *fakeHost), test func(*bench)) {
	stateDir := filepath.Join(t.TempDir(), "kdrill")
	spec := NewSpec("trial", 3, 2, Brisk)
	for i := range spec.Nodes {
		for j, port := range spec.Nodes[i].ports() {
			*port = 20000 + 10*i + j
		}
	}
	host := newFakeHost()
	if change != nil {
		change(&spec, host)
	}
	if _, err := Create(stateDir, spec); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		b := &bench{t: t, host: host, Supervisor: New(Config{StateDir: stateDir, Name: "trial", Log: slog.New(slog.DiscardHandler)})}
		b.Supervisor.host = host
		if _, err := b.load(); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		go b.loop(ctx)
		test(b)
		b.must(func() error { // ends the goroutines that wait
			for pid := range host.processes {
				host.end(pid, Exit{})
			}
			for _, m := range b.members {
				if m.cancel != nil {
					m.cancel()
				}
			}
			return nil
		})
		stop()
		synctest.Wait()
		b.timeline.close()
		time.Sleep(time.Hour) // virtual: every timer has run
	})
}

func (b *bench) must(f func() error) {
	b.t.Helper()
	if b.down {
		return
	}
	if err := b.ask(context.Background(), f); err != nil && !errors.Is(err, errEnded) {
		b.t.Fatal(err)
	}
}

func (b *bench) verb(node string, verb Verb) {
	b.t.Helper()
	b.must(func() error { return b.do(b.member(node), verb, "test") })
}

// later lets virtual time pass and returns a node.
func (b *bench) later(d time.Duration, node string) NodeStatus {
	time.Sleep(d)
	synctest.Wait()
	s := b.Status()
	return nodeOf(s, node)
}

func TestBrokersWaitForAQuorum(t *testing.T) {
	change := func(_ *Spec, h *fakeHost) {
		h.mute.Store("coordinator-1", true)
		h.mute.Store("coordinator-2", true)
	}
	onBench(t, change, func(b *bench) {
		b.must(b.up)
		if n := b.later(time.Minute, "broker-1"); n.State != Waiting || n.Reason != "waits for a quorum: 1 of 3 coordinators serve" {
			t.Errorf("%+v", n)
		}
		b.host.mute.Delete("coordinator-2")
		if n := b.later(time.Second, "broker-1"); n.State != Serving {
			t.Errorf("with a quorum it is %s", n.State)
		}
	})
}

// A broker of Apache's ends at once where its last session still lives.
func TestAJVMThatWasKilledWaitsForTheEndOfItsSession(t *testing.T) {
	onBench(t, nil, func(b *bench) {
		hollowKafka(b.t, b.stateDir)
		b.must(func() error {
			b.spec.Engines = map[Role]string{Broker: "apache-3.9.1"}
			return b.up()
		})
		b.later(time.Second, "broker-1")
		b.verb("broker-1", Kill)
		b.verb("broker-2", Stop)
		b.later(time.Second, "broker-1")
		b.verb("broker-1", Start)
		b.verb("broker-2", Start)
		if n := b.later(jvmSession-time.Second-time.Millisecond, "broker-1"); n.State != Waiting || n.Reason != "waits for the end of its last session" {
			t.Errorf("killed: %+v", n)
		}
		s := b.Status()
		if n := nodeOf(s, "broker-2"); n.State != Serving {
			t.Errorf("a broker that was stopped has closed its session: %+v", n)
		}
		if n := b.later(time.Second, "broker-1"); n.State != Serving || n.Restarts != 1 {
			t.Errorf("after its session: %+v", n)
		}
		b.verb("broker-1", Kill)
		b.later(0, "broker-1")
		b.verb("broker-1", Start)
		b.verb("broker-1", Stop)
		if n := b.later(time.Minute, "broker-1"); n.State != Stopped {
			t.Errorf("stopped while it waited: %+v", n)
		}
	})
}

func TestANodeThatKeepsFailingIsRestartedMoreAndMoreSeldom(t *testing.T) {
	change := func(s *Spec, h *fakeHost) {
		s.Restart = RestartOnFailure
		h.mute.Store("coordinator-3", true)
	}
	onBench(t, change, func(b *bench) {
		b.must(b.up)
		var delays []time.Duration
		for range 8 {
			synctest.Wait()
			b.must(func() error {
				b.host.end(b.member("coordinator-3").Process.PID, Exit{Known: true, Status: 1})
				return nil
			})
			if n := b.later(0, "coordinator-3"); n.State != BackOff || n.Reason != "coordinator-3 says why" {
				t.Fatalf("%+v", n)
			}
			from := time.Now()
			for b.later(10*time.Millisecond, "coordinator-3").State == BackOff {
			}
			delays = append(delays, time.Since(from))
		}
		want := []time.Duration{100, 100, 100, 100, 200, 400, 800, 1600}
		for i := range want {
			want[i] *= time.Millisecond
		}
		if !slices.Equal(delays, want) {
			t.Errorf("delays %v, want %v", delays, want)
		}
		if n := b.later(0, "coordinator-3"); n.Restarts != 8 {
			t.Errorf("%d restarts", n.Restarts)
		}
	})
}

func TestStopCancelsARestartThatIsDue(t *testing.T) {
	onBench(t, func(s *Spec, _ *fakeHost) { s.Restart = RestartAlways }, func(b *bench) {
		b.must(b.up)
		b.later(time.Second, "broker-1")
		b.verb("broker-1", Kill)
		if n := b.later(0, "broker-1"); n.State != BackOff {
			t.Fatalf("%+v", n)
		}
		b.verb("broker-1", Stop)
		if n := b.later(time.Minute, "broker-1"); n.State != Stopped {
			t.Errorf("%+v", n)
		}
	})
}

func TestANodeThatIgnoresSIGTERMIsKilled(t *testing.T) {
	onBench(t, func(_ *Spec, h *fakeHost) { h.deaf = true }, func(b *bench) {
		b.must(b.up)
		b.later(time.Second, "broker-1")
		b.verb("broker-1", Stop)
		if n := b.later(Brisk.grace()-time.Millisecond, "broker-1"); n.State != Stopping {
			t.Errorf("before its grace is over it is %s", n.State)
		}
		if n := b.later(time.Millisecond, "broker-1"); n.State != Stopped || n.Exit != "signal 9" {
			t.Errorf("%+v", n)
		}
	})
}

func TestDownStopsBrokersBeforeCoordinators(t *testing.T) {
	onBench(t, nil, func(b *bench) {
		b.must(b.up)
		b.later(time.Second, "")
		b.verb("broker-2", Pause)
		b.must(func() error { b.host.log = nil; return nil })
		result := make(chan error, 1)
		b.must(func() error { b.goDown(result); return nil })
		if err := <-result; err != nil {
			t.Fatal(err)
		}
		<-b.ended
		want := []string{
			"15 to broker-1", "15 to broker-2", "18 to broker-2",
			"15 to coordinator-1", "15 to coordinator-2", "15 to coordinator-3",
		}
		// A fake process ends while it is being signalled, so a paused one is gone before its SIGCONT.
		want = slices.Delete(want, 2, 3)
		if !slices.Equal(b.host.log, want) {
			t.Errorf("%q, want %q", b.host.log, want)
		}
	})
}

func TestDownNamesWhatCannotBeStopped(t *testing.T) {
	onBench(t, func(_ *Spec, h *fakeHost) { h.deaf, h.immortal = true, true }, func(b *bench) {
		b.must(b.up)
		b.later(time.Second, "")
		result := make(chan error, 1)
		b.must(func() error { b.goDown(result); return nil })
		err := <-result
		if want := "still running after SIGKILL: broker-1 (pid 4), broker-2 (pid 5)"; err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
		b.must(func() error { b.host.immortal = false; return nil })
		b.verb("broker-1", Kill) // the cluster is still there and obeys
		b.later(time.Second, "")
	})
}

func TestSignalsFromOutsideAreNoticed(t *testing.T) {
	onBench(t, nil, func(b *bench) {
		b.must(b.up)
		b.later(time.Second, "")
		halt := func(halted bool) {
			b.must(func() error { b.host.processes[b.member("broker-1").Process.PID].halted = halted; return nil })
		}
		halt(true)
		if n := b.later(pollEvery, "broker-1"); n.State != Paused {
			t.Errorf("after SIGSTOP it is %s", n.State)
		}
		halt(false)
		if n := b.later(pollEvery, "broker-1"); n.State != Serving {
			t.Errorf("after SIGCONT it is %s", n.State)
		}
	})
}

func TestANodeThatCannotBeStartedSaysWhy(t *testing.T) {
	change := func(_ *Spec, h *fakeHost) { h.broken["coordinator-2"] = errors.New("no space left on device") }
	onBench(t, change, func(b *bench) {
		b.must(b.up)
		if n := b.later(time.Second, "coordinator-2"); n.State != Exited || n.Reason != "no space left on device" {
			t.Errorf("%+v", n)
		}
		if n := b.later(0, "broker-1"); n.State != Serving {
			t.Errorf("two of three coordinators are a quorum, but broker-1 is %s", n.State)
		}
	})
}

func TestVerbsThatMakeNoSenseAreRefused(t *testing.T) {
	for _, c := range []struct {
		verb  Verb
		state State
		ok    bool
	}{
		{Kill, Serving, true},
		{Kill, Paused, true},
		{Kill, Stopping, true},
		{Kill, Exited, false},
		{Kill, BackOff, false},
		{Stop, Serving, true},
		{Stop, BackOff, true},
		{Stop, Waiting, true},
		{Stop, Stopping, false},
		{Stop, Stopped, false},
		{Pause, Serving, true},
		{Pause, Starting, true},
		{Pause, Paused, false},
		{Pause, Stopped, false},
		{Resume, Paused, true},
		{Resume, Serving, false},
		{Restart, Serving, true},
		{Restart, Stopped, true},
		{Restart, Stopping, false},
		{Start, Exited, true},
		{Start, BackOff, true},
		{Start, Serving, false},
		{"explode", Serving, false},
	} {
		if err := possible(c.verb, "broker-1", c.state); (err == nil) != c.ok {
			t.Errorf("%s while %s: %v", c.verb, c.state, err)
		}
	}
}
