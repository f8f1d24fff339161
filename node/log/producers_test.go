package log

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

func from(id int64, epoch int16, sequence int32, n int) Batch {
	b := records(0, n)
	b.SetProducer(id, epoch, sequence)
	return b
}

// A step is a batch that a producer sends and what becomes of it.
type step struct {
	id       int64
	epoch    int16
	sequence int32
	n        int
	want     error
	first    int64 // offset it gets, or got
	repeated bool
}

func send(t *testing.T, l *Log, steps ...step) {
	t.Helper()
	for i, s := range steps {
		a, err := l.AppendLeader(from(s.id, s.epoch, s.sequence, s.n), 0, FromClient)
		if !errors.Is(err, s.want) {
			t.Fatalf("step %d: %v, want %v", i, err, s.want)
		}
		if err == nil && (a.First != s.first || a.Last != s.first+int64(s.n)-1 || a.Duplicate != s.repeated) {
			t.Fatalf("step %d: %+v, want offset %d, repeated %v", i, a, s.first, s.repeated)
		}
	}
}

func TestIdempotentProducers(t *testing.T) {
	for name, steps := range map[string][]step{
		"in order": {{id: 1, n: 2}, {id: 1, sequence: 2, n: 3, first: 2}, {id: 2, n: 1, first: 5}},
		"a repeated batch keeps its offset": {
			{id: 1, n: 2},
			{id: 1, sequence: 2, n: 1, first: 2},
			{id: 1, n: 2, repeated: true},
			{id: 1, sequence: 2, n: 1, first: 2, repeated: true},
			{id: 1, sequence: 3, n: 1, first: 3},
		},
		"five batches are remembered": {
			{id: 1, n: 1},
			{id: 1, sequence: 1, n: 1, first: 1},
			{id: 1, sequence: 2, n: 1, first: 2},
			{id: 1, sequence: 3, n: 1, first: 3},
			{id: 1, sequence: 4, n: 1, first: 4},
			{id: 1, n: 1, repeated: true},
			{id: 1, sequence: 5, n: 1, first: 5},
			{id: 1, n: 1, want: ErrOutOfOrderSequence},
		},
		"a gap":                               {{id: 1, n: 1}, {id: 1, sequence: 2, n: 1, want: ErrOutOfOrderSequence}, {id: 1, sequence: 1, n: 1, first: 1}},
		"an unknown producer begins anywhere": {{id: 1, sequence: 77, n: 1}, {id: 1, sequence: 78, n: 1, first: 1}},
		"an old epoch":                        {{id: 1, epoch: 3, n: 1}, {id: 1, epoch: 2, sequence: 1, n: 1, want: ErrProducerFenced}},
		"a new epoch begins at 0": {
			{id: 1, n: 1},
			{id: 1, epoch: 1, sequence: 1, n: 1, want: ErrOutOfOrderSequence},
			{id: 1, epoch: 1, n: 1, first: 1},
		},
		"sequence numbers wrap": {
			{id: 1, sequence: math.MaxInt32 - 1, n: 3}, // MaxInt32-1, MaxInt32, 0
			{id: 1, sequence: 1, n: 1, first: 3},
			{id: 1, sequence: math.MaxInt32 - 1, n: 3, repeated: true},
		},
		"wrap between batches": {{id: 1, sequence: math.MaxInt32, n: 1}, {id: 1, n: 1, first: 1}},
	} {
		t.Run(name, func(t *testing.T) { send(t, openLog(t, openDir(t, t.TempDir()), DefaultConfig()), steps...) })
	}
}

