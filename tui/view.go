package tui

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"

	"kdrill/admin"
	"kdrill/themes"
	"kdrill/tui/ui"
)

// The smallest terminal that gets more than a sentence.
const (
	leastWidth  = 40
	leastHeight = 10
)

// View implements tea.Model.
func (m *Model) View() tea.View {
	v := tea.NewView(m.draw())
	v.AltScreen = true
	v.WindowTitle = "kdrill " + m.cfg.Cluster
	if m.cfg.Mouse {
		v.MouseMode = tea.MouseModeCellMotion
	}
	return v
}

// draw makes the whole screen: header, stopwatch, tabs, title, the screen's own lines, what happened last, hints.
func (m *Model) draw() string {
	if m.width < leastWidth || m.height < leastHeight {
		return m.tooSmall()
	}
	lines := []string{m.header()}
	for _, l := range m.stopwatch.lines(m.theme, m.data.Now, m.width) {
		lines = append(lines, l.Render(m.theme, m.width))
	}
	f := m.frame()
	left, right := m.screen().Title(f)
	lines = append(lines, m.tabs().Render(m.theme, m.width))
	if m.roomy() {
		lines = append(lines, "")
		lines[len(lines)-1] = m.theme.Paint(themes.Text, ui.Spaces(m.width))
	}
	title := ui.Ends(append(ui.Line{}.Gap(1), left...), right.Gap(1), m.width)
	lines = append(lines, title.Render(m.theme, m.width))
	lines = append(lines, m.screen().View(f))
	lines = append(lines, m.footer()...)
	return m.cover(strings.Join(lines, "\n"))
}

func (m *Model) tooSmall() string {
	text := fmt.Sprintf("kdrill needs %dx%d cells, here are %dx%d.", leastWidth, leastHeight, m.width, m.height)
	return ui.Lines(m.theme, m.width, m.height, ui.Sentence(themes.Text, text, m.width)...)
}

// roomy says whether there are lines to spare for air.
func (m *Model) roomy() bool { return m.height >= 22 }

// bodyHeight is how many lines the screen has for itself.
func (m *Model) bodyHeight() int {
	n := m.height - 4 - len(m.stopwatch.lines(m.theme, m.data.Now, m.width))
	if m.roomy() {
		n -= 2
	}
	return max(n, 1)
}

func (m *Model) frame() ui.Frame {
	return ui.Frame{Data: m.data, Theme: m.theme, Width: m.width, Height: m.bodyHeight()}
}

// header says which cluster this is and how it is.
func (m *Model) header() string {
	left := ui.Line{}.Gap(1).Add(themes.Accent, "kdrill").Strong("  " + m.cfg.Cluster)
	if m.cfg.ReadOnly {
		left = left.Add(themes.Warn, "  read-only")
	}
	var right ui.Line
	if s := m.data.Snapshot; s != nil && s.Problem == "" && !s.Bare && m.width >= 76 {
		role := themes.Text
		if s.Controller < 0 {
			role = themes.Bad
		}
		right = right.Dim("   controller ").Add(role, s.ControllerName())
	}
	right = append(right.Gap(3), m.freshness()...).Gap(1)
	right = append(m.health(m.width-left.Width()-right.Width()-2), right...)
	if s := m.data.Status; s != nil && s.Engine != "" { // it has none once it is removed
		engine := "  " + s.Engine + "  " + string(s.Timing) + " timing"
		if left.Width()+ui.Width(engine)+right.Width()+2 <= m.width {
			left = left.Dim(engine)
		}
	}
	return ui.Ends(left, right, m.width).Render(m.theme.Panel(), m.width)
}

// health is the state of the cluster in a few words, in at most width cells.
func (m *Model) health(width int) ui.Line {
	s := m.data.Snapshot
	switch {
	case s == nil:
		return ui.Styled(themes.Dim, "looking")
	case s.Problem != "":
		return ui.Styled(themes.Bad, "unreachable")
	}
	h := m.data.Health
	text := string(h.Level)
	if h.Why != "" {
		text += ": " + h.Why
	}
	text = ui.Cut(text, max(min(width, m.width/2), 12), true)
	switch h.Level {
	case admin.Broken:
		return ui.Styled(themes.Bad, text)
	case admin.Degraded:
		return ui.Styled(themes.Warn, text)
	}
	return ui.Styled(themes.Good, text)
}

