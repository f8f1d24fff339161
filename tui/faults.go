package tui

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"kdrill/admin"
	"kdrill/cluster"
	"kdrill/themes"
	"kdrill/tui/ui"
)

// signals says what a verb does to a process.
var signals = map[cluster.Verb]string{
	cluster.Kill: "SIGKILL", cluster.Stop: "SIGTERM, controlled shutdown", cluster.Pause: "SIGSTOP",
	cluster.Resume: "SIGCONT", cluster.Restart: "stop if it runs, then start", cluster.Start: "start",
}

// askFault asks before a fault, naming what it hits. What hurts nobody is done at once.
func (m *Model) askFault(f ui.Fault) tea.Cmd {
	if m.data.Access.NoFaults != "" {
		return m.toast(ui.Toast{Text: string(f.Verb) + ": " + m.data.Access.NoFaults, Role: themes.Warn})
	}
	nodes := make([]cluster.NodeStatus, 0, 1+len(f.Also))
	for _, name := range f.Nodes() {
		node, ok := m.data.Node(name)
		if !ok {
			return m.toast(ui.Toast{Text: name + " is not a node of this cluster.", Role: themes.Warn})
		}
		nodes = append(nodes, node)
	}
	name := capital(string(f.Verb))
	title := fmt.Sprintf("%s %s (%s", name, ui.And(f.Nodes()), signals[f.Verb])
	if len(nodes) == 1 && nodes[0].PID > 0 {
		title += fmt.Sprintf(", pid %d", nodes[0].PID)
	}
	title += ")"
	if f.Role != "" {
		title += ", the " + strings.Replace(f.Role, ":", " of ", 1)
	}
	return m.push(&ui.Confirm{
		Title:   title,
		Body:    m.consequences(f.Verb, nodes),
		Same:    m.data.Line(f),
		Choices: []ui.Choice{{Name: name, Danger: true, Act: ui.Wish(confirmed{f})}},
	})
}

func capital(word string) string { return strings.ToUpper(word[:1]) + word[1:] }

// consequences are the lines that say what a fault hits: that of all nodes together.
func (m *Model) consequences(verb cluster.Verb, nodes []cluster.NodeStatus) []ui.Line {
	running := slices.DeleteFunc(slices.Clone(nodes), func(n cluster.NodeStatus) bool { return n.PID == 0 })
	switch {
	case verb == cluster.Resume:
		return []ui.Line{ui.Plain("It goes on where it stood still. Whoever took its place stays in it.")}
	case len(running) == 0:
		return []ui.Line{ui.Plain("It does not run: it is started and joins again.")}
	case m.data.Snapshot == nil:
		return []ui.Line{ui.Styled(themes.Warn, "What it hits is not known: the cluster has not been seen yet.")}
	}
	width := max(30, min(m.width-10, 76))
	var lines []ui.Line
	fact := func(name, value string, role themes.Role) {
		for i, l := range ui.Sentence(role, value, width-20) {
			label := ui.Line{}.Dim(ui.Fit(name, 20, false))
			if i > 0 {
				label = ui.Line{}.Gap(20)
			}
			lines = append(lines, append(label, l...))
		}
	}
	var brokers []int32
	var coordinators []string
	for _, n := range running {
		if n.Role == cluster.Broker {
			brokers = append(brokers, int32(n.ID))
		} else {
			coordinators = append(coordinators, n.Address)
		}
	}
	if len(brokers) > 0 {
		brokerFacts(admin.BlastRadius(m.data.Snapshot, brokers...), fact)
	}
	if len(coordinators) > 0 {
		coordinatorFacts(admin.CoordinatorBlast(m.data.Snapshot, coordinators...), fact)
	} else {
		fact("expect", expectation(verb, running[0]), themes.Text)
	}
	return lines
}

type factFunc func(name, value string, role themes.Role)