// After each of these the last batch is still recognized, and the next is still the next.
func TestProducersSurvive(t *testing.T) {
	for name, event := range map[string]func(*testing.T, *Dir, *Log) *Log{
		"a crash":      func(t *testing.T, d *Dir, _ *Log) *Log { _, l := crash(t, d, small()); return l },
		"a clean stop": func(t *testing.T, d *Dir, _ *Log) *Log { _, l := restart(t, d, small()); return l },
		"lost snapshots": func(t *testing.T, d *Dir, l *Log) *Log {
			for _, f := range segmentFiles(t, l, ".snapshot") {
				os.Remove(f)
			}
			_, l = crash(t, d, small())
			return l
		},
		"corrupt snapshots": func(t *testing.T, d *Dir, l *Log) *Log {
			for _, f := range segmentFiles(t, l, ".snapshot") {
				os.WriteFile(f, []byte("nonsense, but long enough"), 0o644)
			}
			_, l = crash(t, d, small())
			return l
		},
		"a change of leader": func(t *testing.T, _ *Dir, l *Log) *Log {
			follower := openLog(t, openDir(t, t.TempDir()), small())
			for next := l.Start(); next < l.End(); next = follower.End() {
				raw, err := l.Read(next, l.End(), 1<<20, true)
				if err != nil {
					t.Fatal(err)
				}
				if _, err = follower.AppendFollower(raw, 2); err != nil {
					t.Fatal(err)
				}
			}
			return follower
		},
		"retention": func(t *testing.T, _ *Dir, l *Log) *Log {
			if n, err := l.Retain(time.Now().Add(10*24*time.Hour), l.End()); n == 0 || err != nil {
				t.Fatal(n, err)
			}
			return l
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := openDir(t, t.TempDir())
			l := openLog(t, d, small())
			for i := range 40 {
				send(t, l, step{id: 7, epoch: 2, sequence: int32(2 * i), n: 2, first: int64(2 * i)})
			}
			l = event(t, d, l)
			for i := int32(70); i < 78; i += 2 { // a client may repeat all that it had under way
				send(t, l, step{id: 7, epoch: 2, sequence: i, n: 2, first: int64(i), repeated: true})
			}
			send(t, l,
				step{id: 7, epoch: 2, sequence: 68, n: 2, want: ErrOutOfOrderSequence},
				step{id: 7, epoch: 2, sequence: 78, n: 2, first: 78, repeated: true},
				step{id: 7, epoch: 2, sequence: 99, n: 1, want: ErrOutOfOrderSequence},
				step{id: 7, epoch: 2, sequence: 80, n: 1, first: 80})
		})
	}
}

func TestARefusedRequestLeavesNoTraceOfItsBatches(t *testing.T) {
	l := openLog(t, openDir(t, t.TempDir()), DefaultConfig())
	first, second := from(1, 0, 0, 2), from(1, 0, 7, 1) // the second is out of order
	request := append(append(records(0, 1), first...), second...)
	if _, err := l.AppendLeader(request, 0, FromClient); !errors.Is(err, ErrOutOfOrderSequence) {
		t.Fatal(err)
	}
	send(t, l, step{id: 1, n: 2})
}

func TestTruncationTakesBackWhatProducersSent(t *testing.T) {
	l := openLog(t, openDir(t, t.TempDir()), small())
	for i := range 40 {
		send(t, l, step{id: 7, sequence: int32(i), n: 1, first: int64(i)})
	}
	if err := l.Truncate(13); err != nil {
		t.Fatal(err)
	}
	send(t, l,
		step{id: 7, sequence: 39, n: 1, want: ErrOutOfOrderSequence},
		step{id: 7, sequence: 12, n: 1, first: 12, repeated: true},
		step{id: 7, sequence: 13, n: 1, first: 13})
	if err := l.Reset(0); err != nil {
		t.Fatal(err)
	}
	if p := l.ActiveProducers(); len(p) != 0 {
		t.Fatal(p)
	}
}

