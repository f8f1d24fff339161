package ui

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"kdrill/themes"
)

// Column is one column of a [Table].
type Column struct {
	Title string
	Right bool // numbers align right
	Min   int  // cells it needs at least
	Max   int  // cells it takes at most; 0 is what its values need
	Fill  bool // takes what is left over
	// Priority orders who leaves first when it gets narrow: the highest goes, 0 always stays.
	Priority int
	// Watch makes a changed value flash, and its old value stand beside it for a while.
	Watch bool
}

// Cell is one value.
type Cell struct {
	Text string
	Role themes.Role
	// Order sorts before Text does: numbers set it.
	Order float64
}

// Row is one row; its ID is what the selection sticks to.
type Row struct {
	ID    string
	Cells []Cell
	Old   bool // its values could not be refreshed: all dimmed
}

const (
	flashFor    = time.Second     // a changed value flashes
	rememberFor = 8 * time.Second // its old value stands beside it
	gap         = 2               // cells between columns
	marker      = 2               // cells for the selection's mark
	edge        = 1               // cells that stay free at the right end
)

// change is a value that was replaced.
type change struct {
	old string
	at  time.Time
}

type cellKey struct {
	row    string
	column int
}

// Table shows rows: sorted, filtered, with a selection that sticks to a row's identity. The cursor stays in the middle
// while the rows move below it, so that no height has to be remembered.
type Table struct {
	Columns []Column
	Empty   string // one sentence when there are no rows at all
	Stick   bool   // the cursor starts at the last row, and stays there as rows come
	Marks   bool   // rows can be marked, for one action on several

	rows    []Row
	shown   []int // indices of rows that pass the filter, in order
	cursor  string
	moved   bool // by the user; until then the cursor is on the first row, whatever comes
	at      int  // where the cursor is or was in shown
	sort    int  // column, -1 = as given
	down    bool
	filter  Filter
	marked  map[string]bool // identities of rows
	changed map[cellKey]change
	widths  []int
	page    int
}

// NewTable makes a table that shows rows in the order they are given.
func NewTable(columns ...Column) Table { return Table{Columns: columns, sort: -1} }

// SetRows replaces the rows. What changed in watched columns since the last time flashes.
func (t *Table) SetRows(rows []Row, d Data) {
	t.page = d.Page
	last := t.Stick && t.at >= len(t.shown)-1
	t.note(rows, d.Now)
	t.rows = rows
	t.forget()
	t.measure()
	t.arrange()
	if last {
		t.Move(len(t.shown))
	}
}

// note remembers watched cells that differ from before.
func (t *Table) note(rows []Row, now time.Time) {
	if !slices.ContainsFunc(t.Columns, func(c Column) bool { return c.Watch }) {
		return
	}
	for key, c := range t.changed {
		if now.Sub(c.at) > rememberFor {
			delete(t.changed, key)
		}
	}
	before := make(map[string][]Cell, len(t.rows))
	for _, r := range t.rows {
		before[r.ID] = r.Cells
	}
	for _, r := range rows {
		old, ok := before[r.ID]
		if !ok || len(old) != len(r.Cells) {
			continue
		}
		for i, c := range t.Columns {
			if c.Watch && old[i].Text != r.Cells[i].Text {
				if t.changed == nil {
					t.changed = map[cellKey]change{}
				}
				t.changed[cellKey{r.ID, i}] = change{old[i].Text, now}
			}
		}
	}
}

// measure finds how wide every column wants to be.
func (t *Table) measure() {
	t.widths = make([]int, len(t.Columns))
	for i, c := range t.Columns {
		t.widths[i] = max(c.Min, Width(c.Title))
	}
	for _, r := range t.rows {
		for i := range t.Columns {
			t.widths[i] = max(t.widths[i], Width(r.Cells[i].Text))
		}
	}
	for i, c := range t.Columns {
		if c.Max > 0 {
			t.widths[i] = min(t.widths[i], max(c.Max, Width(c.Title)))
		}
	}
}

// arrange filters and sorts, and puts the cursor back on its row.
func (t *Table) arrange() {
	t.shown = t.shown[:0]
	for i, r := range t.rows {
		if !t.filter.Active() || t.filter.Match(r.text()) {
			t.shown = append(t.shown, i)
		}
	}
	if t.sort >= 0 {
		slices.SortStableFunc(t.shown, func(a, b int) int {
			x, y := t.rows[a].Cells[t.sort], t.rows[b].Cells[t.sort]
			by := cmp.Or(cmp.Compare(x.Order, y.Order), strings.Compare(x.Text, y.Text))
			if t.down {
				by = -by
			}
			return cmp.Or(by, strings.Compare(t.rows[a].ID, t.rows[b].ID))
		})
	}
	if i := slices.IndexFunc(t.shown, func(i int) bool { return t.rows[i].ID == t.cursor }); i >= 0 && t.moved {
		t.at = i
		return
	}
	if !t.moved {
		t.at = 0
	}
	t.Move(0)
}

