package races

import (
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

type tests func() int

func (t tests) Run() int { return t() }

func TestMain(m *testing.M) {
	if os.Getenv("RACE") != "" {
		race()
		return
	}
	os.Exit(m.Run())
}

// race writes and reads beside each other.
func race() {
	var n int
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() { n++ })
	}
	group.Wait()
}

func TestAChildsRaceFailsTheTests(t *testing.T) {
	child := exec.CommandContext(t.Context(), os.Args[0])
	run := func() int {
		child.Env = append(os.Environ(), "RACE=1")
		out, _ := child.CombinedOutput()
		if strings.Contains(string(out), "DATA RACE") {
			t.Error("the report went to the child's output")
		}
		return 0
	}
	if got := (Watched{tests(run)}).Run(); (got != 0) != enabled {
		t.Errorf("status %d, built with -race: %v", got, enabled)
	}
}
