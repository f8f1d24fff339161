package records

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	tea "charm.land/bubbletea/v2"

	"kdrill/admin"
	"kdrill/admin/records"
	"kdrill/themes"
	"kdrill/tui/ui"
)

// Screen follows one topic.
type Screen struct {
	name    string // what was opened: a topic, or one partition of it
	topic   string
	only    []int32 // the partition, nil for all
	data    ui.Data
	start   records.Start
	buffer  buffer
	text    string // the filter as it was typed
	filter  filter
	rows    []*records.Record // what passes the filter, oldest first
	follow  bool              // the newest row is selected and new ones push the others up
	chosen  identity          // the selected record while follow is off
	waiting int               // rows that came since follow was switched off
	open    *records.Record   // shown in full, nil for the list
	scroll  int               // first line of the open record
	raw     bool
	page    int
	read    int64
	missed  int64
	problem string
	ended   bool
}

// New returns the screen of "topic" or "topic/partition"; it begins with the last records there are.
func New(name string) *Screen {
	topic, only := name, []int32(nil)
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		if p, err := strconv.ParseInt(name[i+1:], 10, 32); err == nil {
			topic, only = name[:i], []int32{int32(p)}
		}
	}
	return &Screen{name: name, topic: topic, only: only, start: records.Start{Kind: records.StartLast, Last: 100}, follow: true, page: 20}
}

// Enter implements ui.Visited: it begins to read.
func (s *Screen) Enter() tea.Cmd { return s.restart(s.start) }

// Leave implements ui.Visited: it ends reading.
func (s *Screen) Leave() tea.Cmd { return ui.Wish(ui.Untail{Name: s.name}) }

func (s *Screen) tail() tea.Cmd {
	return ui.Wish(ui.Tail{Name: s.name, Spec: records.Spec{Topic: s.topic, Partitions: s.only, Start: s.start, Follow: true, Filters: s.filter}})
}

// Update implements ui.Screen.
func (s *Screen) Update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case ui.Data:
		s.data, s.page = msg, max(msg.Page, 1)
	case ui.Batch:
		if msg.Name == s.name {
			s.add(msg)
		}
	}
	return nil
}

func (s *Screen) add(batch ui.Batch) {
	s.read, s.missed, s.problem = batch.Read, batch.Missed, batch.Problem
	if batch.Err != nil {
		s.problem, s.ended = batch.Err.Error(), true
	}
	if len(batch.Records) == 0 {
		return
	}
	before := len(s.rows)
	s.buffer.add(batch.Records)
	s.rows = s.buffer.matching(s.filter)
	if !s.follow {
		s.waiting += max(len(s.rows)-before, 0)
	}
}

// Filter implements ui.Filterable.
func (s *Screen) Filter() string { return s.text }

// SetFilter implements ui.Filterable. A filter that is no regular expression is said so and changes nothing.
func (s *Screen) SetFilter(text string) {
	f, err := parseFilter(text)
	if err != nil {
		s.problem = err.Error()
		return
	}
	s.text, s.filter, s.problem = text, f, ""
	s.rows = s.buffer.matching(f)
}

// Selection implements ui.Selector: the value of the record, as it can be pasted.
func (s *Screen) Selection() string {
	if r := s.selected(); r != nil {
		return string(r.Value)
	}
	return ""
}

// restart reads again from another place.
func (s *Screen) restart(start records.Start) tea.Cmd {
	s.start, s.buffer, s.rows, s.follow, s.waiting, s.ended = start, buffer{}, nil, true, 0, false
	s.read, s.missed = 0, 0
	return s.tail()
}

// cursor is the index of the selected row; a record that made room hands over to the oldest.
func (s *Screen) cursor() int {
	if s.follow {
		return len(s.rows) - 1
	}
	i := slices.IndexFunc(s.rows, func(r *records.Record) bool { return identify(r) == s.chosen })
	if i < 0 {
		return min(0, len(s.rows)-1)
	}
	return i
}

func (s *Screen) selected() *records.Record {
	if s.open != nil {
		return s.open
	}
	if i := s.cursor(); i >= 0 {
		return s.rows[i]
	}
	return nil
}

// move goes by so many rows; past the newest it follows again.
func (s *Screen) move(by int) tea.Cmd {
	if s.open != nil {
		s.scroll = max(s.scroll+by, 0)
		return nil
	}
	if len(s.rows) == 0 {
		return nil
	}
	to := s.cursor() + by
	if to >= len(s.rows) || s.follow && by >= 0 {
		s.follow, s.waiting = true, 0
		return nil
	}
	s.follow, s.chosen = false, identify(s.rows[max(to, 0)])
	return nil
}