func TestSilentProducersAreForgotten(t *testing.T) {
	l := openLog(t, openDir(t, t.TempDir()), DefaultConfig())
	send(t, l, step{id: 7, n: 1})
	want := []ProducerState{{ID: 7, CoordinatorEpoch: -1, TxnFirstOffset: -1}}
	if got := l.ActiveProducers(); !reflect.DeepEqual(got, want) {
		t.Fatalf("%+v", got)
	}
	l.ExpireProducers(time.UnixMilli(1000))
	if len(l.ActiveProducers()) != 1 {
		t.Fatal("forgotten too early")
	}
	l.ExpireProducers(time.UnixMilli(0).Add(25 * time.Hour))
	if len(l.ActiveProducers()) != 0 {
		t.Fatal("not forgotten")
	}
}

// Kafka's layout, byte by byte.
func TestSnapshotLayout(t *testing.T) {
	ps := producers{}
	ps.add(withOffset(from(0x0102, 3, 4, 2), 0x1000))
	const want = "0001" + "%s" + "00000001" +
		"0000000000000102" + "0003" + "00000005" + "0000000000001001" + "00000001" + "0000000000000001" + "ffffffff" + "ffffffffffffffff"
	got := encodeSnapshot(ps)
	sum := hex.EncodeToString(got[2:6])
	if hex.EncodeToString(got) != "0001"+sum+want[len("0001%s"):] {
		t.Fatalf("%x", got)
	}
	back, err := decodeSnapshot(got)
	if err != nil || !reflect.DeepEqual(back, ps) {
		t.Fatalf("%+v, %v", back, err)
	}
}

func TestASnapshotIsWrittenAtEachRoll(t *testing.T) {
	d := openDir(t, t.TempDir())
	l, _ := filled(t, d, small())
	if got, want := len(segmentFiles(t, l, ".snapshot")), len(l.segments)-1; got != want {
		t.Fatalf("%d snapshots, want %d", got, want)
	}
	for range 3 {
		d, l = restart(t, d, small())
		lead(t, l, 5, 1)
	}
	if got, want := len(segmentFiles(t, l, ".snapshot")), len(l.segments); got > want {
		t.Fatalf("%d snapshots for %d segments", got, want)
	}
}

func FuzzSnapshot(f *testing.F) {
	ps := producers{}
	ps.add(from(1, 0, 0, 1))
	ps.add(from(2, 1, 9, 3))
	f.Add(encodeSnapshot(ps))
	f.Fuzz(func(t *testing.T, src []byte) {
		ps, err := decodeSnapshot(src)
		if err != nil {
			return
		}
		again, err := decodeSnapshot(encodeSnapshot(ps))
		if err != nil || len(again) != len(ps) {
			t.Fatalf("%d producers became %d: %v", len(ps), len(again), err)
		}
	})
}

func TestFoldersThatAreNoPartitionsAreLeftAlone(t *testing.T) {
	root := t.TempDir()
	for _, f := range []string{"orders-0", "a-b-12", "orders-0.0123-delete", "plain", "x-01", "-3", "y--1"} {
		os.Mkdir(filepath.Join(root, f), 0o755)
	}
	got := openDir(t, root).Existing()
	if !reflect.DeepEqual(got, []TopicPartition{{"a-b", 12}, {"orders", 0}, {"y-", 1}}) {
		t.Fatal(got)
	}
}

func FuzzCheckpoint(f *testing.F) {
	f.Add([]byte("0\n2\norders 0 42\nother 1 7\n"), []byte("0\n2\n0 0\n3 17\n"))
	f.Fuzz(func(t *testing.T, offsets, history []byte) {
		if m, err := decodeOffsets(offsets); err == nil {
			if again, err := decodeOffsets(encodeOffsets(m)); err != nil || len(again) != len(m) {
				t.Fatal(m, again, err)
			}
		}
		if es, err := decodeEpochs(history); err == nil {
			if got := es.encode(); !bytes.Equal(got, must(decodeEpochs(got)).encode()) {
				t.Fatalf("%q", got)
			}
		}
	})
}

func must(es epochs, err error) epochs {
	if err != nil {
		panic(err)
	}
	return es
}
