package tui

import (
	"slices"

	tea "charm.land/bubbletea/v2"

	"kdrill/tui/actions"
	"kdrill/tui/coordinators"
	"kdrill/tui/group"
	"kdrill/tui/groups"
	"kdrill/tui/nodelog"
	"kdrill/tui/nodes"
	"kdrill/tui/overview"
	"kdrill/tui/records"
	"kdrill/tui/sessions"
	"kdrill/tui/timeline"
	"kdrill/tui/topic"
	"kdrill/tui/topics"
	"kdrill/tui/ui"
	"kdrill/tui/znodes"
)

// place is a screen and what it is about.
type place struct{ screen, arg string }

// section is a screen that has a tab.
type section struct{ name, title string }

var sections = []section{
	{"overview", "Overview"},
	{"nodes", "Nodes"},
	{"topics", "Topics"},
	{"groups", "Groups"},
	{"records", "Records"},
	{"timeline", "Timeline"},
	{ui.CoordinatorsScreen, "ZooKeeper"},
}

// parents are the sections that screens without a tab belong to.
var parents = map[string]string{"topic": "topics", "group": "groups", "log": "nodes", "actions": "overview", ui.ZnodesScreen: ui.CoordinatorsScreen, ui.SessionsScreen: ui.CoordinatorsScreen}

// newScreen makes the screen of a place, nil if there is none of that name.
func (m *Model) newScreen(p place) ui.Screen {
	switch p.screen {
	case "overview":
		return overview.New()
	case "nodes":
		return nodes.New()
	case "log":
		return nodelog.New(p.arg)
	case "topics":
		return topics.New()
	case "topic":
		return topic.New(p.arg)
	case "groups":
		return groups.New()
	case "group":
		return group.New(p.arg)
	case "records":
		if p.arg == "" {
			return topics.Pick()
		}
		return records.New(p.arg)
	case "timeline":
		return timeline.New()
	case ui.CoordinatorsScreen:
		return coordinators.New()
	case ui.ZnodesScreen:
		return znodes.New(p.arg)
	case ui.SessionsScreen:
		return sessions.New()
	case "actions":
		return actions.New(m.actions)
	}
	return nil
}

// keptScreens is how many screens keep their cursor and filter when they are left.
const keptScreens = 40

// route is where the user is and was.
type route struct {
	history []place
	at      int
	screens map[place]ui.Screen
	order   []place // of screens, the least recently shown first
}

func (r *route) here() place { return r.history[r.at] }

func (r *route) screen() ui.Screen { return r.screens[r.here()] }

// show returns the screen of the place, made anew if it was not kept.
func (m *Model) show(p place) bool {
	r := &m.route
	if _, ok := r.screens[p]; !ok {
		s := m.newScreen(p)
		if s == nil {
			return false
		}
		r.screens[p] = s
	}
	r.order = append(slices.DeleteFunc(r.order, func(q place) bool { return q == p }), p)
	if len(r.order) > keptScreens {
		delete(r.screens, r.order[0])
		r.order = r.order[1:]
	}
	return true
}

// goTo opens a place: what was ahead in the history is forgotten.
func (m *Model) goTo(p place) tea.Cmd {
	if len(m.history) > 0 && p == m.here() {
		return nil
	}
	leave := m.leave()
	if !m.show(p) {
		return m.toast(ui.Toast{Text: "There is no screen " + p.screen + "."})
	}
	if len(m.history) > 0 {
		m.history = m.history[:m.at+1]
	}
	m.history = append(m.history, p)
	m.at = len(m.history) - 1
	return tea.Batch(leave, m.enter())
}

// turn goes back or forward in the history.
func (m *Model) turn(by int) tea.Cmd {
	if m.at+by < 0 || m.at+by >= len(m.history) {
		where := "back"
		if by > 0 {
			where = "forward"
		}
		return m.toast(ui.Toast{Text: "There is nothing to go " + where + " to."})
	}
	leave := m.leave()
	m.at += by
	m.show(m.here())
	return tea.Batch(leave, m.enter())
}

// up goes to the section that the screen belongs to, or where the user came from.
func (m *Model) up() tea.Cmd {
	if m.at > 0 {
		return m.turn(-1)
	}
	if parent, ok := parents[m.here().screen]; ok {
		return m.goTo(place{screen: parent})
	}
	return nil
}

func (m *Model) leave() tea.Cmd {
	if len(m.history) == 0 {
		return nil
	}
	if v, ok := m.screen().(ui.Visited); ok {
		return m.grant(v.Leave())
	}
	return nil
}

// enter brings the screen on show up to date and tells the observer what it needs.
func (m *Model) enter() tea.Cmd {
	cmds := []tea.Cmd{m.tell(m.data)}
	if v, ok := m.screen().(ui.Visited); ok {
		cmds = append(cmds, m.grant(v.Enter()))
	}
	return tea.Batch(append(cmds, m.watch())...)
}

// section is the tab that the place belongs to.
func (p place) section() string {
	if parent, ok := parents[p.screen]; ok {
		return parent
	}
	return p.screen
}
