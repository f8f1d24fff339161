package ui

import (
	tea "charm.land/bubbletea/v2"

	"kdrill/themes"
)

// Pager is an overlay of lines to read; it scrolls.
type Pager struct {
	Title string
	// Lines makes the lines for a width.
	Lines func(width int) []Line
	// Copy is put into the clipboard by c; empty is nothing.
	Copy string

	top int
}

// Press implements Overlay.
func (p *Pager) Press(k tea.KeyPressMsg) (bool, tea.Cmd) {
	switch k.String() {
	case "j", "down":
		p.top++
	case "k", "up":
		p.top--
	case "ctrl+d", "pgdown", "space":
		p.top += 10
	case "ctrl+u", "pgup":
		p.top -= 10
	case "g", "home":
		p.top = 0
	case "c":
		if p.Copy != "" {
			return false, Wish(Copy{Text: p.Copy})
		}
	case "esc", "q", "enter", "?":
		return true, nil
	}
	p.top = max(0, p.top)
	return false, nil
}

// Box implements Overlay.
func (p *Pager) Box(f Frame) Box {
	lines := p.Lines(max(20, min(f.Width-2*boxMargin-4, 110)))
	room := max(1, f.Height-6)
	top := min(p.top, max(0, len(lines)-room))
	end := min(len(lines), top+room)
	shown := append([]Line{}, lines[top:end]...)
	if end < len(lines) && len(shown) > 0 {
		shown[len(shown)-1] = Styled(themes.Faint, "j  "+Plural(len(lines)-end+1, "more line"))
	}
	return Box{Title: Styled(themes.Strong, p.Title), Lines: shown}
}

// Keys implements Overlay.
func (p *Pager) Keys() []Key {
	keys := []Key{{Keys: "esc", Hint: "close"}, {Keys: "j", Hint: "down"}, {Keys: "k", Hint: "up"}}
	if p.Copy != "" {
		keys = append(keys, Key{Keys: "c", Hint: "copy"})
	}
	return keys
}
