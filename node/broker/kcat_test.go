package broker

import (
	"bufio"
	"bytes"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"kdrill/testdata/need"
)

// Every codec that librdkafka has arrives as it was sent, at librdkafka and at a Go client.
func (c *testCluster) testCodecs(t *testing.T) {
	c.create(t, "packed", 3, nil)
	var want []string
	for _, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		var lines strings.Builder
		for i := range 200 {
			line := fmt.Sprintf("%s %d %s", codec, i, strings.Repeat("again and ", 20))
			want = append(want, line)
			fmt.Fprintln(&lines, line)
		}
		c.kcat(t, lines.String(), "-P", "-t", "packed", "-z", codec, "-X", "acks=all", "-X", "enable.idempotence=true")
	}
	got := strings.Split(strings.TrimSpace(c.kcat(t, "", "-C", "-t", "packed", "-e", "-o", "beginning")), "\n")
	slices.Sort(got)
	slices.Sort(want)
	if !slices.EqualFunc(got, want, func(a, b string) bool { return strings.TrimSpace(a) == strings.TrimSpace(b) }) {
		t.Errorf("%d lines came back, %d were sent", len(got), len(want))
	}
	c.consume(t, "packed", len(want))
}

// listener is a kcat that consumes as a member of a group.
type listener struct {
	mu    sync.Mutex
	lines map[string]int
}

func (c *testCluster) listen(t *testing.T, heard *listener, group, topic string) {
	t.Helper()
	member := exec.Command(need.Program(t, "kcat", "kcat"), "-b", strings.Join(c.seeds(), ","), "-q", "-u", "-G", group,
		"-X", "auto.offset.reset=earliest", "-X", "session.timeout.ms=20000", "-X", "heartbeat.interval.ms=300", "-X", "topic.metadata.refresh.interval.ms=1000", topic)
	var said bytes.Buffer
	member.Stderr = &said
	out, err := member.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := member.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for scan := bufio.NewScanner(out); scan.Scan(); {
			heard.mu.Lock()
			heard.lines[scan.Text()]++
			heard.mu.Unlock()
		}
		_ = member.Wait()
	}()
	t.Cleanup(func() {
		_ = member.Process.Kill()
		<-ended
		if t.Failed() {
			t.Logf("a member of %s: %s", group, said.String())
		}
	})
}

func (l *listener) heard() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.lines)
}

// Two kcats share a topic. The broker that coordinates their group, and leads some of it, dies and comes back.
func (c *testCluster) testKcatGroup(t *testing.T) {
	c.create(t, "shouted", 4, nil)
	heard := &listener{lines: map[string]int{}}
	c.listen(t, heard, "ears", "shouted")
	c.listen(t, heard, "ears", "shouted")
	admin := c.admin(t)
	var members kadm.DescribedGroup
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the group: %+v", members)
		}
	})
	c.eventually("the group has two members", func() bool {
		groups, err := admin.DescribeGroups(t.Context(), "ears")
		members = groups["ears"]
		return err == nil && members.State == "Stable" && len(members.Members) == 2
	})
	shout := func(from int) {
		var lines strings.Builder
		for i := range 100 {
			fmt.Fprintf(&lines, "shout %d\n", from+i)
		}
		c.kcat(t, lines.String(), "-P", "-t", "shouted", "-X", "acks=all")
	}
	shout(0)
	c.eventually("the first 100 are heard", func() bool { return heard.heard() == 100 })
	victim := c.brokers[members.Coordinator.NodeID]
	c.kill(victim)
	shout(100)
	c.eventually("200 are heard without the coordinator", func() bool { return heard.heard() == 200 })
	c.start(victim)
	c.awaitISR(t, "shouted", 3)
	shout(200)
	c.eventually("300 are heard", func() bool { return heard.heard() == 300 })
}
