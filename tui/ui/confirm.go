package ui

import (
	tea "charm.land/bubbletea/v2"

	"kdrill/themes"
)

// Confirm asks before something is done. Cancel is the default, and until it is armed no key confirms, so that a key
// typed for the screen below cannot.
type Confirm struct {
	Title string
	Body  []Line
	Same  string // the command line that does the same
	// Choices stand behind Cancel.
	Choices []Choice
	// Cancel names the first choice, which is the default; "Cancel" if empty.
	Cancel string
	// First is what the first choice does beside closing the question; nil is nothing.
	First tea.Cmd
	// Type must be typed to confirm, for what cannot be taken back; empty asks for nothing.
	Type string

	at    int // 0 is Cancel
	armed bool
	typed Input
}

// Choice is one thing that can be confirmed.
type Choice struct {
	Name   string
	Danger bool
	Act    tea.Cmd
}

// Update implements Updater.
func (c *Confirm) Update(msg tea.Msg) {
	switch msg := msg.(type) {
	case Armed:
		c.armed = true
	case tea.PasteMsg:
		if c.Type != "" && c.armed {
			c.typed.Insert(msg.Content)
		}
	}
}

// Press implements Overlay.
func (c *Confirm) Press(k tea.KeyPressMsg) (bool, tea.Cmd) {
	switch k.String() {
	case "esc":
		return true, nil
	}
	if !c.armed {
		return false, nil
	}
	if c.Type != "" {
		return c.pressTyping(k)
	}
	switch k.String() {
	case "q", "n":
		return true, nil
	case "left", "h", "shift+tab":
		c.at = max(0, c.at-1)
	case "right", "l":
		c.at = min(len(c.Choices), c.at+1)
	case "tab":
		c.at = (c.at + 1) % (len(c.Choices) + 1)
	case "y":
		c.at = 1
	case "enter":
		if c.at == 0 {
			return true, c.First
		}
		return true, c.Choices[c.at-1].Act
	}
	return false, nil
}

func (c *Confirm) pressTyping(k tea.KeyPressMsg) (bool, tea.Cmd) {
	if k.String() == "enter" {
		if c.typed.Value() == c.Type {
			return true, c.Choices[0].Act
		}
		return false, nil
	}
	c.typed.Key(k)
	return false, nil
}

// Box implements Overlay.
func (c *Confirm) Box(f Frame) Box {
	lines := append([]Line{}, c.Body...)
	lines = append(lines, nil)
	if c.Type != "" {
		width := max(Width(c.Type)+2, 24)
		lines = append(lines, Line{{themes.Text, "Type "}, {themes.Strong, c.Type}, {themes.Text, " to go on:  "}})
		lines[len(lines)-1] = append(lines[len(lines)-1], c.typed.Line(themes.Text, width, true)...)
		lines = append(lines, nil)
	}
	buttons := c.buttons()
	switch {
	case c.Same == "":
	case buttons.Width()+6+Width(c.Same) <= f.Width-2*boxMargin:
		buttons = buttons.Gap(6).Dim(c.Same)
	default:
		lines = append(append(lines, Sentence(themes.Dim, c.Same, f.Width-2*boxMargin)...), nil)
	}
	lines = append(lines, buttons)
	return Box{Title: Styled(themes.Strong, c.Title), Lines: lines}
}

func (c *Confirm) buttons() Line {
	cancel := c.Cancel
	if cancel == "" {
		cancel = "Cancel"
	}
	line := button(cancel, c.at == 0 && (c.Type == "" || c.typed.Value() != c.Type), false)
	for i, choice := range c.Choices {
		chosen := c.at == i+1 || (c.Type != "" && c.typed.Value() == c.Type)
		line = append(line.Gap(2), button(choice.Name, chosen, choice.Danger)...)
	}
	return line
}

func button(name string, chosen, danger bool) Line {
	switch {
	case chosen && danger:
		return Styled(themes.Bad, "[ "+name+" ]")
	case chosen:
		return Styled(themes.Accent, "[ "+name+" ]")
	}
	return Styled(themes.Text, "  "+name+"  ")
}

// Keys implements Overlay.
func (c *Confirm) Keys() []Key {
	if c.Type != "" {
		return []Key{{Keys: "enter", Hint: "go on"}, {Keys: "esc", Hint: "cancel"}}
	}
	return []Key{{Keys: "tab", Hint: "choose"}, {Keys: "enter", Hint: "take the choice"}, {Keys: "esc", Hint: "cancel"}}
}
