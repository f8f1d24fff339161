package cmd

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"kdrill/cluster"
	"kdrill/testdata/races"
)

// TestMain makes the test binary the program: scripts and tests run "kdrill" as users do.
func TestMain(m *testing.M) {
	testscript.Main(races.Watched{Tests: m}, map[string]func(){
		"kdrill": func() { os.Exit(Main(os.Args[1:])) },
	})
}

// local is a cluster of real processes that lives as long as one test.
type local struct {
	t   testing.TB
	env []string
}

// startLocal starts a cluster in a state directory of its own and takes it down at the end of the test.
func startLocal(t testing.TB, upArgs ...string) *local {
	t.Helper()
	c := &local{t: t, env: append(os.Environ(), "XDG_STATE_HOME="+t.TempDir())}
	t.Cleanup(func() {
		if t.Failed() {
			c.report()
		}
		c.run("down", "--purge", "--yes")
	})
	c.run(append([]string{"up", "--wait"}, upArgs...)...)
	return c
}

// run runs one kdrill command, which must succeed, and returns what it printed.
func (c *local) run(args ...string) string {
	c.t.Helper()
	out, errText, err := c.try(args...)
	if err != nil {
		c.t.Fatalf("kdrill %s: %v\n%s", strings.Join(args, " "), err, errText)
	}
	return out
}

func (c *local) try(args ...string) (out, errText string, err error) {
	var stdout, stderr bytes.Buffer
	command := exec.Command("kdrill", args...) // not the test's context: clean-up runs after it has ended
	command.Env, command.Stdout, command.Stderr = c.env, &stdout, &stderr
	err = command.Run()
	return stdout.String(), stderr.String(), err
}

// status asks the supervisor.
func (c *local) status() cluster.Status {
	c.t.Helper()
	var status cluster.Status
	if err := json.Unmarshal([]byte(c.run("ps", "--output", "json")), &status); err != nil {
		c.t.Fatalf("ps: %v", err)
	}
	return status
}

// report shows what the nodes said, for a test that failed.
func (c *local) report() {
	out, _, _ := c.try("ps")
	c.t.Logf("ps:\n%s", out)
	out, _, _ = c.try("events")
	c.t.Logf("events:\n%s", tail(out, 60))
	for _, n := range c.status().Nodes {
		data, _ := os.ReadFile(n.Log)
		c.t.Logf("%s:\n%s", n.Name, tail(string(data), 25))
	}
}

func tail(text string, lines int) string {
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// eventually waits until what holds; it fails the test when that takes longer than any healthy machine needs.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for tick := time.NewTicker(50 * time.Millisecond); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}
