package ui

import (
	"strconv"
	"strings"

	tea "charm.land/bubbletea/v2"

	"kdrill/cluster"
)

// FaultKeys are the keys that do something to a node; none is why there is no node here. role is set when the node was
// picked by what it does.
func FaultKeys(d Data, node, role, none string) []Key {
	status, known := d.Node(node)
	why := func(not string) string {
		switch {
		case d.Access.NoFaults != "":
			return d.Access.NoFaults
		case node == "":
			return none
		case !known:
			return node + " is not a node of this cluster's supervisor"
		}
		return not
	}
	running := ""
	if known && status.PID == 0 {
		running = node + " does not run: R starts it"
	}
	do := func(verb cluster.Verb) func() tea.Cmd {
		return func() tea.Cmd { return Wish(Fault{Verb: verb, Node: node, Role: role}) }
	}
	pause := Key{Keys: "P", Does: "pause or resume the node (SIGSTOP, SIGCONT)", Hint: "pause", Not: why(running), Act: do(cluster.Pause)}
	if status.State == cluster.Paused {
		pause.Hint, pause.Act = "resume", do(cluster.Resume)
	}
	return []Key{
		{Keys: "K", Does: "kill the node (SIGKILL)", Hint: "kill", Not: why(running), Act: do(cluster.Kill)},
		{Keys: "X", Does: "stop the node (SIGTERM: controlled shutdown)", Hint: "stop", Not: why(running), Act: do(cluster.Stop)},
		pause,
		{Keys: "R", Does: "restart the node, or start it", Hint: "restart", Not: why(""), Act: do(cluster.Restart)},
	}
}

// FaultsKeys are the fault keys for all of several nodes at once.
func FaultsKeys(d Data, nodes []string) []Key {
	down, paused := "", 0
	for _, name := range nodes {
		n, known := d.Node(name)
		switch {
		case known && n.PID == 0:
			down = name + " is marked and does not run: R starts it"
		case n.State == cluster.Paused:
			paused++
		}
	}
	keys := FaultKeys(d, nodes[0], "", "")
	verbs := []cluster.Verb{cluster.Kill, cluster.Stop, cluster.Pause, cluster.Restart}
	keys[2].Hint = "pause"
	if paused == len(nodes) {
		verbs[2], keys[2].Hint = cluster.Resume, "resume"
	}
	for i, verb := range verbs {
		k := &keys[i]
		k.Does = strings.Replace(k.Does, "the node", "the "+strconv.Itoa(len(nodes))+" marked nodes", 1)
		k.Act = func() tea.Cmd { return Wish(Fault{Verb: verb, Node: nodes[0], Also: nodes[1:]}) }
		if d.Access.NoFaults != "" {
			continue
		}
		k.Not = ""
		if verb != cluster.Restart {
			k.Not = down
		}
	}
	return keys
}

// CoordinatorKeys are the fault keys for the coordinator of a group.
func CoordinatorKeys(d Data, group string) []Key {
	coordinator, none := "", "no group is selected"
	if group != "" && d.Snapshot != nil {
		none = "the coordinator of " + group + " is not known"
		if g, ok := d.Snapshot.Group(group); ok && g.Coordinator >= 0 {
			coordinator = Broker(g.Coordinator)
		}
	}
	keys := FaultKeys(d, coordinator, "group-coordinator:"+group, none)
	for i := range keys {
		keys[i].Does = strings.Replace(keys[i].Does, "the node", "the group's coordinator", 1)
		keys[i].Hint = ""
	}
	keys[0].Hint = "kill coordinator"
	return keys
}
