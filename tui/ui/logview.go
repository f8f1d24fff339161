package ui

import (
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"kdrill/themes"
)

// LogView shows lines of a log. It is anchored at its last visible line, so that it needs to remember no height.
type LogView struct {
	Follow bool
	Wrap   bool
	Stamps bool

	lines  []string
	shown  []int // of lines, those that pass the filter
	filter Filter
	at     int // in shown: the line at the bottom while not following
	page   int
	marks  int
}

// keptLines is how many lines of a log are kept.
const keptLines = 20_000

// NewLogView makes an empty one that follows.
func NewLogView() LogView { return LogView{Follow: true, Stamps: true} }

// Append adds lines.
func (v *LogView) Append(lines ...string) {
	for _, line := range lines {
		v.lines = append(v.lines, line)
		if v.filter.Match(line) {
			v.shown = append(v.shown, len(v.lines)-1)
		}
	}
	if len(v.lines) > keptLines {
		drop := len(v.lines) - keptLines*3/4
		v.lines = append([]string(nil), v.lines[drop:]...)
		before := len(v.shown)
		v.refilter()
		v.at -= before - len(v.shown)
	}
	v.settle()
}

func (v *LogView) refilter() {
	v.shown = v.shown[:0]
	for i, line := range v.lines {
		if v.filter.Match(line) {
			v.shown = append(v.shown, i)
		}
	}
}

func (v *LogView) settle() {
	if v.Follow {
		v.at = len(v.shown) - 1
	}
	v.at = max(0, min(v.at, len(v.shown)-1))
}

// SetPage says how far a page key goes.
func (v *LogView) SetPage(rows int) { v.page = rows }

// Filter is what lines are filtered by.
func (v *LogView) Filter() string { return v.filter.String() }

// SetFilter shows only lines that match.
func (v *LogView) SetFilter(text string) {
	v.filter = ParseFilter(text)
	v.refilter()
	v.settle()
}

// Text is every line that is shown.
func (v *LogView) Text() string {
	var b strings.Builder
	for _, i := range v.shown {
		b.WriteString(v.lines[i])
		b.WriteByte('\n')
	}
	return b.String()
}

// Len is how many lines there are.
func (v *LogView) Len() int { return len(v.lines) }

// Counts says how many lines are shown, and how many there are.
func (v *LogView) Counts() (shown, all int) { return len(v.shown), len(v.lines) }

// markLine separates what came before a mark from what came after it.
const markLine = "\x00"

// Keys move and switch; save is called with what is shown.
func (v *LogView) Keys(name string) []Key {
	move := func(n func() int) func() tea.Cmd {
		return func() tea.Cmd {
			v.at += n()
			v.Follow = v.at >= len(v.shown)-1 && n() > 0
			v.settle()
			return nil
		}
	}
	one := func(n int) func() int { return func() int { return n } }
	toggle := func(what *bool) func() tea.Cmd {
		return func() tea.Cmd { *what = !*what; v.settle(); return nil }
	}
	page := func() int { return max(v.page-1, 1) }
	return []Key{
		{Keys: "f", Does: "follow what is written", Hint: onOff("follow", v.Follow), Act: toggle(&v.Follow)},
		{Keys: "w", Does: "wrap long lines", Hint: onOff("wrap", v.Wrap), Act: toggle(&v.Wrap)},
		{Keys: "t", Does: "show times", Hint: onOff("times", v.Stamps), Act: toggle(&v.Stamps)},
		{Keys: "s", Does: "save what is shown to a file", Hint: "save", Act: func() tea.Cmd { return Wish(Save{Name: name, Text: v.Text()}) }},
		{Keys: "m", Does: "draw a mark", Hint: "mark", Act: func() tea.Cmd { v.marks++; v.Append(markLine); return nil }},
		{Keys: "j down", Does: "one line down", Move: true, Act: move(one(1))},
		{Keys: "k up", Does: "one line up", Move: true, Act: move(one(-1))},
		{Keys: "ctrl+d", Does: "half a page down", Move: true, Act: move(func() int { return max(page()/2, 1) })},
		{Keys: "ctrl+u", Does: "half a page up", Move: true, Act: move(func() int { return -max(page()/2, 1) })},
		{Keys: "pgdown ctrl+f space", Does: "a page down", Move: true, Act: move(page)},
		{Keys: "pgup ctrl+b", Does: "a page up", Move: true, Act: move(func() int { return -page() })},
		{Keys: "g home", Does: "first line", Move: true, Act: func() tea.Cmd { v.Follow = false; v.at = min(page(), len(v.shown)-1); v.settle(); return nil }},
		{Keys: "G end", Does: "last line, and follow", Move: true, Act: func() tea.Cmd { v.Follow = true; v.settle(); return nil }},
	}
}