func (s *Screen) pause() tea.Cmd {
	if !s.follow {
		s.follow, s.waiting = true, 0
		return nil
	}
	if len(s.rows) > 0 {
		s.follow, s.chosen = false, identify(s.rows[len(s.rows)-1])
	}
	return nil
}

func (s *Screen) enter() tea.Cmd {
	if r := s.selected(); r != nil && s.open == nil {
		whole := *r
		s.open, s.scroll = &whole, 0
	}
	return nil
}

// Keys implements ui.Screen.
func (s *Screen) Keys() []ui.Key {
	most := capacity
	keys := []ui.Key{
		{Keys: "down j", Does: "next record", Move: true, Act: func() tea.Cmd { return s.move(1) }},
		{Keys: "up k", Does: "previous record", Move: true, Act: func() tea.Cmd { return s.move(-1) }},
		{Keys: "pgdown ctrl+d", Does: "a page on", Move: true, Act: func() tea.Cmd { return s.move(s.page) }},
		{Keys: "pgup ctrl+u", Does: "a page back", Move: true, Act: func() tea.Cmd { return s.move(-s.page) }},
		{Keys: "home g", Does: "oldest record held", Move: true, Act: func() tea.Cmd { return s.move(-most) }},
		{Keys: "end G", Does: "newest record, and follow", Move: true, Act: func() tea.Cmd { return s.move(most) }},
	}
	if s.open != nil {
		return append(keys,
			ui.Key{Keys: "b", Does: "bytes or text", Hint: "raw", Act: func() tea.Cmd { s.raw = !s.raw; return nil }},
			ui.Key{Keys: "esc q backspace", Does: "back to the list", Hint: "back", Act: func() tea.Cmd { s.open = nil; return nil }},
		)
	}
	return append(keys,
		ui.Key{Keys: "enter d", Does: "open the record", Hint: "open", Act: s.enter},
		ui.Key{Keys: "space f", Does: "pause, or follow again", Hint: "pause", Act: s.pause},
		ui.Key{Keys: "b", Does: "read from the beginning", Hint: "beginning", Act: func() tea.Cmd {
			return s.restart(records.Start{Kind: records.StartBeginning})
		}},
		ui.Key{Keys: "L", Does: "read the last 1,000 again", Hint: "last 1,000", Act: func() tea.Cmd {
			return s.restart(records.Start{Kind: records.StartLast, Last: 1000})
		}},
		ui.Key{Keys: "N", Does: "only what comes from now on", Act: func() tea.Cmd {
			return s.restart(records.Start{Kind: records.StartEnd})
		}},
		ui.Key{Keys: "p", Does: "produce one record", Hint: "produce", Not: s.data.Access.NoWrites, Act: func() tea.Cmd { return ui.AskProduce(s.data, s.topic) }},
		ui.Key{Keys: "ctrl+s", Does: "save the rows as JSON lines", Act: s.save},
	)
}

func (s *Screen) save() tea.Cmd {
	if len(s.rows) == 0 {
		return ui.Wish(ui.Toast{Text: "no records to save yet", Role: themes.Warn})
	}
	var text []byte
	for _, r := range s.rows {
		line, err := json.Marshal(r)
		if err != nil {
			return ui.Wish(ui.Toast{Text: err.Error(), Role: themes.Bad})
		}
		text = append(append(text, line...), '\n')
	}
	return ui.Wish(ui.Save{Name: s.topic + ".jsonl", Text: string(text)})
}

// Title implements ui.Screen.
func (s *Screen) Title(f ui.Frame) (left, right ui.Line) {
	left = ui.Line{}.Dim("Records > ").Strong(ui.Cut(s.name, f.Width-44, true)) // what else is said has its place
	switch {
	case s.open != nil:
		return left.Dim(fmt.Sprintf("/%d offset %d", s.open.Partition, s.open.Offset)), nil
	case s.ended:
		left = left.Gap(2).Add(themes.Bad, "ended")
	case s.follow:
		left = left.Gap(2).Add(themes.Good, "following")
	default:
		left = left.Gap(2).Add(themes.Warn, "paused")
		if s.waiting > 0 {
			left = left.Dim(fmt.Sprintf(", %d new", s.waiting))
		}
	}
	if s.text != "" {
		left = left.Gap(2).Add(themes.Accent, "/"+s.text)
	}
	if s.missed > 0 {
		right = right.Add(themes.Warn, fmt.Sprintf("skipped %d", s.missed)).Gap(2)
	}
	if topic, ok := topicOf(f.Data, s.topic); ok && topic >= 0 {
		right = right.Text(ui.Rate(topic)).Gap(2)
	}
	return left, right.Dim("buffered ").Text(ui.Count(int64(len(s.rows))))
}

