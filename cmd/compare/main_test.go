package compare

import (
	"os"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"kdrill/cmd"
	"kdrill/testdata/need"
	"kdrill/testdata/races"
	"kdrill/testdata/stage"
)

// TestMain makes the test binary the program: stories run "kdrill" as users do.
func TestMain(m *testing.M) {
	testscript.Main(races.Watched{Tests: m}, map[string]func(){
		"kdrill": func() { os.Exit(cmd.Main(os.Args[1:])) },
		"drain":  func() { os.Exit(drainer(os.Args[1:])) },
	})
}

// local is a cluster of real processes that lives as long as one test.
type local struct{ *stage.Cluster }

// startApache starts a cluster that may run Apache Kafka of a version.
func startApache(t testing.TB, version string, upArgs ...string) *local {
	t.Helper()
	c := prepare(t, version)
	c.Run(append([]string{"up", "--timeout", patience.String()}, upArgs...)...)
	return c
}

// prepare makes Apache Kafka of a version known to a user who has no cluster yet. Stories are not about speed: their JVMs
// compile as little as they can, and let the tests of other packages go first.
func prepare(t testing.TB, version string) *local {
	t.Helper()
	jars := need.Kafka(t, version)
	c := &local{stage.New(t, "KAFKA_HEAP_OPTS=-Xmx128m -XX:TieredStopAtLevel=1")}
	c.Wrap = []string{need.Program(t, "nice", "coreutils"), "-n", "10"}
	c.Run("engine", "add", jars)
	return c
}

// patience is how long JVMs may take to start on a machine that is busy with other tests.
const patience = 6 * time.Minute

// eventually waits until what holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	stage.Eventually(t, patience, what, holds)
}
