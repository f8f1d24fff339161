package tui

import (
	tea "charm.land/bubbletea/v2"

	"kdrill/themes"
	"kdrill/tui/ui"
)

// prompt is one line at the bottom that filters the screen while it is typed.
type prompt struct {
	input  ui.Input
	before string
	target ui.Filterable
}

func (m *Model) openFilter() tea.Cmd {
	target := m.screen().(ui.Filterable)
	return m.push(&prompt{input: ui.NewInput(target.Filter()), before: target.Filter(), target: target})
}

// Press implements ui.Overlay.
func (p *prompt) Press(k tea.KeyPressMsg) (bool, tea.Cmd) {
	switch k.String() {
	case "esc":
		p.target.SetFilter(p.before)
		return true, nil
	case "enter":
		return true, nil
	}
	if p.input.Key(k) {
		p.target.SetFilter(p.input.Value())
	}
	return false, nil
}

// Update implements ui.Updater.
func (p *prompt) Update(msg tea.Msg) {
	if paste, ok := msg.(tea.PasteMsg); ok {
		p.input.Insert(paste.Content)
		p.target.SetFilter(p.input.Value())
	}
}

// Box implements ui.Overlay.
func (p *prompt) Box(f ui.Frame) ui.Box {
	line := ui.Line{}.Gap(1).Add(themes.Accent, "/")
	line = append(line, p.input.Line(themes.Text, max(10, f.Width-50), true)...)
	if f.Width >= 90 {
		line = line.Dim("  ! inverse  -f fuzzy  enter keeps  esc drops")
	}
	return ui.Box{Lines: []ui.Line{line}, Bottom: true}
}

// Keys implements ui.Overlay.
func (p *prompt) Keys() []ui.Key { return nil }
