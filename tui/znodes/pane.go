package znodes

import (
	"fmt"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"kdrill/admin/znodes"
	"kdrill/themes"
	"kdrill/tui/ui"
)

// pane draws all about the selected znode, as much as there is room for.
func (s *Screen) pane(f ui.Frame) string {
	lines := s.about(max(f.Width-2, 10), f)
	if len(lines) > f.Height && f.Height > 0 {
		lines = append(lines[:f.Height-1:f.Height-1], ui.Styled(themes.Faint, "d shows all"))
	}
	for i, l := range lines {
		lines[i] = append(ui.Line{}.Gap(1), l...)
	}
	return ui.Lines(f.Theme, f.Width, f.Height, lines...)
}

// about are the lines of one znode: what it is, its stat and ACL, its data.
func (s *Screen) about(width int, f ui.Frame) []ui.Line {
	e := s.selected()
	if e == nil {
		return nil
	}
	lines := ui.Sentence(themes.Strong, e.Path, width)
	if means := znodes.Meaning(s.view.Chroot, e.Path); means != "" {
		lines = append(lines, ui.Styled(themes.Dim, means))
	}
	if e.Error != "" {
		return append(lines, ui.Sentence(themes.Warn, e.Error, width)...)
	}
	text, as := znodes.Show(e.Data, s.format)
	lines = append(lines, s.facts(e, as, f)...)
	lines = append(lines, nil)
	if len(e.Data) == 0 {
		return append(lines, ui.Styled(themes.Faint, "no data"))
	}
	for l := range strings.SplitSeq(text, "\n") {
		lines = append(lines, ui.Plain(strings.ReplaceAll(l, "\t", "    ")))
	}
	if !e.Whole {
		lines = append(lines, ui.Styled(themes.Faint, fmt.Sprintf("the first %s of %s", ui.Bytes(int64(len(e.Data))), ui.Bytes(int64(e.Stat.Length)))))
	}
	return lines
}

func (s *Screen) facts(e *znodes.Entry, as znodes.Format, f ui.Frame) []ui.Line {
	var lines []ui.Line
	st := e.Stat
	fact := func(name string, value ui.Line) {
		lines = append(lines, append(ui.Line{}.Dim(ui.Fit(name, 9, false)), value...))
	}
	if st.Ephemeral() {
		name, client := s.ownerOf(st.Owner)
		who, session := ui.Line{}.Add(themes.Accent, name), znodes.Session(st.Owner)
		if client != "" && client != name {
			who = who.Dim("  " + client)
		}
		if session != name { // else nobody tells more than the session
			who = who.Dim("  " + session)
		}
		fact("owner", who)
	} else if o := s.owner(st); o.Text != "" {
		fact("kind", ui.Plain(o.Text))
	}
	fact("data", ui.Plain(fmt.Sprintf("%s, %s", ui.Bytes(int64(st.Length)), as)).Dim(fmt.Sprintf("  version %d", st.Version)))
	if st.Modified.UnixMilli() > 0 {
		fact("modified", ui.Plain(moment(f.Data, st.Modified)).Dim("  zxid "+znodes.Session(st.Mzxid)))
	}
	if st.Czxid != 0 {
		fact("created", ui.Plain(moment(f.Data, st.Created)).Dim("  zxid "+znodes.Session(st.Czxid)))
	}
	if e.Total > 0 || st.Cversion > 0 {
		fact("children", ui.Plain(ui.Count(int64(e.Total))).Dim(fmt.Sprintf("  version %d  zxid %s", st.Cversion, znodes.Session(st.Pzxid))))
	}
	for i, a := range e.ACL {
		name := "acl"
		if i > 0 {
			name = ""
		}
		fact(name, ui.Plain(a.Scheme+":"+a.ID+" "+a.Perms))
	}
	return lines
}

// moment is a time of today, or one with its day.
func moment(d ui.Data, at time.Time) string {
	if text := d.Clock(at); d.Local(at).Format(time.DateOnly) == d.Local(d.Now).Format(time.DateOnly) {
		return text
	}
	return d.Local(at).Format(time.DateTime)
}

// describe opens all about the znode in a pager.
func (s *Screen) describe() tea.Cmd {
	e := s.selected()
	text, _ := znodes.Show(e.Data, s.format)
	f := ui.Frame{Data: s.data}
	return ui.Wish(ui.Ask{Overlay: &ui.Pager{Title: e.Path, Copy: text, Lines: func(width int) []ui.Line {
		return s.about(width, f)
	}}})
}

// changes draws what happened to what is shown and followed, the newest first.
func (s *Screen) changes(f ui.Frame) string {
	lines := []ui.Line{ui.Line{}.Gap(1).Dim("changes below " + s.follow)}
	newest := slices.SortedStableFunc(slices.Values(s.view.Changes), func(a, b znodes.Change) int { return b.At.Compare(a.At) })
	for _, c := range newest {
		if len(lines) >= f.Height || c.Path != s.follow && !strings.HasPrefix(c.Path, strings.TrimSuffix(s.follow, "/")+"/") {
			continue
		}
		role := map[znodes.What]themes.Role{znodes.Created: themes.Good, znodes.Deleted: themes.Warn}[c.What]
		line := ui.Line{}.Gap(1).Dim(f.Clock(c.At)).Gap(2).Add(role, ui.Fit(string(c.What), 7, false)).Gap(2).Text(c.Path)
		if c.What != znodes.Deleted {
			line = line.Dim(fmt.Sprintf("  version %d  ", c.Node.Stat.Version)).Dim(znodes.Preview(c.Node.Data, 120))
		}
		lines = append(lines, line)
	}
	if len(lines) == 1 {
		lines = append(lines, ui.Line{}.Gap(1).Add(themes.Faint, "nothing yet"))
	}
	return ui.Lines(f.Theme, f.Width, f.Height, lines...)
}
