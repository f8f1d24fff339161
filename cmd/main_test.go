package cmd

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"kdrill/testdata/races"
	"kdrill/testdata/stage"
)

// TestMain makes the test binary the program: scripts and tests run "kdrill" as users do.
func TestMain(m *testing.M) {
	testscript.Main(races.Watched{Tests: m}, map[string]func(){
		"kdrill": func() { os.Exit(Main(os.Args[1:])) },
	})
}

// local is a cluster of real processes that lives as long as one test.
type local struct{ *stage.Cluster }

// startLocal starts a cluster in a state directory of its own.
func startLocal(t testing.TB, upArgs ...string) *local {
	t.Helper()
	c := &local{stage.New(t)}
	c.Run(append([]string{"up", "--wait"}, upArgs...)...)
	return c
}

// eventually waits until what holds; it fails the test when that takes longer than any healthy machine needs.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	stage.Eventually(t, ample, what, holds)
}
