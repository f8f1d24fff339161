// Package sessions is the sessions of ZooKeeper: who owns each, what would go with it, and how long a silent one lives on.
//
// One row a session, made of the snapshot; below it, the ephemeral znodes of the one under the cursor. What coordinators do
// not tell, by their configuration, is said with the setting that would let them.
//
// It lives on the root model's goroutine, as all screens do.
package sessions

import (
	"fmt"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"kdrill/admin"
	"kdrill/admin/znodes"
	"kdrill/themes"
	"kdrill/tui/ui"
)

// Screen lists the sessions.
type Screen struct {
	data   ui.Data
	table  ui.Table
	silent bool // only those that are silent
}

// New makes the screen.
func New() *Screen {
	s := &Screen{table: ui.NewTable(
		ui.Column{Title: "owner", Min: 12, Max: 24},
		ui.Column{Title: "session", Min: 10, Priority: 7},
		ui.Column{Title: "state", Min: 12, Watch: true},
		ui.Column{Title: "left", Right: true, Min: 6},
		ui.Column{Title: "timeout", Right: true, Min: 7, Priority: 2},
		ui.Column{Title: "client", Priority: 5, Max: 28},
		ui.Column{Title: "at", Priority: 6, Max: 24, Watch: true},
		ui.Column{Title: "ephemerals", Min: 18, Fill: true, Priority: 1},
	)}
	s.table.Empty = "No session is known."
	return s
}

// Interest asks for the sessions.
func (s *Screen) Interest() admin.Interest { return admin.Interest{Sessions: true} }

// Filter implements ui.Filterable.
func (s *Screen) Filter() string { return s.table.Filter() }

// SetFilter implements ui.Filterable.
func (s *Screen) SetFilter(text string) { s.table.SetFilter(text) }

// Selection is the session under the cursor.
func (s *Screen) Selection() string { return s.table.Selection() }

// Raw implements ui.Rawer.
func (s *Screen) Raw() any {
	if one, ok := s.selected(); ok {
		return one
	}
	return nil
}

func (s *Screen) selected() (admin.Session, bool) {
	if s.data.Snapshot != nil {
		for _, one := range s.data.Snapshot.Sessions.List {
			if one.ID.String() == s.table.Selection() {
				return one, true
			}
		}
	}
	return admin.Session{}, false
}

// Update takes new data.
func (s *Screen) Update(msg tea.Msg) tea.Cmd {
	d, ok := msg.(ui.Data)
	if !ok || d.Snapshot == nil {
		return nil
	}
	s.data = d
	s.fill()
	return nil
}

func (s *Screen) fill() {
	if s.data.Snapshot == nil {
		return
	}
	all := &s.data.Snapshot.Sessions
	rows := make([]ui.Row, 0, len(all.List))
	for i, one := range all.List {
		if s.silent && !s.isSilent(one) {
			continue
		}
		rows = append(rows, s.row(i, one))
	}
	s.table.SetRows(rows, s.data)
}

// isSilent says whether nothing is heard of the client, as of the last reading.
func (s *Screen) isSilent(one admin.Session) bool { return one.Silent(s.data.Snapshot.Sessions.At) }

func (s *Screen) row(i int, one admin.Session) ui.Row {
	owner := ui.Cell{Text: ui.OwnerName(one), Role: themes.Strong, Order: float64(i)}
	switch one.Owner {
	case "":
		owner = ui.Cell{Text: "a client", Role: themes.Dim, Order: float64(i)}
	case admin.Own:
		owner.Role = themes.Text
	}
	timeout := ui.Cell{Text: ui.Unknown, Order: -1, Role: themes.Faint}
	if one.Timeout > 0 {
		timeout = ui.Cell{Text: short(one.Timeout), Order: one.Timeout.Seconds()}
	}
	state, left := s.state(one)
	at := ""
	if one.Server != "" {
		at = ui.CoordinatorName(s.data, one.Server)
	}
	return ui.Row{ID: one.ID.String(), Old: s.data.Stale(s.data.Snapshot.Sessions.At) > 0, Cells: []ui.Cell{
		owner,
		{Text: one.ID.String(), Role: themes.Dim},
		state,
		left,
		timeout,
		{Text: one.Client, Role: themes.Dim},
		{Text: at, Role: themes.Dim},
		{Text: ephemerals(one.Ephemerals), Order: float64(len(one.Ephemerals))},
	}}
}

// state says how the session is, and how long it lives on if nothing more is heard.
func (s *Screen) state(one admin.Session) (state, left ui.Cell) {
	if s.isSilent(one) {
		state = ui.Cell{Text: "silent", Role: themes.Warn}
		if one.Connected == admin.ConnectedNo {
			state = ui.Cell{Text: "disconnected", Role: themes.Bad}
		}
		if one.Timeout > 0 && !one.HeardAt.IsZero() {
			l := one.Left(s.data.Now)
			left = ui.Cell{Text: fmt.Sprintf("%.1f s", l.Seconds()), Order: l.Seconds(), Role: themes.Bad}
		}
		return state, left
	}
	if one.Connected == admin.ConnectedYes {
		return ui.Cell{Text: "connected"}, left
	}
	return ui.Cell{Text: "not told", Role: themes.Faint}, left
}

// short is a timeout: 2 s, 1.5 s.
func short(d time.Duration) string { return fmt.Sprintf("%.3g s", d.Seconds()) }

