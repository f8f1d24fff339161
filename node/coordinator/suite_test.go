package coordinator

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

// The test suite of the Go client, as it is in the module cache, against nodes that it starts by a zkServer.sh. It takes
// more than a minute: COORDINATOR_SUITE=1 asks for it.
func TestTheGoClientsOwnSuitePasses(t *testing.T) {
	if os.Getenv("COORDINATOR_SUITE") == "" {
		t.Skip("the suite of the Go client takes more than a minute: set COORDINATOR_SUITE=1 to run it")
	}
	source, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/go-zookeeper/zk").Output()
	if err != nil {
		t.Skipf("the module cache has no source of the Go client: %v", err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(strings.TrimSpace(string(source)))); err != nil {
		t.Fatal(err)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	suite := exec.CommandContext(t.Context(), "go", "test", "-json", "-count=1", "-timeout=500s", "./...")
	suite.Dir = dir
	suite.Env = append(os.Environ(), "ZOOKEEPER_BIN_PATH="+filepath.Join(here, "testdata"), "COORDINATOR_PROGRAM="+program, "GOFLAGS=-mod=mod")
	suite.Stderr = os.Stderr
	out, _ := suite.Output()
	counts, printed := map[string]int{}, map[string]*strings.Builder{}
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
		switch event.Action {
		case "pass", "skip", "fail":
			if !sub {
				counts[event.Action]++
			}
			if event.Action == "fail" && !sub {
				t.Errorf("%s", printed[top])
			}
		}
	}
	t.Logf("%d pass, %d skip, %d fail", counts["pass"], counts["skip"], counts["fail"])
	if counts["pass"] < 40 {
		t.Errorf("the suite did not run:\n%s", out)
	}
}
