package log

import (
	"errors"
	"reflect"
	"testing"
	"time"
)

// inTxn appends n records of a producer's transaction.
func inTxn(t *testing.T, l *Log, id int64, sequence int32, n int) {
	t.Helper()
	b := from(id, 0, sequence, n)
	b.SetTransactional()
	if _, err := l.AppendLeader(b, 0, FromClient); err != nil {
		t.Fatal(err)
	}
}

func mark(t *testing.T, l *Log, id int64, committed bool) {
	t.Helper()
	b := EncodeMarker(Marker{ProducerID: id, Committed: committed, CoordinatorEpoch: 1}, time.UnixMilli(5))
	if _, err := l.AppendLeader(b, 0, FromCoordinator); err != nil {
		t.Fatal(err)
	}
}

// interleaved is two transactions: producer 1 has offsets 0-1 and 4, aborted at 5; producer 2 has 2-3 and is open until 6.
func interleaved(t *testing.T, l *Log) {
	inTxn(t, l, 1, 0, 2)
	inTxn(t, l, 2, 0, 2)
	inTxn(t, l, 1, 2, 1)
	mark(t, l, 1, false)
}

func TestTheLastStableOffsetWaitsForMarkersBelowTheHighWatermark(t *testing.T) {
	l := openLog(t, openDir(t, t.TempDir()), DefaultConfig())
	check := func(hw, want int64) {
		t.Helper()
		if got := l.Stable(hw); got != want {
			t.Errorf("stable below %d is %d, want %d", hw, got, want)
		}
	}
	lead(t, l, 0, 1)
	check(1, 1)
	inTxn(t, l, 1, 0, 2) // 1-2
	check(3, 1)
	check(1, 1)
	lead(t, l, 0, 1) // 3
	mark(t, l, 1, true)
	check(4, 1) // the marker may still be lost
	check(5, 5)
}

func TestAbortedTransactionsAreIndexed(t *testing.T) {
	l := openLog(t, openDir(t, t.TempDir()), DefaultConfig())
	interleaved(t, l)
	want := []Aborted{{ProducerID: 1, First: 0, Last: 5, Stable: 2}}
	if got := l.Aborted(0, 6); !reflect.DeepEqual(got, want) {
		t.Errorf("aborted: %v", got)
	}
	mark(t, l, 2, true)
	if got := l.Stable(l.End()); got != 7 {
		t.Errorf("stable is %d", got)
	}
	if got := l.Aborted(6, 7); got != nil {
		t.Errorf("aborted from 6: %v", got)
	}
}

func TestTransactionsSurviveRestartAndCrash(t *testing.T) {
	for name, again := range map[string]func(testing.TB, *Dir, Config) (*Dir, *Log){"restart": restart, "crash": crash} {
		t.Run(name, func(t *testing.T) {
			cfg := small()
			d := openDir(t, t.TempDir())
			l := openLog(t, d, cfg)
			interleaved(t, l)
			lead(t, l, 0, 40) // fills segments
			inTxn(t, l, 3, 0, 1)
			mark(t, l, 3, false)
			want := l.Aborted(0, l.End())
			if len(want) != 2 {
				t.Fatalf("aborted before: %v", want)
			}
			for range 2 {
				d, l = again(t, d, cfg)
				if got := l.Aborted(0, l.End()); !reflect.DeepEqual(got, want) {
					t.Errorf("aborted: %v, want %v", got, want)
				}
				if got := l.Stable(l.End()); got != 2 {
					t.Errorf("stable is %d: producer 2 is open since 2", got)
				}
			}
			mark(t, l, 2, true)
			if got := l.Stable(l.End()); got != l.End() {
				t.Errorf("stable is %d of %d", got, l.End())
			}
		})
	}
}

func TestTruncationOpensATransactionAgain(t *testing.T) {
	l := openLog(t, openDir(t, t.TempDir()), DefaultConfig())
	interleaved(t, l)
	if err := l.Truncate(5); err != nil {
		t.Fatal(err)
	}
	if got := l.Aborted(0, 5); got != nil {
		t.Errorf("aborted without marker: %v", got)
	}
	mark(t, l, 2, true)
	if got := l.Stable(l.End()); got != 0 {
		t.Errorf("stable is %d", got)
	}
	mark(t, l, 1, false)
	if got := l.Aborted(0, l.End()); len(got) != 1 || got[0].Last != 6 {
		t.Errorf("aborted: %v", got)
	}
}

func TestWhoMayWriteInATransaction(t *testing.T) {
	l := openLog(t, openDir(t, t.TempDir()), DefaultConfig())
	inTxn(t, l, 1, 0, 1)
	marker := func(epoch int16, coordinator int32) Batch {
		return EncodeMarker(Marker{ProducerID: 1, ProducerEpoch: epoch, CoordinatorEpoch: coordinator}, time.Now())
	}
	for _, c := range []struct {
		what   string
		batch  Batch
		origin Origin
		want   error
	}{
		{"a record outside of the transaction", from(1, 0, 1, 1), FromClient, ErrInvalidTxnState},
		{"a marker from a client", marker(0, 1), FromClient, ErrInvalidRecord},
		{"a marker that also fences", marker(1, 3), FromCoordinator, nil},
		{"a marker again", marker(1, 3), FromCoordinator, nil},
		{"a marker of a former coordinator", marker(1, 2), FromCoordinator, ErrCoordinatorFenced},
		{"a marker of the fenced epoch", marker(0, 4), FromCoordinator, ErrProducerFenced},
		{"a record of the fenced epoch", from(1, 0, 1, 1), FromClient, ErrProducerFenced},
		{"the next epoch from the middle", from(1, 1, 1, 1), FromClient, ErrOutOfOrderSequence},
		{"the next epoch", from(1, 1, 0, 1), FromClient, nil},
	} {
		if _, err := l.AppendLeader(c.batch, 0, c.origin); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.what, err, c.want)
		}
	}
}

func FuzzTransactionIndex(f *testing.F) {
	f.Add(appendAborted(appendAborted(nil, Aborted{1, 2, 3, 4}), Aborted{7, 1, 9, 10}))
	f.Fuzz(func(t *testing.T, content []byte) {
		list, err := decodeAborted(content)
		if err != nil {
			return
		}
		var again []byte
		for _, a := range list {
			again = appendAborted(again, a)
		}
		if string(again) != string(content) {
			t.Fatalf("%x became %x", content, again)
		}
	})
}

func FuzzMarker(f *testing.F) {
	f.Add([]byte(EncodeMarker(Marker{1, 2, true, 3}, time.UnixMilli(4))))
	f.Fuzz(func(t *testing.T, content []byte) {
		for b, err := range Batches(content) {
			if err != nil {
				return
			}
			b.Marker()
		}
	})
}
