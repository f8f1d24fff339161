package coordinator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"kdrill/testdata/freeport"
	"kdrill/testdata/lifeline"
	"kdrill/testdata/races"
)

// TestMain lets the test binary be a node: tests kill real processes.
func TestMain(m *testing.M) {
	config := os.Getenv("COORDINATOR_CONFIG")
	if config == "" {
		os.Exit(races.Watched{Tests: m}.Run())
	}
	if limit, err := strconv.ParseUint(os.Getenv("COORDINATOR_FILE_LIMIT"), 10, 64); err == nil {
		syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: limit, Max: limit})
	}
	lifeline.Hold()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	err := Run(ctx, config, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// ensemble is a group of node processes that lives as long as one test.
type ensemble struct {
	t     testing.TB
	nodes []*process
}

// process is one node.
type process struct {
	t       testing.TB
	id      int
	dir     string
	client  string
	server  string           // its server line, without the client's address
	program func() *exec.Cmd // nil for the test binary
	command *exec.Cmd
	exited  chan struct{}
	log     *logBuffer
}

// logBuffer is what a node has printed so far.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// newEnsemble writes the configuration of size nodes; 1 is a standalone node.
func newEnsemble(t testing.TB, size int, settings ...string) *ensemble {
	t.Helper()
	e := &ensemble{t: t}
	for _, usual := range []string{"tickTime=200", "maxSessionTimeout=60000"} { // sessions that a slow machine does not end
		key, _, _ := strings.Cut(usual, "=")
		if !slices.ContainsFunc(settings, func(s string) bool { return strings.HasPrefix(s, key+"=") }) {
			settings = append(settings, usual)
		}
	}
	var members strings.Builder
	ports := freeport.Find(t, 3*size)
	for i := range size {
		if size > 1 {
			fmt.Fprintf(&members, "server.%d=127.0.0.1:%d:%d\n", i+1, ports[3*i+1], ports[3*i+2])
		}
	}
	for i := range size {
		p := &process{t: t, id: i + 1, dir: t.TempDir(), client: fmt.Sprintf("127.0.0.1:%d", ports[3*i])}
		if size > 1 {
			p.server = fmt.Sprintf("server.%d=127.0.0.1:%d:%d", p.id, ports[3*i+1], ports[3*i+2])
		}
		text := fmt.Sprintf("dataDir=%s\nclientPort=%d\nmaxClientCnxns=0\n4lw.commands.whitelist=*\n%s%s\n",
			p.dir, ports[3*i], members.String(), strings.Join(settings, "\n"))
		writeFile(t, filepath.Join(p.dir, "zoo.cfg"), text)
		writeFile(t, filepath.Join(p.dir, "myid"), strconv.Itoa(p.id)+"\n")
		e.nodes = append(e.nodes, p)
		t.Cleanup(func() {
			p.kill()
			if t.Failed() {
				t.Logf("node %d:\n%s", p.id, p.log)
			}
		})
	}
	return e
}

// startEnsemble starts size nodes and waits until all serve.
func startEnsemble(t testing.TB, size int, settings ...string) *ensemble {
	t.Helper()
	e := newEnsemble(t, size, settings...)
	for _, p := range e.nodes {
		p.start()
	}
	for _, p := range e.nodes {
		p.serving()
	}
	return e
}

func (p *process) start(env ...string) {
	p.t.Helper()
	if p.command != nil && !p.ended() {
		p.t.Fatalf("node %d runs already", p.id)
	}
	p.log, p.exited = &logBuffer{}, make(chan struct{})
	p.command = exec.Command(os.Args[0])
	if p.program != nil {
		p.command = p.program()
	}
	p.command.Env = append(append(os.Environ(), "COORDINATOR_CONFIG="+filepath.Join(p.dir, "zoo.cfg")), env...)
	p.command.Stdout, p.command.Stderr = p.log, p.log
	if err := errors.Join(lifeline.Tie(p.command), p.command.Start()); err != nil {
		p.t.Fatal(err)
	}
	go func(exited chan struct{}, command *exec.Cmd) {
		command.Wait()
		close(exited)
	}(p.exited, p.command)
}

// signal sends a signal and, if it is a deadly one, waits for the end.
func (p *process) signal(sig syscall.Signal) {
	if p.command == nil {
		return
	}
	p.command.Process.Signal(sig)
	if sig == syscall.SIGKILL || sig == syscall.SIGTERM {
		<-p.exited
	}
}

// ended says whether the process is no more.
func (p *process) ended() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

func (p *process) kill() { p.signal(syscall.SIGKILL) }

// serving waits until the node serves.
func (p *process) serving() {
	p.t.Helper()
	eventually(p.t, fmt.Sprintf("node %d serves", p.id), func() bool {
		if p.ended() {
			p.t.Fatalf("node %d has ended:\n%s", p.id, p.log)
		}
		return p.mode() != ""
	})
}

// mode is leader, follower or standalone; "" if the node does not serve.
func (p *process) mode() string {
	_, mode, _ := strings.Cut(p.word("srvr"), "Mode: ")
	mode, _, _ = strings.Cut(mode, "\n")
	return mode
}

// word asks a four-letter word; "" if the node does not answer.
func (p *process) word(word string) string {
	conn, err := net.DialTimeout("tcp", p.client, 5*time.Second)
	if err != nil {
		return ""
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	io.WriteString(conn, word)
	answer, _ := io.ReadAll(conn)
	return string(answer)
}

// leader waits until there is a leader among those that run.
func (e *ensemble) leader() *process {
	e.t.Helper()
	var found *process
	eventually(e.t, "there is a leader", func() bool {
		for _, p := range e.nodes {
			if p.mode() == "leader" {
				found = p
				return true
			}
		}
		return false
	})
	return found
}

func (e *ensemble) follower() *process {
	e.t.Helper()
	var found *process
	eventually(e.t, "there is a follower", func() bool {
		leader := e.leader()
		for _, p := range e.nodes {
			if p != leader && p.mode() == "follower" {
				found = p
				return true
			}
		}
		return false
	})
	return found
}

func (e *ensemble) addresses() []string {
	var list []string
	for _, p := range e.nodes {
		list = append(list, p.client)
	}
	return list
}

// client is a connected Go client; its events go to the channel.
func client(t testing.TB, timeout time.Duration, servers ...string) (*zk.Conn, <-chan zk.Event) {
	t.Helper()
	c, events, err := zk.Connect(servers, timeout, zk.WithLogger(silent{}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	waitFor(t, events, zk.StateHasSession)
	return c, events
}

type silent struct{}

func (silent) Printf(string, ...any) {}

// ample is more time than anything takes on a machine that is well, however busy it is.
const ample = 2 * time.Minute

func waitFor(t testing.TB, events <-chan zk.Event, state zk.State) {
	t.Helper()
	timeout := time.After(ample)
	for {
		select {
		case e := <-events:
			if e.State == state {
				return
			}
		case <-timeout:
			t.Fatalf("client did not reach %v", state)
		}
	}
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(ample)
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for !ok() {
		select {
		case <-poll.C:
		case <-deadline:
			t.Fatalf("never: %s", what)
		}
	}
}

func writeFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
