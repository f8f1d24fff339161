package ui

import (
	tea "charm.land/bubbletea/v2"

	"kdrill/themes"
)

// Menu is an overlay of the things that can be done to what is selected.
type Menu struct {
	Title string
	Items []Key

	at int
}

// NewMenu makes a menu of the keys that do more than move.
func NewMenu(title string, keys []Key) *Menu {
	m := &Menu{Title: title}
	for _, k := range keys {
		if !k.Move && k.Does != "" {
			m.Items = append(m.Items, k)
		}
	}
	return m
}

// Press implements Overlay: the item's own key picks it too.
func (m *Menu) Press(k tea.KeyPressMsg) (bool, tea.Cmd) {
	switch k.String() {
	case "esc", "q", "x":
		return true, nil
	case "j", "down":
		m.at = min(m.at+1, len(m.Items)-1)
		return false, nil
	case "k", "up":
		m.at = max(m.at-1, 0)
		return false, nil
	case "enter":
		return true, m.Items[m.at].Press()
	}
	if item, ok := Find(m.Items, k.String()); ok {
		return true, item.Press()
	}
	return false, nil
}

// Box implements Overlay.
func (m *Menu) Box(f Frame) Box {
	room := max(1, f.Height-8)
	from := max(0, min(m.at-room+1, len(m.Items)-room))
	var lines []Line
	for i, item := range m.Items[from:min(from+room, len(m.Items))] {
		line := Line{}.Text("  ")
		role := themes.Text
		if from+i == m.at {
			line, role = Line{}.Add(themes.Accent, "> "), themes.Strong
		}
		if item.Not != "" {
			role = themes.Faint
		}
		line = line.Add(themes.Key, Fit(item.Shown(), 7, false)).Add(role, item.Does)
		if from+i == m.at && item.Not != "" {
			line = line.Add(themes.Warn, "  "+item.Not)
		}
		lines = append(lines, line)
	}
	return Box{Title: Styled(themes.Strong, m.Title), Lines: lines}
}

// Keys implements Overlay.
func (m *Menu) Keys() []Key {
	return []Key{{Keys: "enter", Hint: "do it"}, {Keys: "j", Hint: "down"}, {Keys: "k", Hint: "up"}, {Keys: "esc", Hint: "close"}}
}
