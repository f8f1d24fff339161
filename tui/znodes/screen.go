// Package znodes is the browser of ZooKeeper's tree: a tree of rows that opens where the user opens it, and beside or below
// it all about the znode under the cursor.
//
// The screen says with a wish which znodes it shows; a view of them comes back whenever one of them changed. Rows are made
// of the newest view: a row flashes when its data changed. Edits are wishes too, asked about by an overlay that says what
// they hit.
//
// It lives on the root model's goroutine, as all screens do.
package znodes

import (
	"maps"
	"path"
	"reflect"
	"strings"

	tea "charm.land/bubbletea/v2"

	"kdrill/admin"
	"kdrill/admin/znodes"
	"kdrill/themes"
	"kdrill/tui/ui"
)

// page is how many children of a znode are read at first, and how many more each time.
const page = 500

// Screen shows znodes.
type Screen struct {
	data   ui.Data
	table  ui.Table
	open   map[string]int // opened znodes: how many of their children are shown
	start  string         // where the cursor goes as soon as it is there
	pin    string         // a row also if it is not among the children that are read
	follow string
	format znodes.Format
	view   *znodes.View
	err    error
	asked  znodes.Spec // the last one
	onShow bool
}

// New makes the screen; it opens the tree down to a path, "" for where the cluster's znodes begin.
func New(at string) *Screen {
	s := &Screen{format: znodes.Auto, start: at, pin: at, open: map[string]int{"/": page}, table: ui.NewTable(
		ui.Column{Title: "znode", Min: 20, Max: 64},
		ui.Column{Title: "data", Min: 24, Fill: true, Priority: 1},
		ui.Column{Title: "ver", Right: true, Min: 4, Watch: true, Priority: 4},
		ui.Column{Title: "children", Right: true, Watch: true, Priority: 2},
		ui.Column{Title: "owner", Max: 22, Watch: true, Priority: 3},
		ui.Column{Title: "modified", Priority: 5},
	)}
	s.reveal(at)
	return s
}

// reveal opens what is above a path.
func (s *Screen) reveal(at string) {
	for at != "" && at != "/" {
		at = path.Dir(at)
		if s.open[at] == 0 {
			s.open[at] = page
		}
	}
}

// Interest asks for sessions, to name the owners of ephemeral znodes.
func (s *Screen) Interest() admin.Interest { return admin.Interest{Sessions: true} }

// Enter implements ui.Visited.
func (s *Screen) Enter() tea.Cmd {
	s.onShow = true
	return s.browse()
}

// Leave implements ui.Visited.
func (s *Screen) Leave() tea.Cmd {
	s.onShow, s.asked = false, znodes.Spec{}
	return ui.Wish(ui.Unbrowse{})
}

// browse says what is shown now, if that changed.
func (s *Screen) browse() tea.Cmd {
	spec := znodes.Spec{Open: maps.Clone(s.open), Detail: s.table.Selection(), Follow: s.follow}
	if s.start != "" {
		spec.Detail = s.start
	}
	if !s.onShow || reflect.DeepEqual(spec, s.asked) {
		return nil
	}
	s.asked = spec
	return ui.Wish(ui.Browse{Spec: spec})
}

// Filter implements ui.Filterable.
func (s *Screen) Filter() string { return s.table.Filter() }

// SetFilter implements ui.Filterable. Filtered rows show their whole path.
func (s *Screen) SetFilter(text string) {
	s.table.SetFilter(text)
	s.fill()
}

// Selection is the path under the cursor.
func (s *Screen) Selection() string { return s.table.Selection() }

// Raw implements ui.Rawer.
func (s *Screen) Raw() any {
	if e := s.selected(); e != nil {
		return e.Node
	}
	return nil
}

func (s *Screen) selected() *znodes.Entry {
	if s.view == nil {
		return nil
	}
	return s.view.Entries[s.table.Selection()]
}

// Update takes new data and views.
func (s *Screen) Update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case ui.Data:
		s.data = msg
		s.fill()
	case ui.Znodes:
		s.take(msg)
		return s.browse()
	case ui.Subtree:
		return s.askDelete(msg)
	case ui.Done:
		if c, ok := msg.Deed.(ui.CreateZnode); ok && msg.Err == nil && !c.Sequential {
			s.reveal(c.Path)
			s.start, s.pin = c.Path, c.Path
			return s.browse()
		}
	}
	return nil
}

func (s *Screen) take(msg ui.Znodes) {
	if msg.Err != nil {
		s.err = msg.Err
		return
	}
	first := s.view == nil
	s.err, s.view = nil, msg.View
	if first && s.start == "" && s.view.Chroot != "" {
		s.start = s.view.Chroot
		s.reveal(s.start)
		s.open[s.start] = page
	}
	s.fill()
}

// Title says where the user is.
func (s *Screen) Title(f ui.Frame) (left, right ui.Line) {
	left = s.table.Heading("Znodes")
	if s.view == nil {
		return left, nil
	}
	if s.follow != "" {
		left = left.Add(themes.Accent, "  following "+s.follow)
		count := ui.Count(int64(s.view.Followed)) + " znodes"
		if !s.view.FollowedAll {
			count = "only the first " + count
		}
		left = left.Dim(" (" + count + ")")
	}
	switch {
	case !s.view.Online:
		age := ui.Old(f.Now.Sub(s.view.At))
		right = right.Add(themes.Warn, "no coordinator serves, "+age)
	case !f.Narrow():
		right = right.Dim("through " + ui.CoordinatorName(f.Data, s.view.Server))
	}
	return left, right
}

// View draws the tree and what is under its cursor.
func (s *Screen) View(f ui.Frame) string {
	switch none := ui.NoZooKeeper(f.Data); {
	case none != "":
		return ui.Note(f, themes.Dim, none)
	case s.view == nil && s.err != nil:
		return ui.Note(f, themes.Bad, "Znodes cannot be read: "+s.err.Error()+".")
	case s.view == nil || len(s.view.Entries) == 0:
		return ui.Note(f, themes.Dim, "Reading the znodes. They appear as soon as a coordinator serves.")
	}
	log := f
	log.Height = 0
	if s.follow != "" {
		log.Height = max(3, f.Height/3)
	}
	top := f
	top.Height = f.Height - log.Height
	drawn := s.tree(top)
	if log.Height > 0 {
		drawn += "\n" + s.changes(log)
	}
	return drawn
}

// tree draws the table with the pane of the selected znode: beside it where there is room, else below it.
func (s *Screen) tree(f ui.Frame) string {
	table, pane := f, f
	switch {
	case f.Wide():
		pane.Width = f.Width * 2 / 5
		table.Width = f.Width - pane.Width
		rows, about := strings.Split(s.table.View(table), "\n"), strings.Split(s.pane(pane), "\n")
		for i := range rows {
			rows[i] += about[i]
		}
		return strings.Join(rows, "\n")
	case f.Height >= 14:
		pane.Height = f.Height * 2 / 5
		table.Height = f.Height - pane.Height
		return s.table.View(table) + "\n" + s.pane(pane)
	}
	return s.table.View(f)
}
