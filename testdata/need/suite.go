package need

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Module returns a copy of a module that this one depends on, as it is in the module cache.
func Module(t *testing.T, path string) string {
	t.Helper()
	source, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", path).Output()
	if err != nil {
		t.Skipf("the module cache has no source of %s: %v", path, err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(strings.TrimSpace(string(source)))); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Outcome counts the tests of a suite by how they ended: pass, skip, fail.
type Outcome map[string]int

// Suite runs the tests of a package in dir with "go test" and these arguments. Each that fails is an error of t with what it printed.
func Suite(t *testing.T, dir string, env []string, args ...string) Outcome {
	t.Helper()
	suite := exec.CommandContext(t.Context(), "go", append([]string{"test", "-json", "-count=1"}, args...)...)
	suite.Dir = filepath.Clean(dir)
	suite.Env = append(append(os.Environ(), "GOFLAGS=-mod=mod"), env...)
	suite.Stderr = os.Stderr
	out, _ := suite.Output()
	counts, printed := Outcome{}, map[string]*strings.Builder{}
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var event struct{ Action, Test, Output string }
		if json.Unmarshal(lines.Bytes(), &event) != nil || event.Test == "" {
			continue
		}
		top, _, sub := strings.Cut(event.Test, "/")
		if printed[top] == nil {
			printed[top] = &strings.Builder{}
		}
		printed[top].WriteString(event.Output)
		if sub {
			continue
		}
		switch event.Action {
		case "pass", "skip", "fail":
			counts[event.Action]++
			if event.Action == "fail" {
				t.Errorf("%s", printed[top])
			}
		}
	}
	if len(counts) == 0 {
		t.Errorf("the suite did not run:\n%s", out)
	}
	t.Logf("%d pass, %d skip, %d fail", counts["pass"], counts["skip"], counts["fail"])
	return counts
}
