package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"kdrill/testdata/freeport"
)

// ample is more time than anything takes on a machine that is well, however busy it is.
const ample = 2 * time.Minute

// newCluster describes a cluster of two coordinators and two brokers; change may alter it. It is taken down at the end of the test.
func newCluster(t *testing.T, change func(*Spec)) *Client {
	t.Helper()
	stateDir := filepath.Join(t.TempDir(), "kdrill")
	spec := NewSpec("trial", 2, 2, Brisk)
	if change != nil {
		change(&spec)
	}
	c, err := Create(stateDir, spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), ample)
		defer cancel()
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(c.dir, supervisorLog))
			t.Logf("supervisor:\n%s", log)
		}
		if err := c.Down(ctx); err != nil && !errors.Is(err, ErrDown) {
			t.Errorf("down: %v", err)
		}
	})
	return c
}

// up starts the cluster and waits until all of it serves.
func up(t *testing.T, c *Client) Status {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Up(t.Context(), self); err != nil {
		t.Fatal(err)
	}
	return await(t, c, "every node serves", func(s Status) bool {
		return !slices.ContainsFunc(s.Nodes, func(n NodeStatus) bool { return n.State != Serving })
	})
}

func await(t *testing.T, c *Client, what string, holds func(Status) bool) Status {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), ample)
	defer cancel()
	var last Status
	for last = range c.Watch(ctx) {
		if last.Problem == "" && holds(last) {
			return last
		}
	}
	t.Fatalf("not in time: %s\nlast: %+v", what, last)
	return last
}

func awaitState(t *testing.T, c *Client, node string, state State) NodeStatus {
	t.Helper()
	s := await(t, c, node+" is "+string(state), func(s Status) bool { return nodeOf(s, node).State == state })
	return nodeOf(s, node)
}

func nodeOf(s Status, name string) NodeStatus {
	n, _ := s.Node(name)
	return n
}

func do(t *testing.T, c *Client, node string, verb Verb) {
	t.Helper()
	if err := c.Do(t.Context(), node, verb, "test"); err != nil {
		t.Fatalf("%s %s: %v", verb, node, err)
	}
}

func pids(s Status) (all []int) {
	for _, n := range s.Nodes {
		all = append(all, n.PID)
	}
	return all
}

func events(t *testing.T, c *Client, kind string) (found []Event) {
	t.Helper()
	for e, err := range c.Events(t.Context(), 0, false) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Kind == kind {
			found = append(found, e)
		}
	}
	return found
}

func TestUpStartsCoordinatorsThenBrokersAndDownLeavesNothing(t *testing.T) {
	c := newCluster(t, nil)
	s := up(t, c)
	var started []string
	for _, e := range events(t, c, KindStarted) {
		started = append(started, strings.Split(e.Subject, "-")[0])
	}
	if want := []string{"coordinator", "coordinator", "broker", "broker"}; !slices.Equal(started, want) {
		t.Errorf("started %v, want %v", started, want)
	}
	if n := s.Nodes[0]; n.Name != "broker-1" || n.RSS == 0 || n.Session != 2*time.Second || n.Restarts != 0 {
		t.Errorf("first node: %+v", n)
	}
	if err := c.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, pid := range append(pids(s), s.PID) {
		if _, runs := look(pid)[pid]; runs {
			t.Errorf("process %d is left behind", pid)
		}
	}
	for _, name := range []string{runFile, lockFile, socketFile} {
		if _, err := os.Stat(filepath.Join(c.dir, name)); err == nil {
			t.Errorf("%s is left behind", name)
		}
	}
	if _, err := c.Status(t.Context()); !errors.Is(err, ErrDown) {
		t.Errorf("status after down: %v", err)
	}
	if err := c.Purge(); err != nil {
		t.Error(err)
	}
}

