package ui

import (
	"strings"

	tea "charm.land/bubbletea/v2"
)

// sortNext sorts by the next column, or turns the order round.
func (t *Table) sortNext() {
	t.sort++
	if t.sort >= len(t.Columns) {
		t.sort = -1
	}
	t.down = t.sort >= 0 && t.Columns[t.sort].Right // the greatest numbers are what one looks for
	t.arrange()
}

// SortBy sorts by a column.
func (t *Table) SortBy(column int, down bool) {
	t.sort, t.down = column, down
	t.arrange()
}

// With adds the table's keys to those of its screen; columns get the letters that are left.
func (t *Table) With(keys []Key) []Key {
	keys = append(keys, t.Keys()...)
	if t.Marks {
		keys = append(keys, Key{Keys: "space", Does: "mark the row, or take the mark away", Move: true, Act: func() tea.Cmd { t.mark(); return nil }})
	}
	return append(keys, t.sortKeys(keys)...)
}

// faultLetters do something somewhere: whoever presses one on the wrong screen must not be surprised.
const faultLetters = "DEFGKPRSX"

// sortKeys give each column a capital letter of its title: the first one, if nothing else has it.
func (t *Table) sortKeys(taken []Key) []Key {
	letters := map[string]int{}
	free := func(letter string) bool {
		_, given := letters[letter]
		_, bound := Find(taken, letter)
		return !given && !bound && !strings.Contains(faultLetters, letter)
	}
	var keys []Key
	give := func(column int, letter string) {
		letters[letter] = column
		keys = append(keys, Key{Keys: letter, Does: "sort by " + t.Columns[column].Title, Move: true, Act: func() tea.Cmd {
			t.sortColumn(column)
			return nil
		}})
	}
	for i, c := range t.Columns {
		if first := strings.ToUpper(c.Title[:min(1, len(c.Title))]); first >= "A" && first <= "Z" && free(first) {
			give(i, first)
		}
	}
	return keys
}

// sortColumn sorts by a column, or turns the order round if it is sorted by it already.
func (t *Table) sortColumn(column int) {
	if t.sort == column {
		t.SortBy(column, !t.down)
		return
	}
	t.SortBy(column, t.Columns[column].Right)
}

// Keys are those that move and sort; every screen with a table has them.
func (t *Table) Keys() []Key {
	move := func(n func() int) func() tea.Cmd {
		return func() tea.Cmd { t.moved = true; t.Move(n()); return nil }
	}
	page := func() int { return max(t.page-1, 1) }
	return []Key{
		{Keys: "j down", Does: "next row", Move: true, Act: move(func() int { return 1 })},
		{Keys: "k up", Does: "previous row", Move: true, Act: move(func() int { return -1 })},
		{Keys: "g home", Does: "first row", Move: true, Act: move(func() int { return -len(t.shown) })},
		{Keys: "G end", Does: "last row", Move: true, Act: move(func() int { return len(t.shown) })},
		{Keys: "ctrl+d", Does: "half a page down", Move: true, Act: move(func() int { return max(page()/2, 1) })},
		{Keys: "ctrl+u", Does: "half a page up", Move: true, Act: move(func() int { return -max(page()/2, 1) })},
		{Keys: "pgdown ctrl+f", Does: "a page down", Move: true, Act: move(page)},
		{Keys: "pgup ctrl+b", Does: "a page up", Move: true, Act: move(func() int { return -page() })},
		{Keys: "s", Does: "sort by the next column", Move: true, Act: func() tea.Cmd { t.sortNext(); return nil }},
		{Keys: "S", Does: "turn the order round", Move: true, Act: func() tea.Cmd {
			if t.sort < 0 {
				t.sort = 0
			}
			t.down = !t.down
			t.arrange()
			return nil
		}},
	}
}
