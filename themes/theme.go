package themes

import (
	"image/color"
	"strings"

	"charm.land/lipgloss/v2"
)

// Role is what a piece of text means to the reader.
type Role uint8

// The roles. Red is for what is broken now, amber for what is degraded; everything else is calm.
const (
	Text   Role = iota
	Strong      // headings, the value that matters
	Dim         // labels, units, what is less important
	Faint       // rules, what is old or absent
	Accent      // where the eye should go: the current tab, the selection's marker, leaders
	Good        // what has just become well
	Warn        // degraded
	Bad         // broken now
	Flash       // a value that has just changed
	Key         // a key in a hint
	Bar         // the filled part of a bar, painted as spaces where there are colours
	Track       // the rest of a bar
	Cursor      // the cell under the cursor of an input
	roles
)

// Roles names every role, for legends.
var names = [roles]string{"text", "strong", "dim", "faint", "accent", "good", "warn", "bad", "flash", "key", "bar", "track", "cursor"}

// String names the role.
func (r Role) String() string { return names[r] }

// All lists the roles.
func All() []Role {
	all := make([]Role, roles)
	for i := range all {
		all[i] = Role(i)
	}
	return all
}

// Style paints text: its escape sequences are made once, since a screen paints hundreds of pieces a frame.
type Style struct{ open, end string }

func compile(s lipgloss.Style) Style {
	open, end, _ := strings.Cut(s.Render("x"), "x")
	return Style{open, end}
}

// Render paints text, which must be one line without escape sequences.
func (s Style) Render(text string) string {
	if text == "" || s.open == "" {
		return text
	}
	return s.open + text + s.end
}

// surface is the background that text stands on.
type surface uint8

const (
	ground   surface = iota
	selected         // the row under the cursor
	panel            // overlays and the header
	surfaces
)

// Theme gives every role its style on one surface.
type Theme struct {
	Name    string
	on      surface
	palette *[surfaces][roles]Style
	solid   bool // bars are painted with background colours
}

// Style returns the style of a role.
func (t Theme) Style(r Role) Style { return t.palette[t.on][r] }

// Paint renders text in the style of a role.
func (t Theme) Paint(r Role, text string) string { return t.palette[t.on][r].Render(text) }

// Selected is the theme for the row under the cursor.
func (t Theme) Selected() Theme { t.on = selected; return t }

// Panel is the theme for overlays and the header.
func (t Theme) Panel() Theme { t.on = panel; return t }

// Solid says whether bars are spaces on a background; otherwise they are drawn with characters.
func (t Theme) Solid() bool { return t.solid }

// The names of the themes.
const (
	Dark  = "dark"
	Light = "light"
	Plain = "plain" // no colours
	Basic = "basic" // the terminal's own sixteen colours
)

// New returns a theme by name; an unknown name gives the dark one.
func New(name string) Theme {
	switch name {
	case Light:
		return build(Light, light)
	case Plain:
		return plain()
	case Basic:
		return basic()
	default:
		return build(Dark, dark)
	}
}

// colours are what a palette is made of.
type colours struct {
	text, strong, dim, faint, accent, good, warn, bad, track string
	ground, selected, panel                                  string // backgrounds; empty is the terminal's own
}

// Greys carry little colour, so that terminals of 256 colours show them as greys too.
var dark = colours{
	text: "#c8ccd4", strong: "#f2f4f8", dim: "#9b9fa8", faint: "#747982",
	accent: "#5ec4d6", good: "#8fc98b", warn: "#e0ac5c", bad: "#f0686c", track: "#373b41",
	selected: "#33373f", panel: "#24262b",
}

var light = colours{
	text: "#2f3542", strong: "#0c1018", dim: "#63676f", faint: "#8a8f99",
	accent: "#0c7489", good: "#2f7d32", warn: "#9a6200", bad: "#c4262e", track: "#d5dae3",
	selected: "#dfe3e8", panel: "#eef0f3",
}

func build(name string, c colours) Theme {
	var p [surfaces][roles]Style
	for on, background := range [surfaces]string{c.ground, c.selected, c.panel} {
		base := lipgloss.NewStyle()
		if background != "" {
			base = base.Background(lipgloss.Color(background))
		}
		in := func(colour string) lipgloss.Style { return base.Foreground(lipgloss.Color(colour)) }
		solid := func(colour string) lipgloss.Style {
			return lipgloss.NewStyle().Foreground(lipgloss.Color(colour)).Background(lipgloss.Color(colour))
		}
		p[on] = [roles]Style{
			Text:   compile(in(c.text)),
			Strong: compile(in(c.strong).Bold(true)),
			Dim:    compile(in(c.dim)),
			Faint:  compile(in(c.faint)),
			Accent: compile(in(c.accent)),
			Good:   compile(in(c.good)),
			Warn:   compile(in(c.warn)),
			Bad:    compile(in(c.bad).Bold(true)),
			Flash:  compile(lipgloss.NewStyle().Foreground(lipgloss.Color(c.selected)).Background(lipgloss.Color(c.accent)).Bold(true)),
			Key:    compile(in(c.strong)),
			Bar:    compile(solid(c.accent)),
			Track:  compile(solid(c.track)),
			Cursor: compile(lipgloss.NewStyle().Reverse(true)),
		}
	}
	return Theme{Name: name, palette: &p, solid: true}
}

// plain uses bold, faint, underline and reverse only.
func plain() Theme {
	var p [surfaces][roles]Style
	for on := range surfaces {
		base := lipgloss.NewStyle()
		if on == selected {
			base = base.Reverse(true)
		}
		text, bold, weak := compile(base), compile(base.Bold(true)), compile(base.Faint(true))
		p[on] = [roles]Style{
			Text: text, Strong: bold, Dim: text, Faint: weak, Accent: bold, Good: text, Warn: bold,
			Bad: compile(base.Bold(true).Underline(true)), Flash: compile(lipgloss.NewStyle().Reverse(true).Bold(true)),
			Key: bold, Bar: text, Track: weak, Cursor: compile(lipgloss.NewStyle().Reverse(true)),
		}
	}
	return Theme{Name: Plain, palette: &p}
}

// basic uses the terminal's own sixteen colours, whose shades are the user's choice; surfaces are as in plain.
func basic() Theme {
	var p [surfaces][roles]Style
	for on := range surfaces {
		base := lipgloss.NewStyle()
		if on == selected {
			base = base.Reverse(true)
		}
		in := func(c color.Color) lipgloss.Style { return base.Foreground(c) }
		text, bold := compile(base), compile(base.Bold(true))
		p[on] = [roles]Style{
			Text: text, Strong: bold, Dim: text, Faint: compile(in(lipgloss.BrightBlack)), Accent: compile(in(lipgloss.Cyan)),
			Good: compile(in(lipgloss.Green)), Warn: compile(in(lipgloss.Yellow)), Bad: compile(in(lipgloss.Red).Bold(true)),
			Flash: compile(lipgloss.NewStyle().Reverse(true).Bold(true)), Key: bold, Bar: compile(in(lipgloss.Cyan)),
			Track: compile(in(lipgloss.BrightBlack)), Cursor: compile(lipgloss.NewStyle().Reverse(true)),
		}
	}
	return Theme{Name: Basic, palette: &p}
}
