package ui

import (
	"strings"

	"kdrill/themes"
)

// Bar is a horizontal bar of width cells, filled by a fraction between 0 and 1.
func Bar(t themes.Theme, width int, fraction float64) Line {
	full := max(0, min(int(fraction*float64(width)+0.5), width))
	if fraction > 0 && full == 0 && width > 0 {
		full = 1
	}
	if t.Solid() {
		return Line{{themes.Bar, Spaces(full)}, {themes.Track, Spaces(width - full)}}
	}
	return Line{{themes.Bar, strings.Repeat("#", full)}, {themes.Track, strings.Repeat(".", width-full)}}
}

// Blocks is a thin bar without a track, so that bars in rows below each other stay apart.
func Blocks(t themes.Theme, n int) Line {
	if t.Solid() {
		return Line{{themes.Accent, strings.Repeat("\u2836", n)}}
	}
	return Line{{themes.Bar, strings.Repeat("#", n)}}
}

// Sparkline draws values, oldest first, two to a cell in dots of braille; the greatest value has four dots. It takes
// width cells: what is older is left out, what is missing is blank.
func Sparkline(values []float64, width int) string {
	if len(values) > 2*width {
		values = values[len(values)-2*width:]
	}
	top := 0.0
	for _, v := range values {
		top = max(top, v)
	}
	height := func(i int) int {
		if i < 0 || values[i] < 0 {
			return 0
		}
		if top == 0 || values[i] == 0 {
			return 1
		}
		return max(1, int(values[i]/top*4+0.5))
	}
	// Dots of a braille cell from the bottom up, for its left and its right column.
	left, right := [5]rune{0, 0x40, 0x44, 0x46, 0x47}, [5]rune{0, 0x80, 0xa0, 0xb0, 0xb8}
	cells := make([]rune, 0, width)
	for i := len(values) - 2*width; i < len(values); i += 2 {
		dots := rune(0)
		dots |= left[height(i)]
		dots |= right[height(i+1)]
		if dots == 0 {
			cells = append(cells, ' ')
			continue
		}
		cells = append(cells, 0x2800|dots)
	}
	return string(cells)
}
