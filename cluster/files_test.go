package cluster

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func collect[T any](t *testing.T, seq func(func(T, error) bool)) (all []T) {
	t.Helper()
	for v, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	return all
}

func kinds(events []Event) (all []string) {
	for _, e := range events {
		all = append(all, e.Kind)
	}
	return all
}

func TestEventsBelongToTheFaultThatIsOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), timelineFile)
	line, err := openTimeline(path)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Unix(1000, 0).UTC()
	for i, kind := range []string{"joined", KindFault, "leader", KindRecovered, "leader", KindFault, "isr"} {
		if err := line.append(Event{At: at.Add(time.Duration(i) * time.Second), Kind: kind}); err != nil {
			t.Fatal(err)
		}
	}
	if err := line.close(); err != nil {
		t.Fatal(err)
	}
	again, err := openTimeline(path) // a supervisor that starts in the middle of a fault
	if err != nil {
		t.Fatal(err)
	}
	defer again.close()
	for i, kind := range []string{"joined", KindFault} {
		if err := again.append(Event{At: at.Add(time.Duration(10+i) * time.Second), Kind: kind}); err != nil {
			t.Fatal(err)
		}
	}
	type stamp struct {
		fault string
		since time.Duration
	}
	want := []stamp{{"", 0}, {"f1", 0}, {"f1", 1}, {"f1", 2}, {"", 0}, {"f2", 0}, {"f2", 1}, {"f2", 5}, {"f3", 0}}
	for i, e := range collect(t, readTimeline(path, 0)) {
		if got := (stamp{e.Fault, e.Since / time.Second}); got != want[i] {
			t.Errorf("event %d %s: %v, want %v", i, e.Kind, got, want[i])
		}
	}
}

// TestEachEventBelongsToTheFaultOfItsNode: two faults are open; what is about neither belongs to the newer one.
func TestEachEventBelongsToTheFaultOfItsNode(t *testing.T) {
	line, err := openTimeline(filepath.Join(t.TempDir(), timelineFile))
	if err != nil {
		t.Fatal(err)
	}
	defer line.close()
	at := time.Unix(1000, 0).UTC()
	events := []Event{
		{Kind: KindFault, Subject: "broker-1"},
		{Kind: KindFault, Subject: "broker-2"},
		{Kind: "session", Subject: "broker-1"},
		{Kind: "leader", Subject: "orders/0", Old: "broker-1", New: "broker-3"},
		{Kind: "isr", Subject: "orders/1", Old: "1,2,3", New: "3"},
		{Kind: KindRecovered, Subject: "broker-1"},
		{Kind: "joined", Subject: "broker-1"},
		{Kind: KindFault, Subject: "broker-2"},
		{Kind: KindRecovered, Subject: "broker-2"},
		{Kind: "isr", Subject: "orders/1"},
	}
	for i, e := range events {
		e.At = at.Add(time.Duration(i) * time.Second)
		if err := line.append(e); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"f1", "f2", "f1", "f1", "f2", "f1", "f2", "f3", "f3", ""}
	for i, e := range collect(t, readTimeline(line.file.Name(), 0)) {
		if e.Fault != want[i] {
			t.Errorf("event %d %s of %s: %q, want %q", i, e.Kind, e.Subject, e.Fault, want[i])
		}
	}
}

