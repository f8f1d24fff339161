// Package overview is the console's first screen: how the cluster is, at one look.
//
// It shows the nodes with a cursor, who leads how many partitions, totals with the rate of records, and the latest
// events. Wide terminals show leaders beside the nodes, others below.
//
// It lives on the root model's goroutine, as all screens do.
package overview

import (
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"kdrill/admin"
	"kdrill/themes"
	"kdrill/tui/ui"
)

// Screen is the overview.
type Screen struct {
	data  ui.Data
	nodes ui.Table
}

// New makes the screen.
func New() *Screen {
	return &Screen{nodes: ui.NewTable(
		ui.Column{Title: "Nodes", Min: 14},
		ui.Column{Title: "", Priority: 5, Max: 22},
		ui.Column{Title: "", Min: 10, Max: 22, Watch: true},
		ui.Column{Title: "", Min: 10, Priority: 1, Watch: true},
		ui.Column{Title: "pid", Right: true, Priority: 4, Min: 6},
		ui.Column{Title: "up", Right: true, Priority: 3, Min: 6},
		ui.Column{Title: "rss", Right: true, Priority: 2, Min: 4},
	)}
}

// Interest asks for the rates of all topics and for the lag of all groups.
func (s *Screen) Interest() admin.Interest { return admin.Interest{AllOffsets: true, Groups: true} }

// Selection is the node under the cursor.
func (s *Screen) Selection() string { return s.nodes.Selection() }

// Update takes new data.
func (s *Screen) Update(msg tea.Msg) tea.Cmd {
	d, ok := msg.(ui.Data)
	if !ok {
		return nil
	}
	if s.data.Snapshot == nil {
		s.nodes.SetRows(nil, d) // the first look at the cluster is no change
	}
	s.data = d
	var rows []ui.Row
	for _, n := range ui.Nodes(d) {
		role := themes.Dim
		if n.Role == "controller" || n.Role == "leader" {
			role = themes.Accent
		}
		pid, up := "", ""
		if n.PID > 0 {
			pid = fmt.Sprint(n.PID)
		}
		if n.Up > 0 {
			up = ui.Age(n.Up)
		}
		rows = append(rows, ui.Row{ID: n.Name, Cells: []ui.Cell{
			{Text: n.Name, Role: themes.Text},
			{Text: n.Port(), Role: themes.Dim},
			{Text: n.State, Role: n.Look},
			{Text: n.Role, Role: role},
			{Text: pid, Role: themes.Dim},
			{Text: up, Role: themes.Dim},
			{Text: ui.Memory(n.RSS), Role: themes.Dim},
		}})
	}
	s.nodes.SetRows(rows, d)
	return nil
}

// Keys act on the node under the cursor.
func (s *Screen) Keys() []ui.Key {
	node := s.nodes.Selection()
	keys := ui.FaultKeys(s.data, node, "", "there is no node yet")
	keys = append(keys,
		ui.Key{Keys: "l", Does: "the node's log", Hint: "logs", Not: ui.NoNode(s.data, node), Act: func() tea.Cmd { return ui.Wish(ui.Open{Screen: "log", Arg: node}) }},
		ui.Key{Keys: "enter", Does: "all about the nodes", Hint: "open", Act: func() tea.Cmd { return ui.Wish(ui.Open{Screen: "nodes"}) }},
		ui.Key{Keys: "n", Does: "create a topic", Hint: "new topic", Not: s.data.Access.NoWrites, Act: func() tea.Cmd { return ui.NewTopic(s.data) }},
		ui.Key{Keys: "E", Does: "make preferred replicas lead all partitions again", Not: s.data.Access.NoWrites, Act: func() tea.Cmd { return ui.AskElect(s.data, nil) }},
	)
	for _, k := range s.nodes.Keys() {
		if !k.Has("s") && !k.Has("S") {
			keys = append(keys, k)
		}
	}
	return keys
}

// Title names the cluster's state.
func (s *Screen) Title(f ui.Frame) (left, right ui.Line) {
	left = ui.Styled(themes.Strong, "Overview")
	if snap := f.Snapshot; snap != nil && snap.Problem == "" {
		right = totals(f)
	}
	return left, right
}

func totals(f ui.Frame) ui.Line {
	h := f.Health
	line := ui.Line{}.Dim("partitions ").Text(ui.Count(int64(f.Snapshot.PartitionCount())))
	number := func(name string, n int, role themes.Role) {
		if n == 0 {
			role = themes.Text
		}
		line = line.Dim("   "+name+" ").Add(role, ui.Count(int64(n)))
	}
	number("offline", h.Offline, themes.Bad)
	if f.Narrow() {
		return line
	}
	number("below min ISR", h.BelowMinISR, themes.Bad)
	number("under-replicated", h.UnderReplicated, themes.Warn)
	return line
}

