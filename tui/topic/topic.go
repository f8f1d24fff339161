// Package topic is one topic: its partitions, or its configs.
//
// Partitions are made of the snapshot, with the lag of the groups that read the topic. Configs are read when they are
// looked at, and again after one was changed. Fault keys act on the leader of the partition under the cursor.
//
// It lives on the root model's goroutine, as all screens do.
package topic

import (
	"fmt"
	"strconv"
	"strings"

	tea "charm.land/bubbletea/v2"

	"kdrill/admin"
	"kdrill/themes"
	"kdrill/tui/ui"
)

// Screen is one topic.
type Screen struct {
	name       string
	data       ui.Data
	partitions ui.Table
	configs    ui.Table
	entries    []admin.ConfigEntry
	onConfigs  bool
	loaded     bool
	err        error
}

// New makes the screen of a topic.
func New(name string) *Screen {
	s := &Screen{name: name, partitions: ui.NewTable(
		ui.Column{Title: "#", Right: true, Min: 3},
		ui.Column{Title: "leader", Min: 20, Watch: true},
		ui.Column{Title: "epoch", Right: true, Priority: 5},
		ui.Column{Title: "replicas", Priority: 2},
		ui.Column{Title: "in sync", Min: 13, Watch: true},
		ui.Column{Title: "out", Min: 3},
		ui.Column{Title: "start", Right: true, Priority: 6},
		ui.Column{Title: "end", Right: true, Priority: 1},
		ui.Column{Title: "size", Right: true, Priority: 4, Min: 7},
		ui.Column{Title: "rate", Right: true, Priority: 7, Min: 6},
		ui.Column{Title: "lag", Right: true, Priority: 3, Min: 5},
	), configs: ui.NewTable(
		ui.Column{Title: "config", Min: 28},
		ui.Column{Title: "value", Min: 12, Fill: true},
		ui.Column{Title: "set by", Priority: 1, Min: 7},
	)}
	s.configs.Empty = "Asking a broker for the configs."
	return s
}

// Interest asks for the topic's offsets and sizes, and for who reads it.
func (s *Screen) Interest() admin.Interest {
	return admin.Interest{Offsets: []string{s.name}, LogDirs: true, Groups: true}
}

func (s *Screen) table() *ui.Table {
	if s.onConfigs {
		return &s.configs
	}
	return &s.partitions
}

// Filter implements ui.Filterable.
func (s *Screen) Filter() string { return s.table().Filter() }

// SetFilter implements ui.Filterable.
func (s *Screen) SetFilter(text string) { s.table().SetFilter(text) }

// Selection is the partition or the config under the cursor.
func (s *Screen) Selection() string {
	id := s.table().Selection()
	if s.onConfigs || id == "" {
		return id
	}
	return s.name + "/" + id
}

// Raw implements ui.Rawer.
func (s *Screen) Raw() any {
	if e, ok := s.entry(s.configs.Selection()); s.onConfigs && ok {
		return e
	}
	if p := s.selected(); p != nil && !s.onConfigs {
		return p
	}
	return nil
}

// Update takes data, configs and what became of a change.
func (s *Screen) Update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case ui.Data:
		s.data = msg
		s.fill()
	case ui.Configs:
		if msg.Topic == s.name {
			s.entries, s.err, s.loaded = msg.Entries, msg.Err, true
			s.fillConfigs()
		}
	case ui.Done:
		if alter, ok := msg.Deed.(ui.AlterConfig); ok && alter.Topic == s.name && s.loaded {
			return ui.Wish(ui.ReadConfigs{Topic: s.name})
		}
	}
	return nil
}

// topic is the newest state, nil while it is not known.
func (s *Screen) topic() *admin.Topic {
	if s.data.Snapshot == nil {
		return nil
	}
	t, ok := s.data.Snapshot.Topic(s.name)
	if !ok {
		return nil
	}
	return t
}

func (s *Screen) fill() {
	t := s.topic()
	if t == nil {
		return
	}
	lags := s.lags()
	rows := make([]ui.Row, len(t.Partitions))
	for i := range t.Partitions {
		rows[i] = s.row(t, &t.Partitions[i], lags)
	}
	s.partitions.SetRows(rows, s.data)
}