// text is what a filter looks at.
func (r Row) text() string {
	if len(r.Cells) == 1 {
		return r.Cells[0].Text
	}
	var b strings.Builder
	for i, c := range r.Cells {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(c.Text)
	}
	return b.String()
}

// Move moves the cursor by n rows.
func (t *Table) Move(n int) {
	if len(t.shown) == 0 {
		t.at = 0
		return
	}
	t.at = max(0, min(t.at+n, len(t.shown)-1))
	t.cursor = t.rows[t.shown[t.at]].ID
}

// Select puts the cursor on a row, if it is there.
func (t *Table) Select(id string) {
	if i := slices.IndexFunc(t.shown, func(i int) bool { return t.rows[i].ID == id }); i >= 0 {
		t.at, t.cursor, t.moved = i, id, true
	}
}

// Selection is the identity of the row under the cursor, empty if there is none.
func (t *Table) Selection() string {
	if len(t.shown) == 0 {
		return ""
	}
	return t.rows[t.shown[t.at]].ID
}

// mark marks the row under the cursor, or takes its mark away, and goes to the next one.
func (t *Table) mark() {
	id := t.Selection()
	switch {
	case id == "":
		return
	case t.marked[id]:
		delete(t.marked, id)
	case t.marked == nil:
		t.marked = map[string]bool{id: true}
	default:
		t.marked[id] = true
	}
	t.moved = true
	t.Move(1)
}

// forget takes the marks of rows away that are gone.
func (t *Table) forget() {
	if len(t.marked) == 0 {
		return
	}
	here := make(map[string]bool, len(t.marked))
	for _, r := range t.rows {
		if t.marked[r.ID] {
			here[r.ID] = true
		}
	}
	t.marked = here
}

// Marked is how many rows are marked, shown or not.
func (t *Table) Marked() int { return len(t.marked) }

// Unmark takes all marks away; it says whether there was one.
func (t *Table) Unmark() bool {
	n := len(t.marked)
	clear(t.marked)
	return n > 0
}

// Chosen are the identities of the marked rows, else of the one under the cursor.
func (t *Table) Chosen() []string {
	if len(t.marked) > 0 {
		return slices.Sorted(maps.Keys(t.marked))
	}
	if id := t.Selection(); id != "" {
		return []string{id}
	}
	return nil
}

// Last says whether the cursor is on the last row.
func (t *Table) Last() bool { return t.at >= len(t.shown)-1 }

// Shown yields the identities of the rows that are shown, in order.
func (t *Table) Shown() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, i := range t.shown {
			if !yield(t.rows[i].ID) {
				return
			}
		}
	}
}

// Sorted says whether the rows are in another order than they were given in.
func (t *Table) Sorted() bool { return t.sort >= 0 }

// Filter is what the rows are filtered by.
func (t *Table) Filter() string { return t.filter.String() }

// SetFilter shows only the rows that match.
func (t *Table) SetFilter(text string) {
	t.filter = ParseFilter(text)
	t.arrange()
}

// Natural is the width at which nothing has to be left out.
func (t *Table) Natural() int { return marker + t.total(t.widths) + edge }

// Counts says how many rows are shown, and how many there are.
func (t *Table) Counts() (shown, all int) { return len(t.shown), len(t.rows) }

// Heading is the name of what the rows are, with filter and counts: Topics(/ord)[12/1000].
func (t *Table) Heading(name string) Line {
	shown, all := t.Counts()
	line := Styled(themes.Strong, name)
	if !t.filter.Active() {
		return t.headMarks(line.Dim("[" + Count(int64(all)) + "]"))
	}
	line = line.Add(themes.Accent, "(/"+t.filter.String()+")").Dim("[" + Count(int64(shown)) + "/" + Count(int64(all)) + "]")
	if t.filter.Problem() != "" {
		line = line.Add(themes.Warn, "  "+t.filter.Problem())
	}
	return t.headMarks(line)
}

func (t *Table) headMarks(line Line) Line {
	if len(t.marked) == 0 {
		return line
	}
	return line.Add(themes.Accent, "  "+Count(int64(len(t.marked)))+" marked")
}
