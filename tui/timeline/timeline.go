// Package timeline is what happened, one line an event; a fault opens a group with a clock of its own. What happens to
// many partitions at once is one line until it is unfolded or filtered.
//
// Events come with the data, oldest first. While the cursor is on the last one it stays there as more come.
//
// It lives on the root model's goroutine, as all screens do.
package timeline

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	tea "charm.land/bubbletea/v2"

	"kdrill/admin"
	"kdrill/themes"
	"kdrill/tui/ui"
)

// Screen is the timeline.
type Screen struct {
	data   ui.Data
	table  ui.Table
	events []admin.Event
	faults bool // only faults and what belongs to them
	// internal shows what happens to single partitions of internal topics.
	internal bool
	hidden   int // events that are left out because of it
	unfolded bool
	runs     map[string]ui.Run // by row
}

// New makes the screen.
func New() *Screen {
	s := &Screen{table: ui.NewTable(
		ui.Column{Title: "time", Min: 12},
		ui.Column{Title: "fault", Right: true, Min: 8, Priority: 1},
		ui.Column{Title: "", Min: 5, Priority: 2},
		ui.Column{Title: "subject", Min: 14, Max: 34},
		ui.Column{Title: "what", Min: 24, Fill: true},
		ui.Column{Title: "", Max: 40, Priority: 3},
	)}
	s.table.Stick = true
	s.table.Empty = "Nothing has happened yet. Kill a broker (K on Nodes) and watch what follows."
	return s
}

// Filter implements ui.Filterable.
func (s *Screen) Filter() string { return s.table.Filter() }

// SetFilter implements ui.Filterable.
func (s *Screen) SetFilter(text string) {
	folded := s.folded()
	s.table.SetFilter(text)
	if s.folded() != folded {
		s.fill()
	}
}

// folded says whether many events may be one line. A filter looks for single ones.
func (s *Screen) folded() bool { return !s.unfolded && s.table.Filter() == "" }

// Selection is what happened under the cursor, as JSON, one event a line.
func (s *Screen) Selection() string { return s.jsonLines(s.table.Selection()) }

// Raw implements ui.Rawer.
func (s *Screen) Raw() any {
	switch events := s.eventsOf(s.table.Selection()); len(events) {
	case 0:
		return nil
	case 1:
		return events[0]
	default:
		return events
	}
}

// eventsOf are the events that one row stands for.
func (s *Screen) eventsOf(row string) []admin.Event { return s.runs[row].Of(s.events) }

