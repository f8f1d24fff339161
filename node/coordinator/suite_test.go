package coordinator

import (
	"os"
	"path/filepath"
	"testing"

	"kdrill/testdata/need"
)

// The test suite of the Go client, as it is in the module cache, against nodes that it starts by a zkServer.sh. It takes
// more than a minute: COORDINATOR_SUITE=1 asks for it.
func TestTheGoClientsOwnSuitePasses(t *testing.T) {
	if os.Getenv("COORDINATOR_SUITE") == "" {
		t.Skip("the suite of the Go client takes more than a minute: set COORDINATOR_SUITE=1 to run it")
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	env := []string{"ZOOKEEPER_BIN_PATH=" + filepath.Join(here, "testdata"), "COORDINATOR_PROGRAM=" + program}
	if counts := need.Suite(t, need.Module(t, "github.com/go-zookeeper/zk"), env, "-timeout=500s", "./..."); counts["pass"] < 40 {
		t.Errorf("the suite ran only in part: %v", counts)
	}
}
