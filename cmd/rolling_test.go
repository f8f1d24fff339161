package cmd

import (
	"fmt"
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
	// A leader can be handed over to a replica in sync only. Whoever is controller then tells of it.
	handedOver := regexp.MustCompile(`leaders moved.* broker=2 partitions=[0-9]+ remaining=0`)
	if log := c.Run("logs", "-n", "-1"); len(handedOver.FindAllString(log, -1)) != 1 {
		t.Errorf("broker-2 was taken before broker-1 was in sync everywhere:\n%s", log)
	}
	// Who is down comes first, even if the cluster has not noticed yet.
	c.Run("kill", "broker-1")
	if out := c.Run("restart", "broker-2", "broker-1"); !regexp.MustCompile(`^broker-1 restarted .*\nbroker-2 restarted .*\n$`).MatchString(out) {
		t.Errorf("in another order:\n%s", out)
	}
	if log := c.Run("logs", "-n", "-1"); len(handedOver.FindAllString(log, -1)) != 2 {
		t.Errorf("broker-2 was taken before broker-1 was in sync again:\n%s", log)
	}
}

func TestAQuorumKeepsItsMajority(t *testing.T) {
	t.Parallel()
	node := func(name string, role cluster.Role, state cluster.State, voter bool) cluster.NodeStatus {
		return cluster.NodeStatus{Name: name, Role: role, State: state, Voter: voter}
	}
	coordinators := func(states ...cluster.State) (nodes []cluster.NodeStatus) {
		nodes = append(nodes, node("broker-1", cluster.Broker, cluster.Exited, false))
		for i, s := range states {
			nodes = append(nodes, node(fmt.Sprintf("coordinator-%d", i+1), cluster.Coordinator, s, false))
		}
		return nodes
	}
	const up, down, halted = cluster.Serving, cluster.Exited, cluster.Paused
	tests := []struct {
		name  string
		nodes []cluster.NodeStatus
		take  int
		want  string
	}{
		{"all serve", coordinators(up, up, up), 1, ""},
		{"the only one", coordinators(up), 1, ""},
		{"one of three is down", coordinators(up, up, down), 1, "the quorum, 2 of 3 serve"},
		{"one of three is halted", coordinators(up, up, halted), 2, "the quorum, 2 of 3 serve"},
		{"one of five is down", coordinators(up, up, up, up, down), 1, ""},
		{"two of five are down", coordinators(up, up, up, down, down), 1, "the quorum, 3 of 5 serve"},
		{"a broker does not vote", coordinators(up, up, down), 0, ""},
		{"brokers that vote", []cluster.NodeStatus{
			node("broker-1", cluster.Broker, up, true), node("broker-2", cluster.Broker, up, true),
			node("broker-3", cluster.Broker, down, true), node("broker-4", cluster.Broker, up, false),
		}, 1, "the quorum, 2 of 3 serve"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := strings.Join(quorumNeeds(cluster.Status{Nodes: tt.nodes}, tt.nodes[tt.take]), ", "); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
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
	_, said, err := c.Try("restart", "broker-2", "coordinator-1", "--timeout", "10s")
	want := "kdrill: broker-2, coordinator-1 were not restarted: broker-2 is needed for orders/0, still after 10s: see kdrill ps and kdrill topics; kdrill restart broker-2, alone, takes it all the same"
	if err == nil || !strings.Contains(said, want) || !strings.Contains(said, "broker-2 is restarted once it is not needed for orders/0") {
		t.Errorf("%v: %s", err, said)
	}
	c.Run("kill", "broker-2")
	c.Run("start", "broker-1")
	told("orders/0 is offline", func(e cluster.Event) bool { return e.Kind == "offline" && e.Subject == "orders/0" })
	before := c.Status()
	_, said, err = c.Try("restart", "broker-1", "coordinator-1", "--timeout", "30s")
	want = "kdrill: coordinator-1 was not restarted: broker-1 has not caught up after 30s, it is out of orders/0: see kdrill logs broker-1, and go on once kdrill topics shows nothing under-replicated"
	if err == nil || !strings.Contains(said, want) || !strings.Contains(said, "waiting for broker-1 to catch up: orders/0") {
		t.Errorf("%v: %s", err, said)
	}
	after := c.Status()
	was, _ := before.Node("coordinator-1")
	if is, _ := after.Node("coordinator-1"); is.PID != was.PID {
		t.Error("coordinator-1 was restarted")
	}
}
