// Package races lets a test see the data races of the processes that it started: the race detector of a child would
// otherwise only write to the child's log.
package races

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Tests are those of one package, a *testing.M.
type Tests interface{ Run() int }

// Watched runs tests and fails them when one of their processes, built with -race, reports a race.
type Watched struct{ Tests }

// Run implements [Tests].
func (w Watched) Run() int {
	dir, err := os.MkdirTemp("", "races-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	// Unless told, every process with the detector waits for a second before it ends.
	os.Setenv("GORACE", strings.TrimSpace(os.Getenv("GORACE")+" atexit_sleep_ms=20 log_path="+filepath.Join(dir, "race")))
	status := w.Tests.Run()
	reports, _ := filepath.Glob(filepath.Join(dir, "race.*"))
	for _, name := range reports {
		text, _ := os.ReadFile(name)
		fmt.Printf("a process that the tests started has a data race:\n%s\n", text)
		status = 1
	}
	return status
}
