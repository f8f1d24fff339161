package group

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"kdrill/admin"
	"kdrill/themes"
	"kdrill/tui/ui"
)

// The tabs.
const (
	lagTab = iota
	membersTab
	tabs
)

// Screen shows one group.
type Screen struct {
	id      string
	data    ui.Data
	tab     int
	tables  [tabs]ui.Table
	group   *admin.Group // nil while it was not seen
	read    bool         // groups were read at least once
	earlier map[string]int64
	trend   map[string]int64 // by how much the lag of a partition changed between two readings
}

// New returns the screen of a group.
func New(id string) *Screen {
	s := &Screen{id: id, earlier: map[string]int64{}, trend: map[string]int64{}}
	s.tables[lagTab] = ui.NewTable(
		ui.Column{Title: "partition", Min: 12, Fill: true},
		ui.Column{Title: "committed", Right: true, Min: 9},
		ui.Column{Title: "end", Right: true, Min: 9, Priority: 2},
		ui.Column{Title: "lag", Right: true, Min: 8},
		ui.Column{Title: "", Min: 8, Priority: 3},
		ui.Column{Title: "consumes", Right: true, Min: 8, Priority: 1},
		ui.Column{Title: "member", Watch: true, Max: 40, Priority: 4},
	)
	s.tables[lagTab].Empty = "This group has committed no offsets."
	s.tables[membersTab] = ui.NewTable(
		ui.Column{Title: "member", Min: 12, Fill: true},
		ui.Column{Title: "client", Max: 24, Priority: 2},
		ui.Column{Title: "host", Max: 24, Priority: 3},
		ui.Column{Title: "instance", Max: 24, Priority: 4},
		ui.Column{Title: "assigned", Min: 12, Watch: true},
	)
	s.tables[membersTab].Empty = "This group has no members now."
	return s
}

// Update implements ui.Screen.
func (s *Screen) Update(msg tea.Msg) tea.Cmd {
	d, ok := msg.(ui.Data)
	if !ok || d.Snapshot == nil {
		return nil
	}
	s.data = d
	s.read = s.read || !d.Snapshot.GroupsAt.IsZero()
	g, ok := d.Snapshot.Group(s.id)
	if !ok {
		s.group = nil
		return nil
	}
	if s.group == nil || !g.At.Equal(s.group.At) {
		s.compare(g)
	}
	s.group = g
	s.tables[lagTab].SetRows(s.lagRows(g, d), d)
	s.tables[membersTab].SetRows(memberRows(g, d), d)
	return nil
}

// compare notes how each partition's lag changed since the reading before.
func (s *Screen) compare(g *admin.Group) {
	for _, p := range g.Partitions {
		name := partition(p)
		if before, ok := s.earlier[name]; ok && p.Lag >= 0 {
			s.trend[name] = p.Lag - before
		}
		s.earlier[name] = p.Lag
	}
}

func partition(p admin.GroupLag) string { return fmt.Sprintf("%s/%d", p.Topic, p.Partition) }

func (s *Screen) lagRows(g *admin.Group, d ui.Data) []ui.Row {
	old := d.Stale(g.At) > 0
	rows := make([]ui.Row, 0, len(g.Partitions))
	for i, p := range g.Partitions {
		trend, role := "", themes.Dim
		switch change := s.trend[partition(p)]; {
		case change > 0:
			trend, role = "rising", themes.Warn
		case change < 0:
			trend = "falling"
		}
		member := ui.Cell{Text: p.Member, Role: themes.Dim}
		if p.Member == "" {
			member = ui.Cell{Text: "nobody", Role: themes.Faint}
		}
		committed := ui.Cell{Text: ui.Count(p.Committed), Order: float64(p.Committed)}
		if p.Committed < 0 {
			committed = ui.Cell{Text: "none", Role: themes.Faint, Order: -1}
		}
		rows = append(rows, ui.Row{ID: partition(p), Old: old, Cells: []ui.Cell{
			{Text: partition(p), Role: themes.Strong, Order: float64(i)},
			committed,
			{Text: ui.Count(p.End), Role: themes.Dim, Order: float64(p.End)},
			{Text: ui.Count(p.Lag), Order: float64(p.Lag)},
			{Text: trend, Role: role},
			{Text: ui.Rate(p.PerSecond), Role: themes.Dim, Order: p.PerSecond},
			member,
		}})
	}
	return rows
}

