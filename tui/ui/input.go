package ui

import (
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/clipperhouse/displaywidth"

	"kdrill/themes"
)

// Input is one line of text that is being edited, by the keys of a shell. Its cursor moves by what a reader takes for
// one character.
type Input struct {
	cells  []string // grapheme clusters
	at     int      // cells left of the cursor
	marked bool     // all of it: what comes next replaces it
}

// NewInput starts with text and the cursor behind it.
func NewInput(text string) Input {
	cells := clusters(text)
	return Input{cells: cells, at: len(cells)}
}

// NewProposal starts with text that is marked: what is typed replaces it, unless the cursor is moved before.
func NewProposal(text string) Input {
	in := NewInput(text)
	in.marked = len(in.cells) > 0
	return in
}

func clusters(text string) []string {
	var cells []string
	for g := displaywidth.StringGraphemes(Clean(text)); g.Next(); {
		cells = append(cells, g.Value())
	}
	return cells
}

// Value is the text.
func (in *Input) Value() string { return strings.Join(in.cells, "") }

// Insert puts text at the cursor.
func (in *Input) Insert(text string) {
	in.replace()
	cells := clusters(text)
	in.cells = slices.Insert(in.cells, in.at, cells...)
	in.at += len(cells)
}

// Key edits the text; it says whether it knows the key.
func (in *Input) Key(k tea.KeyPressMsg) bool {
	if in.marked {
		return in.first(k)
	}
	return in.edit(k)
}

// first is the first key in a marked text: it takes out all of it, or only moves.
func (in *Input) first(k tea.KeyPressMsg) bool {
	switch k.String() {
	case "backspace", "ctrl+h", "delete", "ctrl+d", "ctrl+w", "alt+backspace":
		in.replace()
		return true
	}
	known := in.edit(k)
	in.marked = in.marked && !known
	return known
}

// replace takes out what is marked.
func (in *Input) replace() {
	if in.marked {
		in.cells, in.at, in.marked = nil, 0, false
	}
}

func (in *Input) edit(k tea.KeyPressMsg) bool {
	switch k.String() {
	case "left", "ctrl+b":
		in.at = max(0, in.at-1)
	case "right", "ctrl+f":
		in.at = min(len(in.cells), in.at+1)
	case "home", "ctrl+a":
		in.at = 0
	case "end", "ctrl+e":
		in.at = len(in.cells)
	case "backspace", "ctrl+h":
		in.remove(in.at-1, in.at)
	case "delete", "ctrl+d":
		in.remove(in.at, in.at+1)
	case "ctrl+u":
		in.remove(0, in.at)
	case "ctrl+k":
		in.remove(in.at, len(in.cells))
	case "ctrl+w", "alt+backspace":
		in.remove(in.word(), in.at)
	default:
		if k.Text == "" || k.Mod&(tea.ModCtrl|tea.ModAlt) != 0 {
			return false
		}
		in.Insert(k.Text)
	}
	return true
}

// remove takes out the cells from one place to another.
func (in *Input) remove(from, to int) {
	from, to = max(0, from), min(to, len(in.cells))
	if from >= to {
		return
	}
	in.cells = slices.Delete(in.cells, from, to)
	in.at = from
}

// word is where the word left of the cursor begins.
func (in *Input) word() int {
	i := in.at
	for i > 0 && in.cells[i-1] == " " {
		i--
	}
	for i > 0 && in.cells[i-1] != " " {
		i--
	}
	return i
}

// Line draws the text in width cells; the part around the cursor is seen.
func (in *Input) Line(role themes.Role, width int, focused bool) Line {
	if !focused {
		return Styled(role, Fit(in.Value(), width, false))
	}
	if in.marked {
		text := Fit(in.Value(), min(width, Width(in.Value())), false)
		return Line{{themes.Cursor, text}, {role, Fit("", width-Width(text), false)}}
	}
	left := strings.Join(in.cells[:in.at], "")
	under, right := " ", ""
	if in.at < len(in.cells) {
		under, right = in.cells[in.at], strings.Join(in.cells[in.at+1:], "")
	}
	for from := 1; Width(left)+Width(under) > width && from <= in.at; from++ {
		left = mark + strings.Join(in.cells[from:in.at], "")
	}
	room := max(0, width-Width(left)-Width(under))
	return Line{{role, left}, {themes.Cursor, under}, {role, Fit(right, room, false)}}
}
