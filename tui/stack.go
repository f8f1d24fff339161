package tui

import (
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"kdrill/themes"
	"kdrill/tui/ui"
)

// grace is how long an overlay must be visible before a key can confirm anything in it: one typed for the screen below
// must not.
const grace = 400 * time.Millisecond

// push puts an overlay on top.
func (m *Model) push(o ui.Overlay) tea.Cmd {
	m.layers++
	id := m.layers
	m.stack = append(m.stack, layer{id, o})
	return tea.Tick(grace, func(time.Time) tea.Msg { return ui.Armed{ID: id} })
}

// cover lays the overlays over the drawn screen, whose rest steps back.
func (m *Model) cover(screen string) string {
	if len(m.stack) == 0 {
		return screen
	}
	lines := strings.Split(screen, "\n")
	dimmed := false
	for _, l := range m.stack {
		f := ui.Frame{Data: m.data, Theme: m.theme, Width: m.width, Height: m.height}
		box := l.Box(f)
		if box.Bottom {
			m.coverBottom(lines, box)
			continue
		}
		if !dimmed {
			for i, line := range lines {
				lines[i] = m.theme.Paint(themes.Faint, ansi.Strip(line))
			}
			dimmed = true
		}
		m.coverMiddle(lines, box)
	}
	return strings.Join(lines, "\n")
}

// coverBottom puts the lines of the box over the last ones of the screen.
func (m *Model) coverBottom(lines []string, box ui.Box) {
	n := min(len(box.Lines), len(lines))
	for i, l := range box.Lines[:n] {
		lines[len(lines)-n+i] = l.Render(m.theme.Panel(), m.width)
	}
}

func (m *Model) coverMiddle(lines []string, box ui.Box) {
	rows := box.Render(m.theme, m.width, m.height)
	if len(rows) == 0 {
		return
	}
	width := ansi.StringWidth(rows[0])
	x, y := max(0, (m.width-width)/2), max(0, (len(lines)-len(rows))/2)
	for i, row := range rows {
		if y+i >= len(lines) {
			return
		}
		under := lines[y+i]
		lines[y+i] = ansi.Truncate(under, x, "") + row + ansi.TruncateLeft(under, x+width, "")
	}
}