func topicOf(d ui.Data, name string) (perSecond float64, ok bool) {
	if d.Snapshot == nil {
		return 0, false
	}
	topic, ok := d.Snapshot.Topic(name)
	if !ok {
		return 0, false
	}
	return topic.PerSecond, true
}

// Raw implements ui.Rawer.
func (s *Screen) Raw() any {
	if r := s.selected(); r != nil {
		return r
	}
	return nil
}

// Interest implements ui.Interested: the topic's rate.
func (s *Screen) Interest() admin.Interest { return admin.Interest{Offsets: []string{s.topic}} }

// View implements ui.Screen.
func (s *Screen) View(f ui.Frame) string {
	if s.open != nil {
		lines := detail(s.open, s.raw, f.Width, f.Clock)
		from := min(s.scroll, max(len(lines)-f.Height, 0))
		return ui.Lines(f.Theme, f.Width, f.Height, lines[from:]...)
	}
	lines := []ui.Line{header(f)}
	if s.problem != "" {
		lines = append(lines, ui.Sentence(themes.Warn, s.problem, f.Width)...)
	}
	if len(s.rows) == 0 {
		lines = append(lines, nil)
		for _, l := range ui.Sentence(themes.Dim, s.empty(), f.Width-4) {
			lines = append(lines, append(ui.Line{}.Gap(2), l...))
		}
		return ui.Lines(f.Theme, f.Width, f.Height, lines...)
	}
	return s.list(f, lines)
}

// list draws the rows around the cursor below what stands above them.
func (s *Screen) list(f ui.Frame, above []ui.Line) string {
	room := max(f.Height-len(above), 1)
	cursor := s.cursor()
	from := max(min(cursor-room/2, len(s.rows)-room), 0)
	if s.follow {
		from = max(len(s.rows)-room, 0)
	}
	out := ui.Lines(f.Theme, f.Width, len(above), above...)
	for i := range room {
		out += "\n"
		at := from + i
		if at >= len(s.rows) {
			out += ui.Line{}.Render(f.Theme, f.Width)
			continue
		}
		theme := f.Theme
		if at == cursor {
			theme = theme.Selected()
		}
		out += row(s.rows[at], f).Render(theme, f.Width)
	}
	return out
}

func (s *Screen) empty() string {
	switch {
	case s.ended:
		return "Nothing is read any more."
	case s.text != "" && len(s.buffer.records) > 0:
		return fmt.Sprintf("None of %d records matches /%s. esc clears the filter.", len(s.buffer.records), s.text)
	case s.read == 0:
		return "No records yet. b reads from the beginning; new ones appear as they are produced."
	}
	return "Nothing matches yet."
}

// keyWidth is how much room keys get.
func keyWidth(f ui.Frame) int {
	if f.Wide() {
		return 24
	}
	return 14
}

func header(f ui.Frame) ui.Line {
	line := ui.Line{}.Dim("    p      offset   ")
	if !f.Narrow() {
		line = line.Dim(ui.Fit("time", 15, false))
	}
	return line.Dim(ui.Fit("key", keyWidth(f)+2, false)).Dim("value")
}

func row(r *records.Record, f ui.Frame) ui.Line {
	line := ui.Line{}.Dim(ui.Fit(fmt.Sprint(r.Partition), 5, true)).Text(ui.Fit(fmt.Sprint(r.Offset), 12, true)).Gap(3)
	if !f.Narrow() {
		line = line.Dim(ui.Fit(f.Clock(r.Time), 15, false))
	}
	key := ui.Clean(records.Text(r.Key))
	line = line.Add(themes.Accent, ui.Fit(key, keyWidth(f), false)).Gap(2)
	if r.Value == nil {
		return line.Add(themes.Faint, "tombstone")
	}
	return line.Text(ui.Clean(records.Text(head(r.Value))))
}

// head is as much of a value as a row can show, cut between runes.
func head(value []byte) []byte {
	const most = 1024
	if len(value) <= most {
		return value
	}
	cut := most
	for cut > most-4 && value[cut]&0xc0 == 0x80 {
		cut--
	}
	return value[:cut]
}
