package ui

import (
	tea "charm.land/bubbletea/v2"

	"kdrill/themes"
)

// Overlay lies over the screen and gets every key while it is on top.
type Overlay interface {
	// Press handles a key. done takes the overlay away; the command carries a wish.
	Press(k tea.KeyPressMsg) (done bool, cmd tea.Cmd)
	// Box draws it for at most width by height cells; the root model places it.
	Box(f Frame) Box
	// Keys are for hints.
	Keys() []Key
}

// Updater is an overlay that wants to see what else happens: data, answers, pasted text.
type Updater interface{ Update(msg tea.Msg) }

// Box is a drawn overlay.
type Box struct {
	Title  Line
	Lines  []Line
	Bottom bool // one line at the bottom of the screen instead of a box in its middle
}

// Armed tells an overlay that it has been visible long enough for a key to be meant for it.
type Armed struct{ ID int }

// Render paints the box on the panel's surface, with a margin of two cells around it, and returns its lines.
func (b Box) Render(t themes.Theme, width, height int) []string {
	t = t.Panel()
	inner := b.Title.Width()
	for _, l := range b.Lines {
		inner = max(inner, l.Width())
	}
	inner = max(1, min(inner, width-2*boxMargin))
	rows := make([]string, 0, len(b.Lines)+4)
	add := func(l Line) {
		rows = append(rows, append(Line{}.Gap(boxMargin), l...).Render(t, inner+2*boxMargin))
	}
	edge := Line(nil)
	if !t.Solid() {
		edge = Styled(themes.Faint, dashes(inner))
	}
	add(edge)
	if len(b.Title) > 0 {
		add(b.Title)
		add(nil)
	}
	room := height - len(rows) - 1
	for i, l := range b.Lines {
		if i >= room {
			break
		}
		add(l)
	}
	add(edge)
	return rows
}

const boxMargin = 3

func dashes(n int) string {
	line := make([]byte, n)
	for i := range line {
		line[i] = '-'
	}
	return string(line)
}