func memberRows(g *admin.Group, d ui.Data) []ui.Row {
	old := d.Stale(g.At) > 0
	rows := make([]ui.Row, 0, len(g.Members))
	for _, m := range g.Members {
		rows = append(rows, ui.Row{ID: m.ID, Old: old, Cells: []ui.Cell{
			{Text: m.ID, Role: themes.Strong},
			{Text: m.ClientID},
			{Text: strings.TrimPrefix(m.Host, "/"), Role: themes.Dim},
			{Text: m.InstanceID, Role: themes.Dim},
			{Text: assigned(m.Assigned)},
		}})
	}
	return rows
}

// assigned writes what a member reads: "orders 0,2  payments 1".
func assigned(topics map[string][]int32) string {
	if len(topics) == 0 {
		return "nothing"
	}
	var parts []string
	for _, topic := range slices.Sorted(maps.Keys(topics)) {
		parts = append(parts, topic+" "+ui.IDs(slices.Sorted(slices.Values(topics[topic]))))
	}
	return strings.Join(parts, "  ")
}

// View implements ui.Screen.
func (s *Screen) View(f ui.Frame) string {
	switch {
	case s.group != nil:
		return s.tables[s.tab].View(f)
	case !s.read:
		return ui.Note(f, themes.Dim, "Reading the group.")
	}
	return ui.Note(f, themes.Dim, "There is no group "+s.id+" now: it was deleted, or its last offsets expired.")
}

// Title implements ui.Screen.
func (s *Screen) Title(f ui.Frame) (left, right ui.Line) {
	left = ui.Line{}.Dim("Groups > ")
	left = append(left, s.tables[s.tab].Heading(s.id)...)
	g := s.group
	if g == nil {
		return left, nil
	}
	for i, name := range []string{"lag", "members"} {
		role := themes.Dim
		if i == s.tab {
			role = themes.Accent
		}
		left = left.Gap(2).Add(role, name)
	}
	role := themes.Warn
	if g.State == "Stable" {
		role = themes.Text
	}
	if age := f.Stale(g.At); age > 0 {
		right = right.Add(themes.Warn, ui.Old(age)).Gap(3)
	}
	right = right.Add(role, g.State).Gap(3).Text(ui.Plural(len(g.Members), "member")).Gap(3)
	right = right.Dim("lag ").Text(ui.Count(g.Lag)).Gap(3).Text(ui.Rate(g.PerSecond))
	if f.Wide() {
		right = right.Gap(3).Dim("coordinator ").Text(ui.Broker(g.Coordinator))
	}
	return left, right
}

// Keys implements ui.Screen.
func (s *Screen) Keys() []ui.Key {
	topic, _, _ := strings.Cut(s.tables[lagTab].Selection(), "/")
	none := ""
	if s.tab != lagTab || topic == "" {
		none = "a partition of the lag tab has to be selected"
	}
	hint := map[int]string{lagTab: "members", membersTab: "lag"}[s.tab]
	keys := append(s.tables[s.tab].Keys(),
		ui.Key{Keys: "right left", Does: "lag or members", Hint: hint, Act: func() tea.Cmd {
			s.tab = (s.tab + 1) % tabs
			return nil
		}},
		ui.Key{Keys: "enter d", Does: "open the topic of the partition", Hint: "topic", Not: none, Act: func() tea.Cmd {
			return ui.Wish(ui.Open{Screen: "topic", Arg: topic})
		}},
		ui.Key{Keys: "t", Does: "tail the partition", Hint: "tail", Not: none, Act: func() tea.Cmd {
			return ui.Wish(ui.Open{Screen: "records", Arg: s.tables[lagTab].Selection()})
		}},
	)
	return append(keys, ui.CoordinatorKeys(s.data, s.id)...)
}

// Filter implements ui.Filterable.
func (s *Screen) Filter() string { return s.tables[s.tab].Filter() }

// SetFilter implements ui.Filterable.
func (s *Screen) SetFilter(text string) { s.tables[s.tab].SetFilter(text) }

// Selection implements ui.Selector.
func (s *Screen) Selection() string { return s.tables[s.tab].Selection() }

// Interest implements ui.Interested.
func (s *Screen) Interest() admin.Interest { return admin.Interest{Group: s.id} }

// Raw implements ui.Rawer.
func (s *Screen) Raw() any {
	if s.group == nil {
		return nil
	}
	return s.group
}
