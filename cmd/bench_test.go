package cmd

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"kdrill/cluster"
)

// BenchmarkUp measures how long a cluster of three coordinators and three brokers takes until it serves, and the
// memory of its six processes.
//
//	go test ./cmd -run '^$' -bench Up -benchtime 5x
func BenchmarkUp(b *testing.B) {
	var rss int64
	for b.Loop() {
		c := startLocal(b)
		b.StopTimer()
		rss = 0
		for _, n := range c.Status().Nodes {
			rss += n.RSS
		}
		c.Run("down", "--purge", "--yes")
		b.StartTimer()
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/ready")
	b.ReportMetric(float64(rss)/1e6, "MB-rss")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkFailover kills the leader of a partition again and again and reads in the timeline how long it took: from
// the kill to the end of the session, from there until every partition is led again, and from the change of a znode
// until the event reached a client.
//
//	go test ./cmd -run '^$' -bench Failover -benchtime 5x
func BenchmarkFailover(b *testing.B) {
	c := startLocal(b)
	c.Run("topic", "create", "orders", "--partitions", "30", "--replication-factor", "3")
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Status().Bootstrap...))
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	events := c.follow(b)

	var session, led, seen []time.Duration
	for b.Loop() {
		detail, err := admin.ListTopics(b.Context(), "orders")
		if err != nil {
			b.Fatal(err)
		}
		victim := detail["orders"].Partitions[0].Leader
		moves := 0
		for _, p := range detail["orders"].Partitions {
			if p.Leader == victim {
				moves++
			}
		}
		name := fmt.Sprintf("broker-%d", victim)
		killed := time.Now()
		c.Run("kill", name, "--yes")
		var ended, last time.Time
		for moves > 0 || ended.IsZero() {
			e := <-events
			switch {
			case e.Kind == "session" && e.Subject == name:
				ended = e.At
			case e.Kind == "leader" && strings.HasPrefix(e.Subject, "orders/") && e.Old == name:
				moves--
				last = e.At
				seen = append(seen, e.seen.Sub(e.At))
			}
		}
		session, led = append(session, ended.Sub(killed)), append(led, last.Sub(ended))
		c.Run("restart", name, "--yes")
		eventually(b, "all replicas are in sync", func() bool { return inSync(b.Context(), admin, "orders", 30, 3) })
		eventually(b, "the preferred replicas may lead", func() bool { // a broker may tell of what was before the fault
			_, _, err := c.Try("elect")
			return err == nil
		})
		eventually(b, "the preferred leaders lead", func() bool { return preferred(b, admin, "orders") })
	}
	b.ReportMetric(slices.Max(session).Seconds()*1e3, "max-ms-to-session-end")
	b.ReportMetric(slices.Max(led).Seconds()*1e3, "max-ms-session-end-to-all-led")
	b.ReportMetric(slices.Max(seen).Seconds()*1e3, "max-ms-znode-to-event")
	b.ReportMetric(0, "ns/op")
}

func preferred(b *testing.B, admin *kadm.Client, topic string) bool {
	topics, err := admin.ListTopics(b.Context(), topic)
	if err != nil {
		return false
	}
	for _, p := range topics[topic].Partitions {
		if p.Leader != p.Replicas[0] {
			return false
		}
	}
	return true
}

type seenEvent struct {
	cluster.Event
	seen time.Time
}

// follow runs "kdrill events -f" and hands on each event with the time it arrived.
func (c *local) follow(b *testing.B) <-chan seenEvent {
	b.Helper()
	command := exec.CommandContext(b.Context(), "kdrill", "events", "-f", "--output", "json")
	command.Env = c.Env
	out, err := command.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	events := make(chan seenEvent, 1<<16)
	go func() {
		defer close(events)
		for scan := bufio.NewScanner(out); scan.Scan(); {
			e := seenEvent{seen: time.Now()}
			if json.Unmarshal(scan.Bytes(), &e.Event) == nil {
				events <- e
			}
		}
		_ = command.Wait()
	}()
	return events
}

