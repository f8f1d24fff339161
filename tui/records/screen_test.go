package records

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"kdrill/admin/records"
	"kdrill/themes"
	"kdrill/tui/ui"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func record(partition int32, offset int64, key, value string) records.Record {
	return records.Record{
		Topic: "orders", Partition: partition, Offset: offset, Time: noon, TimeType: "CreateTime",
		Key: []byte(key), Value: []byte(value), LeaderEpoch: 3, ProducerID: -1,
	}
}

func batch(from, n int) ui.Batch {
	var b ui.Batch
	b.Name = "orders"
	for i := range n {
		b.Records = append(b.Records, record(0, int64(from+i), fmt.Sprintf("k%d", from+i), fmt.Sprintf(`{"n":%d}`, from+i)))
	}
	b.Read = int64(from + n)
	return b
}

func frame(width, height int) ui.Frame {
	return ui.Frame{Data: ui.Data{Now: noon, Location: time.UTC}, Theme: themes.New(themes.Plain), Width: width, Height: height}
}

// see is what the screen shows, without styles.
func see(s *Screen, width, height int) string {
	var out strings.Builder
	skip := false
	for _, r := range s.View(frame(width, height)) {
		switch {
		case r == '\x1b':
			skip = true
		case skip && r == 'm':
			skip = false
		case !skip:
			out.WriteRune(r)
		}
	}
	return out.String()
}

func press(t *testing.T, s *Screen, key string) {
	t.Helper()
	k, ok := ui.Find(s.Keys(), key)
	if !ok {
		t.Fatalf("no key %s", key)
	}
	k.Press()
}

func TestTheNewestRecordIsInSightWhileFollowing(t *testing.T) {
	s := New("orders")
	s.Update(batch(0, 50))
	got := see(s, 80, 10)
	if !strings.Contains(got, "k49") || strings.Contains(got, "k0 ") {
		t.Errorf("\n%s", got)
	}
	for line := range strings.Lines(got) {
		if w := ui.Width(strings.TrimRight(line, "\n")); w != 80 {
			t.Errorf("a line of %d cells: %q", w, line)
		}
	}
}

func TestNothingMovesWhilePaused(t *testing.T) {
	s := New("orders")
	s.Update(batch(0, 50))
	press(t, s, "k")
	press(t, s, "k")
	before := see(s, 80, 10)
	s.Update(batch(50, 20))
	if after := see(s, 80, 10); !strings.Contains(after, "k47") {
		t.Errorf("the selected record is out of sight\n%s\nthen\n%s", before, after)
	}
	if s.selected().Offset != 47 || s.waiting != 20 {
		t.Errorf("selected %d, waiting %d", s.selected().Offset, s.waiting)
	}
	press(t, s, "G")
	if s.selected().Offset != 69 || s.waiting != 0 {
		t.Errorf("selected %d, waiting %d", s.selected().Offset, s.waiting)
	}
}

func TestTheBufferIsBounded(t *testing.T) {
	s := New("orders")
	for i := range 4 {
		s.Update(batch(i*2000, 2000))
	}
	if n := len(s.buffer.records); n != capacity || s.buffer.records[0].Offset != 8000-capacity {
		t.Errorf("%d records from %d on", n, s.buffer.records[0].Offset)
	}
}

func TestAFilterLooksWhereItIsTold(t *testing.T) {
	s := New("orders")
	s.Update(batch(0, 20))
	for text, want := range map[string]int{"": 20, "key~^k1$": 1, "value~^k": 0, "key~!^k1": 9, "key~^k1 value~5": 1} {
		s.SetFilter(text)
		if len(s.rows) != want {
			t.Errorf("%q shows %d rows, want %d", text, len(s.rows), want)
		}
	}
	s.SetFilter("key~k3")
	s.SetFilter("key~(")
	if s.Filter() != "key~k3" || s.problem == "" {
		t.Errorf("a wrong filter replaced %q without a word", s.Filter())
	}
}

func TestAnOpenRecordStaysWhenTheBufferMovesOn(t *testing.T) {
	s := New("orders")
	s.Update(batch(0, 10))
	press(t, s, "enter")
	for i := range 4 {
		s.Update(batch(10+i*2000, 2000))
	}
	got := see(s, 80, 24)
	for _, want := range []string{"offset  9", `  "n": 9`, "bytes, JSON", "Headers"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
	press(t, s, "b")
	if got := see(s, 80, 24); !strings.Contains(got, "7b 22 6e 22") {
		t.Errorf("no bytes in\n%s", got)
	}
	press(t, s, "esc")
	if s.open != nil {
		t.Error("esc did not close the record")
	}
}

func TestWideRunesKeepTheirColumns(t *testing.T) {
	s := New("orders")
	s.Update(ui.Batch{Name: "orders", Batch: records.Batch{Records: []records.Record{
		record(0, 1, "kr-홍길동", "입금"), record(0, 2, "plain", "text"),
	}}})
	lines := strings.Split(see(s, 80, 4), "\n")
	column := func(line, text string) int { return ui.Width(line[:strings.Index(line, text)]) }
	if column(lines[1], "입금") != column(lines[2], "text") {
		t.Errorf("\n%s\n%s", lines[1], lines[2])
	}
}

func TestKeysDoNotClash(t *testing.T) {
	s := New("orders")
	s.Update(batch(0, 1))
	if clashes := ui.Clashes(s.Keys()); len(clashes) > 0 {
		t.Error(clashes)
	}
	press(t, s, "enter")
	if clashes := ui.Clashes(s.Keys()); len(clashes) > 0 {
		t.Error(clashes)
	}
}
