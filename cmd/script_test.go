package cmd

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"kdrill/testdata/need"
)

// scripts holds stories of users, played against the real program and real processes.
const scripts = "../testdata/script"

// TestScripts plays every story. A story whose first line is "# needs: kcat" needs that program.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: scripts,
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("XDG_STATE_HOME", filepath.Join(env.WorkDir, "state"))
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"eventually": eventuallyMatches,
			"needs":      func(ts *testscript.TestScript, _ bool, args []string) { needs(t, ts, args) },
		},
	})
}

// needs PROGRAM PACKAGE skips the story where the program is missing.
func needs(t *testing.T, ts *testscript.TestScript, args []string) {
	if _, err := exec.LookPath(args[0]); err == nil {
		return
	}
	need.Program(t, args[0], args[1])
	ts.Fatalf("%s is missing: install %s", args[0], args[1])
}

// eventuallyMatches PATTERN COMMAND… runs a command until its output matches.
func eventuallyMatches(ts *testscript.TestScript, neg bool, args []string) {
	pattern, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	deadline := time.Now().Add(time.Minute)
	for tick := time.NewTicker(100 * time.Millisecond); ; <-tick.C {
		_ = ts.Exec(args[1], args[2:]...)
		out := ts.ReadFile("stdout")
		if pattern.MatchString(out) != neg {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("not within a minute: %s of %s; last output:\n%s", args[0], strings.Join(args[1:], " "), out)
		}
	}
}