func ephemerals(paths []string) string {
	switch len(paths) {
	case 0:
		return ""
	case 1:
		return paths[0]
	}
	return fmt.Sprintf("%d: %s", len(paths), strings.Join(paths[:min(len(paths), 4)], "  "))
}

// Keys act on the session under the cursor, or on the broker that owns it.
func (s *Screen) Keys() []ui.Key {
	one, ok := s.selected()
	none := ""
	switch {
	case !ok:
		none = "there is no session yet"
	case len(one.Ephemerals) == 0:
		none = "the session has no ephemeral znodes"
	}
	hint := "silent only"
	if s.silent {
		hint = "all"
	}
	keys := append(ui.ZooKeeperKeys(s.data, ui.SessionsScreen),
		ui.Key{Keys: "enter d", Does: "browse the session's first ephemeral znode", Hint: "znode", Not: none, Act: func() tea.Cmd {
			return ui.Wish(ui.Open{Screen: ui.ZnodesScreen, Arg: one.Ephemerals[0]})
		}},
		ui.Key{Keys: "F", Does: "only sessions whose client is silent, or all", Hint: hint, Act: func() tea.Cmd {
			s.silent = !s.silent
			s.fill()
			return nil
		}},
	)
	owner, why := "", "the owner of this session is no broker that is known"
	if strings.HasPrefix(one.Owner, "broker-") {
		owner = one.Owner
	}
	for _, k := range ui.FaultKeys(s.data, owner, "", why) {
		k.Does = strings.Replace(k.Does, "the node", "the broker that owns it", 1)
		keys = append(keys, k)
	}
	return s.table.With(keys)
}

// Title counts the sessions.
func (s *Screen) Title(f ui.Frame) (left, right ui.Line) {
	left = s.table.Heading("Sessions")
	if s.silent {
		left = left.Add(themes.Accent, "  silent only")
	}
	if s.data.Snapshot == nil {
		return left, nil
	}
	all := &s.data.Snapshot.Sessions
	if age := f.Stale(all.At); age > 0 {
		right = right.Add(themes.Warn, ui.Old(age)).Gap(3)
	}
	silent := 0
	for _, one := range all.List {
		if s.isSilent(one) {
			silent++
		}
	}
	if silent > 0 {
		right = right.Add(themes.Warn, fmt.Sprintf("%d silent", silent))
	}
	return left, right
}

// View draws the table and what there is to say about the selected session.
func (s *Screen) View(f ui.Frame) string {
	switch none := ui.NoZooKeeper(f.Data); {
	case f.Snapshot == nil:
		return ui.Note(f, themes.Dim, "Looking for the cluster.")
	case none != "":
		return ui.Note(f, themes.Dim, none)
	case f.Snapshot.Problem != "" && f.Snapshot.Sessions.At.IsZero():
		return ui.Note(f, themes.Bad, ui.Trouble(f.Snapshot.Problem))
	case f.Snapshot.Sessions.At.IsZero() && f.Snapshot.Sessions.Error != "":
		return ui.Note(f, themes.Bad, ui.Trouble("Sessions cannot be read: "+f.Snapshot.Sessions.Error))
	case f.Snapshot.Sessions.At.IsZero():
		return ui.Note(f, themes.Dim, "Reading the sessions.")
	}
	about := s.about(f)
	shown, _ := s.table.Counts()
	table := f
	table.Height = max(min(shown+1, f.Height-len(about)), min(f.Height/2, shown+1))
	if shown == 0 {
		return s.table.View(f)
	}
	return s.table.View(table) + "\n" + ui.Lines(f.Theme, f.Width, f.Height-table.Height, about...)
}

// about shows the countdown of a silent session, its znodes, and what is not told.
func (s *Screen) about(f ui.Frame) []ui.Line {
	lines := []ui.Line{nil}
	if hidden := s.data.Snapshot.Sessions.Hidden; hidden != "" {
		for _, l := range ui.Sentence(themes.Dim, "Not all is told: "+hidden+".", max(f.Width-4, 20)) {
			lines = append(lines, append(ui.Line{}.Gap(2), l...))
		}
		lines = append(lines, nil)
	}
	one, ok := s.selected()
	if !ok {
		return lines
	}
	head := ui.Line{}.Gap(2).Strong(one.ID.String())
	if one.Owner != "" {
		head = head.Dim("  of ").Text(ui.OwnerName(one))
	}
	if one.Client != "" {
		head = head.Dim("  from " + one.Client)
	}
	lines = append(lines, head)
	if left := one.Left(f.Now); s.isSilent(one) && one.Timeout > 0 && !one.HeardAt.IsZero() {
		bar := ui.Line{}.Gap(2).Dim("ends within  ")
		bar = append(bar, ui.Bar(f.Theme, max(10, min(f.Width-40, 48)), 1-left.Seconds()/one.Timeout.Seconds())...)
		lines = append(lines, bar.Strong(fmt.Sprintf("  %.1f s", left.Seconds())))
	}
	for _, path := range one.Ephemerals {
		line := ui.Line{}.Gap(2).Text(path)
		if what := znodes.Meaning(s.data.Snapshot.Chroot, path); what != "" {
			line = line.Dim("  " + what)
		}
		lines = append(lines, line)
	}
	return lines
}
