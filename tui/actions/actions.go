// Package actions is the log of what was done from this console, as command lines that do the same.
//
// The root model hands over each deed as it ends.
//
// It lives on the root model's goroutine, as all screens do.
package actions

import (
	"strconv"

	tea "charm.land/bubbletea/v2"

	"kdrill/themes"
	"kdrill/tui/ui"
)

// Screen is the action log.
type Screen struct {
	data  ui.Data
	table ui.Table
	done  []ui.Done
}

// New makes the screen with what was done so far.
func New(done []ui.Done) *Screen {
	s := &Screen{done: append([]ui.Done(nil), done...), table: ui.NewTable(
		ui.Column{Title: "time", Min: 8},
		ui.Column{Title: "", Min: 6},
		ui.Column{Title: "command line", Min: 30, Fill: true},
		ui.Column{Title: "result", Max: 60, Priority: 1},
	)}
	s.table.Stick = true
	s.table.Empty = "Nothing was done from this console yet. Whatever you do appears here as a command line for your scripts."
	return s
}

// Filter implements ui.Filterable.
func (s *Screen) Filter() string { return s.table.Filter() }

// SetFilter implements ui.Filterable.
func (s *Screen) SetFilter(text string) { s.table.SetFilter(text) }

// Selection is the command line under the cursor.
func (s *Screen) Selection() string {
	i, err := strconv.Atoi(s.table.Selection())
	if err != nil || i >= len(s.done) {
		return ""
	}
	return s.data.Line(s.done[i].Deed)
}

// Update takes data and deeds.
func (s *Screen) Update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case ui.Data:
		first := s.data.Now.IsZero()
		s.data = msg
		if first {
			s.fill()
		}
	case ui.Done:
		s.done = append(s.done, msg)
		s.fill()
	}
	return nil
}

func (s *Screen) fill() {
	rows := make([]ui.Row, len(s.done))
	for i, d := range s.done {
		word, result := ui.Cell{Text: "done", Role: themes.Good}, ui.Cell{Text: d.Result, Role: themes.Dim}
		if d.Err != nil {
			word, result = ui.Cell{Text: "failed", Role: themes.Bad}, ui.Cell{Text: d.Err.Error(), Role: themes.Bad}
		}
		rows[i] = ui.Row{ID: strconv.Itoa(i), Cells: []ui.Cell{{Text: s.data.Clock(d.At)[:8], Role: themes.Dim}, word, {Text: s.data.Line(d.Deed)}, result}}
	}
	s.table.SetRows(rows, s.data)
}

// Keys move and copy.
func (s *Screen) Keys() []ui.Key {
	none := ""
	if s.Selection() == "" {
		none = "nothing was done yet"
	}
	keys := []ui.Key{
		{Keys: "enter", Does: "copy the command line", Hint: "copy", Not: none, Act: func() tea.Cmd { return ui.Wish(ui.Copy{Text: s.Selection()}) }},
	}
	return s.table.With(keys)
}

// Title counts.
func (s *Screen) Title(ui.Frame) (left, right ui.Line) { return s.table.Heading("Actions"), nil }

// View draws the table.
func (s *Screen) View(f ui.Frame) string { return s.table.View(f) }