func TestUpTwiceChangesNothing(t *testing.T) {
	c := newCluster(t, nil)
	first := up(t, c)
	if spec, err := c.Spec(); err != nil || spec.Role(Broker)[0].Address() != first.Bootstrap[0] {
		t.Errorf("the ports that were chosen are not kept: %+v, %v", spec.Nodes, err)
	}
	second := up(t, c)
	if !slices.Equal(pids(first), pids(second)) || first.PID != second.PID {
		t.Errorf("processes %v of supervisor %d became %v of %d", pids(first), first.PID, pids(second), second.PID)
	}
}

func TestPortsStayOverDownAndUp(t *testing.T) {
	// The ports that it would choose are anybody's while it is down, also those of a cluster of another test.
	c := newCluster(t, func(s *Spec) {
		for i := range s.Nodes {
			for _, port := range s.Nodes[i].ports() {
				*port = freeport.One(t)
			}
		}
	})
	first := up(t, c)
	if err := c.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
	if second := up(t, c); !slices.Equal(first.Bootstrap, second.Bootstrap) || first.ZooKeeper != second.ZooKeeper {
		t.Errorf("%v %v became %v %v", first.Bootstrap, first.ZooKeeper, second.Bootstrap, second.ZooKeeper)
	}
}

func TestAKilledNodeStaysDownUntilItIsStarted(t *testing.T) {
	c := newCluster(t, nil)
	up(t, c)
	do(t, c, "broker-2", Kill)
	n := awaitState(t, c, "broker-2", Exited)
	if n.Exit != "signal 9" || n.PID != 0 {
		t.Errorf("killed: %+v", n)
	}
	do(t, c, "broker-2", Start)
	if n := awaitState(t, c, "broker-2", Serving); n.Restarts != 1 {
		t.Errorf("%d restarts, want 1", n.Restarts)
	}
	fault := events(t, c, KindFault)
	if len(fault) != 1 || fault[0].Subject != "broker-2" || fault[0].Note != "kdrill kill broker-2 --cluster trial" || fault[0].By != "test" {
		t.Fatalf("faults: %+v", fault)
	}
	if exit := events(t, c, KindExit); len(exit) != 1 || exit[0].Fault != fault[0].Fault || exit[0].Since <= 0 {
		t.Errorf("exits: %+v", exit)
	}
}

func TestAStoppedNodeEndsByItself(t *testing.T) {
	c := newCluster(t, nil)
	up(t, c)
	do(t, c, "broker-1", Stop)
	if n := awaitState(t, c, "broker-1", Stopped); n.Exit != "status 0" || n.Reason != "" {
		t.Errorf("stopped: %+v", n)
	}
}

func TestAPausedNodeIsResumedOrStopped(t *testing.T) {
	c := newCluster(t, nil)
	up(t, c)
	do(t, c, "broker-1", Pause)
	do(t, c, "broker-2", Pause)
	paused := awaitState(t, c, "broker-1", Paused)
	await(t, c, "its process is halted", func(Status) bool { return look(paused.PID)[paused.PID].halted }) // a signal takes a moment
	do(t, c, "broker-1", Resume)
	if n := awaitState(t, c, "broker-1", Serving); n.PID != paused.PID {
		t.Errorf("pid %d became %d", paused.PID, n.PID)
	}
	do(t, c, "broker-2", Stop)
	awaitState(t, c, "broker-2", Stopped)
}

func TestRestartReplacesTheProcess(t *testing.T) {
	c := newCluster(t, nil)
	before := nodeOf(up(t, c), "coordinator-1")
	do(t, c, "coordinator-1", Restart)
	await(t, c, "a new process serves", func(s Status) bool {
		n := nodeOf(s, "coordinator-1")
		return n.State == Serving && n.PID != before.PID
	})
}

