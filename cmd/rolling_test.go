package cmd

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"kdrill/cluster"
)

// A rolling restart takes the next broker only once the one before is in sync, and stops where that does not happen.
func TestARollingRestartWaitsForTheISR(t *testing.T) {
	t.Parallel()
	c := startLocal(t, "--brokers", "2", "--coordinators", "1")
	c.Run("topic", "create", "orders", "--partitions", "4", "--replication-factor", "2")
	c.Run("restart", "broker-1", "broker-2")
	// A leader can be handed over to a replica in sync only.
	if log := c.Run("logs", "-n", "-1"); !regexp.MustCompile(`leaders moved.* broker=2 partitions=[0-9]+ remaining=0`).MatchString(log) {
		t.Errorf("broker-2 was taken before broker-1 was in sync everywhere:\n%s", log)
	}
}

func TestARollingRestartThatCannotGoOnSaysWhy(t *testing.T) {
	t.Parallel()
	c := startLocal(t, "--brokers", "2", "--coordinators", "1")
	c.Run("topic", "create", "orders", "--partitions", "1", "--replication-factor", "2")
	told := func(what string, is func(cluster.Event) bool) {
		t.Helper()
		eventually(t, what, func() bool { return slices.ContainsFunc(c.Events(time.Time{}), is) })
	}
	// Only broker-2 has the last records, and it is away.
	c.Run("kill", "broker-1")
	told("broker-1 is out of sync", func(e cluster.Event) bool { return e.Kind == "isr" && strings.HasPrefix(e.Note, "broker-1 is out") })
	c.Run("kill", "broker-2")
	c.Run("start", "broker-1")
	told("orders/0 is offline", func(e cluster.Event) bool { return e.Kind == "offline" && e.Subject == "orders/0" })
	before := c.Status()
	_, said, err := c.Try("restart", "broker-1", "coordinator-1", "--timeout", "30s")
	want := "kdrill: the other node was not restarted: broker-1 has not caught up after 30s, it is out of orders/0: see kdrill logs broker-1, and go on once kdrill topics shows nothing under-replicated"
	if err == nil || !strings.Contains(said, want) || !strings.Contains(said, "waiting for broker-1 to catch up: orders/0") {
		t.Errorf("%v: %s", err, said)
	}
	after := c.Status()
	was, _ := before.Node("coordinator-1")
	if is, _ := after.Node("coordinator-1"); is.PID != was.PID {
		t.Error("coordinator-1 was restarted")
	}
}
