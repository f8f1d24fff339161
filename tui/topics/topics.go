// Package topics is the list of all topics.
//
// One row a topic, made of the snapshot: partitions, replication, what is wrong with it, records, size, rate. Keys create,
// delete, tail and produce, or open the topic.
//
// It lives on the root model's goroutine, as all screens do.
package topics

import (
	"fmt"
	"slices"

	tea "charm.land/bubbletea/v2"

	"kdrill/admin"
	"kdrill/themes"
	"kdrill/tui/ui"
)

// Screen is the list of topics.
type Screen struct {
	data     ui.Data
	table    ui.Table
	rows     []made
	spare    spare
	hidden   int  // topics of the cluster's own that are not shown
	internal bool // the cluster's own topics are shown
	pick     bool // one is to be picked, to read its records
	faults   bool // only topics with something wrong
}

// Pick makes the screen that asks whose records to read.
func Pick() *Screen {
	s := New()
	s.pick = true
	s.table.Empty = "There are no topics yet whose records could be read. Press n to create the first one."
	return s
}

// New makes the screen.
func New() *Screen {
	s := &Screen{table: ui.NewTable(
		ui.Column{Title: "topic", Min: 24, Max: 60, Fill: true},
		ui.Column{Title: "partitions", Right: true},
		ui.Column{Title: "RF", Right: true, Priority: 3},
		ui.Column{Title: "min ISR", Right: true, Priority: 6},
		ui.Column{Title: "state", Min: 14, Priority: 1, Watch: true},
		ui.Column{Title: "records", Right: true, Priority: 2, Min: 9},
		ui.Column{Title: "size", Right: true, Priority: 5, Min: 7},
		ui.Column{Title: "rate", Right: true, Priority: 4, Min: 7},
	)}
	s.table.Marks = true
	s.table.Empty = "There are no topics yet. Press n to create the first one."
	return s
}

// Interest asks for offsets and sizes of all topics; where there are many, for those in view first.
func (s *Screen) Interest() admin.Interest {
	i := admin.Interest{AllOffsets: true, LogDirs: true}
	if s.data.Snapshot != nil && s.data.Snapshot.Large() {
		i.Offsets = s.table.InView()
	}
	return i
}

// Filter implements ui.Filterable.
func (s *Screen) Filter() string { return s.table.Filter() }

// SetFilter implements ui.Filterable.
func (s *Screen) SetFilter(text string) { s.table.SetFilter(text) }

// Unmark implements ui.Marker.
func (s *Screen) Unmark() bool { return s.table.Unmark() }

// Selection is the topic under the cursor.
func (s *Screen) Selection() string { return s.table.Selection() }

// Raw implements ui.Rawer.
func (s *Screen) Raw() any {
	if s.data.Snapshot != nil {
		if t, ok := s.data.Snapshot.Topic(s.table.Selection()); ok {
			return t
		}
	}
	return nil
}

// Update takes new data.
func (s *Screen) Update(msg tea.Msg) tea.Cmd {
	d, ok := msg.(ui.Data)
	if !ok {
		return nil
	}
	if d.Snapshot != nil && d.Snapshot.Bare {
		s.table.Empty = "No broker is registered at this ZooKeeper: there is no Kafka to show."
	}
	same := s.data.Snapshot != nil && d.Snapshot != nil && slices.Equal(s.data.Snapshot.Topics, d.Snapshot.Topics)
	if s.data = d; same && len(s.rows) > 0 {
		s.table.SetRows(s.table.Rows(), d)
		return nil
	}
	s.fill()
	return nil
}

// made is a row and the topic that it was made of, which never changes.
type made struct {
	topic *admin.Topic
	row   ui.Row
}

// spare is the memory of the lists before the last ones: nobody has them any more.
type spare struct {
	made []made
	rows []ui.Row
}

// fill makes the rows of topics that changed; the others stay as they are.
func (s *Screen) fill() {
	if s.data.Snapshot == nil {
		return
	}
	topics := s.data.Snapshot.Topics
	before, old := s.rows, s.table.Rows()
	s.rows = slices.Grow(s.spare.made[:0], len(topics))
	rows := slices.Grow(s.spare.rows[:0], len(topics))
	s.spare = spare{before, old}
	s.hidden = 0
	for _, t := range topics {
		for len(before) > 0 && before[0].topic.Name < t.Name {
			before = before[1:]
		}
		one := made{topic: t}
		if len(before) > 0 && before[0].topic == t {
			one.row = before[0].row
		} else {
			one.row = row(t)
		}
		s.rows = append(s.rows, one)
		switch {
		case t.Internal && !s.internal && !s.faults:
			s.hidden++
		case !s.faults || one.row.Cells[stateColumn].Order < 0:
			rows = append(rows, one.row)
		}
	}
	s.table.SetRows(rows, s.data)
}

// stateColumn is where a topic's state stands; its order is negative when something is wrong.
const stateColumn = 4

func row(t *admin.Topic) ui.Row {
	sum := add(t)
	name := ui.Cell{Text: t.Name}
	if t.Internal {
		name.Role = themes.Dim
	}
	return ui.Row{ID: t.Name, Cells: []ui.Cell{
		name,
		number(int64(len(t.Partitions))),
		number(int64(sum.factor)),
		number(unknown(int64(t.MinISR), t.MinISR == 0)),
		{Text: sum.state, Role: sum.look, Order: sum.order},
		number(sum.records),
		{Text: ui.Bytes(sum.size), Role: themes.Dim, Order: float64(sum.size)},
		{Text: ui.Rate(t.PerSecond), Order: t.PerSecond},
	}}
}

