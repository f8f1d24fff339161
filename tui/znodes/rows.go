package znodes

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"kdrill/admin/znodes"
	"kdrill/themes"
	"kdrill/tui/ui"
)

// fill makes rows of the newest view.
func (s *Screen) fill() {
	if s.view == nil {
		return
	}
	var rows []ui.Row
	s.add(&rows, "/", 0)
	s.table.SetRows(rows, s.data)
	if s.start != "" {
		if s.table.Select(s.start); s.table.Selection() == s.start {
			s.start = ""
		}
	}
}

// add appends the row of a znode and, where it is open, those of its children.
func (s *Screen) add(rows *[]ui.Row, at string, depth int) {
	e := s.view.Entries[at]
	if e == nil {
		return
	}
	limit := s.open[at]
	*rows = append(*rows, s.row(e, depth, limit > 0))
	if limit == 0 {
		return
	}
	shown := e.Children[:min(len(e.Children), limit)]
	for _, name := range shown {
		s.add(rows, path.Join(at, name), depth+1)
	}
	for _, child := range s.pinned(at, shown) {
		s.add(rows, child, depth+1)
	}
	if hidden := e.Total - len(shown); hidden > 0 && e.Opened {
		text := fmt.Sprintf("%s+ %s more", indent(depth+1), ui.Count(int64(hidden)))
		*rows = append(*rows, ui.Row{ID: at + moreMark, Cells: []ui.Cell{{Text: text, Role: themes.Faint}, {}, {}, {}, {}, {}}})
	}
}

// pinned are the children that the user asked for or opened and that are not among those that are read.
func (s *Screen) pinned(at string, shown []string) []string {
	var all []string
	for child := range s.open {
		all = append(all, child)
	}
	all = append(all, s.pin)
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(child string) bool {
		return child == "/" || path.Dir(child) != at || slices.Contains(shown, path.Base(child))
	})
}

// moreMark ends the identity of a row that stands for children that were not read: no path has it.
const moreMark = "/+"

func indent(depth int) string { return strings.Repeat("  ", depth) }

func (s *Screen) row(e *znodes.Entry, depth int, open bool) ui.Row {
	sign := "  "
	switch {
	case open:
		sign = "- "
	case e.Total > 0:
		sign = "+ "
	}
	name := indent(depth) + sign + path.Base(e.Path)
	if s.table.Filter() != "" || s.table.Sorted() {
		name = e.Path
	}
	role := themes.Text
	if e.Total > 0 {
		role = themes.Strong
	}
	data := ui.Cell{Text: znodes.Preview(e.Data, 120), Role: themes.Dim}
	if e.Error != "" {
		data = ui.Cell{Text: e.Error, Role: themes.Warn}
	}
	children := ui.Cell{Order: float64(e.Total)}
	if e.Total > 0 {
		children.Text = ui.Count(int64(e.Total))
	}
	return ui.Row{ID: e.Path, Old: !s.view.Online, Cells: []ui.Cell{
		{Text: name, Role: role},
		data,
		{Text: fmt.Sprint(e.Stat.Version), Role: themes.Dim, Order: float64(e.Stat.Version)},
		children,
		s.owner(e.Stat),
		{Text: s.modified(e.Stat), Role: themes.Dim, Order: float64(e.Stat.Mzxid)},
	}}
}

// owner names who an ephemeral znode belongs to.
func (s *Screen) owner(st znodes.Stat) ui.Cell {
	switch {
	case st.Owner == 0:
		return ui.Cell{}
	case st.Container():
		return ui.Cell{Text: "container", Role: themes.Faint}
	case st.TTL():
		return ui.Cell{Text: "time to live", Role: themes.Faint}
	}
	name, _ := s.ownerOf(st.Owner)
	return ui.Cell{Text: name, Role: themes.Accent}
}

// ownerOf names the owner of a session, and where it comes from.
func (s *Screen) ownerOf(session int64) (name, client string) {
	name = znodes.Session(session)
	d := s.data.Snapshot
	if d == nil {
		return name, ""
	}
	if one, ok := d.Session(session); ok {
		client = one.Client
		if client != "" {
			name = client
		}
		if owner := ui.OwnerName(one); owner != "" {
			return owner, client
		}
	}
	for i := range d.Brokers {
		if b := &d.Brokers[i]; b.SessionID == session && b.Registered {
			return ui.Broker(b.ID), client
		}
	}
	return name, client
}

// modified is the time of the last change: of today, else the day. What was never set has none.
func (s *Screen) modified(st znodes.Stat) string {
	if st.Modified.UnixMilli() <= 0 {
		return ""
	}
	at, now := s.data.Local(st.Modified), s.data.Local(s.data.Now)
	if at.Format("2006-01-02") == now.Format("2006-01-02") {
		return at.Format("15:04:05")
	}
	return at.Format("2006-01-02")
}
