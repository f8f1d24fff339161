package cmd

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/mattn/go-runewidth"
)

// columns prints rows aligned: a heading that starts with ">" aligns its column right.
type columns struct {
	heads []string
	right []bool
	rows  [][]string
}

func newColumns(heads ...string) *columns {
	c := &columns{}
	for _, h := range heads {
		name, right := strings.CutPrefix(h, ">")
		c.heads, c.right = append(c.heads, name), append(c.right, right)
	}
	return c
}

func (c *columns) add(cells ...any) {
	row := make([]string, len(c.heads))
	for i, cell := range cells {
		row[i] = fmt.Sprint(cell)
	}
	c.rows = append(c.rows, row)
}

func (c *columns) print(w io.Writer) {
	widths := make([]int, len(c.heads))
	all := append([][]string{c.heads}, c.rows...)
	for _, row := range all {
		for i, cell := range row {
			widths[i] = max(widths[i], runewidth.StringWidth(cell))
		}
	}
	for _, row := range all {
		var line strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-runewidth.StringWidth(cell))
			if c.right[i] {
				line.WriteString(pad + cell)
			} else {
				line.WriteString(cell + pad)
			}
			line.WriteString("  ")
		}
		fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
	}
}

// number writes a count with thousands apart, and a hyphen for one that is unknown.
func number(n int64) string {
	if n < 0 {
		return "-"
	}
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// size writes bytes for people, and a hyphen for an unknown number of them.
func size(n int64) string {
	switch {
	case n < 0:
		return "-"
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n), 0
	for value >= 999.5 && unit < 4 {
		value, unit = value/1000, unit+1
	}
	return fmt.Sprintf("%.3g %s", value, []string{"B", "kB", "MB", "GB", "TB"}[unit])
}

func join(ids []int32) string {
	text := make([]string, len(ids))
	for i, id := range ids {
		text[i] = strconv.Itoa(int(id))
	}
	return strings.Join(text, ",")
}

// count is "1 broker", "3 brokers".
func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