// BenchmarkFirstRow measures how long a console takes from its start to the first topic on screen, with 1,000 topics of
// three partitions and one of three brokers hung.
//
//	go test ./cmd -run '^$' -bench FirstRow -benchtime 5x
func BenchmarkFirstRow(b *testing.B) {
	c := startLocal(b)
	createMany(b, c.Status().Bootstrap, 1000, 3, 3)
	c.Run("pause", "broker-1", "--yes")
	for b.Loop() {
		shown := c.openConsole(b, "--command", "topics")
		shown.await(b, "many-0")
		b.StopTimer()
		shown.end(b)
		b.StartTimer()
	}
	b.ReportMetric(b.Elapsed().Seconds()*1e3/float64(b.N), "ms/first-row")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkConsole measures what a console costs that shows 5,000 topics of six partitions: processor time and bytes
// to the terminal while nothing happens, its memory, and how long a key takes to the screen.
//
//	go test ./cmd -run '^$' -bench Console -benchtime 1x
func BenchmarkConsole(b *testing.B) {
	c := startLocal(b)
	createMany(b, c.Status().Bootstrap, 5000, 6, 1) // one replica: what brokers do with more is not measured here
	shown := c.openConsole(b, "--command", "topics")
	shown.await(b, "many-0")
	<-time.After(15 * time.Second) // until everything was read once
	const watched = 20 * time.Second
	for b.Loop() {
		bytes, used := shown.read.Load(), shown.cpu(b)
		<-time.After(watched)
		b.ReportMetric(float64(shown.read.Load()-bytes)/watched.Seconds(), "idle-B/s")
		b.ReportMetric((shown.cpu(b)-used).Seconds()/watched.Seconds()*100, "idle-%cpu")
		b.ReportMetric(shown.rss(b)/1e6, "MB-rss")
	}
	const keys = 200
	waited := make([]time.Duration, keys)
	for i := range waited {
		at, before := time.Now(), shown.read.Load()
		shown.press(b, "j")
		for shown.read.Load() == before {
			<-time.After(100 * time.Microsecond)
		}
		waited[i] = time.Since(at)
		<-time.After(20*time.Millisecond + time.Duration(i)*time.Millisecond/10) // not in step with the frames
	}
	slices.Sort(waited)
	b.ReportMetric(waited[keys/2].Seconds()*1e3, "ms-key-to-screen-p50")
	b.ReportMetric(waited[keys*9/10].Seconds()*1e3, "ms-key-to-screen-p90")
	b.ReportMetric(waited[keys-1].Seconds()*1e3, "ms-key-to-screen-max")
	b.ReportMetric(0, "ns/op")
	shown.end(b)
}

func createMany(b testing.TB, bootstrap []string, topics int, partitions int32, factor int16) {
	b.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap...))
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	admin.SetTimeoutMillis(60_000)
	names := make([]string, topics)
	for i := range names {
		names[i] = fmt.Sprintf("many-%04d", i)
	}
	for chunk := range slices.Chunk(names, 250) {
		created, err := admin.CreateTopics(b.Context(), partitions, factor, nil, chunk...)
		if err != nil {
			b.Fatal(err)
		}
		for _, t := range created {
			if t.Err != nil {
				b.Fatalf("%s: %v %s", t.Topic, t.Err, t.ErrMessage)
			}
		}
	}
}

// console is a console in a pseudo-terminal of 120x40.
type console struct {
	command *exec.Cmd
	file    *os.File
	read    atomic.Int64
	mu      sync.Mutex
	text    []byte
	closed  chan struct{}
}

func (c *local) openConsole(b *testing.B, args ...string) *console {
	b.Helper()
	command := exec.Command("kdrill", args...)
	command.Env = append(slices.Clone(c.Env), "TERM=xterm-256color")
	file, err := pty.StartWithSize(command, &pty.Winsize{Rows: 40, Cols: 120})
	if err != nil {
		b.Fatal(err)
	}
	t := &console{command: command, file: file, closed: make(chan struct{})}
	go func() {
		defer close(t.closed)
		buffer := make([]byte, 64<<10)
		for {
			n, err := file.Read(buffer)
			t.mu.Lock()
			t.text = append(t.text, buffer[:n]...)
			t.mu.Unlock()
			t.read.Add(int64(n))
			if err != nil {
				return
			}
		}
	}()
	return t
}

// await waits for text in what the terminal got. A text that replaces another may come in pieces: only its start is sure.
func (t *console) await(b *testing.B, text string) {
	b.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		t.mu.Lock()
		seen := bytes.Contains(t.text, []byte(text))
		t.mu.Unlock()
		if seen {
			return
		}
		if time.Now().After(deadline) {
			b.Fatalf("the console does not show %q:\n%q", text, t.text)
		}
		<-time.After(time.Millisecond)
	}
}

func (t *console) press(b *testing.B, keys string) {
	b.Helper()
	if _, err := t.file.WriteString(keys); err != nil {
		b.Fatal(err)
	}
}

func (t *console) end(b *testing.B) {
	b.Helper()
	// Not ctrl+c: while a fault is open the console asks first.
	if err := t.command.Process.Signal(syscall.SIGTERM); err != nil {
		b.Fatal(err)
	}
	<-t.closed
	_ = t.command.Wait()
	t.file.Close()
}

// stat reads a field of /proc/PID/stat, counted as in proc(5).
func (t *console) stat(b *testing.B, field int) float64 {
	b.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", t.command.Process.Pid))
	if err != nil {
		b.Skip("processor time and memory of the console are read from /proc")
	}
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	value, err := strconv.ParseFloat(fields[field-3], 64)
	if err != nil {
		b.Fatal(err)
	}
	return value
}

func (t *console) cpu(b *testing.B) time.Duration {
	ticks := t.stat(b, 14) + t.stat(b, 15)
	return time.Duration(ticks * float64(time.Second) / 100)
}

func (t *console) rss(b *testing.B) float64 { return t.stat(b, 24) * float64(os.Getpagesize()) }
