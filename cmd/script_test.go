package cmd

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/rogpeppe/go-internal/testscript"

	"kdrill/cluster"
	"kdrill/testdata/need"
	"kdrill/testdata/screen"
)

// scripts holds stories of users, played against the real program and real processes.
const scripts = "../testdata/script"

// TestScripts plays every story, each with a state directory of its own. Beyond testscript's commands they use those
// that the functions below describe.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:   scripts,
		Setup: prepareStory,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"alive":      alive,
			"eventually": eventuallyMatches,
			"fails":      fails,
			"garbage":    garbage,
			"json":       validJSON,
			"let":        let,
			"needs":      needs,
			"nodes":      nodes,
			"signal":     sendSignal,
			"terminal":   terminalSession,
		},
	})
}

// story is the key of a story's [testscript.Env].
type story struct{}

// prepareStory gives a story a home, and takes down what it left running.
func prepareStory(env *testscript.Env) error {
	env.Setenv("HOME", env.WorkDir)
	env.Setenv("GORACE", os.Getenv("GORACE"))
	env.Setenv("XDG_STATE_HOME", filepath.Join(env.WorkDir, "state"))
	env.Values[story{}] = env
	env.Defer(func() {
		if t, ok := env.T().(testing.TB); ok && t.Failed() {
			t.Log(kdrillOf(env, "events", "-n", "60"), kdrillOf(env, "logs", "-n", "25"))
		}
		for _, name := range localClusters(env) {
			kdrillOf(env, "down", "--purge", "--yes", "--cluster", name)
		}
	})
	return nil
}

func kdrillOf(env *testscript.Env, args ...string) string {
	command := exec.Command("kdrill", args...)
	command.Env = env.Vars
	out, _ := command.CombinedOutput()
	return string(out)
}

func localClusters(env *testscript.Env) (names []string) {
	specs, _ := filepath.Glob(filepath.Join(env.Getenv("XDG_STATE_HOME"), "kdrill", "*", "cluster.yaml"))
	for _, spec := range specs {
		names = append(names, filepath.Base(filepath.Dir(spec)))
	}
	return names
}

// ample is how long a story waits for anything: more than a healthy machine ever needs, however busy it is.
const ample = 2 * time.Minute

// needs PROGRAM PACKAGE skips the story where the program is missing.
func needs(ts *testscript.TestScript, _ bool, args []string) {
	need.Program(ts.Value(story{}).(*testscript.Env).T(), args[0], args[1])
}

// eventually PATTERN COMMAND… runs a command until its output, or with ! no longer, matches.
func eventuallyMatches(ts *testscript.TestScript, neg bool, args []string) {
	pattern, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	deadline := time.Now().Add(ample)
	for tick := time.NewTicker(100 * time.Millisecond); ; <-tick.C {
		_ = ts.Exec(args[1], args[2:]...)
		out := ts.ReadFile("stdout") + ts.ReadFile("stderr")
		if pattern.MatchString(out) != neg {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("not within %s: %s of %s; last output:\n%s", ample, args[0], strings.Join(args[1:], " "), out)
		}
	}
}

// fails STATUS COMMAND… runs a command that must end with this exit status, having said why in a line of its own.
func fails(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	status := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		status = exit.ExitCode()
	}
	if strconv.Itoa(status) != args[0] {
		ts.Fatalf("exit status %d", status)
	}
	said := strings.Split(strings.TrimSpace(ts.ReadFile("stderr")), "\n")
	if !strings.HasPrefix(said[len(said)-1], "kdrill: ") && !strings.HasPrefix(said[0], "kdrill: ") {
		ts.Fatalf("no sentence says why")
	}
}

// json says that the last command printed JSON, one value a line.
func validJSON(ts *testscript.TestScript, _ bool, _ []string) {
	printed := strings.TrimSpace(ts.ReadFile("stdout"))
	if printed == "" {
		ts.Fatalf("nothing was printed")
	}
	for line := range strings.Lines(printed) {
		if !json.Valid([]byte(line)) {
			ts.Fatalf("no JSON: %s", line)
		}
	}
}

