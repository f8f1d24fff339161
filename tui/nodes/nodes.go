// Package nodes is the list of nodes: what the supervisor knows of their processes beside what the cluster knows of them.
//
// One row a node, made of status and snapshot; below it, what there is to say about the one under the cursor.
//
// It lives on the root model's goroutine, as all screens do.
package nodes

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"

	"kdrill/admin"
	"kdrill/themes"
	"kdrill/tui/ui"
)

// Screen is the list of nodes.
type Screen struct {
	data  ui.Data
	table ui.Table
	nodes []ui.Node
	// faulty shows only nodes with something wrong.
	faulty bool
}

// New makes the screen.
func New() *Screen {
	s := &Screen{table: ui.NewTable(
		ui.Column{Title: "node", Min: 14},
		ui.Column{Title: "address", Priority: 4, Max: 28},
		ui.Column{Title: "state", Min: 16, Max: 26, Watch: true, Fill: true},
		ui.Column{Title: "role", Min: 10, Priority: 1, Watch: true},
		ui.Column{Title: "pid", Right: true, Priority: 3},
		ui.Column{Title: "up", Right: true, Priority: 2, Min: 6},
		ui.Column{Title: "rss", Right: true, Priority: 3, Min: 4},
		ui.Column{Title: "cpu", Right: true, Priority: 8, Min: 6},
		ui.Column{Title: "restarts", Right: true, Priority: 9},
		ui.Column{Title: "leads", Right: true, Priority: 5},
		ui.Column{Title: "holds", Right: true, Priority: 6},
		ui.Column{Title: "on disk", Right: true, Priority: 7, Min: 7},
	)}
	s.table.Marks = true
	return s
}

// Interest asks for sizes.
func (s *Screen) Interest() admin.Interest { return admin.Interest{LogDirs: true} }

// Filter implements ui.Filterable.
func (s *Screen) Filter() string { return s.table.Filter() }

// SetFilter implements ui.Filterable.
func (s *Screen) SetFilter(text string) { s.table.SetFilter(text) }

// Unmark implements ui.Marker.
func (s *Screen) Unmark() bool { return s.table.Unmark() }

// Selection is the node under the cursor.
func (s *Screen) Selection() string { return s.table.Selection() }

// Update takes new data.
func (s *Screen) Update(msg tea.Msg) tea.Cmd {
	d, ok := msg.(ui.Data)
	if !ok {
		return nil
	}
	if s.data.Snapshot == nil {
		s.table.SetRows(nil, d) // the first look at the cluster is no change
	}
	s.data, s.nodes = d, ui.Nodes(d)
	s.fill()
	return nil
}

func (s *Screen) fill() {
	rows := make([]ui.Row, 0, len(s.nodes))
	for _, n := range s.nodes {
		if s.faulty && n.Look == themes.Text && n.Problem == "" {
			continue
		}
		rows = append(rows, row(n))
	}
	s.table.Empty = "No node is known yet."
	if s.faulty {
		s.table.Empty = "No node has anything wrong. Press F to see all."
	}
	s.table.SetRows(rows, s.data)
}

func row(n ui.Node) ui.Row {
	role := themes.Dim
	if n.Role == "controller" || n.Role == "leader" {
		role = themes.Accent
	}
	some := func(shown bool, text string, order float64) ui.Cell {
		if !shown {
			return ui.Cell{Order: order}
		}
		return ui.Cell{Text: text, Order: order}
	}
	broker := !n.Coordinator
	return ui.Row{ID: n.Name, Cells: []ui.Cell{
		{Text: n.Name},
		{Text: n.Address, Role: themes.Dim},
		{Text: n.State, Role: n.Look},
		{Text: n.Role, Role: role},
		some(n.PID > 0, fmt.Sprint(n.PID), float64(n.PID)),
		some(n.Up > 0, ui.Age(n.Up), n.Up.Seconds()),
		some(n.RSS > 0, ui.Memory(n.RSS), float64(n.RSS)),
		some(n.CPU > 0, fmt.Sprintf("%.1fs", n.CPU.Seconds()), n.CPU.Seconds()),
		some(n.PID > 0 || n.Restarts > 0, fmt.Sprint(n.Restarts), float64(n.Restarts)),
		some(broker, fmt.Sprint(n.Leads), float64(n.Leads)),
		some(broker, fmt.Sprint(n.Holds), float64(n.Holds)),
		some(broker, ui.Bytes(n.LogBytes), float64(n.LogBytes)),
	}}
}

