package groups

import (
	"fmt"

	tea "charm.land/bubbletea/v2"

	"kdrill/admin"
	"kdrill/themes"
	"kdrill/tui/ui"
)

// Screen lists the groups.
type Screen struct {
	data  ui.Data
	table ui.Table
	read  bool // groups were read at least once
	// faulty shows only groups that lag or do not consume.
	faulty bool
}

// New returns the screen.
func New() *Screen {
	s := &Screen{table: ui.NewTable(
		ui.Column{Title: "group", Min: 20, Fill: true},
		ui.Column{Title: "state", Min: 6, Watch: true},
		ui.Column{Title: "members", Right: true, Watch: true, Priority: 2},
		ui.Column{Title: "partitions", Right: true, Priority: 4},
		ui.Column{Title: "lag", Right: true, Min: 8},
		ui.Column{Title: "consumes", Right: true, Min: 8, Priority: 1},
		ui.Column{Title: "coordinator", Watch: true, Min: 9, Priority: 3},
		ui.Column{Title: "", Priority: 1},
	)}
	return s
}

// Update implements ui.Screen.
func (s *Screen) Update(msg tea.Msg) tea.Cmd {
	if d, ok := msg.(ui.Data); ok && d.Snapshot != nil {
		s.data = d
		s.read = s.read || !d.Snapshot.GroupsAt.IsZero()
		s.fill()
	}
	return nil
}

func (s *Screen) fill() {
	if s.data.Snapshot == nil {
		return
	}
	groups := s.data.Snapshot.Groups
	rows := make([]ui.Row, 0, len(groups))
	for i := range groups {
		if g := &groups[i]; !s.faulty || g.Lag > 0 || g.Error != "" || g.State != "Stable" {
			rows = append(rows, row(g, s.data))
		}
	}
	s.table.Empty = noGroups
	if s.faulty {
		s.table.Empty = "No group lags or rebalances. Press F to see all."
	}
	s.table.SetRows(rows, s.data)
}

const noGroups = "There are no consumer groups. One appears here when a consumer with a group.id joins or commits."

func row(g *admin.Group, d ui.Data) ui.Row {
	note := ui.Cell{}
	age := d.Stale(g.At)
	switch {
	case g.Error != "":
		note = ui.Cell{Text: g.Error, Role: themes.Warn}
	case age > 0:
		note = ui.Cell{Text: ui.Old(age), Role: themes.Faint}
	}
	return ui.Row{ID: g.ID, Old: age > 0, Cells: []ui.Cell{
		{Text: g.ID, Role: themes.Strong},
		{Text: g.State, Role: stateRole(g.State)},
		{Text: ui.Count(int64(len(g.Members))), Order: float64(len(g.Members))},
		{Text: ui.Count(int64(len(g.Partitions))), Role: themes.Dim, Order: float64(len(g.Partitions))},
		{Text: ui.Count(g.Lag), Order: float64(g.Lag)},
		{Text: ui.Rate(g.PerSecond), Role: themes.Dim, Order: g.PerSecond},
		{Text: ui.Broker(g.Coordinator), Role: themes.Dim},
		note,
	}}
}

// stateRole: a group that rebalances consumes nothing, one without members is nobody's fault.
func stateRole(state string) themes.Role {
	switch state {
	case "Stable":
		return themes.Text
	case "Dead", "Empty":
		return themes.Faint
	}
	return themes.Warn
}

// View implements ui.Screen.
func (s *Screen) View(f ui.Frame) string {
	if f.Snapshot != nil && f.Snapshot.Problem != "" && len(f.Snapshot.Groups) == 0 {
		return ui.Note(f, themes.Bad, ui.Trouble(f.Snapshot.Problem))
	}
	if !s.read {
		return ui.Note(f, themes.Dim, "Reading the groups of every broker.")
	}
	return s.table.View(f)
}

// Title implements ui.Screen.
func (s *Screen) Title(f ui.Frame) (left, right ui.Line) {
	left = s.table.Heading("Groups")
	if f.Snapshot == nil {
		return left, nil
	}
	total, rebalancing := int64(0), 0
	for _, g := range f.Snapshot.Groups {
		total += max(g.Lag, 0)
		if stateRole(g.State) == themes.Warn {
			rebalancing++
		}
	}
	if rebalancing > 0 {
		right = right.Add(themes.Warn, fmt.Sprintf("%d rebalancing", rebalancing)).Gap(3)
	}
	return left, right.Dim("lag ").Text(ui.Count(total))
}

// Keys implements ui.Screen.
func (s *Screen) Keys() []ui.Key {
	keys := []ui.Key{{
		Keys: "enter d", Does: "open the group", Hint: "open", Not: s.none(),
		Act: func() tea.Cmd { return ui.Wish(ui.Open{Screen: "group", Arg: s.table.Selection()}) },
	}, {
		Keys: "F", Does: "only groups that lag or do not consume, or all", Act: func() tea.Cmd {
			s.faulty = !s.faulty
			s.fill()
			return nil
		},
	}}
	keys = append(keys, ui.CoordinatorKeys(s.data, s.table.Selection())...)
	return s.table.With(keys)
}

func (s *Screen) none() string {
	if s.table.Selection() == "" {
		return "no group is selected"
	}
	return ""
}

// Filter implements ui.Filterable.
func (s *Screen) Filter() string { return s.table.Filter() }

// SetFilter implements ui.Filterable.
func (s *Screen) SetFilter(text string) { s.table.SetFilter(text) }

// Selection implements ui.Selector.
func (s *Screen) Selection() string { return s.table.Selection() }

// Interest implements ui.Interested.
func (s *Screen) Interest() admin.Interest { return admin.Interest{Groups: true} }

// Raw implements ui.Rawer.
func (s *Screen) Raw() any {
	if s.data.Snapshot != nil {
		if g, ok := s.data.Snapshot.Group(s.table.Selection()); ok {
			return g
		}
	}
	return nil
}
