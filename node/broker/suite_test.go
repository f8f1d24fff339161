package broker

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kdrill/testdata/need"
)

// The integration tests of franz-go's client, as they are in the module cache, against three brokers. All of them take
// minutes: BROKER_SUITE=1 asks for them, and BROKER_SUITE=host:port,… lets them meet another cluster. Some always run.
func TestTheGoClientsOwnSuitePasses(t *testing.T) {
	seeds, args, records := os.Getenv("BROKER_SUITE"), []string{"-timeout=20m"}, "50000"
	if seeds == "" {
		args = append(args, "-run=^(TestTxnEtl|TestIssue325|TestLookbackMilli|TestDirectPartitionPurge)$")
		records = "2000"
	}
	if !strings.Contains(seeds, ":") {
		seeds = strings.Join(startCluster(t, 1, 3).seeds(), ",")
	}
	dir := need.Module(t, "github.com/twmb/franz-go")
	env := []string{"KGO_SEEDS=" + seeds, "KGO_TEST_RF=3", "KGO_TEST_RECORDS=" + records}
	need.Suite(t, filepath.Join(dir, "pkg", "kgo"), env, append(args, ".")...)
}
