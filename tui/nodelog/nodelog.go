// Package nodelog is the log of one node, as it is written.
//
// The root model follows the node's file while the screen is on show and hands lines over in batches.
//
// It lives on the root model's goroutine, as all screens do.
package nodelog

import (
	"fmt"

	tea "charm.land/bubbletea/v2"

	"kdrill/themes"
	"kdrill/tui/ui"
)

// Screen is the log of one node.
type Screen struct {
	node string
	data ui.Data
	look ui.Node // how the node is
	log  ui.LogView
	err  error
}

// New makes the screen for a node.
func New(node string) *Screen { return &Screen{node: node, log: ui.NewLogView()} }

// Enter starts following the log.
func (s *Screen) Enter() tea.Cmd {
	s.log = ui.NewLogView()
	s.err = nil
	return ui.Wish(ui.ReadLog{Node: s.node})
}

// Leave ends it.
func (s *Screen) Leave() tea.Cmd { return ui.Wish(ui.Unread{Node: s.node}) }

// Filter implements ui.Filterable.
func (s *Screen) Filter() string { return s.log.Filter() }

// SetFilter implements ui.Filterable.
func (s *Screen) SetFilter(text string) { s.log.SetFilter(text) }

// Selection is the path of the log.
func (s *Screen) Selection() string {
	n, _ := s.data.Node(s.node)
	return n.Log
}

// Update takes data and lines.
func (s *Screen) Update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case ui.Data:
		s.data = msg
		s.log.SetPage(msg.Page)
		for _, n := range ui.Nodes(msg) {
			if n.Name == s.node {
				s.look = n
			}
		}
	case ui.LogLines:
		if msg.Node == s.node {
			s.err = msg.Err
			s.log.Append(msg.Lines...)
		}
	}
	return nil
}

// Keys move in the log and act on its node.
func (s *Screen) Keys() []ui.Key {
	return append(s.log.Keys(s.node+".log"), ui.FaultKeys(s.data, s.node, "", "")...)
}

// Title names the node and how it is.
func (s *Screen) Title(ui.Frame) (left, right ui.Line) {
	left = ui.Line{}.Dim("Nodes > ").Strong(s.node)
	shown, all := s.log.Counts()
	if s.log.Filter() != "" {
		left = left.Add(themes.Accent, "(/"+s.log.Filter()+")").Dim(fmt.Sprintf("[%s/%s]", ui.Count(int64(shown)), ui.Count(int64(all))))
	}
	right = ui.Line{}.Add(s.look.Look, s.look.State)
	if !s.log.Follow {
		right = right.Add(themes.Warn, "  paused")
	}
	return left, right
}

// View draws the log.
func (s *Screen) View(f ui.Frame) string {
	if s.err != nil {
		return ui.Note(f, themes.Bad, "The log cannot be read: "+s.err.Error()+".")
	}
	return s.log.View(f)
}