// lags is the greatest lag of a group, by partition.
func (s *Screen) lags() map[int32]int64 {
	lags := map[int32]int64{}
	for i := range s.data.Snapshot.Groups {
		for _, p := range s.data.Snapshot.Groups[i].Partitions {
			if p.Topic == s.name && p.Lag >= 0 {
				if old, ok := lags[p.Partition]; !ok || p.Lag > old {
					lags[p.Partition] = p.Lag
				}
			}
		}
	}
	return lags
}

func (s *Screen) row(t *admin.Topic, p *admin.Partition, lags map[int32]int64) ui.Row {
	leader := ui.Cell{Text: ui.Broker(p.Leader)}
	switch {
	case p.Offline():
		leader.Role = themes.Bad
	case len(p.Replicas) > 0 && p.Leader != p.Replicas[0]:
		leader.Role = themes.Dim // leads in place of the preferred replica
	}
	isr := ui.Cell{Text: ui.IDs(p.ISR)}
	switch {
	case t.MinISR > 0 && len(p.ISR) < min(t.MinISR, len(p.Replicas)):
		isr.Role = themes.Bad
	case p.UnderReplicated():
		isr.Role = themes.Warn
	}
	lag := ui.Cell{}
	if n, ok := lags[p.ID]; ok {
		lag = ui.Cell{Text: ui.Count(n), Order: float64(n)}
		if n == 0 {
			lag.Role = themes.Dim
		}
	}
	number := func(n int64) ui.Cell { return ui.Cell{Text: ui.Count(n), Order: float64(n)} }
	return ui.Row{ID: strconv.Itoa(int(p.ID)), Cells: []ui.Cell{
		number(int64(p.ID)),
		leader,
		number(int64(p.LeaderEpoch)),
		{Text: ui.IDs(p.Replicas), Role: themes.Dim},
		isr,
		{Text: ui.IDs(p.Out()), Role: themes.Warn},
		{Text: ui.Count(p.Start), Role: themes.Dim, Order: float64(p.Start)},
		number(p.End),
		{Text: ui.Bytes(p.Size), Role: themes.Dim, Order: float64(p.Size)},
		{Text: ui.Rate(p.PerSecond), Role: themes.Dim, Order: p.PerSecond},
		lag,
	}, Old: s.data.Stale(s.data.Snapshot.TopicsAt) > 0}
}

func (s *Screen) fillConfigs() {
	rows := make([]ui.Row, len(s.entries))
	for i, e := range s.entries {
		name, value := themes.Text, themes.Strong
		if e.Default {
			name, value = themes.Dim, themes.Dim
		}
		rows[i] = ui.Row{ID: e.Name, Cells: []ui.Cell{{Text: e.Name, Role: name}, {Text: e.Value, Role: value}, {Text: e.Source, Role: themes.Dim}}}
	}
	s.configs.SetRows(rows, s.data)
}

// Keys act on the topic, and on the partition or config under the cursor.
func (s *Screen) Keys() []ui.Key {
	keys := []ui.Key{
		{Keys: "right left", Does: "partitions or configs", Hint: map[bool]string{false: "configs", true: "partitions"}[s.onConfigs], Act: s.turn},
	}
	if s.onConfigs {
		keys = append(keys, s.configKeys()...)
	} else {
		keys = append(keys, s.partitionKeys()...)
	}
	writes := s.data.Access.NoWrites
	keys = append(keys,
		ui.Key{Keys: "t", Does: "tail its records", Hint: "tail", Act: func() tea.Cmd { return ui.Wish(ui.Open{Screen: "records", Arg: s.name}) }},
		ui.Key{Keys: "p", Does: "produce one record", Hint: "produce", Not: writes, Act: func() tea.Cmd { return ui.AskProduce(s.data, s.name) }},
		ui.Key{Keys: "a", Does: "add partitions", Not: writes, Act: s.addPartitions},
		ui.Key{Keys: "D", Does: "delete the topic", Not: writes, Act: func() tea.Cmd { return ui.DropTopics(s.data, []string{s.name}) }},
	)
	return append(keys, s.table().Keys()...)
}

func (s *Screen) turn() tea.Cmd {
	s.onConfigs = !s.onConfigs
	if s.onConfigs && !s.loaded {
		return ui.Wish(ui.ReadConfigs{Topic: s.name})
	}
	return nil
}

