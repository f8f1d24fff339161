package log

import (
	"fmt"
	"strings"
	"testing"

	"kdrill/testdata/need"
)

// Apache's own DumpLogSegments reads what we write.
func TestApacheReadsOurFiles(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a JVM")
	}
	tools := need.KafkaTools(t)
	d := openDir(t, t.TempDir())
	l := openLog(t, d, small())
	for i := range 40 {
		b := records(l.End(), 1+i%4)
		b.SetProducer(int64(1000+i%3), 1, int32(i/3*4)) // sequence numbers do not matter to a coordinator
		if _, err := l.AppendLeader(b, int32(i/15), FromCoordinator); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.SetTopicID([16]byte{1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(true, nil); err != nil {
		t.Fatal(err)
	}
	dump := func(suffix string, flags ...string) string {
		return tools.Run("kafka.tools.DumpLogSegments", append([]string{"--files", strings.Join(segmentFiles(t, l, suffix), ",")}, flags...)...)
	}
	logs := dump(".log", "--deep-iteration", "--print-data-log")
	for offset := range l.end {
		if !strings.Contains(logs, fmt.Sprintf("| offset: %d ", offset)) || !strings.Contains(logs, fmt.Sprintf("payload: %d\n", offset)) {
			t.Errorf("offset %d is not in the dump", offset)
		}
	}
	snapshots := dump(".snapshot")
	if !strings.Contains(snapshots, "producerId: 1002 producerEpoch: 1") {
		t.Error(snapshots)
	}
	for _, out := range []string{logs, snapshots, dump(".index"), dump(".timeindex")} {
		for _, bad := range []string{"isvalid: false", "Found", "ismatch", "Exception"} {
			if strings.Contains(out, bad) {
				t.Error(out)
			}
		}
	}
}