func number(n int64) ui.Cell {
	c := ui.Cell{Text: ui.Count(n), Order: float64(n)}
	if n < 0 {
		c.Role = themes.Faint
	}
	return c
}

func unknown(n int64, is bool) int64 {
	if is {
		return -1
	}
	return n
}

// sum is what the partitions of a topic amount to.
type sum struct {
	factor        int
	records, size int64 // -1 unknown
	state         string
	look          themes.Role
	order         float64 // the worse, the less
}

func add(t *admin.Topic) sum {
	var s sum
	offline, below, under := 0, 0, 0
	for i := range t.Partitions {
		p := &t.Partitions[i]
		s.factor = max(s.factor, len(p.Replicas))
		switch {
		case p.Offline():
			offline++
		case t.MinISR > 0 && len(p.ISR) < min(t.MinISR, len(p.Replicas)):
			below++
		case p.UnderReplicated():
			under++
		}
		if p.End < 0 || p.Start < 0 {
			s.records = -1
		} else if s.records >= 0 {
			s.records += p.End - p.Start
		}
		if p.Size < 0 {
			s.size = -1
		} else if s.size >= 0 {
			s.size += p.Size
		}
	}
	switch {
	case offline > 0:
		s.state, s.look, s.order = fmt.Sprintf("%d offline", offline), themes.Bad, -3
	case below > 0:
		s.state, s.look, s.order = fmt.Sprintf("%d below min ISR", below), themes.Bad, -2
	case under > 0:
		s.state, s.look, s.order = fmt.Sprintf("%d under-replicated", under), themes.Warn, -1
	default:
		s.state, s.look = "in sync", themes.Dim
	}
	return s
}

// Keys act on the topic under the cursor.
func (s *Screen) Keys() []ui.Key {
	topic := s.table.Selection()
	none := ""
	if topic == "" {
		none = "no topic is selected"
	}
	writes := s.data.Access.NoWrites
	if writes == "" {
		writes = none
	}
	open := func(screen string) func() tea.Cmd {
		return func() tea.Cmd { return ui.Wish(ui.Open{Screen: screen, Arg: topic}) }
	}
	keys := []ui.Key{
		{Keys: "enter", Does: "open the topic", Hint: "open", Not: none, Act: open("topic")},
		{Keys: "d", Does: "all about the topic", Not: none, Act: open("topic")},
		{Keys: "t", Does: "tail its records", Hint: "tail", Not: none, Act: open("records")},
		{Keys: "p", Does: "produce one record", Hint: "produce", Not: writes, Act: func() tea.Cmd { return ui.AskProduce(s.data, topic) }},
		{Keys: "n", Does: "create a topic", Hint: "new", Not: s.data.Access.NoWrites, Act: func() tea.Cmd { return ui.NewTopic(s.data) }},
		{Keys: "D", Does: "delete the topic, or those that are marked", Hint: "delete", Not: writes, Act: func() tea.Cmd { return ui.DropTopics(s.data, s.table.Chosen()) }},
		{Keys: "E", Does: "make preferred replicas lead its partitions", Not: writes, Act: s.elect},
		{Keys: "i", Does: "show or hide the cluster's own topics", Hint: "internal", Act: func() tea.Cmd {
			s.internal = !s.internal
			s.fill()
			return nil
		}},
	}
	keys = append(keys, ui.Key{Keys: "F", Does: "only topics with something wrong, or all", Act: func() tea.Cmd {
		s.faults = !s.faults
		s.fill()
		return nil
	}})
	if s.pick {
		keys[0] = ui.Key{Keys: "enter", Does: "tail the topic's records", Hint: "tail", Not: none, Act: open("records")}
		keys[2].Hint = ""
	}
	return s.table.With(keys)
}

func (s *Screen) elect() tea.Cmd {
	t, ok := s.data.Snapshot.Topic(s.table.Selection())
	if !ok {
		return nil
	}
	var all []admin.TopicPartition
	for i := range t.Partitions {
		all = append(all, admin.TopicPartition{Topic: t.Name, Partition: t.Partitions[i].ID})
	}
	return ui.AskElect(s.data, all)
}

// Title counts the topics.
func (s *Screen) Title(f ui.Frame) (left, right ui.Line) {
	left = s.table.Heading("Topics")
	if s.pick {
		left = s.table.Heading("Records of which topic?")
	}
	if f.Snapshot == nil {
		return left, nil
	}
	if age := f.Stale(f.Snapshot.TopicsAt); age > 0 {
		right = ui.Styled(themes.Warn, ui.Old(age))
	}
	if s.faults {
		return left, ui.Styled(themes.Accent, "only what is wrong")
	}
	if s.hidden > 0 && right == nil {
		right = ui.Styled(themes.Faint, fmt.Sprintf("%d internal hidden", s.hidden))
	}
	return left, right
}

// View draws the table.
func (s *Screen) View(f ui.Frame) string {
	switch snap := f.Snapshot; {
	case snap == nil:
		return ui.Note(f, themes.Dim, "Asking the brokers for their topics.")
	case snap.Problem != "" && len(snap.Topics) == 0:
		return ui.Note(f, themes.Bad, ui.Trouble(snap.Problem))
	}
	if _, all := s.table.Counts(); s.faults && all == 0 {
		return ui.Note(f, themes.Good, "Nothing is wrong with any topic. F shows all of them.")
	}
	return s.table.View(f)
}
