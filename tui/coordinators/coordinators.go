// Package coordinators is the first screen of the ZooKeeper tab: the members of the ensemble as each one's own answers
// show it. Where there is no ZooKeeper it shows the controllers of KRaft's quorum.
//
// One row a member, made of the snapshot; below it, what there is to say about the one under the cursor. A member that
// does not answer keeps its last values, dimmed, with their age.
//
// It lives on the root model's goroutine, as all screens do.
package coordinators

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	tea "charm.land/bubbletea/v2"

	"kdrill/admin"
	"kdrill/themes"
	"kdrill/tui/ui"
)

// Screen lists the coordinators.
type Screen struct {
	data    ui.Data
	table   ui.Table
	kraft   bool
	members []admin.Coordinator // as rows
}

// New makes the screen.
func New() *Screen {
	s := &Screen{}
	s.columns(false)
	return s
}

// columns makes the table for ZooKeeper, or for KRaft.
func (s *Screen) columns(kraft bool) {
	s.kraft = kraft
	if kraft {
		s.table = ui.NewTable(
			ui.Column{Title: "node", Min: 14},
			ui.Column{Title: "address", Priority: 3, Max: 28},
			ui.Column{Title: "role", Min: 9, Watch: true},
			ui.Column{Title: "log end", Right: true, Min: 8},
			ui.Column{Title: "lag", Right: true, Min: 6},
			ui.Column{Title: "", Min: 10, Fill: true, Priority: 1},
		)
	} else {
		s.table = ui.NewTable(
			ui.Column{Title: "coordinator", Min: 13},
			ui.Column{Title: "address", Priority: 6, Max: 28},
			ui.Column{Title: "role", Min: 9, Watch: true},
			ui.Column{Title: "zxid", Min: 11, Priority: 1},
			ui.Column{Title: "latency ms", Right: true, Min: 8, Priority: 2},
			ui.Column{Title: "conns", Right: true, Min: 5, Priority: 3},
			ui.Column{Title: "queued", Right: true, Min: 6, Priority: 4},
			ui.Column{Title: "synced", Right: true, Min: 6, Priority: 5},
			ui.Column{Title: "znodes", Right: true, Min: 6, Priority: 7},
			ui.Column{Title: "watches", Right: true, Min: 7, Priority: 9},
			ui.Column{Title: "", Fill: true, Priority: 2},
		)
	}
	s.table.Marks = true
	s.table.Empty = "No coordinator is known yet."
}

// Interest asks for what mntr tells.
func (s *Screen) Interest() admin.Interest { return admin.Interest{Coordinators: true} }

// Filter implements ui.Filterable.
func (s *Screen) Filter() string { return s.table.Filter() }

// SetFilter implements ui.Filterable.
func (s *Screen) SetFilter(text string) { s.table.SetFilter(text) }

// Unmark implements ui.Marker.
func (s *Screen) Unmark() bool { return s.table.Unmark() }

// Selection is the coordinator under the cursor.
func (s *Screen) Selection() string { return s.table.Selection() }

// Raw implements ui.Rawer.
func (s *Screen) Raw() any {
	if c, ok := s.selected(); ok {
		return c
	}
	return nil
}

func (s *Screen) selected() (admin.Coordinator, bool) {
	if s.data.Snapshot == nil {
		return admin.Coordinator{}, false
	}
	for _, c := range slices.Concat(s.members, s.data.Snapshot.Observers) {
		if s.name(c) == s.table.Selection() {
			return c, true
		}
	}
	return admin.Coordinator{}, false
}

// name is how a member appears in the list of nodes.
func (s *Screen) name(c admin.Coordinator) string {
	if s.kraft {
		return ui.KRaftName(s.data, c)
	}
	return ui.CoordinatorName(s.data, c.Address)
}

