package ui

import (
	tea "charm.land/bubbletea/v2"

	"kdrill/themes"
)

// Field is one line of a [Form].
type Field struct {
	Name  string
	Value string
	// Proposed says that the value is only a proposal: what the user types takes its place.
	Proposed bool
	Help     string
	// Check says in one sentence what is wrong with the value; nil accepts everything.
	Check func(value string) error

	input Input
}

// Form asks for several values. Submit gets them in order and returns the wish, or an error to show.
type Form struct {
	Title  string
	Fields []Field
	Verb   string // "Create"
	// Line shows the equivalent command line of the values; nil shows none.
	Line   func(values []string) string
	Submit func(values []string) (tea.Cmd, error)

	at      int
	problem string
	tried   bool
}

// NewForm fills the inputs of a form with the values of its fields.
func NewForm(m Form) *Form {
	for i := range m.Fields {
		if f := &m.Fields[i]; f.Proposed {
			f.input = NewProposal(f.Value)
		} else {
			f.input = NewInput(f.Value)
		}
	}
	return &m
}

// Values are what the user typed, in the order of the fields.
func (m *Form) Values() []string {
	values := make([]string, len(m.Fields))
	for i := range m.Fields {
		values[i] = m.Fields[i].input.Value()
	}
	return values
}

// Update implements Updater.
func (m *Form) Update(msg tea.Msg) {
	if paste, ok := msg.(tea.PasteMsg); ok {
		m.Fields[m.at].input.Insert(paste.Content)
		m.problem = ""
	}
}

// Press implements Overlay.
func (m *Form) Press(k tea.KeyPressMsg) (bool, tea.Cmd) {
	switch k.String() {
	case "esc":
		return true, nil
	case "tab", "down":
		m.at = (m.at + 1) % len(m.Fields)
	case "shift+tab", "up":
		m.at = (m.at + len(m.Fields) - 1) % len(m.Fields)
	case "enter":
		if m.at < len(m.Fields)-1 && m.check(m.at) == nil {
			m.at++
			return false, nil
		}
		return m.submit()
	case "ctrl+s":
		return m.submit()
	default:
		if m.Fields[m.at].input.Key(k) {
			m.problem = ""
		}
	}
	return false, nil
}

func (m *Form) check(i int) error {
	f := &m.Fields[i]
	if f.Check == nil {
		return nil
	}
	return f.Check(f.input.Value())
}

func (m *Form) submit() (bool, tea.Cmd) {
	m.tried = true
	for i := range m.Fields {
		if m.check(i) != nil { // it is said below the field
			m.at = i
			return false, nil
		}
	}
	cmd, err := m.Submit(m.Values())
	if err != nil {
		m.problem = err.Error()
		return false, nil
	}
	return true, cmd
}

// Box implements Overlay.
func (m *Form) Box(f Frame) Box {
	label := 0
	for _, field := range m.Fields {
		label = max(label, Width(field.Name))
	}
	room := max(12, min(44, f.Width-label-2*boxMargin-6))
	var lines []Line
	for i := range m.Fields {
		field := &m.Fields[i]
		focused := i == m.at
		name := Line{{themes.Dim, "  " + Fit(field.Name, label, false) + "  "}}
		if focused {
			name = Line{{themes.Accent, "> "}, {themes.Strong, Fit(field.Name, label, false) + "  "}}
		}
		lines = append(lines, append(name, field.input.Line(themes.Text, room, focused)...))
		switch err := m.check(i); {
		case err != nil && (m.tried || (!focused && field.input.Value() != field.Value)):
			lines = append(lines, noteBelow(themes.Warn, err.Error(), label, room)...)
		case focused && field.Help != "":
			lines = append(lines, noteBelow(themes.Dim, field.Help, label, room)...)
		}
	}
	lines = append(lines, nil)
	if m.problem != "" {
		lines = append(lines, Sentence(themes.Bad, m.problem, label+room+4)...)
		lines = append(lines, nil)
	}
	last := Line{{themes.Key, "enter"}, {themes.Dim, " " + m.Verb}}
	if m.at < len(m.Fields)-1 {
		last = Line{{themes.Key, "enter"}, {themes.Dim, " next   "}, {themes.Key, "ctrl+s"}, {themes.Dim, " " + m.Verb}}
	}
	last = last.Dim("   ").Add(themes.Key, "esc").Dim(" cancel")
	lines = append(lines, last)
	if m.Line != nil {
		lines = append(lines, nil, Styled(themes.Faint, m.Line(m.Values())))
	}
	return Box{Title: Styled(themes.Strong, m.Title), Lines: lines}
}

func noteBelow(role themes.Role, text string, label, room int) []Line {
	var lines []Line
	for _, l := range Sentence(role, text, room) {
		lines = append(lines, append(Line{}.Gap(label+4), l...))
	}
	return lines
}

// Keys implements Overlay.
func (m *Form) Keys() []Key {
	return []Key{{Keys: "tab", Hint: "next field"}, {Keys: "ctrl+s", Hint: m.Verb}, {Keys: "esc", Hint: "cancel"}}
}
