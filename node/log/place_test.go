package log

import (
	"slices"
	"testing"
)

// The index leads to the batch before the wanted one, which may be as large as all that is wanted.
func TestWhoReadsOnReadsEveryByteOnce(t *testing.T) {
	l := openLog(t, openDir(t, t.TempDir()), DefaultConfig())
	for range 10 {
		if _, err := l.AppendLeader(payload(100<<10), 1, FromClient); err != nil {
			t.Fatal(err)
		}
	}
	asked, got := 0, 0
	memory := func(n int) []byte {
		asked += n
		return make([]byte, n)
	}
	size := len(payload(100 << 10))
	for _, reader := range []string{"the first", "another"} {
		asked, got = 0, 0
		for next := int64(0); next < l.End(); {
			raw, err := l.ReadInto(memory, next, l.End(), size+100, true)
			if err != nil {
				t.Fatal(err)
			}
			if Batch(raw).BaseOffset() != next {
				t.Fatalf("%s reader wanted %d and got %d", reader, next, Batch(raw).BaseOffset())
			}
			got += len(raw)
			for b := range Batches(raw) {
				next = b.LastOffset() + 1
			}
		}
		if int64(got) != l.Size() || asked > got+10*100+probe {
			t.Errorf("%s reader read %d bytes for %d of %d", reader, asked, got, l.Size())
		}
	}
}

func TestAPlaceHoldsUntilTheLogIsCut(t *testing.T) {
	l := openLog(t, openDir(t, t.TempDir()), DefaultConfig())
	for range 3 {
		lead(t, l, 1, 2)
	}
	if _, err := l.Read(0, 4, 1000, true); err != nil {
		t.Fatal(err)
	}
	if at, err := l.find(4); err != nil || !at.exact {
		t.Fatalf("after a read up to it, offset 4 is looked for in the index: %v", err)
	}
	if err := l.Truncate(4); err != nil {
		t.Fatal(err)
	}
	lead(t, l, 2, 1)
	if at, err := l.find(4); err != nil || at.exact {
		t.Fatalf("the place of offset 4 outlived a truncation: %v", err)
	}
	if got := contents(t, l, 4, 1000); !slices.Equal(got, []int64{4}) {
		t.Errorf("read %v", got)
	}
}