func (s *Screen) partitionKeys() []ui.Key {
	p := s.selected()
	leader, role, none := "", "", "no partition is selected"
	var one []admin.TopicPartition
	if p != nil {
		none = fmt.Sprintf("%s/%d has no leader", s.name, p.ID)
		one = []admin.TopicPartition{{Topic: s.name, Partition: p.ID}}
		if !p.Offline() {
			leader, role, none = ui.Broker(p.Leader), fmt.Sprintf("leader:%s/%d", s.name, p.ID), ""
		}
	}
	keys := ui.FaultKeys(s.data, leader, role, none)
	for i := range keys {
		keys[i].Does = strings.Replace(keys[i].Does, "the node", "the partition's leader", 1)
	}
	writes := s.data.Access.NoWrites
	if writes == "" && p == nil {
		writes = "no partition is selected"
	}
	return append(keys,
		ui.Key{Keys: "enter", Does: "tail the records of the partition", Not: none, Act: func() tea.Cmd {
			return ui.Wish(ui.Open{Screen: "records", Arg: s.Selection()})
		}},
		ui.Key{Keys: "l", Does: "the leader's log", Hint: "leader's log", Not: ui.NoNode(s.data, leader), Act: func() tea.Cmd {
			return ui.Wish(ui.Open{Screen: "log", Arg: leader})
		}},
		ui.Key{Keys: "E", Does: "make the preferred replica lead the partition", Not: writes, Act: func() tea.Cmd { return ui.AskElect(s.data, one) }},
	)
}

func (s *Screen) selected() *admin.Partition {
	t := s.topic()
	if t == nil {
		return nil
	}
	for i := range t.Partitions {
		if strconv.Itoa(int(t.Partitions[i].ID)) == s.partitions.Selection() {
			return &t.Partitions[i]
		}
	}
	return nil
}

// Title sums the topic up.
func (s *Screen) Title(f ui.Frame) (left, right ui.Line) {
	left = ui.Line{}.Dim("Topics > ").Strong(ui.Cut(s.name, f.Width-32, true)).Gap(2) // the tabs have their place
	tab := func(name string, on bool) {
		role := themes.Faint
		if on {
			role = themes.Accent
		}
		left = left.Gap(1).Add(role, name)
	}
	tab("Partitions", !s.onConfigs)
	tab("Configs", s.onConfigs)
	if text := s.Filter(); text != "" {
		shown, all := s.table().Counts()
		left = left.Add(themes.Accent, "  (/"+text+")").Dim(fmt.Sprintf("[%d/%d]", shown, all))
	}
	if t := s.topic(); t != nil {
		right = s.sums(t, f)
	}
	return left, right
}

func (s *Screen) sums(t *admin.Topic, f ui.Frame) ui.Line {
	factor, records, size := 0, int64(0), int64(0)
	for i := range t.Partitions {
		p := &t.Partitions[i]
		factor = max(factor, len(p.Replicas))
		records, size = plus(records, p.End-p.Start, p.End < 0 || p.Start < 0), plus(size, p.Size, p.Size < 0)
	}
	line := ui.Line{}.Text(ui.Count(records)).Dim(" records")
	if !f.Narrow() {
		line = line.Text("  " + ui.Bytes(size))
	}
	if f.Wide() {
		minimum := ui.Unknown
		if t.MinISR > 0 {
			minimum = strconv.Itoa(t.MinISR)
		}
		head := ui.Line{}.Dim("RF ").Text(strconv.Itoa(factor)).Dim("   min ISR ").Text(minimum).Gap(3)
		line = append(head, line...).Text("  " + ui.Rate(t.PerSecond))
		line = line.Add(themes.Accent, " "+ui.Sparkline(f.History(t), 12))
	}
	return line
}

// plus adds up what is known; one unknown makes the sum unknown.
func plus(sum, n int64, unknown bool) int64 {
	if sum < 0 || unknown {
		return -1
	}
	return sum + n
}

// View draws the table on show.
func (s *Screen) View(f ui.Frame) string {
	snap := f.Snapshot
	switch {
	case snap == nil:
		return ui.Note(f, themes.Dim, "Asking the brokers for the topic.")
	case s.topic() == nil:
		return ui.Note(f, themes.Warn, "There is no topic "+s.name+" in the cluster. Press esc to go back.")
	case s.onConfigs && s.err != nil:
		return ui.Note(f, themes.Bad, "The configs cannot be read: "+s.err.Error()+".")
	}
	return s.table().View(f)
}
