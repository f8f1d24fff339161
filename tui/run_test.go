package tui

import (
	"context"
	"io"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/creack/pty"

	"kdrill/admin"
	"kdrill/cluster"
	"kdrill/testdata/screen"
	"kdrill/tui/ui/uitest"
)

// await waits until text is on the screen.
func await(t *testing.T, shot *screen.Screen, text string) {
	t.Helper()
	limit := time.After(2 * time.Minute)
	for {
		more := shot.More() // before the look, so that nothing falls between
		if shot.Shows(text) {
			return
		}
		select {
		case <-more:
		case <-limit:
			t.Fatalf("%q never stood on the screen, but\n%s", text, shot)
		}
	}
}

// terminal opens the console on a pseudo terminal.
func terminal(t *testing.T, cfg Config) (keys *os.File, shot *screen.Screen, left chan Outcome) {
	t.Helper()
	master, slave, err := pty.Open()
	if err != nil {
		t.Skip("no pseudo terminal:", err)
	}
	t.Cleanup(func() { master.Close(); slave.Close() })
	const cols, rows = 120, 40
	if err := pty.Setsize(master, &pty.Winsize{Cols: cols, Rows: rows}); err != nil {
		t.Fatal(err)
	}
	cfg.Input, cfg.Output = slave, slave
	cfg.Environment = []string{"TERM=xterm-256color", "COLORTERM=truecolor"}
	shot = screen.New(cols, rows)
	go io.Copy(shot, master)
	left = make(chan Outcome, 1)
	go func() {
		outcome, err := Run(context.Background(), cfg)
		if err != nil {
			t.Error(err)
		}
		left <- outcome
	}()
	return master, shot, left
}

func TestConsoleOnATerminal(t *testing.T) {
	snapshots, statuses, events := make(chan *admin.Snapshot, 1), make(chan cluster.Status, 1), make(chan admin.Event, 10)
	f := &fake{}
	keys, shot, left := terminal(t, Config{
		Cluster: "default", Snapshots: snapshots, Statuses: statuses, Events: events, Nodes: f, Kafka: f, Observer: f, MayStop: true,
	})
	await(t, shot, "Looking for the cluster")
	s := uitest.Snapshot()
	s.At, s.TopicsAt = time.Now(), time.Now()
	snapshots <- s
	await(t, shot, "broker-2")
	keys.WriteString("3")
	await(t, shot, "payments")
	keys.WriteString("?")
	await(t, shot, "Keys of topics")
	keys.WriteString("\x03")
	select {
	case o := <-left:
		if o != (Outcome{}) {
			t.Errorf("left with %+v", o)
		}
	case <-time.After(2 * time.Minute):
		t.Fatal("ctrl+c does not leave")
	}
}

// meter counts the bytes that a terminal was sent.
type meter struct{ atomic.Int64 }

func (m *meter) Write(p []byte) (int, error) {
	m.Add(int64(len(p)))
	return len(p), nil
}

// BenchmarkIdle is a console that watches a cluster in which nothing changes: bytes sent to the terminal a second.
func BenchmarkIdle(b *testing.B) {
	snapshots := make(chan *admin.Snapshot, 1)
	master, slave, err := pty.Open()
	if err != nil {
		b.Skip(err)
	}
	defer master.Close()
	defer slave.Close()
	_ = pty.Setsize(master, &pty.Winsize{Cols: 200, Rows: 50})
	var shot meter
	go io.Copy(&shot, master)
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	statuses := make(chan cluster.Status, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = Run(ctx, Config{
			Cluster: "default", Snapshots: snapshots, Statuses: statuses, Input: slave, Output: slave,
			Environment: []string{"TERM=xterm-256color", "COLORTERM=truecolor"},
		})
	}()
	feed := func() {
		s := big(time.Now())
		snapshots <- s
		status := *uitest.Status()
		status.At = time.Now()
		statuses <- status
	}
	feed()
	time.Sleep(time.Second)
	before, began := shot.Load(), time.Now()
	for b.Loop() {
		feed()
		time.Sleep(time.Second)
	}
	b.ReportMetric(float64(shot.Load()-before)/time.Since(began).Seconds(), "B/s-to-terminal")
	cancel()
	<-done
}
