package group

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"kdrill/testdata/need"
)

// Apache's own DumpLogSegments understands what we store.
func TestApacheReadsOurRecords(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a JVM")
	}
	tools := need.KafkaTools(t)
	var batches [][]byte
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		c := coordinate(t, d)
		k := settled(t, c, 2)[0]
		must(t, k.commit(3, 42))
		batches = slices.Clone(d.batches[c.PartitionFor("g")])
	})
	file := filepath.Join(t.TempDir(), strings.Repeat("0", 20)+".log")
	if err := os.WriteFile(file, slices.Concat(batches...), 0o644); err != nil {
		t.Fatal(err)
	}
	out := tools.Run("kafka.tools.DumpLogSegments", "--offsets-decoder", "--files", file)
	for _, want := range []string{`"group":"g"`, `"topic":"orders","partition":3`, `"offset":42,"leaderEpoch":7,"metadata":"by a"`, `"protocolType":"consumer","generation":1,"protocol":"range"`, `"clientHost":"/127.0.0.1","rebalanceTimeout":20000,"sessionTimeout":10000`} {
		if !strings.Contains(out, want) {
			t.Errorf("%s is not in the dump:\n%s", want, out)
		}
	}
}
