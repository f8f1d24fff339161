package log

import (
	"log/slog"
	"testing"
)

func TestSmoke(t *testing.T) {
	path := t.TempDir()
	d, err := OpenDir(path, Identity{"c", 1}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	l, err := d.Open("orders", 0, DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		a, err := l.AppendLeader(EncodeBatch(Record{Timestamp: int64(i), Value: []byte("x")}, Record{Timestamp: int64(i), Value: []byte("x")}), 1, FromClient)
		if err != nil || a.First != int64(2*i) || a.Last != int64(2*i+1) {
			t.Fatal(a, err)
		}
	}
	b, err := l.Read(3, l.End(), 1<<20, true)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for b, err := range Batches(b) {
		if err != nil {
			t.Fatal(err)
		}
		for r, err := range b.Records() {
			t.Log(r.Offset, r.Timestamp, string(r.Value), err)
			n++
		}
	}
	if n != 4 {
		t.Fatal(n)
	}
	if err := d.Close(true, map[TopicPartition]int64{{"orders", 0}: 6}); err != nil {
		t.Fatal(err)
	}
	d, err = OpenDir(path, Identity{"c", 1}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	l, err = d.Open("orders", 0, DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	t.Log(l.End(), l.Recovery(), d.HighWatermarks(), l.LastEpoch())
}
