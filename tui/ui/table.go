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
	pass    []bool          // of rows: the filter lets it through; nil until it is needed
	marked  map[string]bool // identities of rows
	changed map[cellKey]change
	set     time.Time // when rows were set last
	widths  []int
	page    int
}

// NewTable makes a table that shows rows in the order they are given.
func NewTable(columns ...Column) Table { return Table{Columns: columns, sort: -1} }

// SetRows replaces the rows. What changed in watched columns since the last time flashes, unless that was long ago: a screen
// that was not on show has old values, which nobody saw just now. A row whose cells are the very same as before costs next to nothing.
func (t *Table) SetRows(rows []Row, d Data) {
	t.page = d.Page
	last := t.Stick && t.at >= len(t.shown)-1
	t.expire(d.Now)
	recent := d.Now.Sub(t.set) <= rememberFor
	t.set = d.Now
	changed, aligned := t.changes(rows)
	if aligned && len(changed) == 0 {
		t.rows = rows
		return
	}
	if !aligned || len(t.pass) != len(rows) {
		t.pass = nil
	}
	if recent {
		t.note(rows, changed, aligned, d.Now)
	}
	t.rows = rows
	for _, i := range changed {
		if t.pass != nil {
			t.pass[i] = t.passes(i)
		}
	}
	if !aligned {
		t.forget()
	}
	t.measure()
	t.arrange()
	if last {
		t.Move(len(t.shown))
	}
}

// Rows are the rows as they were set last, whatever the filter says.
func (t *Table) Rows() []Row { return t.rows }

// changes says which rows have other cells than before; aligned says that they are the same rows in the same order.
func (t *Table) changes(rows []Row) (changed []int, aligned bool) {
	if len(rows) != len(t.rows) || len(rows) == 0 {
		return nil, false
	}
	for i := range rows {
		if rows[i].ID != t.rows[i].ID {
			return nil, false
		}
		a, b := rows[i].Cells, t.rows[i].Cells
		if len(a) != len(b) || len(a) > 0 && &a[0] != &b[0] || rows[i].Old != t.rows[i].Old {
			changed = append(changed, i)
		}
	}
	return changed, true
}

// expire forgets changes that are no longer shown.
func (t *Table) expire(now time.Time) {
	for key, c := range t.changed {
		if now.Sub(c.at) > rememberFor {
			delete(t.changed, key)
		}
	}
}

// note remembers watched cells that differ from before.
func (t *Table) note(rows []Row, changed []int, aligned bool, now time.Time) {
	if !slices.ContainsFunc(t.Columns, func(c Column) bool { return c.Watch }) {
		return
	}
	if aligned {
		for _, i := range changed {
			t.compare(rows[i], t.rows[i].Cells, now)
		}
		return
	}
	before := make(map[string][]Cell, len(t.rows))
	for _, r := range t.rows {
		before[r.ID] = r.Cells
	}
	for _, r := range rows {
		t.compare(r, before[r.ID], now)
	}
}

// compare notes what a row had before in watched columns.
func (t *Table) compare(r Row, old []Cell, now time.Time) {
	if len(old) != len(r.Cells) || len(old) == 0 || &old[0] == &r.Cells[0] {
		return
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
	if t.filter.Active() && t.pass == nil {
		t.pass = make([]bool, len(t.rows))
		for i := range t.rows {
			t.pass[i] = t.passes(i)
		}
	}
	t.shown = t.shown[:0]
	for i := range t.rows {
		if !t.filter.Active() || t.pass[i] {
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

// passes says whether a row matches the filter.
func (t *Table) passes(i int) bool { return !t.filter.Active() || t.filter.Match(t.rows[i].text()) }

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

// inViewStep is what the rows in view are rounded to: moving the cursor by one does not change them.
const inViewStep = 32

// InView are the identities of the rows that are shown around the cursor: all on the screen, and a few more.
func (t *Table) InView() []string {
	half := t.page/2 + 1
	first := max(0, min(t.at-half, len(t.shown)-t.page-1)) / inViewStep * inViewStep
	last := (max(t.at+half, t.page+1) + inViewStep - 1) / inViewStep * inViewStep
	var ids []string
	for _, i := range t.shown[min(first, len(t.shown)):min(last, len(t.shown))] {
		ids = append(ids, t.rows[i].ID)
	}
	return ids
}

// Sorted says whether the rows are in another order than they were given in.
func (t *Table) Sorted() bool { return t.sort >= 0 }

// Filter is what the rows are filtered by.
func (t *Table) Filter() string { return t.filter.String() }

// SetFilter shows only the rows that match.
func (t *Table) SetFilter(text string) {
	t.filter, t.pass = ParseFilter(text), nil
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