func (s *Screen) jsonLines(row string) string {
	var b strings.Builder
	for _, e := range s.eventsOf(row) {
		text, _ := json.Marshal(e)
		b.Write(text)
		b.WriteByte('\n')
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// Update takes new data.
func (s *Screen) Update(msg tea.Msg) tea.Cmd {
	d, ok := msg.(ui.Data)
	if !ok {
		return nil
	}
	same := len(d.Events) == len(s.events) && (len(d.Events) == 0 || d.Events[len(d.Events)-1] == s.events[len(s.events)-1])
	s.data = d
	if d.Access.NoFaults != "" {
		s.table.Empty = "Nothing has happened since the console opened."
	}
	if !same {
		s.events = d.Events
		s.fill()
	}
	return nil
}

func (s *Screen) fill() {
	s.hidden, s.runs = 0, map[string]ui.Run{}
	runs := ui.Fold(s.events, func(e admin.Event) bool {
		if s.faults && e.Fault == "" {
			return false
		}
		if e.Internal() && !s.internal {
			s.hidden++
			return false
		}
		return true
	})
	rows := make([]ui.Row, 0, len(runs))
	add := func(id string, run ui.Run) {
		s.runs[id] = run
		rows = append(rows, s.row(id, run))
	}
	for _, run := range runs {
		if len(run) > 1 && s.folded() {
			add(strconv.Itoa(run[0])+"+", run)
			continue
		}
		for _, i := range run {
			add(strconv.Itoa(i), ui.Run{i})
		}
	}
	s.table.SetRows(rows, s.data)
}

func (s *Screen) row(id string, run ui.Run) ui.Row {
	e := s.events[run[0]]
	t := ui.TellAll(s.eventsOf(id))
	since, subject := "", ui.Cell{Text: t.Subject}
	clock := ui.Cell{Text: s.data.Clock(e.At), Role: themes.Dim, Order: float64(run[0])}
	note := ui.Cell{Text: t.Note, Role: themes.Faint}
	switch {
	case e.Kind == admin.KindFault:
		subject.Role = themes.Accent
		clock.Role = themes.Strong
	case e.Fault != "":
		since = ui.Since(e.Since)
		clock.Role = themes.Faint
	}
	what := ui.Cell{Text: t.What, Role: t.Look}
	if e.Kind == admin.KindFault {
		what.Role = themes.Dim
	}
	return ui.Row{ID: id, Cells: []ui.Cell{clock, {Text: since, Role: themes.Strong}, {Text: t.Tag, Role: themes.Dim}, subject, what, note}}
}

// Keys look closer.
func (s *Screen) Keys() []ui.Key {
	none := ""
	if s.table.Selection() == "" {
		none = "there is no event yet"
	}
	hint := "faults only"
	if s.faults {
		hint = "everything"
	}
	fold := "unfold"
	if s.unfolded {
		fold = "fold"
	}
	keys := []ui.Key{
		{Keys: "enter d", Does: "all about the event", Hint: "details", Not: none, Act: s.open},
		{Keys: "F", Does: "only faults and what followed them, or everything", Hint: hint, Act: func() tea.Cmd {
			s.faults = !s.faults
			s.fill()
			return nil
		}},
		{Keys: "i", Does: "show or hide partitions of the cluster's own topics", Hint: "internal", Act: func() tea.Cmd {
			s.internal = !s.internal
			s.fill()
			return nil
		}},
		{Keys: "u", Does: "a line for each event, or one for what happened to many partitions at once", Hint: fold, Act: func() tea.Cmd {
			s.unfolded = !s.unfolded
			s.fill()
			return nil
		}},
		{Keys: "e", Does: "export what is shown to a file", Hint: "export", Not: none, Act: s.export},
	}
	return s.table.With(keys)
}

// open shows one event, or what happened to each of many partitions.
func (s *Screen) open() tea.Cmd {
	events := s.eventsOf(s.table.Selection())
	t := ui.TellAll(events)
	pager := &ui.Pager{Title: strings.TrimSpace(t.Subject + "  " + t.What), Copy: s.Selection(), Lines: func(width int) []ui.Line {
		if len(events) > 1 {
			return each(events)
		}
		return detail(events[0], t.Note, width)
	}}
	return ui.Wish(ui.Ask{Overlay: pager})
}

// each is a line an event.
func each(events []admin.Event) []ui.Line {
	lines := []ui.Line{when(events[0]), nil}
	for _, e := range events {
		t := ui.Tell(e)
		lines = append(lines, ui.Line{}.Text(ui.Fit(t.Subject, 24, false)).Gap(2).Add(t.Look, t.What).Gap(2).Add(themes.Faint, t.Note))
	}
	return lines
}

func when(e admin.Event) ui.Line {
	return ui.Line{}.Dim("at        ").Text(e.At.Format("2006-01-02 15:04:05.000000 MST"))
}

func detail(e admin.Event, note string, width int) []ui.Line {
	lines := []ui.Line{when(e)}
	if e.Fault != "" && e.Kind != admin.KindFault {
		lines = append(lines, ui.Line{}.Dim("since     ").Text(ui.Since(e.Since)+" s after fault "+e.Fault))
	}
	if note != "" {
		lines = append(lines, ui.Line{}.Dim("note      ").Text(note))
	}
	lines = append(lines, nil)
	raw, _ := json.MarshalIndent(e, "", "  ")
	for l := range strings.SplitSeq(string(raw), "\n") {
		lines = append(lines, ui.Styled(themes.Dim, ui.Cut(l, width, true)))
	}
	return lines
}

// export writes the events that are shown, one JSON object a line.
func (s *Screen) export() tea.Cmd {
	var b strings.Builder
	for id := range s.table.Shown() {
		b.WriteString(s.jsonLines(id) + "\n")
	}
	name := fmt.Sprintf("kdrill-events-%s.jsonl", s.data.Now.Format("20060102-150405"))
	return ui.Wish(ui.Save{Name: name, Text: b.String()})
}

// Title counts the events.
func (s *Screen) Title(ui.Frame) (left, right ui.Line) {
	if s.hidden > 0 {
		right = right.Add(themes.Faint, fmt.Sprintf("%d internal hidden", s.hidden))
	}
	if s.faults {
		right = right.Gap(2).Add(themes.Accent, "faults only")
	}
	return s.table.Heading("Timeline"), right
}

// View draws the table.
func (s *Screen) View(f ui.Frame) string { return s.table.View(f) }
