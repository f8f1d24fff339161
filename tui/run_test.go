package tui

import (
	"bytes"
	"context"
	"io"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"

	"kdrill/admin"
	"kdrill/cluster"
	"kdrill/tui/ui/uitest"
)

// screenshot collects what a terminal was sent.
type screenshot struct {
	mu   sync.Mutex
	sent bytes.Buffer
	more chan struct{}
}

func (s *screenshot) read(from io.Reader) {
	buffer := make([]byte, 4096)
	for {
		n, err := from.Read(buffer)
		s.mu.Lock()
		s.sent.Write(buffer[:n])
		close(s.more)
		s.more = make(chan struct{})
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// await waits until text was sent.
func (s *screenshot) await(t *testing.T, text string) {
	t.Helper()
	limit := time.After(20 * time.Second)
	for {
		s.mu.Lock()
		found, more := bytes.Contains(s.sent.Bytes(), []byte(text)), s.more
		s.mu.Unlock()
		if found {
			return
		}
		select {
		case <-more:
		case <-limit:
			t.Fatalf("the terminal never got %q", text)
		}
	}
}

// size is how much was sent so far.
func (s *screenshot) size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent.Len()
}

// terminal opens the console on a pseudo terminal.
func terminal(t *testing.T, cfg Config) (keys *os.File, shot *screenshot, left chan Outcome) {
	t.Helper()
	master, slave, err := pty.Open()
	if err != nil {
		t.Skip("no pseudo terminal:", err)
	}
	t.Cleanup(func() { master.Close(); slave.Close() })
	if err := pty.Setsize(master, &pty.Winsize{Cols: 120, Rows: 40}); err != nil {
		t.Fatal(err)
	}
	cfg.Input, cfg.Output = slave, slave
	cfg.Environment = []string{"TERM=xterm-256color", "COLORTERM=truecolor"}
	shot = &screenshot{more: make(chan struct{})}
	go shot.read(master)
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
	shot.await(t, "Looking for the cluster")
	s := uitest.Snapshot()
	s.At, s.TopicsAt = time.Now(), time.Now()
	snapshots <- s
	shot.await(t, "broker-2")
	keys.WriteString("3")
	shot.await(t, "payments")
	keys.WriteString("?")
	shot.await(t, "Keys of topics")
	keys.WriteString("\x03")
	select {
	case o := <-left:
		if o != (Outcome{}) {
			t.Errorf("left with %+v", o)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("ctrl+c does not leave")
	}
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
	shot := &screenshot{more: make(chan struct{})}
	go shot.read(master)
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
	before, began := shot.size(), time.Now()
	for b.Loop() {
		feed()
		time.Sleep(time.Second)
	}
	b.ReportMetric(float64(shot.size()-before)/time.Since(began).Seconds(), "B/s-to-terminal")
	cancel()
	<-done
}
