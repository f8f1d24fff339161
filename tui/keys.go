package tui

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"kdrill/themes"
	"kdrill/tui/ui"
)

// press hands a key to the overlay on top, else to the screen, else to the console.
func (m *Model) press(k tea.KeyPressMsg) tea.Cmd {
	cmd := m.pressed(k)
	return tea.Batch(cmd, m.watch()) // other rows may be in view
}

func (m *Model) pressed(k tea.KeyPressMsg) tea.Cmd {
	if k.String() == "ctrl+c" {
		return m.interrupt()
	}
	if top := len(m.stack) - 1; top >= 0 {
		l := m.stack[top]
		done, cmd := l.Press(k)
		if done {
			m.stack = slices.DeleteFunc(m.stack, func(x layer) bool { return x.id == l.id })
		}
		return m.grant(cmd)
	}
	if key, ok := ui.Find(m.screen().Keys(), k.String()); ok {
		return m.grant(key.Press())
	}
	key, ok := ui.Find(m.keys(), k.String())
	switch {
	case !ok || key.Act == nil:
		return nil
	case key.Not != "":
		return m.grant(key.Press())
	}
	return key.Act()
}

// keys are those of the console itself. They act on it directly: what they return is for the terminal program.
func (m *Model) keys() []ui.Key {
	keys := []ui.Key{
		{Keys: ":", Does: "command line", Hint: "command", Act: m.openPalette},
		{Keys: "/", Does: "filter rows: a regular expression, ! inverse, -f fuzzy", Hint: "filter", Not: m.notFiltered(), Act: m.openFilter},
		{Keys: "?", Does: "help for this screen", Hint: "help", Act: func() tea.Cmd { return m.push(m.help()) }},
		{Keys: "esc", Does: "clear marks or filter, or back", Act: m.escape},
		{Keys: "q", Does: "back, or quit", Hint: m.quitHint(), Act: m.quit},
		{Keys: "ctrl+c", Does: "quit at once"},
		{Keys: "tab", Does: "next tab", Act: func() tea.Cmd { return m.turnTab(1) }},
		{Keys: "shift+tab", Does: "previous tab", Act: func() tea.Cmd { return m.turnTab(-1) }},
		{Keys: "[", Does: "back in the history", Act: func() tea.Cmd { return m.turn(-1) }},
		{Keys: "]", Does: "forward in the history", Act: func() tea.Cmd { return m.turn(1) }},
		{Keys: "r", Does: "refresh now", Act: m.refresh},
		{Keys: "ctrl+r", Does: "refresh interval, now " + seconds(m.data.Interval), Act: m.pace},
		{Keys: "z", Does: "freeze the display, or go on", Act: m.freeze},
		{Keys: "c", Does: "copy the selected name", Not: m.notSelected(), Act: m.copySelection},
		{Keys: "x", Does: "what can be done here, as a menu", Act: func() tea.Cmd { return m.push(ui.NewMenu(m.what(), m.screen().Keys())) }},
		{Keys: "y", Does: "the selection as JSON", Not: m.notRaw(), Act: m.raw},
		{Keys: "ctrl+s", Does: "save this screen to a file", Act: m.saveScreen},
		{Keys: "@", Does: "action log: what was done, as command lines", Act: func() tea.Cmd { return m.goTo(place{screen: "actions"}) }},
		{Keys: ".", Does: "repeat the last fault", Not: m.notRepeatable(), Act: func() tea.Cmd { return m.askFault(m.stopwatch.last) }},
	}
	for i, s := range sections {
		keys = append(keys, ui.Key{Keys: strconv.Itoa(i + 1), Does: s.title, Act: func() tea.Cmd { return m.goTo(place{screen: s.name}) }})
	}
	return keys
}

func (m *Model) notFiltered() string {
	if _, ok := m.screen().(ui.Filterable); !ok {
		return "this screen has no rows to filter"
	}
	return ""
}

func (m *Model) notSelected() string {
	if s, ok := m.screen().(ui.Selector); !ok || s.Selection() == "" {
		return "nothing is selected here"
	}
	return ""
}

// what is the thing that the menu is about.
func (m *Model) what() string {
	if s, ok := m.screen().(ui.Selector); ok && s.Selection() != "" && ui.Width(s.Selection()) < 60 {
		return s.Selection()
	}
	return m.here().screen
}

func (m *Model) notRaw() string {
	if s, ok := m.screen().(ui.Rawer); !ok || s.Raw() == nil {
		return "nothing is selected here"
	}
	return ""
}

// raw shows the selection as JSON.
func (m *Model) raw() tea.Cmd {
	text, err := json.MarshalIndent(m.screen().(ui.Rawer).Raw(), "", "  ")
	if err != nil {
		return m.toast(ui.Toast{Text: err.Error(), Role: themes.Bad})
	}
	return m.push(&ui.Pager{Title: m.what(), Copy: string(text), Lines: func(width int) []ui.Line {
		var lines []ui.Line
		for l := range strings.SplitSeq(string(text), "\n") {
			lines = append(lines, ui.Plain(ui.Cut(l, width, true)))
		}
		return lines
	}})
}

