package ui

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/displaywidth"

	"kdrill/themes"
)

// Span is a piece of text and what it means.
type Span struct {
	Role themes.Role
	Text string
}

// Line is what stands in one row of the terminal. It holds no escape sequences.
type Line []Span

// Plain is a line of ordinary text.
func Plain(text string) Line { return Line{{themes.Text, text}} }

// Styled is a line in one role.
func Styled(role themes.Role, text string) Line { return Line{{role, text}} }

// Add returns the line with a span behind it.
func (l Line) Add(role themes.Role, text string) Line { return append(l, Span{role, text}) }

// Text appends ordinary text.
func (l Line) Text(text string) Line { return l.Add(themes.Text, text) }

// Strong appends text that matters.
func (l Line) Strong(text string) Line { return l.Add(themes.Strong, text) }

// Dim appends less important text.
func (l Line) Dim(text string) Line { return l.Add(themes.Dim, text) }

// Gap appends spaces.
func (l Line) Gap(n int) Line {
	if n <= 0 {
		return l
	}
	return l.Add(themes.Text, Spaces(n))
}

// To pads the line with spaces up to a column; a longer line gets two spaces.
func (l Line) To(column int) Line {
	if n := column - l.Width(); n > 0 {
		return l.Gap(n)
	}
	return l.Gap(2)
}

// Width is the number of cells the line takes.
func (l Line) Width() int {
	n := 0
	for _, s := range l {
		n += Width(s.Text)
	}
	return n
}

// String is the text of the line.
func (l Line) String() string {
	var b strings.Builder
	for _, s := range l {
		b.WriteString(s.Text)
	}
	return b.String()
}

// Render paints the line in exactly width cells: what does not fit is cut, with a mark, what is missing is filled.
func (l Line) Render(t themes.Theme, width int) string {
	var b strings.Builder
	left := width
	for i, s := range l {
		text := Clean(s.Text)
		w := Width(text)
		if w > left || (w == left && rest(l[i+1:])) {
			text = Cut(text, left, true)
			b.WriteString(t.Paint(s.Role, text))
			left -= Width(text)
			break
		}
		b.WriteString(t.Paint(s.Role, text))
		left -= w
	}
	if left > 0 {
		b.WriteString(t.Paint(themes.Text, Spaces(left)))
	}
	return b.String()
}

// rest says whether something visible stands in the spans.
func rest(spans Line) bool {
	for _, s := range spans {
		if strings.TrimRight(s.Text, " ") != "" {
			return true
		}
	}
	return false
}

// Ends puts right at the right end of a line of width cells; right goes first when there is no room for both.
func Ends(left, right Line, width int) Line {
	gap := width - left.Width() - right.Width()
	if gap < 2 && len(left) > 0 {
		return left
	}
	line := append(Line{}, left...)
	return append(line.Gap(gap), right...)
}

// mark stands where text was cut. It has one cell in every terminal.
const mark = "~"

// Width is the number of cells that text takes.
func Width(text string) int {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return displaywidth.String(text)
		}
	}
	return len(text)
}

// Cut shortens text to at most width cells, never through a wide rune. With marked, the last cell says that it was cut.
func Cut(text string, width int, marked bool) string {
	if width <= 0 {
		return ""
	}
	tail := ""
	if marked {
		tail = mark
	}
	return displaywidth.TruncateString(text, width, tail)
}

// Fit makes text exactly width cells wide.
func Fit(text string, width int, right bool) string {
	w := Width(text)
	if w > width {
		text = Cut(text, width, true)
		w = Width(text)
	}
	if pad := Spaces(width - w); right {
		return pad + text
	} else {
		return text + pad
	}
}

const blank = "                                                                                                "

// Spaces is n spaces.
func Spaces(n int) string {
	switch {
	case n <= 0:
		return ""
	case n <= len(blank):
		return blank[:n]
	}
	return strings.Repeat(" ", n)
}

// Clean replaces what a terminal would obey instead of print: control characters, marks that turn the direction of
// text, and bytes that are no UTF-8.
func Clean(text string) string {
	for i := 0; ; i++ {
		if i == len(text) {
			return text
		}
		if c := text[i]; c < ' ' || c >= 0x7f {
			break
		}
	}
	if !utf8.ValidString(text) || strings.ContainsFunc(text, obeyed) {
		text = strings.Map(func(r rune) rune {
			switch {
			case r == '\t', r == '\n', r == '\r':
				return ' '
			case obeyed(r), r == utf8.RuneError:
				return '.'
			}
			return r
		}, text)
	}
	return alone(text)
}

// alone keeps text from joining its neighbours on the line: a first or last rune that would change the width of what
// stands beside it becomes a dot.
func alone(text string) string {
	for range 8 {
		own := displaywidth.String(text)
		if displaywidth.String(text+"x") != own+1 {
			_, n := utf8.DecodeLastRuneInString(text)
			text = text[:len(text)-n] + "."
		} else if displaywidth.String("x"+text) != own+1 {
			_, n := utf8.DecodeRuneInString(text)
			text = "." + text[n:]
		} else {
			break
		}
	}
	return text
}

func obeyed(r rune) bool {
	return r != zeroWidthJoiner && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029')
}

const zeroWidthJoiner = '\u200d'

// Lines paints lines one below the other in a box of width and height: what is too long or too much is cut.
func Lines(t themes.Theme, width, height int, lines ...Line) string {
	var b strings.Builder
	for i := range height {
		if i > 0 {
			b.WriteByte('\n')
		}
		if i < len(lines) {
			b.WriteString(lines[i].Render(t, width))
		} else {
			b.WriteString(t.Paint(themes.Text, Spaces(width)))
		}
	}
	return b.String()
}

// Sentence wraps words to lines of at most width cells.
func Sentence(role themes.Role, text string, width int) []Line {
	var lines []Line
	current := ""
	for word := range strings.FieldsSeq(Clean(text)) {
		switch {
		case current == "":
			current = word
		case Width(current)+1+Width(word) > width:
			lines = append(lines, Styled(role, current))
			current = word
		default:
			current += " " + word
		}
	}
	if current != "" {
		lines = append(lines, Styled(role, current))
	}
	return lines
}
