package znodes

import (
	"fmt"
	"path"
	"strings"

	tea "charm.land/bubbletea/v2"

	"kdrill/admin/znodes"
	"kdrill/themes"
	"kdrill/tui/ui"
)

// Keys act on the znode under the cursor.
func (s *Screen) Keys() []ui.Key {
	e := s.selected()
	none, noWrite, noDelete := "", s.data.Access.NoWrites, s.data.Access.NoWrites
	if e == nil {
		none = "no znode is selected"
		if strings.HasSuffix(s.table.Selection(), moreMark) {
			none = "this row stands for znodes that were not read: + reads more of them"
		}
	}
	if noWrite == "" {
		noWrite, noDelete = none, none
	}
	if e != nil && noDelete == "" {
		noDelete = znodes.Protected(e.Path)
	}
	noNew := noWrite
	if e != nil && noNew == "" && e.Stat.Ephemeral() {
		noNew = "an ephemeral znode has no children"
	}
	noEdit := noDelete
	if noEdit == "" {
		noEdit = notOneLine(e)
	}
	hint := "follow"
	if s.follow != "" {
		hint = "stop following"
	}
	keys := []ui.Key{
		{Keys: "enter", Does: "open or close the znode", Hint: "open", Act: s.toggle},
		{Keys: "right", Does: "open the znode", Move: true, Act: func() tea.Cmd { return s.setOpen(true) }},
		{Keys: "left", Does: "close the znode, or go to the one above", Move: true, Act: s.outward},
		{Keys: "+", Does: "read more children", Hint: s.moreHint(), Not: s.notMore(), Act: s.more},
		{Keys: "d", Does: "all about the znode", Hint: "details", Not: none, Act: s.describe},
		{Keys: "v", Does: "data as JSON, text or hex, now " + string(s.format), Hint: "view", Act: s.nextFormat},
		{Keys: "w", Does: "follow every change below the znode, or stop", Hint: hint, Not: none, Act: s.toggleFollow},
		{Keys: "n", Does: "create a znode below this one", Hint: "new", Not: noNew, Act: s.askCreate},
		{Keys: "e", Does: "edit the data", Hint: "edit", Not: noEdit, Act: s.askSet},
		{Keys: "D", Does: "delete the znode, with all below it", Hint: "delete", Not: noDelete, Act: func() tea.Cmd {
			return ui.Wish(ui.CountZnodes{Path: s.table.Selection()})
		}},
	}
	keys = append(keys, ui.ZooKeeperKeys(s.data, ui.ZnodesScreen)...)
	keys = s.table.With(keys)
	for i := range keys { // what is under the cursor is read in detail
		if act := keys[i].Act; keys[i].Move && act != nil {
			keys[i].Act = func() tea.Cmd {
				s.start = "" // the user goes elsewhere
				was := s.table.Sorted()
				cmd := act()
				if s.table.Sorted() != was {
					s.fill()
				}
				return tea.Batch(cmd, s.browse())
			}
		}
	}
	return keys
}

func (s *Screen) toggle() tea.Cmd {
	if strings.HasSuffix(s.table.Selection(), moreMark) {
		return s.more()
	}
	return s.setOpen(s.open[s.table.Selection()] == 0)
}

// setOpen opens or closes the znode under the cursor.
func (s *Screen) setOpen(open bool) tea.Cmd {
	at := s.table.Selection()
	e := s.selected()
	switch {
	case e == nil:
		return nil
	case !open:
		for known := range s.open {
			if known == at || strings.HasPrefix(known, at+"/") {
				delete(s.open, known)
			}
		}
	case e.Total > 0 && s.open[at] == 0:
		s.open[at] = page
	}
	s.fill()
	return s.browse()
}

// outward closes the znode, or goes to its parent if it is closed.
func (s *Screen) outward() tea.Cmd {
	at := strings.TrimSuffix(s.table.Selection(), moreMark)
	if s.open[at] > 0 && at == s.table.Selection() && at != "/" {
		return s.setOpen(false)
	}
	if at == s.table.Selection() {
		at = path.Dir(at)
	}
	s.table.Select(at)
	return nil
}

// crowded is the open znode whose children are not all read: the one under the cursor, or the one it is in.
func (s *Screen) crowded() string {
	at := strings.TrimSuffix(s.table.Selection(), moreMark)
	for _, open := range []string{at, path.Dir(at)} {
		if s.view == nil {
			break
		}
		if e := s.view.Entries[open]; e != nil && s.open[open] > 0 && e.Total > s.open[open] {
			return open
		}
	}
	return ""
}

func (s *Screen) moreHint() string {
	if s.crowded() == "" {
		return ""
	}
	return "more"
}

func (s *Screen) notMore() string {
	if s.crowded() == "" {
		return "all children are read"
	}
	return ""
}

func (s *Screen) more() tea.Cmd {
	s.open[s.crowded()] += page
	return s.browse()
}

func (s *Screen) nextFormat() tea.Cmd {
	next := map[znodes.Format]znodes.Format{znodes.Auto: znodes.JSON, znodes.JSON: znodes.Text, znodes.Text: znodes.Hex, znodes.Hex: znodes.Auto}
	s.format = next[s.format]
	return ui.Wish(ui.Toast{Text: "Data is shown as " + string(s.format) + "."})
}

func (s *Screen) toggleFollow() tea.Cmd {
	if s.follow != "" {
		s.follow = ""
	} else {
		s.follow = s.table.Selection()
	}
	return s.browse()
}