func onOff(name string, on bool) string {
	if on {
		return name + " on"
	}
	return name + " off"
}

// View draws as many lines as fit above the anchor.
func (v *LogView) View(f Frame) string {
	if len(v.shown) == 0 {
		if len(v.lines) > 0 {
			return Note(f, themes.Dim, "No line matches "+v.filter.String()+".")
		}
		return Note(f, themes.Dim, "The log is empty so far.")
	}
	var rows []Line // from the bottom up
	for i := v.at; i >= 0 && len(rows) < f.Height; i-- {
		drawn := v.draw(f, v.lines[v.shown[i]])
		for j := len(drawn) - 1; j >= 0; j-- {
			rows = append(rows, drawn[j])
		}
	}
	lines := make([]Line, 0, f.Height)
	for i := min(len(rows), f.Height) - 1; i >= 0; i-- {
		lines = append(lines, rows[i])
	}
	return Lines(f.Theme, f.Width, f.Height, lines...)
}

// draw makes one line of the log one line of the screen, or several when it is wrapped.
func (v *LogView) draw(f Frame, text string) []Line {
	if text == markLine {
		return []Line{Styled(themes.Accent, strings.Repeat("- ", f.Width/2))}
	}
	line := v.parse(f, text)
	if !v.Wrap {
		return []Line{line}
	}
	var lines []Line
	for {
		head, rest := split(line, f.Width)
		lines = append(lines, head)
		if len(rest) == 0 {
			return lines
		}
		line = append(Line{}.Gap(4), rest...)
	}
}

// split cuts a line after width cells.
func split(l Line, width int) (head, rest Line) {
	left := width
	for i, s := range l {
		w := Width(s.Text)
		if w <= left {
			head = append(head, s)
			left -= w
			continue
		}
		part := Cut(s.Text, left, false)
		if part == "" && len(head) == 0 {
			part = s.Text // a rune wider than the screen
		}
		head = append(head, Span{s.Role, part})
		if tail := s.Text[len(part):]; tail != "" {
			rest = append(rest, Span{s.Role, tail})
		}
		return head, append(rest, l[i+1:]...)
	}
	return head, nil
}

// parse gives the parts of a structured line their roles: time, level, message, values. Others stay as they are.
func (v *LogView) parse(f Frame, text string) Line {
	text = Clean(text)
	stamp, rest, ok := strings.Cut(text, " ")
	at, err := time.Parse(time.RFC3339Nano, strings.TrimPrefix(stamp, "time="))
	if !ok || !strings.HasPrefix(stamp, "time=") || err != nil {
		return Plain(text)
	}
	line := Line{}
	if v.Stamps {
		line = line.Add(themes.Faint, f.Clock(at)+"  ")
	}
	role := themes.Text
	if level, after, ok := strings.Cut(rest, " "); ok && strings.HasPrefix(level, "level=") {
		rest = after
		switch strings.TrimPrefix(level, "level=") {
		case "WARN":
			role = themes.Warn
			line = line.Add(role, "warn  ")
		case "ERROR":
			role = themes.Bad
			line = line.Add(role, "error  ")
		case "DEBUG":
			role = themes.Dim
		}
	}
	message, values := cutMessage(strings.TrimPrefix(rest, "msg="))
	return line.Add(role, message).Dim(values)
}

// cutMessage takes a word, or what stands in quotes, from the front.
func cutMessage(text string) (message, rest string) {
	if !strings.HasPrefix(text, `"`) {
		i := strings.IndexByte(text, ' ')
		if i < 0 {
			return text, ""
		}
		return text[:i], " " + text[i:]
	}
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return strings.ReplaceAll(text[1:i], `\"`, `"`), " " + text[i+1:]
		}
	}
	return text, ""
}