// nodes asks the supervisor and sets BOOTSTRAP, ZOOKEEPER, SUPERVISOR and PIDS, and for each node such as broker-1
// PID_broker_1, ADDRESS_broker_1, DATA_broker_1 and LOG_broker_1.
func nodes(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Check(ts.Exec("kdrill", "ps", "--output", "json"))
	var status cluster.Status
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &status))
	ts.Setenv("BOOTSTRAP", strings.Join(status.Bootstrap, ","))
	ts.Setenv("ZOOKEEPER", status.ZooKeeper)
	ts.Setenv("SUPERVISOR", strconv.Itoa(status.PID))
	pids := []string{strconv.Itoa(status.PID)}
	for _, n := range status.Nodes {
		suffix := strings.ReplaceAll(n.Name, "-", "_")
		pid := strconv.Itoa(n.PID)
		pids = append(pids, pid)
		ts.Setenv("PID_"+suffix, pid)
		ts.Setenv("ADDRESS_"+suffix, n.Address)
		ts.Setenv("PORT_"+suffix, n.Address[strings.LastIndexByte(n.Address, ':')+1:])
		ts.Setenv("LOG_"+suffix, n.Log)
		ts.Setenv("DATA_"+suffix, filepath.Join(filepath.Dir(n.Log), "data"))
	}
	ts.Setenv("PIDS", strings.Join(pids, " "))
}

// let NAME PATTERN sets a variable to what the first group of the pattern matches in what the last command printed.
func let(ts *testscript.TestScript, _ bool, args []string) {
	found := regexp.MustCompile("(?m)" + args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if found == nil {
		ts.Fatalf("no match of %s", args[1])
	}
	ts.Setenv(args[0], found[1])
}

// signal NAME PID sends a signal to a process.
func sendSignal(ts *testscript.TestScript, _ bool, args []string) {
	known := map[string]syscall.Signal{"INT": syscall.SIGINT, "KILL": syscall.SIGKILL, "STOP": syscall.SIGSTOP, "CONT": syscall.SIGCONT}
	pid, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Check(syscall.Kill(pid, known[args[0]]))
}

// alive "PID …" says that every one of the processes lives; ! alive, that none does.
func alive(ts *testscript.TestScript, neg bool, args []string) {
	for _, text := range strings.Fields(strings.Join(args, " ")) {
		pid, err := strconv.Atoi(text)
		ts.Check(err)
		// ps tells a process that has ended and waits for its parent from one that runs.
		state, _ := exec.Command("ps", "-o", "stat=", "-p", text).Output()
		lives := syscall.Kill(pid, 0) == nil && !strings.HasPrefix(string(state), "Z")
		if lives == neg {
			ts.Fatalf("process %d: alive is %v", pid, lives)
		}
	}
}

// garbage ADDRESS HEX sends bytes that are no request: the node must close the connection.
func garbage(ts *testscript.TestScript, _ bool, args []string) {
	data, err := hex.DecodeString(args[1])
	ts.Check(err)
	conn, err := net.DialTimeout("tcp", args[0], ample)
	ts.Check(err)
	defer conn.Close()
	_, err = conn.Write(data)
	ts.Check(err)
	ts.Check(conn.SetReadDeadline(time.Now().Add(ample)))
	if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
		ts.Fatalf("%s keeps a connection that sent garbage", args[0])
	}
}

// terminal PROMPT ANSWER COMMAND… runs a command on a terminal, types the answer when the prompt shows, and prints what
// the terminal showed. The answer ^C interrupts. The command must succeed; with ! it must fail.
func terminalSession(ts *testscript.TestScript, neg bool, args []string) {
	prompt, answer := args[0], args[1]+"\n"
	if args[1] == "^C" {
		answer = "\x03"
	}
	command := exec.Command(args[2], args[3:]...)
	command.Env = ts.Value(story{}).(*testscript.Env).Vars
	const cols, rows = 80, 24
	tty, err := pty.StartWithSize(command, &pty.Winsize{Rows: rows, Cols: cols})
	ts.Check(err)
	defer tty.Close()
	ts.Check(tty.SetReadDeadline(time.Now().Add(ample)))
	shown := screen.New(cols, rows)
	typed := false
	buffer := make([]byte, 4096)
	for {
		n, err := tty.Read(buffer)
		_, _ = shown.Write(buffer[:n])
		if !typed && shown.Shows(prompt) {
			typed = true
			_, err := io.WriteString(tty, answer)
			ts.Check(err)
		}
		if err != nil { // EIO when the command has closed its side
			break
		}
	}
	err = command.Wait()
	_, _ = io.WriteString(ts.Stdout(), strings.ReplaceAll(shown.Sent(), "\r\n", "\n"))
	if !typed {
		ts.Fatalf("the prompt %q did not show on\n%s", prompt, shown)
	}
	if failed := err != nil; failed != neg {
		ts.Fatalf("on a terminal: %v:\n%s", err, shown.Sent())
	}
}