// notOneLine says why the data cannot be edited in a form.
func notOneLine(e *znodes.Entry) string {
	if e == nil {
		return ""
	}
	_, as := znodes.Show(e.Data, znodes.Auto)
	switch {
	case as == znodes.Hex:
		return "its data is no text: kdrill znode set " + ui.Quote(e.Path) + " --file FILE replaces it"
	case !e.Whole || len(e.Data) > 1000 || strings.ContainsAny(string(e.Data), "\n\r\t"):
		return "its data is no short line: kdrill znode set " + ui.Quote(e.Path) + " --file FILE replaces it"
	}
	return ""
}

// askSet asks for new data, then whether that is meant.
func (s *Screen) askSet() tea.Cmd {
	e, d := s.selected(), s.data
	deed := func(v []string) ui.SetZnode { return ui.SetZnode{Path: e.Path, Data: v[0], Version: e.Stat.Version} }
	return ui.Wish(ui.Ask{Overlay: ui.NewForm(ui.Form{
		Title: "Data of " + e.Path, Verb: "go on",
		Fields: []ui.Field{{Name: "data", Value: string(e.Data)}},
		Line:   func(v []string) string { return d.Line(deed(v)) },
		Submit: func(v []string) (tea.Cmd, error) {
			if v[0] == string(e.Data) {
				return nil, fmt.Errorf("that is what it holds already")
			}
			body := append(s.hits(e), ui.Line{}.Dim("holds     ").Text(znodes.Preview(e.Data, 60)), ui.Line{}.Dim("will hold ").Text(znodes.Preview([]byte(v[0]), 60)))
			return s.confirm("Replace the data of "+e.Path, "Replace", body, deed(v), ""), nil
		},
	})})
}

// askCreate asks for a name and data, then whether that is meant.
func (s *Screen) askCreate() tea.Cmd {
	e, d := s.selected(), s.data
	deed := func(v []string) ui.CreateZnode {
		name := v[0]
		if name == "" {
			name = "NAME"
		}
		return ui.CreateZnode{Path: path.Join(e.Path, name), Data: v[1]}
	}
	return ui.Wish(ui.Ask{Overlay: ui.NewForm(ui.Form{
		Title: "Create a znode below " + e.Path, Verb: "go on",
		Fields: []ui.Field{{Name: "name", Check: func(v string) error {
			if v == "" || strings.Contains(v, "/") {
				return fmt.Errorf("one name, without /")
			}
			return znodes.Check("/" + v)
		}}, {Name: "data"}},
		Line: func(v []string) string { return d.Line(deed(v)) },
		Submit: func(v []string) (tea.Cmd, error) {
			made := deed(v)
			body := []ui.Line{ui.Plain("A persistent znode that everybody may change.")}
			if hits := znodes.Hits(s.chroot(), made.Path); hits != "" {
				body = append(body, ui.Sentence(themes.Warn, hits, 64)...)
			}
			return s.confirm("Create "+made.Path, "Create", body, made, ""), nil
		},
	})})
}

// askDelete asks before a znode is deleted with all below it: its path must be typed.
func (s *Screen) askDelete(t ui.Subtree) tea.Cmd {
	e := s.selected()
	switch {
	case !s.onShow || e == nil || e.Path != t.Path:
		return nil // the cursor went on
	case t.Err != nil:
		return ui.Wish(ui.Toast{Text: t.Err.Error(), Role: themes.Bad})
	case !t.Whole:
		return ui.Wish(ui.Toast{Text: fmt.Sprintf("%s holds more than %s znodes: delete it in parts.", t.Path, ui.Count(int64(t.Count))), Role: themes.Warn})
	}
	deed := ui.DeleteZnode{Path: t.Path, Version: e.Stat.Version}
	body := s.hits(e)
	if t.Count > 1 {
		deed = ui.DeleteZnode{Path: t.Path, Version: znodes.AnyVersion, Recursive: true}
		body = append(body, ui.Styled(themes.Strong, "With it go "+ui.Plural(t.Count-1, "znode")+" below it."))
	}
	body = append(body, ui.Plain("What it holds is gone for good."))
	return s.confirm("Delete "+t.Path, "Delete", body, deed, t.Path)
}

// hits says whose znode it is and what Kafka makes of a change.
func (s *Screen) hits(e *znodes.Entry) []ui.Line {
	var lines []ui.Line
	if means := znodes.Meaning(s.chroot(), e.Path); means != "" {
		lines = append(lines, ui.Plain("It is: "+means+"."))
	}
	if e.Stat.Ephemeral() {
		name, _ := s.ownerOf(e.Stat.Owner)
		lines = append(lines, ui.Plain("It belongs to the session of "+name+"."))
	}
	if hits := znodes.Hits(s.chroot(), e.Path); hits != "" {
		lines = append(lines, ui.Sentence(themes.Warn, hits, 64)...)
	}
	return lines
}

func (s *Screen) chroot() string {
	if s.view == nil {
		return ""
	}
	return s.view.Chroot
}

func (s *Screen) confirm(title, verb string, body []ui.Line, deed ui.Deed, typed string) tea.Cmd {
	return ui.Wish(ui.Ask{Overlay: &ui.Confirm{
		Title: title, Body: body, Same: s.data.Line(deed), Type: typed,
		Choices: []ui.Choice{{Name: verb, Danger: true, Act: ui.Wish(deed)}},
	}})
}