// Keys act on the node under the cursor.
func (s *Screen) Keys() []ui.Key {
	node := s.table.Selection()
	log := func() tea.Cmd { return ui.Wish(ui.Open{Screen: "log", Arg: node}) }
	keys := ui.FaultKeys(s.data, node, "", "there is no node yet")
	if s.table.Marked() > 0 {
		keys = ui.FaultsKeys(s.data, s.table.Chosen())
	}
	keys = append(keys,
		ui.Key{Keys: "l enter", Does: "the node's log", Hint: "logs", Not: ui.NoNode(s.data, node), Act: log},
		ui.Key{Keys: "F", Does: "only nodes with something wrong, or all", Act: func() tea.Cmd {
			s.faulty = !s.faulty
			s.fill()
			return nil
		}},
		ui.Key{Keys: "E", Does: "make preferred replicas lead all partitions again", Hint: "elect preferred", Not: s.data.Access.NoWrites, Act: func() tea.Cmd { return ui.AskElect(s.data, nil) }},
	)
	return s.table.With(keys)
}

// Title counts the nodes.
func (s *Screen) Title(ui.Frame) (left, right ui.Line) {
	var rss int64
	for _, n := range s.nodes {
		rss += n.RSS
	}
	if rss > 0 {
		right = ui.Line{}.Dim("all processes ").Text(ui.Bytes(rss))
	}
	return s.table.Heading("Nodes"), right
}

// View draws the table and what there is to say about the selected node.
func (s *Screen) View(f ui.Frame) string {
	if len(s.nodes) == 0 {
		if f.Snapshot != nil && f.Snapshot.Problem != "" {
			return ui.Note(f, themes.Bad, ui.Trouble(f.Snapshot.Problem))
		}
		return ui.Note(f, themes.Dim, "Looking for nodes. They appear here as soon as one of them answers.")
	}
	about := s.about(f)
	shown, _ := s.table.Counts()
	table := f
	table.Height = min(shown+1, f.Height-len(about))
	if shown == 0 || table.Height < shown/2+2 {
		return s.table.View(f)
	}
	return s.table.View(table) + "\n" + ui.Lines(f.Theme, f.Width, f.Height-table.Height, about...)
}

// about are a few facts that the row has no room for.
func (s *Screen) about(f ui.Frame) []ui.Line {
	for _, n := range s.nodes {
		if n.Name != s.table.Selection() {
			continue
		}
		lines := []ui.Line{nil, ui.Line{}.Gap(2).Strong(n.Name).Dim("  " + n.Address)}
		fact := func(name, value string, role themes.Role) {
			if value != "" {
				lines = append(lines, ui.Line{}.Gap(2).Dim(ui.Fit(name, 14, false)).Add(role, value))
			}
		}
		fact("trouble", n.Problem, themes.Warn)
		fact("quorum", n.Quorum, themes.Text)
		if status, ok := f.Node(n.Name); ok {
			fact("last end", status.Exit, themes.Text)
			fact("log", status.Log, themes.Dim)
		}
		if n.Session > 0 {
			fact("session", fmt.Sprintf("%.1f s until the cluster gives it up", n.Session.Seconds()), themes.Text)
		}
		if age := f.Stale(n.Answered); age > 0 {
			fact("last answer", strings.TrimSuffix(ui.Old(age), " old")+" ago", themes.Warn)
		}
		return lines
	}
	return nil
}

// Raw implements ui.Rawer.
func (s *Screen) Raw() any { return ui.RawNode(s.data, s.table.Selection()) }