func TestATornLineIsNoEvent(t *testing.T) {
	path := filepath.Join(t.TempDir(), timelineFile)
	torn := `{"at":"2026-01-01T00:00:00Z","kind":"joined","subject":"broker-1"}` + "\n" + `{"at":"2026-01-01T00:0`
	if err := os.WriteFile(path, []byte(torn), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := kinds(collect(t, readTimeline(path, 0))); !slices.Equal(got, []string{"joined"}) {
		t.Errorf("read %q", got)
	}
	line, err := openTimeline(path)
	if err != nil {
		t.Fatal(err)
	}
	defer line.close()
	if err := line.append(Event{Kind: "controller"}); err != nil {
		t.Fatal(err)
	}
	if got := kinds(collect(t, readTimeline(path, 0))); !slices.Equal(got, []string{"joined", "controller"}) {
		t.Errorf("read %q", got)
	}
	if got := kinds(collect(t, readTimeline(path, -1))); !slices.Equal(got, []string{"controller"}) {
		t.Errorf("the last one: %q", got)
	}
}

func TestAReaderFollowsTheTimeline(t *testing.T) {
	line, err := openTimeline(filepath.Join(t.TempDir(), timelineFile))
	if err != nil {
		t.Fatal(err)
	}
	defer line.close()
	if err := line.append(Event{Kind: "first"}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var got []string
	for e, err := range line.follow(ctx, nil, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if got = append(got, e.Kind); len(got) == 3 {
			break
		}
		if err := line.append(Event{Kind: "next"}); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(got, []string{"first", "next", "next"}) {
		t.Errorf("%q", got)
	}
}

func FuzzEventReader(f *testing.F) {
	f.Add([]byte(`{"kind":"isr"}` + "\n\n{}\n[1]\n{\"kind\""))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), timelineFile)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, err := range readTimeline(path, 0) {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		if n > bytes.Count(data, []byte("\n")) {
			t.Errorf("%d events in %q", n, data)
		}
	})
}

func TestTailYieldsTheLastLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	long := strings.Repeat("x", 70<<10)
	for text, want := range map[string][]string{
		"":                         nil,
		"a\nb\nc\n":                {"b", "c"},
		"a\nb\nc":                  {"b", "c"},
		"a\n":                      {"a"},
		"a\n" + long + "\nb\n":     {long, "b"},
		"a\n" + long + long + "\n": {"a", long + long},
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := collect(t, tail(t.Context(), path, 2, false)); !slices.Equal(got, want) {
			t.Errorf("%.20q: %.80q", text, got)
		}
		if got := collect(t, tail(t.Context(), path, 0, false)); len(got) != 0 {
			t.Errorf("%.20q: none of its lines: %.80q", text, got)
		}
		if got := collect(t, tail(t.Context(), path, -1, false)); len(got) != len(strings.Fields(text)) {
			t.Errorf("%.20q: all of its lines: %.80q", text, got)
		}
	}
	if got := collect(t, tail(t.Context(), path+".none", 2, false)); got != nil {
		t.Errorf("a file that is not there: %q", got)
	}
}

func TestTailFollowsAFileThatIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	write := func(text string, flags int) {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|flags, 0o600)
		if err == nil {
			_, err = f.WriteString(text)
		}
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	write("one\n", os.O_APPEND)
	next := []func(){
		func() { write("two\nthr", os.O_APPEND) },
		func() { write("ee\n", os.O_APPEND) },
		func() {
			if err := os.Rename(path, path+".1"); err != nil {
				t.Fatal(err)
			}
			write("four\n", os.O_APPEND)
		},
		func() {},
	}
	var got []string
	for line, err := range tail(t.Context(), path, -1, true) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, line)
		if len(got) == 4 {
			break
		}
		next[len(got)-1]()
	}
	if want := []string{"one", "two", "three", "four"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestTheTellingLineIsFound(t *testing.T) {
	for text, want := range map[string]string{
		"":                                    "",
		"started\nserves\n":                   "serves",
		"level=ERROR msg=a\nlevel=INFO msg=b": "level=ERROR msg=a",
		"level=ERROR msg=a\nkdrill: server.properties:3: broker.id: no\n\n":             "server.properties:3: broker.id: no",
		"serves\npanic: oh\n\ngoroutine 1 [running]:\nmain.main()\n":                    "panic: oh",
		"[2026-01-01] ERROR Exiting Kafka. (kafka.Kafka$)\n[2026-01-01] INFO shut down": "[2026-01-01] ERROR Exiting Kafka. (kafka.Kafka$)",
	} {
		if got := telling(strings.Split(text, "\n")); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
