package tui

import (
	"strings"

	tea "charm.land/bubbletea/v2"

	"kdrill/themes"
	"kdrill/tui/ui"
)

// help shows every key of the screen and of the console. It is made of the key maps that dispatch uses.
type help struct {
	title   string
	screen  []ui.Key
	console []ui.Key
	top     int
}

func (m *Model) help() *help {
	title := m.here().screen
	if m.here().arg != "" {
		title += " " + m.here().arg
	}
	return &help{title: "Keys of " + title, screen: m.screen().Keys(), console: m.keys()}
}

// Press implements ui.Overlay.
func (h *help) Press(k tea.KeyPressMsg) (bool, tea.Cmd) {
	switch k.String() {
	case "j", "down", "pgdown", "ctrl+d":
		h.top++
	case "k", "up", "pgup", "ctrl+u":
		h.top = max(0, h.top-1)
	default:
		return true, nil
	}
	return false, nil
}

// Box implements ui.Overlay: two columns where there is room, the screen's keys first.
func (h *help) Box(f ui.Frame) ui.Box {
	width, columns := 46, 2
	if f.Width < 2*width+12 {
		width = (f.Width - 10) / 2
	}
	if width < 34 {
		width, columns = max(30, f.Width-8), 1
	}
	screen, console := describe(h.screen, width), describe(h.console, width)
	var lines []ui.Line
	if columns == 1 {
		lines = append(append(append(lines, screen...), nil), console...)
	} else {
		for i := range max(len(screen), len(console)) {
			var line ui.Line
			if i < len(screen) {
				line = append(line, screen[i]...)
			}
			line = line.Gap(width - line.Width() + 2)
			if i < len(console) {
				line = append(line, console[i]...)
			}
			lines = append(lines, line)
		}
	}
	room := max(1, f.Height-6)
	h2 := min(h.top, max(0, len(lines)-room))
	end := min(len(lines), h2+room)
	shown := lines[h2:end]
	if end < len(lines) {
		shown = append(append([]ui.Line{}, shown[:len(shown)-1]...), ui.Styled(themes.Dim, "j  more below"))
	}
	return ui.Box{Title: ui.Styled(themes.Strong, h.title), Lines: shown}
}

func describe(keys []ui.Key, width int) []ui.Line {
	var lines []ui.Line
	for _, k := range keys {
		if k.Does == "" {
			continue
		}
		role := themes.Text
		if k.Not != "" {
			role = themes.Faint
		}
		line := ui.Line{}.Add(themes.Key, ui.Fit(few(k.Keys, 11), 11, false)).Gap(1)
		for _, l := range ui.Sentence(role, k.Does, width-12) {
			lines = append(lines, append(line, l...))
			line = ui.Line{}.Gap(12)
		}
	}
	return lines
}

// Keys implements ui.Overlay.
func (h *help) Keys() []ui.Key {
	return []ui.Key{{Keys: "esc", Hint: "close"}, {Keys: "j", Hint: "down"}}
}

// few are as many of the names as fit.
func few(keys string, width int) string {
	for ui.Width(keys) > width {
		i := strings.LastIndexByte(keys, ' ')
		if i < 0 {
			break
		}
		keys = keys[:i]
	}
	return keys
}
