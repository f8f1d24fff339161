package tui

import (
	tea "charm.land/bubbletea/v2"

	"kdrill/tui/ui"
)

// wheel moves the cursor by a few rows, as keys do.
func (m *Model) wheel(w tea.MouseWheelMsg) tea.Cmd {
	name := "down"
	if w.Button == tea.MouseWheelUp {
		name = "up"
	}
	if len(m.stack) > 0 {
		return nil
	}
	key, ok := ui.Find(m.screen().Keys(), name)
	if !ok {
		return nil
	}
	for range 3 {
		m.grant(key.Press())
	}
	return nil
}

// click opens the tab under the pointer.
func (m *Model) click(c tea.MouseClickMsg) tea.Cmd {
	row := 1 + len(m.stopwatch.lines(m.theme, m.data.Now, m.width))
	if c.Button != tea.MouseLeft || len(m.stack) > 0 || c.Y != row {
		return nil
	}
	x := 0
	tabs := m.tabs()
	at := 0
	for _, span := range tabs {
		x += ui.Width(span.Text)
		if at < len(sections) && span.Text == m.tabTitle(sections[at]) {
			if c.X < x {
				return m.goTo(place{screen: sections[at].name})
			}
			at++
		}
	}
	return nil
}