// Update takes new data.
func (s *Screen) Update(msg tea.Msg) tea.Cmd {
	d, ok := msg.(ui.Data)
	if !ok || d.Snapshot == nil {
		return nil
	}
	if kraft := d.Snapshot.Mode == admin.ModeKRaft; kraft != s.kraft {
		s.columns(kraft)
	}
	s.data, s.members = d, d.Snapshot.Coordinators
	rows := make([]ui.Row, 0, len(s.members)+len(d.Snapshot.Observers))
	for _, c := range slices.Concat(s.members, d.Snapshot.Observers) {
		rows = append(rows, s.row(c))
	}
	if !s.kraft { // room for notes is taken only while there is one
		notes := &s.table.Columns[len(s.table.Columns)-1]
		notes.Min = 0
		if slices.ContainsFunc(s.members, func(c admin.Coordinator) bool { return s.note(c) != "" }) {
			notes.Min = 10
		}
	}
	s.table.SetRows(rows, d)
	return nil
}

func (s *Screen) row(c admin.Coordinator) ui.Row {
	old := c.Error != "" || s.data.Stale(c.Answered) > 0
	role := ui.Cell{Text: c.Role}
	switch {
	case c.Role == "leader" || c.Role == "standalone":
		role.Role = themes.Accent
	case c.Role == "" && c.Error != "":
		role = ui.Cell{Text: "silent", Role: themes.Bad}
	case c.Role == "":
		role = ui.Cell{Text: "not seen", Role: themes.Dim}
	}
	note := ui.Cell{Text: s.note(c), Role: themes.Warn}
	if s.kraft {
		return ui.Row{ID: s.name(c), Old: old, Cells: []ui.Cell{
			{Text: s.name(c), Role: themes.Strong},
			{Text: c.Address, Role: themes.Dim},
			role,
			count(c.Zxid), count(c.Lag), note,
		}}
	}
	synced, watches := ui.Cell{}, ui.Cell{Text: ui.Unknown, Order: -1}
	if d := c.Details; d != nil {
		watches = count(int64(d.Watches))
		if d.Synced >= 0 {
			synced = ui.Cell{Text: fmt.Sprintf("%d of %d", d.Synced, len(s.members)-1), Order: float64(d.Synced)}
			if d.Synced < len(s.members)-1 {
				synced.Role = themes.Warn
			}
		}
	}
	if c.Answered.IsZero() { // it never said anything
		return ui.Row{ID: s.name(c), Cells: []ui.Cell{
			{Text: s.name(c), Role: themes.Strong}, {Text: c.Address, Role: themes.Dim}, role, {}, {}, {}, {}, {}, {}, {}, note,
		}}
	}
	return ui.Row{ID: s.name(c), Old: old, Cells: []ui.Cell{
		{Text: s.name(c), Role: themes.Strong},
		{Text: c.Address, Role: themes.Dim},
		role,
		{Text: zxid(c.Zxid), Order: float64(c.Zxid)},
		{Text: latency(c), Order: c.LatencyAvg},
		count(int64(c.Connections)),
		count(int64(c.Outstanding)),
		synced,
		count(int64(c.Znodes)),
		watches,
		note,
	}}
}

// note says what is wrong with a member and how old its values are.
func (s *Screen) note(c admin.Coordinator) string {
	var parts []string
	if age := s.data.Stale(c.Answered); age > 0 {
		parts = append(parts, ui.Old(age))
	}
	if c.Error != "" {
		parts = append(parts, c.Error)
	}
	return strings.Join(parts, ", ")
}

func count(n int64) ui.Cell { return ui.Cell{Text: ui.Count(n), Order: float64(n)} }

func zxid(n int64) string {
	if n < 0 {
		return ui.Unknown
	}
	return "0x" + strconv.FormatInt(n, 16)
}

// latency is min/avg/max where all three are known.
func latency(c admin.Coordinator) string {
	avg := strconv.FormatFloat(c.LatencyAvg, 'f', 1, 64)
	switch d := c.Details; {
	case c.LatencyAvg < 0:
		return ui.Unknown
	case d == nil || d.LatencyMax < 0:
		return avg
	default:
		return fmt.Sprintf("%.0f/%s/%.0f", d.LatencyMin, avg, d.LatencyMax)
	}
}