// View draws the blocks.
func (s *Screen) View(f ui.Frame) string {
	if f.Snapshot == nil && f.Status == nil {
		return ui.Note(f, themes.Dim, "Looking for the cluster. Its nodes appear here as soon as one of them answers.")
	}
	if f.Status == nil && f.Snapshot.Problem != "" && len(f.Snapshot.Brokers) == 0 {
		return ui.Note(f, themes.Bad, ui.Trouble(f.Snapshot.Problem))
	}
	_, n := s.nodes.Counts()
	blocks := &blocks{f: f}
	if f.Wide() {
		left := min(s.nodes.Natural(), f.Width*3/5)
		right := s.side(f, f.Width-left-3)
		height := min(max(n+1, len(right)), max(f.Height-4, 4))
		blocks.beside(s.nodes.View(frame(f, left, height)), right, left, height)
	} else {
		height := min(n+1, max(f.Height-2, 2))
		blocks.add(s.nodes.View(frame(f, f.Width, height)), height)
		if right := s.side(f, f.Width-4); blocks.left() >= len(right)+4 {
			blocks.gap()
			blocks.lines(indent(right))
		}
	}
	if f.Snapshot != nil && f.Snapshot.Problem != "" {
		blocks.gap()
		blocks.lines(indent(ui.Sentence(themes.Bad, ui.Trouble(f.Snapshot.Problem), f.Width-4)))
	}
	if blocks.left() >= 3 {
		blocks.gap()
		blocks.lines(latest(f, blocks.left()))
	}
	return blocks.String()
}

func frame(f ui.Frame, width, height int) ui.Frame {
	f.Width, f.Height = width, height
	return f
}

func indent(lines []ui.Line) []ui.Line {
	for i, l := range lines {
		lines[i] = append(ui.Line{}.Gap(2), l...)
	}
	return lines
}

// recently is how many events are looked at for the latest ones: one broker's death may be as many.
const recently = 2000

// latest are the last events, the newest first.
func latest(f ui.Frame, height int) []ui.Line {
	lines := []ui.Line{ui.Line{}.Gap(2).Dim("Latest")}
	if len(f.Events) == 0 {
		return append(lines, ui.Line{}.Gap(2).Add(themes.Faint, "Nothing has happened since the console opened."))
	}
	recent := f.Events[max(0, len(f.Events)-recently):]
	runs := ui.Fold(recent, func(e admin.Event) bool { return !e.Internal() })
	for _, run := range slices.Backward(runs) {
		if len(lines) >= height {
			break
		}
		e, t := recent[run[0]], ui.TellAll(run.Of(recent))
		subject := themes.Text
		if e.Kind == admin.KindFault {
			subject, t.Look = themes.Accent, themes.Dim
		}
		line := ui.Line{}.Gap(2).Dim(f.Clock(e.At)).Gap(2).Add(subject, ui.Fit(t.Subject, 20, false)).Gap(2).Add(t.Look, t.What)
		if t.Note != "" {
			line = line.To(63).Add(themes.Faint, t.Note)
		}
		lines = append(lines, line)
	}
	return lines
}

// blocks stacks drawn parts until the frame is full.
type blocks struct {
	f    ui.Frame
	rows []string
}

func (b *blocks) left() int { return b.f.Height - len(b.rows) }

func (b *blocks) gap() { b.lines([]ui.Line{nil}) }

func (b *blocks) lines(lines []ui.Line) {
	for _, l := range lines {
		if b.left() > 0 {
			b.rows = append(b.rows, l.Render(b.f.Theme, b.f.Width))
		}
	}
}

func (b *blocks) add(drawn string, height int) {
	for line := range strings.SplitSeq(drawn, "\n") {
		if height--; height >= 0 && b.left() > 0 {
			b.rows = append(b.rows, line)
		}
	}
}

// beside puts lines to the right of what is drawn.
func (b *blocks) beside(drawn string, right []ui.Line, left, height int) {
	for i, line := range strings.Split(drawn, "\n") {
		var side ui.Line
		if i < len(right) {
			side = right[i]
		}
		if i < height && b.left() > 0 {
			b.rows = append(b.rows, line+append(ui.Line{}.Gap(3), side...).Render(b.f.Theme, b.f.Width-left))
		}
	}
}

func (b *blocks) String() string {
	for b.left() > 0 {
		b.gap()
	}
	return strings.Join(b.rows, "\n")
}

// Raw implements ui.Rawer.
func (s *Screen) Raw() any { return ui.RawNode(s.data, s.nodes.Selection()) }