func brokerFacts(b admin.Blast, fact factFunc) {
	if len(b.Loses) == 0 {
		fact("loses its leader", "no partition", themes.Text)
	} else {
		moves := make([]admin.TopicPartition, len(b.Loses))
		for i, l := range b.Loses {
			moves[i] = l.TopicPartition
		}
		fact("loses its leader", ui.Plural(len(b.Loses), "partition")+": "+some(moves), themes.Text)
		fact("next leader", nextLeaders(b.Loses), themes.Text)
	}
	if n := len(b.BelowMinISR); n == 0 {
		fact("below min ISR", "none", themes.Text)
	} else {
		names := make([]admin.TopicPartition, n)
		for i, p := range b.BelowMinISR {
			names[i] = p.TopicPartition
		}
		first := b.BelowMinISR[0]
		fact("below min ISR", fmt.Sprintf("%s: %s (%d of %d)", ui.Plural(n, "partition"), some(names), first.ISR, first.MinISR), themes.Warn)
	}
	if n := len(b.Offline); n == 0 {
		fact("offline", "none", themes.Text)
	} else {
		fact("offline", ui.Plural(n, "partition")+": "+some(b.Offline), themes.Bad)
	}
	var also []string
	if b.Controller {
		also = append(also, "the controller")
	}
	if n := len(b.Groups); n > 0 {
		quoted := make([]string, 0, 3)
		for _, g := range b.Groups[:min(n, 3)] {
			quoted = append(quoted, fmt.Sprintf("%q", g))
		}
		also = append(also, "the coordinator of "+ui.Plural(n, "group")+": "+strings.Join(quoted, ", ")+more(n-3))
	}
	if len(also) > 0 {
		fact("also moves", strings.Join(also, "; "), themes.Text)
	}
}

func coordinatorFacts(b admin.Blast, fact factFunc) {
	q := b.Quorum
	if q == nil {
		fact("quorum", "not known: its members do not answer", themes.Warn)
		return
	}
	role := themes.Text
	if !q.Holds() {
		role = themes.Bad
	}
	fact("would serve", fmt.Sprintf("%d of %d, %d needed", q.Serving, q.Size, q.Needed), role)
	switch {
	case !q.Holds():
		fact("quorum", "lost: no controller can be elected and no session ends until a member is back", themes.Bad)
	case q.Leader:
		fact("quorum", "holds; it is the leader, the others elect a new one", themes.Text)
	default:
		fact("quorum", "holds; clients of this node reconnect to another", themes.Text)
	}
}

// some names a few partitions, those of the cluster's own topics last.
func some(partitions []admin.TopicPartition) string {
	partitions = slices.SortedStableFunc(slices.Values(partitions), func(a, b admin.TopicPartition) int {
		return cmp.Compare(own(a.Topic), own(b.Topic))
	})
	names := make([]string, 0, 4)
	for _, p := range partitions[:min(len(partitions), 4)] {
		names = append(names, fmt.Sprintf("%s/%d", p.Topic, p.Partition))
	}
	return strings.Join(names, ", ") + more(len(partitions)-4)
}

// own is 1 for a topic of the cluster itself.
func own(topic string) int {
	if strings.HasPrefix(topic, "__") {
		return 1
	}
	return 0
}

func more(n int) string {
	if n <= 0 {
		return ""
	}
	return fmt.Sprintf(" and %d more", n)
}

// nextLeaders counts who takes over.
func nextLeaders(moves []admin.LeaderMove) string {
	count := map[int32]int{}
	for _, m := range moves {
		count[m.Next]++
	}
	ids := make([]int32, 0, len(count))
	for id := range count {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b int32) int { return count[b]*1000 - count[a]*1000 + int(a-b) })
	names := make([]string, 0, len(ids))
	for _, id := range ids {
		names = append(names, fmt.Sprintf("%s (%d)", ui.Broker(id), count[id]))
	}
	return strings.Join(names, ", ")
}

// expectation says how long it takes until the cluster notices.
func expectation(v cluster.Verb, n cluster.NodeStatus) string {
	switch {
	case v == cluster.Stop || v == cluster.Restart:
		return "it hands its partitions over before it ends"
	case n.Session > 0:
		return fmt.Sprintf("about %.1f s until its session ends, then elections", n.Session.Seconds())
	}
	return "nothing until its session ends, then elections"
}
