// Package timeline is what happened, one line an event; a fault opens a group with a clock of its own.
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
func (s *Screen) SetFilter(text string) { s.table.SetFilter(text) }

// Selection is the event under the cursor, as JSON.
func (s *Screen) Selection() string {
	e, ok := s.selected()
	if !ok {
		return ""
	}
	text, _ := json.Marshal(e)
	return string(text)
}

// Raw implements ui.Rawer.
func (s *Screen) Raw() any {
	if e, ok := s.selected(); ok {
		return e
	}
	return nil
}

func (s *Screen) selected() (admin.Event, bool) {
	i, err := strconv.Atoi(s.table.Selection())
	if err != nil || i >= len(s.events) {
		return admin.Event{}, false
	}
	return s.events[i], true
}

// Update takes new data.
func (s *Screen) Update(msg tea.Msg) tea.Cmd {
	d, ok := msg.(ui.Data)
	if !ok {
		return nil
	}
	same := len(d.Events) == len(s.events) && (len(d.Events) == 0 || d.Events[len(d.Events)-1] == s.events[len(s.events)-1])
	s.data = d
	if !same {
		s.events = d.Events
		s.fill()
	}
	return nil
}

func (s *Screen) fill() {
	rows := make([]ui.Row, 0, len(s.events))
	s.hidden = 0
	for i, e := range s.events {
		if s.faults && e.Fault == "" {
			continue
		}
		if e.Internal() && !s.internal {
			s.hidden++
			continue
		}
		rows = append(rows, s.row(i, e))
	}
	s.table.SetRows(rows, s.data)
}

func (s *Screen) row(i int, e admin.Event) ui.Row {
	t := ui.Tell(e)
	since, subject := "", ui.Cell{Text: t.Subject}
	clock := ui.Cell{Text: s.data.Clock(e.At), Role: themes.Dim, Order: float64(i)}
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
	return ui.Row{ID: strconv.Itoa(i), Cells: []ui.Cell{clock, {Text: since, Role: themes.Strong}, {Text: t.Tag, Role: themes.Dim}, subject, what, note}}
}

// Keys look closer.
func (s *Screen) Keys() []ui.Key {
	none := ""
	if _, ok := s.selected(); !ok {
		none = "there is no event yet"
	}
	hint := "faults only"
	if s.faults {
		hint = "everything"
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
		{Keys: "e", Does: "export what is shown to a file", Hint: "export", Not: none, Act: s.export},
	}
	return s.table.With(keys)
}

// open shows one event.
func (s *Screen) open() tea.Cmd {
	e, _ := s.selected()
	raw, _ := json.MarshalIndent(e, "", "  ")
	t := ui.Tell(e)
	return ui.Wish(ui.Ask{Overlay: &ui.Pager{
		Title: strings.TrimSpace(t.Subject + "  " + t.What),
		Copy:  string(raw),
		Lines: func(width int) []ui.Line {
			lines := []ui.Line{ui.Line{}.Dim("at        ").Text(e.At.Format("2006-01-02 15:04:05.000000 MST"))}
			if e.Fault != "" && e.Kind != admin.KindFault {
				lines = append(lines, ui.Line{}.Dim("since     ").Text(ui.Since(e.Since)+" s after fault "+e.Fault))
			}
			if t.Note != "" {
				lines = append(lines, ui.Line{}.Dim("note      ").Text(t.Note))
			}
			lines = append(lines, nil)
			for l := range strings.SplitSeq(string(raw), "\n") {
				lines = append(lines, ui.Styled(themes.Dim, ui.Cut(l, width, true)))
			}
			return lines
		},
	}})
}

// export writes the events that are shown, one JSON object a line.
func (s *Screen) export() tea.Cmd {
	var b strings.Builder
	for id := range s.table.Shown() {
		i, _ := strconv.Atoi(id)
		text, _ := json.Marshal(s.events[i])
		b.Write(text)
		b.WriteByte('\n')
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