// Keys act on the coordinator under the cursor.
func (s *Screen) Keys() []ui.Key {
	node := s.table.Selection()
	keys := ui.ZooKeeperKeys(s.data, ui.CoordinatorsScreen)
	faults := ui.FaultKeys(s.data, node, "", "there is no coordinator yet")
	if s.table.Marked() > 0 {
		faults = ui.FaultsKeys(s.data, s.table.Chosen())
	}
	keys = append(append(keys, faults...),
		ui.Key{Keys: "l enter", Does: "the coordinator's log", Hint: "logs", Not: ui.NoNode(s.data, node), Act: func() tea.Cmd {
			return ui.Wish(ui.Open{Screen: "log", Arg: node})
		}})
	return s.table.With(keys)
}

// Title says how the quorum is.
func (s *Screen) Title(f ui.Frame) (left, right ui.Line) {
	name := "Coordinators"
	if s.kraft {
		name = "Quorum" // its observers, too
	}
	left = s.table.Heading(name)
	if s.kraft {
		left = left.Dim("  KRaft: no ZooKeeper")
	}
	if len(s.members) == 0 {
		return left, nil
	}
	serving, leader := 0, "nobody leads"
	for _, c := range s.members {
		if c.Role != "" {
			serving++
		}
		if c.Role == "leader" || c.Role == "standalone" {
			leader = s.name(c) + " leads"
		}
	}
	role := themes.Text
	switch {
	case serving*2 <= len(s.members):
		role = themes.Bad
	case serving < len(s.members):
		role = themes.Warn
	}
	right = right.Add(role, fmt.Sprintf("%d of %d serve", serving, len(s.members)))
	if !f.Narrow() {
		right = right.Gap(3).Text(leader)
	}
	return left, right
}

// View draws the table and what there is to say about the selected coordinator.
func (s *Screen) View(f ui.Frame) string {
	switch none := ui.NoZooKeeper(f.Data); {
	case f.Snapshot == nil:
		return ui.Note(f, themes.Dim, "Looking for coordinators. They appear here as soon as one of them answers.")
	case len(s.members) > 0:
	case f.Snapshot.Problem != "":
		return ui.Note(f, themes.Bad, ui.Trouble(f.Snapshot.Problem))
	case none != "" && !s.kraft:
		return ui.Note(f, themes.Dim, none)
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

// about are the facts that the row has no room for.
func (s *Screen) about(f ui.Frame) []ui.Line {
	c, ok := s.selected()
	if !ok {
		return nil
	}
	lines := []ui.Line{nil, ui.Line{}.Gap(2).Strong(s.name(c)).Dim("  " + c.Address)}
	fact := func(name, value string, role themes.Role) {
		for i, l := range ui.Sentence(role, value, max(f.Width-20, 20)) {
			if i > 0 {
				name = ""
			}
			lines = append(lines, append(ui.Line{}.Gap(2).Dim(ui.Fit(name, 14, false)), l...))
		}
	}
	if s.kraft {
		fact("quorum", s.data.Snapshot.Standing(c.ID), themes.Text)
	} else {
		fact("trouble", c.Error, themes.Warn)
	}
	if age := f.Stale(c.Answered); age > 0 {
		fact("last answer", strings.TrimSuffix(ui.Old(age), " old")+" ago: the values above are from then", themes.Warn)
	}
	fact("version", c.Version, themes.Text)
	if d := c.Details; d != nil {
		if d.Uptime > 0 {
			fact("up", ui.Age(d.Uptime), themes.Text)
		}
		if d.Received >= 0 {
			fact("packets", ui.Count(d.Received)+" received, "+ui.Count(d.Sent)+" sent", themes.Text)
		}
		if d.DataBytes >= 0 {
			fact("holds", fmt.Sprintf("%s znodes in %s, %s ephemeral, %s watches", ui.Count(int64(c.Znodes)), ui.Bytes(d.DataBytes), ui.Count(int64(d.Ephemerals)), ui.Count(int64(d.Watches))), themes.Text)
		}
		fact("not told", d.Hidden, themes.Dim)
	}
	return lines
}