func (m *Model) notRepeatable() string {
	switch {
	case m.data.Access.NoFaults != "":
		return m.data.Access.NoFaults
	case m.stopwatch.last.Node == "":
		return "no fault was injected from this console yet"
	}
	return ""
}

func (m *Model) quitHint() string {
	if m.atSection() {
		return "quit"
	}
	return "back"
}

// atSection says whether the screen on show has a tab of its own: there, q quits.
func (m *Model) atSection() bool {
	_, sub := parents[m.here().screen]
	return !sub && m.here().arg == ""
}

func (m *Model) escape() tea.Cmd {
	if s, ok := m.screen().(ui.Marker); ok && s.Unmark() {
		return nil
	}
	if f, ok := m.screen().(ui.Filterable); ok && f.Filter() != "" {
		f.SetFilter("")
		return nil
	}
	if m.stopwatch.dismiss() {
		return nil
	}
	if m.atSection() {
		if m.here().screen == "overview" {
			return m.toast(ui.Toast{Text: "This is the first screen: q quits."})
		}
		return m.goTo(place{screen: "overview"})
	}
	return m.up()
}

func (m *Model) turnTab(by int) tea.Cmd {
	at := slices.IndexFunc(sections, func(s section) bool { return s.name == m.here().section() })
	next := (at + by + len(sections)) % len(sections)
	return m.goTo(place{screen: sections[next].name})
}

func (m *Model) refresh() tea.Cmd {
	if m.cfg.Observer != nil {
		m.cfg.Observer.Refresh()
	}
	return m.toast(ui.Toast{Text: "Refreshing."})
}

// paces are the times between two looks at the cluster that can be chosen.
var paces = []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second}

// pace takes the next longer time between two looks, after the longest the shortest.
func (m *Model) pace() tea.Cmd {
	next := paces[0]
	if i := slices.IndexFunc(paces, func(p time.Duration) bool { return p > m.data.Interval }); i >= 0 {
		next = paces[i]
	}
	m.data.Interval = next
	if m.held != nil {
		m.held.Interval = next
	}
	m.commands.pace(next)
	return m.toast(ui.Toast{Text: "Refreshing every " + seconds(next) + "."})
}

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'g', 3, 64) + " s" }

func (m *Model) freeze() tea.Cmd {
	if m.held == nil {
		held := m.data
		m.held = &held
		return nil
	}
	now, page := m.data.Now, m.data.Page
	m.data, m.held = *m.held, nil
	m.data.Now, m.data.Page = now, page
	cmd := m.tell(m.data)
	if v := m.heldZnodes; v != nil {
		m.heldZnodes = nil
		cmd = tea.Batch(cmd, m.tellAll(*v))
	}
	return cmd
}

func (m *Model) copySelection() tea.Cmd {
	return m.wish(ui.Copy{Text: m.screen().(ui.Selector).Selection()})
}

// saveScreen writes what is on show to a file.
func (m *Model) saveScreen() tea.Cmd {
	name := fmt.Sprintf("kdrill-%s-%s.txt", m.here().screen, m.data.Now.Format("20060102-150405"))
	return m.wish(ui.Save{Name: name, Text: ansi.Strip(m.draw()) + "\n"})
}

// quit goes back, or asks how to leave.
func (m *Model) quit() tea.Cmd {
	if !m.atSection() {
		return m.up()
	}
	if !m.cfg.MayStop {
		return m.wish(leaveMsg{})
	}
	return m.push(&ui.Confirm{
		Title: "Leave the console",
		Body: []ui.Line{
			ui.Plain("The cluster " + m.cfg.Cluster + " consists of processes of its own: it can stay up."),
			ui.Styled(themes.Dim, m.ownLine("kdrill")+" opens the console again, "+m.ownLine("kdrill down")+" stops the cluster."),
		},
		Cancel:  "Leave it running",
		First:   ui.Wish(leaveMsg{}),
		Choices: []ui.Choice{{Name: "Stop it", Act: ui.Wish(leaveMsg{Outcome{Stop: true}})}},
	})
}

// ownLine makes a command line mean this cluster.
func (m *Model) ownLine(line string) string {
	return strings.TrimSpace(line + " " + m.cfg.Flags)
}

// leaveMsg ends the console.
type leaveMsg struct{ Outcome }

// interrupt quits at once, unless a fault is open: then it asks, and a second one quits.
func (m *Model) interrupt() tea.Cmd {
	asking := slices.ContainsFunc(m.stack, func(l layer) bool { _, ok := l.Overlay.(*leaving); return ok })
	if !m.stopwatch.open() || asking {
		return tea.Quit
	}
	return m.push(&leaving{ui.Confirm{
		Title: "A fault is open: " + m.stopwatch.what(),
		Body: []ui.Line{
			ui.Plain("Nobody watches how the cluster recovers when the console is left."),
			ui.Styled(themes.Dim, "ctrl+c once more leaves."),
		},
		Cancel:  "Stay",
		Choices: []ui.Choice{{Name: "Leave", Act: ui.Wish(leaveMsg{})}},
	}})
}

// leaving is the question of interrupt.
type leaving struct{ ui.Confirm }
