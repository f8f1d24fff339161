package group

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

// Apache's own DumpLogSegments understands what we store. KAFKA_LIBS names the libs folder of a Kafka distribution.
func TestApacheReadsOurRecords(t *testing.T) {
	libs := os.Getenv("KAFKA_LIBS")
	if libs == "" {
		t.Skip("needs KAFKA_LIBS, the libs folder of Apache Kafka 3.9, and java")
	}
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
	dump := exec.CommandContext(t.Context(), "java", "-cp", filepath.Join(libs, "*"), "kafka.tools.DumpLogSegments", "--offsets-decoder", "--files", file)
	out, err := dump.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{`"group":"g"`, `"topic":"orders","partition":3`, `"offset":42,"leaderEpoch":7,"metadata":"by a"`, `"protocolType":"consumer","generation":1,"protocol":"range"`, `"clientHost":"/127.0.0.1","rebalanceTimeout":20000,"sessionTimeout":10000`} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%s is not in the dump:\n%s", want, out)
		}
	}
}
