package ui

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"kdrill/themes"
)

// View draws the table: a line of titles, then rows around the cursor.
func (t *Table) View(f Frame) string {
	if len(t.shown) == 0 {
		sentence := t.Empty
		if len(t.rows) > 0 {
			sentence = "No row matches " + t.filter.String() + ". Press esc to see all " + Count(int64(len(t.rows))) + "."
		}
		return Note(f, themes.Dim, sentence)
	}
	widths := t.layout(f.Width - marker - edge)
	var b strings.Builder
	b.WriteString(t.titles(widths).Render(f.Theme, f.Width))
	height := f.Height - 1
	top := max(0, min(t.at-height/2, len(t.shown)-height))
	for i := range height {
		b.WriteByte('\n')
		if top+i >= len(t.shown) {
			b.WriteString(f.Theme.Paint(themes.Text, Spaces(f.Width)))
			continue
		}
		t.row(&b, f, widths, t.shown[top+i], top+i == t.at)
	}
	return b.String()
}

// layout gives every column its width; 0 leaves it out.
func (t *Table) layout(width int) []int {
	widths := append([]int(nil), t.widths...)
	for i, c := range t.Columns { // what fills the room that is left gives way first
		if c.Fill {
			widths[i] = max(min(widths[i], max(c.Min, Width(c.Title))), widths[i]-max(0, t.total(widths)-width))
		}
	}
	for t.total(widths) > width {
		if !t.drop(widths) {
			t.shrink(widths, t.total(widths)-width)
			break
		}
	}
	if left := width - t.total(widths); left > 0 {
		for i, c := range t.Columns {
			if c.Fill && widths[i] > 0 {
				widths[i] += left
				break
			}
		}
	}
	return widths
}

func (t *Table) total(widths []int) int {
	n := -gap
	for _, w := range widths {
		if w > 0 {
			n += w + gap
		}
	}
	return max(n, 0)
}

// drop leaves out the least important column, of equals the one most to the right.
func (t *Table) drop(widths []int) bool {
	worst := -1
	for i, c := range t.Columns {
		if widths[i] > 0 && c.Priority > 0 && (worst < 0 || c.Priority >= t.Columns[worst].Priority) {
			worst = i
		}
	}
	if worst < 0 {
		return false
	}
	widths[worst] = 0
	return true
}

// shrink takes cells from the widest columns that stay.
func (t *Table) shrink(widths []int, cells int) {
	for ; cells > 0; cells-- {
		widest := 0
		for i := range widths {
			if widths[i] > widths[widest] {
				widest = i
			}
		}
		if widths[widest] <= 1 {
			return
		}
		widths[widest]--
	}
}

func (t *Table) titles(widths []int) Line {
	line := Line{}.Gap(marker)
	first := true
	for i, c := range t.Columns {
		if widths[i] == 0 {
			continue
		}
		if !first {
			line = line.Gap(gap)
		}
		first = false
		if i != t.sort {
			line = line.Dim(Fit(c.Title, widths[i], c.Right))
			continue
		}
		arrow := "^"
		if t.down {
			arrow = "v"
		}
		title := c.Title + arrow
		if c.Right && Width(title) > widths[i] {
			title = arrow + Cut(c.Title, widths[i]-1, false)
		}
		line = line.Add(themes.Accent, Fit(title, widths[i], c.Right))
	}
	return line
}

// row draws one row straight into b: hundreds of cells a frame make this the hottest place of the console.
func (t *Table) row(b *strings.Builder, f Frame, widths []int, index int, selected bool) {
	row := &t.rows[index]
	theme := f.Theme
	left := f.Width - marker
	role, sign := themes.Text, "  "
	if selected {
		theme, role, sign = theme.Selected(), themes.Accent, "> "
	}
	if t.marked[row.ID] {
		role, sign = themes.Accent, sign[:1]+"*"
	}
	b.WriteString(theme.Paint(role, sign))
	first := true
	for i, w := range widths {
		if w == 0 {
			continue
		}
		if !first {
			b.WriteString(theme.Paint(themes.Text, Spaces(min(gap, left))))
			left -= gap
		}
		first = false
		left -= w
		t.cell(b, f, theme, row, i, w)
	}
	if left > 0 {
		b.WriteString(theme.Paint(themes.Text, Spaces(left)))
	}
}

func (t *Table) cell(b *strings.Builder, f Frame, theme themes.Theme, row *Row, i, width int) {
	cell, column := row.Cells[i], t.Columns[i]
	role := cell.Role
	if row.Old {
		role = themes.Faint
	}
	if column.Watch && len(t.changed) > 0 {
		if c, ok := t.changed[cellKey{row.ID, i}]; ok {
			switch age := f.Now.Sub(c.at); {
			case age < flashFor:
				role = themes.Flash
			case age < rememberFor:
			default:
				ok = false
			}
			if ok && !column.Right {
				t.beside(b, theme, role, Clean(cell.Text), Clean(c.old), width)
				return
			}
		}
	}
	b.WriteString(theme.Paint(role, Fit(Clean(cell.Text), width, column.Right)))
}

// beside draws a value with the one it replaced, as far as there is room.
func (t *Table) beside(b *strings.Builder, theme themes.Theme, role themes.Role, text, old string, width int) {
	text = Cut(text, width, true)
	b.WriteString(theme.Paint(role, text))
	left := width - Width(text)
	if left >= Width(old)+1 {
		b.WriteString(theme.Paint(themes.Faint, " "+old))
		left -= Width(old) + 1
	}
	b.WriteString(theme.Paint(themes.Text, Spaces(left)))
}

// Note is a sentence instead of rows.
func Note(f Frame, role themes.Role, sentence string) string {
	lines := []Line{nil}
	for _, l := range Sentence(role, sentence, max(f.Width-4, 10)) {
		lines = append(lines, append(Line{}.Gap(2), l...))
	}
	return Lines(f.Theme, f.Width, f.Height, lines...)
}

// Trouble is the sentence about a cluster that cannot be reached.
func Trouble(problem string) string {
	first, n := utf8.DecodeRuneInString(problem)
	return string(unicode.ToUpper(first)) + strings.TrimRight(problem[n:], ".") + ". The console keeps trying."
}