func TestAnyoneMayKillANodeAndItIsAFault(t *testing.T) {
	c := newCluster(t, nil)
	n := nodeOf(up(t, c), "broker-1")
	if err := syscall.Kill(n.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	awaitState(t, c, "broker-1", Exited)
	if faults := events(t, c, KindFault); len(faults) != 1 || faults[0].Subject != "broker-1" || faults[0].By != "" {
		t.Errorf("faults: %+v", faults)
	}
}

func TestANewSupervisorAdoptsTheNodesOfOneThatWasKilled(t *testing.T) {
	c := newCluster(t, nil)
	before := up(t, c)
	do(t, c, "broker-2", Pause)
	halted := nodeOf(before, "broker-2").PID
	await(t, c, "its process is halted", func(Status) bool { return look(halted)[halted].halted }) // a signal takes a moment
	if err := syscall.Kill(before.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	waitGone(t, before.PID)
	victim := nodeOf(before, "coordinator-2").PID
	if err := syscall.Kill(victim, syscall.SIGKILL); err != nil { // while nobody watches
		t.Fatal(err)
	}
	waitGone(t, victim)

	after := await(t, c, "the nodes that live are adopted", func(s Status) bool {
		return nodeOf(s, "broker-1").State == Serving && nodeOf(s, "coordinator-1").State == Serving
	})
	if after.PID == before.PID {
		t.Error("the dead supervisor answers")
	}
	for _, name := range []string{"broker-1", "broker-2", "coordinator-1"} {
		if nodeOf(before, name).PID != nodeOf(after, name).PID {
			t.Errorf("%s: pid %d became %d", name, nodeOf(before, name).PID, nodeOf(after, name).PID)
		}
	}
	if n := nodeOf(after, "broker-2"); n.State != Paused {
		t.Errorf("broker-2 is %s", n.State)
	}
	if n := nodeOf(after, "coordinator-2"); n.State != Exited || n.Exit != "unseen" {
		t.Errorf("coordinator-2: %+v", n)
	}

	do(t, c, "broker-1", Kill) // a process that is no child
	if n := awaitState(t, c, "broker-1", Exited); n.Exit != "signal 9" {
		t.Errorf("exit of an adopted node: %q", n.Exit)
	}
}

func TestANodeThatWasStartedButNotNotedIsAdopted(t *testing.T) {
	c := newCluster(t, nil)
	before := up(t, c)
	if err := syscall.Kill(before.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	waitGone(t, before.PID)
	r, _, err := readRun(c.dir)
	if err != nil {
		t.Fatal(err)
	}
	delete(r.Nodes, "broker-1") // as if the supervisor had died between the start and the note
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := replaceFile(filepath.Join(c.dir, runFile), data, 0o600); err != nil {
		t.Fatal(err)
	}
	if n := awaitState(t, c, "broker-1", Serving); n.PID != nodeOf(before, "broker-1").PID {
		t.Errorf("pid %d became %d", nodeOf(before, "broker-1").PID, n.PID)
	}
}

func TestTwoCommandsAtOnceFindOneSupervisor(t *testing.T) {
	c := newCluster(t, nil)
	before := up(t, c)
	if err := syscall.Kill(before.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	type answer struct {
		status Status
		err    error
	}
	answers := make(chan answer)
	for range 4 {
		go func() {
			s, err := c.Status(t.Context())
			answers <- answer{s, err}
		}()
	}
	supervisors := map[int]bool{}
	for range 4 {
		a := <-answers
		if a.err != nil {
			t.Error(a.err)
		}
		supervisors[a.status.PID] = true
	}
	if len(supervisors) != 1 {
		t.Errorf("supervisors %v", supervisors)
	}
}

// A supervisor that was started to take another's place, and comes too late, ends.
func TestASupervisorThatComesAfterDownEnds(t *testing.T) {
	c := newCluster(t, nil)
	up(t, c)
	if err := c.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
	late := exec.Command(program(c.dir), "supervise", "--cluster", "trial")
	late.Env = append(os.Environ(), "XDG_STATE_HOME="+filepath.Dir(filepath.Dir(c.dir)), adopting+"=1")
	out, err := late.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "cluster trial was taken down meanwhile") {
		t.Errorf("%v: %s", err, out)
	}
	if _, err := os.Stat(filepath.Join(c.dir, lockFile)); err == nil {
		t.Error("its lock is left behind")
	}
	if _, err := c.Status(t.Context()); !errors.Is(err, ErrDown) {
		t.Errorf("status: %v", err)
	}
}

func TestANodeThatFailsToStartSaysWhy(t *testing.T) {
	c := newCluster(t, func(s *Spec) {
		s.Settings = map[Role]map[string]string{Broker: {"test.fail": "server.properties:3: log.dirs: no such disk"}}
	})
	self, _ := os.Executable()
	if err := c.Up(t.Context(), self); err != nil {
		t.Fatal(err)
	}
	n := awaitState(t, c, "broker-1", Exited)
	if n.Exit != "status 1" || n.Reason != "server.properties:3: log.dirs: no such disk" {
		t.Errorf("%+v", n)
	}
}

func TestAPortThatIsTakenIsNamed(t *testing.T) {
	c := newCluster(t, nil)
	s := up(t, c)
	do(t, c, "broker-1", Stop)
	n := awaitState(t, c, "broker-1", Stopped)
	l, err := net.Listen("tcp", n.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	do(t, c, "broker-1", Start)
	n = awaitState(t, c, "broker-1", Exited)
	_, port, _ := net.SplitHostPort(s.Bootstrap[0])
	if !strings.HasPrefix(n.Reason, "port "+port+" is in use") {
		t.Errorf("reason %q", n.Reason)
	}
}

func TestPolicyOnAbnormalBringsAKilledNodeBack(t *testing.T) {
	c := newCluster(t, func(s *Spec) { s.Restart = RestartOnAbnormal })
	before := nodeOf(up(t, c), "broker-1")
	do(t, c, "broker-1", Kill)
	await(t, c, "it serves again", func(s Status) bool {
		n := nodeOf(s, "broker-1")
		return n.State == Serving && n.PID != before.PID
	})
	do(t, c, "broker-1", Stop)
	awaitState(t, c, "broker-1", Stopped)
}

func TestAnAddedBrokerContinuesNamesAndPorts(t *testing.T) {
	c := newCluster(t, nil)
	up(t, c)
	name, err := c.AddBroker(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	if name != "broker-3" {
		t.Errorf("name %q", name)
	}
	awaitState(t, c, name, Serving)
	if spec, err := c.Spec(); err != nil || len(spec.Role(Broker)) != 3 {
		t.Errorf("%v brokers, %v", len(spec.Role(Broker)), err)
	}
}

func TestASecondSupervisorIsRefused(t *testing.T) {
	c := newCluster(t, nil)
	up(t, c)
	second := exec.Command(program(c.dir), "supervise", "--cluster", "trial")
	second.Env = append(os.Environ(), "XDG_STATE_HOME="+filepath.Dir(filepath.Dir(c.dir)))
	out, err := second.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "cluster trial has a supervisor already") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestALongPathGetsASocketElsewhere(t *testing.T) {
	long := filepath.Join(t.TempDir(), strings.Repeat("long", 25), "kdrill")
	c, err := Create(long, NewSpec("trial", 1, 1, Brisk))
	if err != nil {
		t.Fatal(err)
	}
	s := up(t, c)
	if len(s.Socket) > maxSocketPath {
		t.Errorf("socket %s", s.Socket)
	}
	info, err := os.Stat(filepath.Dir(s.Socket))
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("its folder: %v %v", info.Mode(), err)
	}
	if err := c.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Dir(s.Socket)); err == nil {
		t.Error("its folder is left behind")
	}
}

func TestASpecThatIsSpoiledMeanwhileDoesNotKeepAClusterUp(t *testing.T) {
	c := newCluster(t, nil)
	up(t, c)
	if err := os.WriteFile(filepath.Join(c.dir, specFile), []byte("nodes: ["), 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := Open(filepath.Dir(c.dir), "trial")
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(filepath.Dir(c.dir), "trial"); err == nil || !strings.Contains(err.Error(), specFile) {
		t.Errorf("open what is down: %v", err)
	}
}

func TestDownOfNothingIsSaid(t *testing.T) {
	if _, err := Open(t.TempDir(), "none"); !errors.Is(err, ErrNotFound) {
		t.Errorf("open: %v", err)
	}
	if err := newCluster(t, nil).Down(t.Context()); !errors.Is(err, ErrDown) {
		t.Errorf("down: %v", err)
	}
}

// waitGone waits until a process has ended.
func waitGone(t *testing.T, pid int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), ample)
	defer cancel()
	for p, _ := identify(pid); p.alive(); {
		if ctx.Err() != nil {
			t.Fatalf("process %d lives on", pid)
		}
		pause(ctx, time.Millisecond)
	}
}

func TestTheAPIIsPrivateAndSaysWhatIsWrong(t *testing.T) {
	c := newCluster(t, nil)
	s := up(t, c)
	if info, err := os.Stat(s.Socket); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("socket: %v %v", info.Mode(), err)
	}
	for _, ask := range []struct{ method, path, body, want string }{
		{"POST", "/v1/nodes/broker-7/kill", "", `404 {"error":"cluster trial has no node \"broker-7\", it has coordinator-1, coordinator-2, broker-1, broker-2"}`},
		{"POST", "/v1/nodes/broker-1/explode", "", `409 {"error":"verb \"explode\": must be kill, stop, pause, resume, restart, start"}`},
		{"POST", "/v1/nodes/broker-1/kill", "{", `400 {"error":"body: want {\"by\": \"who\"}: unexpected EOF"}`},
		{"POST", "/v1/events", `{"subject":"x"}`, `400 {"error":"an event is a JSON object with at least a kind"}`},
		{"GET", "/v1/events?from=x", "", `400 {"error":"from=x is not a whole number"}`},
		{"GET", "/v1/nodes/broker-7/log", "", `404 {"error":"no node \"broker-7\""}`},
		{"GET", "/v1/nodes/broker-1/log?lines=1", "", "200 serves on " + s.Bootstrap[0] + " from " + nodeFolder(c.dir, "broker-1")},
	} {
		req, err := http.NewRequestWithContext(t.Context(), ask.method, "http://supervisor"+ask.path, strings.NewReader(ask.body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if got := fmt.Sprintf("%d %s", resp.StatusCode, strings.TrimSpace(string(body))); got != ask.want {
			t.Errorf("%s %s: %s\nwant %s", ask.method, ask.path, got, ask.want)
		}
	}
}

func TestAReaderOfEventsSeesWhatIsRecorded(t *testing.T) {
	c := newCluster(t, nil)
	up(t, c)
	do(t, c, "broker-1", Kill)
	awaitState(t, c, "broker-1", Exited)
	var got []string
	for e, err := range c.Events(t.Context(), -1, true) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e.Kind+" "+e.Fault)
		if e.Kind == KindRecovered {
			break
		}
		if e.Kind == KindExit {
			for _, kind := range []string{"leader", KindRecovered} {
				if err := c.Record(t.Context(), Event{Kind: kind, Subject: "orders/1"}); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if want := []string{"exit f1", "leader f1", "recovered f1"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestListShowsEveryClusterOnceWithoutStartingAnything(t *testing.T) {
	c := newCluster(t, nil)
	stateDir := filepath.Dir(c.dir)
	if _, err := Create(stateDir, NewSpec("idle", 1, 1, Brisk)); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(stateDir, "odd"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(stateDir, "odd", specFile), []byte("name: [\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	list := func() (found []string) {
		all, err := List(t.Context(), stateDir)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range all {
			runs := 0
			for _, n := range s.Status.Nodes {
				if n.State.Runs() {
					runs++
				}
			}
			found = append(found, fmt.Sprintf("%s %s %d", s.Name, s.Presence, runs))
		}
		return found
	}
	s := up(t, c)
	if got, want := list(), []string{"idle down 0", "odd broken 0", "trial up 4"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if err := syscall.Kill(s.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	waitGone(t, s.PID)
	if got, want := list(), []string{"idle down 0", "odd broken 0", "trial unsupervised 4"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