// freshness says how old what is on show is.
func (m *Model) freshness() ui.Line {
	switch s := m.data.Snapshot; {
	case m.held != nil:
		return ui.Styled(themes.Warn, "frozen")
	case s == nil, s.Problem != "" && s.TopicsAt.IsZero():
		return ui.Styled(themes.Dim, "no answer yet")
	case m.data.Stale(s.TopicsAt) > 0:
		return ui.Styled(themes.Warn, ui.Old(m.data.Stale(s.TopicsAt)))
	case m.data.Stale(s.At) > 0:
		return ui.Styled(themes.Warn, ui.Old(m.data.Stale(s.At)))
	}
	return ui.Styled(themes.Dim, "fresh")
}

func (m *Model) tabs() ui.Line {
	help := ui.Line{{Role: themes.Key, Text: "?"}, {Role: themes.Dim, Text: " help "}}
	for gap := 3; ; gap-- {
		line := m.tabsApart(gap)
		if gap == 1 || line.Width()+2+help.Width() <= m.width {
			return ui.Ends(line, help, m.width)
		}
	}
}

func (m *Model) tabsApart(gap int) ui.Line {
	line := ui.Line{}.Gap(1)
	for i, s := range sections {
		if i > 0 {
			line = line.Gap(gap)
		}
		number := fmt.Sprintf("%d ", i+1)
		if m.width < 76 {
			number = ""
		}
		if s.name == m.here().section() {
			line = line.Add(themes.Accent, number).Add(themes.Accent, m.tabTitle(s))
			continue
		}
		line = line.Add(themes.Faint, number).Dim(m.tabTitle(s))
	}
	return line
}

// tabTitle names a tab: that of the coordinators by what they speak, in a short word where it is narrow.
func (m *Model) tabTitle(s section) string {
	switch {
	case s.name != ui.CoordinatorsScreen:
		return s.title
	case m.data.Snapshot != nil && m.data.Snapshot.Mode == admin.ModeKRaft:
		return "KRaft"
	case m.width < 92:
		return "ZK"
	}
	return s.title
}

// footer is the line of the last notice, where there is room for it, and the line of hints.
func (m *Model) footer() []string {
	keys := m.screen().Keys()
	if n := len(m.stack); n > 0 {
		keys = m.stack[n-1].Keys()
	}
	left := ui.Line{}.Gap(1)
	global := m.hints()
	if len(m.stack) > 0 {
		global = nil
	}
	room := m.width - 2
	if len(global) > 0 {
		room -= global.Width() + 3
	}
	hints := ui.Ends(append(left, ui.Hints(keys, room)...), global.Gap(1), m.width)
	var notice ui.Line
	if m.notice.Text != "" {
		notice = ui.Line{}.Gap(1).Add(m.notice.Role, m.notice.Text)
	}
	if m.roomy() {
		return []string{notice.Render(m.theme, m.width), hints.Render(m.theme, m.width)}
	}
	if notice != nil {
		hints = notice
	}
	return []string{hints.Render(m.theme, m.width)}
}

// hints are the console's own keys, few where it is narrow.
func (m *Model) hints() ui.Line {
	width := 40
	if m.width < 100 {
		width = 30
	}
	if m.width < 72 {
		width = 8
	}
	var shown []ui.Key
	for _, k := range m.keys() {
		if k.Shown() != "?" && k.Not == "" { // the tabs' line names help
			shown = append(shown, k)
		}
	}
	return ui.Hints(shown, width)
}

// background names the theme for a background.
func background(dark bool) string {
	if dark {
		return themes.Dark
	}
	return themes.Light
}

// profile takes the theme that the terminal's colours are enough for.
func (m *Model) profile(p tea.ColorProfileMsg) {
	if m.cfg.Theme != "" {
		return
	}
	switch {
	case p.Profile <= colorprofile.ASCII:
		m.theme = themes.New(themes.Plain)
	case p.Profile == colorprofile.ANSI:
		m.theme = themes.New(themes.Basic)
	}
}
