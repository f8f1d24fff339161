// Package stage runs the program as its users do, on clusters of real processes, for tests and benchmarks.
//
// The test binary that uses it must be the program: its TestMain registers "kdrill" with testscript.Main.
package stage

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kdrill/cluster"
)

// Cluster is a cluster of real processes that lives as long as one test. It has a state directory of its own.
type Cluster struct {
	T     testing.TB
	State string // its state directory
	Env   []string
	// Wrap is what the program is started by, such as nice; nothing if empty. Nodes inherit what it sets.
	Wrap []string
}

// New prepares a cluster that is taken down at the end of the test; a test that failed shows what its nodes said.
func New(t testing.TB, env ...string) *Cluster {
	t.Helper()
	home := t.TempDir()
	c := &Cluster{T: t, State: filepath.Join(home, "kdrill"), Env: append(append(os.Environ(), "XDG_STATE_HOME="+home), env...)}
	t.Cleanup(func() {
		if t.Failed() {
			c.report()
		}
		if _, errText, err := c.Try("down", "--purge", "--yes"); err != nil {
			t.Errorf("kdrill down: %v\n%s", err, errText)
		}
	})
	return c
}

// Run runs one kdrill command, which must succeed, and returns what it printed.
func (c *Cluster) Run(args ...string) string {
	c.T.Helper()
	out, errText, err := c.Try(args...)
	if err != nil {
		c.T.Fatalf("kdrill %s: %v\n%s", strings.Join(args, " "), err, errText)
	}
	return out
}

// Try runs one kdrill command and returns what it printed and said.
func (c *Cluster) Try(args ...string) (out, errText string, err error) {
	var stdout, stderr bytes.Buffer
	words := append(append(c.Wrap[:len(c.Wrap):len(c.Wrap)], "kdrill"), args...)
	command := exec.Command(words[0], words[1:]...) // not the test's context: clean-up runs after it has ended
	command.Env, command.Stdout, command.Stderr = c.Env, &stdout, &stderr
	err = command.Run()
	return stdout.String(), stderr.String(), err
}

// Status asks the supervisor.
func (c *Cluster) Status() cluster.Status {
	c.T.Helper()
	var status cluster.Status
	if err := json.Unmarshal([]byte(c.Run("ps", "--output", "json")), &status); err != nil {
		c.T.Fatalf("ps: %v", err)
	}
	return status
}

// Events reads the timeline from a time on.
func (c *Cluster) Events(since time.Time) (events []cluster.Event) {
	c.T.Helper()
	for line := range strings.Lines(c.Run("events", "--output", "json")) {
		var e cluster.Event
		if json.Unmarshal([]byte(line), &e) == nil && !e.At.Before(since) {
			events = append(events, e)
		}
	}
	return events
}

// report shows what the nodes said.
func (c *Cluster) report() {
	out, errText, err := c.Try("ps", "--output", "json")
	if err != nil {
		c.T.Logf("ps: %s", errText)
		return
	}
	var status cluster.Status
	_ = json.Unmarshal([]byte(out), &status)
	out, _, _ = c.Try("ps")
	c.T.Logf("ps:\n%s", out)
	out, _, _ = c.Try("events")
	c.T.Logf("events:\n%s", lastLines(out, 60))
	for _, n := range status.Nodes {
		data, _ := os.ReadFile(n.Log)
		c.T.Logf("%s:\n%s", n.Name, lastLines(string(data), 25))
	}
}

func lastLines(text string, lines int) string {
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// Eventually waits until what holds; it fails the test when that takes longer than patience, which is to be more than any
// healthy machine needs.
func Eventually(t testing.TB, patience time.Duration, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for tick := time.NewTicker(50 * time.Millisecond); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}
