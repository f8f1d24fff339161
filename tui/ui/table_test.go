package ui

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"kdrill/themes"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

func tableOf(names ...string) (*Table, Data) {
	t := NewTable(Column{Title: "name", Min: 6, Fill: true}, Column{Title: "state", Min: 16, Watch: true, Priority: 1}, Column{Title: "n", Right: true, Priority: 2})
	d := Data{Now: noon, Page: 5}
	t.SetRows(rows("ok", names...), d)
	return &t, d
}

func rows(state string, names ...string) []Row {
	var all []Row
	for i, name := range names {
		all = append(all, Row{ID: name, Cells: []Cell{{Text: name}, {Text: state}, {Text: Count(int64(i)), Order: float64(i)}}})
	}
	return all
}

func press(t *testing.T, table *Table, names ...string) {
	t.Helper()
	for _, name := range names {
		k, ok := Find(table.Keys(), name)
		if !ok {
			t.Fatalf("no key %s", name)
		}
		k.Act()
	}
}

func seen(table *Table, now time.Time, width, height int) string {
	return ansi.Strip(table.View(Frame{Data: Data{Now: now}, Theme: themes.New(themes.Plain), Width: width, Height: height}))
}

func TestSelectionSticksToTheRowNotToItsPlace(t *testing.T) {
	table, d := tableOf("b", "c", "d")
	press(t, table, "j")
	table.SetRows(rows("ok", "a", "b", "c", "d"), d)
	if got := table.Selection(); got != "c" {
		t.Errorf("selected %s after a row came before it, want c", got)
	}
	table.SetRows(rows("ok", "a", "b"), d)
	if got := table.Selection(); got != "b" {
		t.Errorf("selected %s after its row went, want the row that is left, b", got)
	}
}

func TestCursorStaysOnTopUntilTheUserMovesIt(t *testing.T) {
	table, d := tableOf("coordinator-1")
	table.SetRows(rows("ok", "broker-1", "coordinator-1"), d)
	if got := table.Selection(); got != "broker-1" {
		t.Errorf("selected %s, want the first row", got)
	}
}

func TestStickingTableFollowsItsLastRow(t *testing.T) {
	table, d := tableOf("a", "b")
	table.Stick = true
	press(t, table, "G")
	table.SetRows(rows("ok", "a", "b", "c"), d)
	if got := table.Selection(); got != "c" {
		t.Errorf("selected %s, want the newest", got)
	}
	press(t, table, "k")
	table.SetRows(rows("ok", "a", "b", "c", "d"), d)
	if got := table.Selection(); got != "b" {
		t.Errorf("selected %s, want b where the user went", got)
	}
}

func TestSortTurnsRound(t *testing.T) {
	table, _ := tableOf("b", "c", "a")
	press(t, table, "s")
	order := func() string {
		var all []string
		for id := range table.Shown() {
			all = append(all, id)
		}
		return strings.Join(all, "")
	}
	if got := order(); got != "abc" {
		t.Errorf("sorted by name: %s", got)
	}
	press(t, table, "S")
	if got := order(); got != "cba" {
		t.Errorf("turned round: %s", got)
	}
	press(t, table, "s", "s")
	if got := order(); got != "acb" {
		t.Errorf("numbers begin with the greatest: %s", got)
	}
	press(t, table, "s")
	if got := order(); got != "bca" {
		t.Errorf("as given again: %s", got)
	}
}

func TestFilters(t *testing.T) {
	for _, c := range []struct{ filter, want string }{
		{"ord", "orders reorders"},
		{"^ord", "orders"},
		{"!ord", "payments"},
		{"ORD", "orders reorders"},
		{"-f pmt", "payments"},
		{"", "orders reorders payments"},
		{"!", "orders reorders payments"},
		{"zzz", ""},
		{"[", ""},
	} {
		table, _ := tableOf("orders", "reorders", "payments")
		table.SetFilter(c.filter)
		var all []string
		for id := range table.Shown() {
			all = append(all, id)
		}
		if got := strings.Join(all, " "); got != c.want {
			t.Errorf("filter %q shows %q, want %q", c.filter, got, c.want)
		}
	}
}

func TestColumnsLeaveByPriorityAsItNarrows(t *testing.T) {
	table, _ := tableOf("orders")
	for _, c := range []struct {
		width int
		want  string
	}{{60, "name state n"}, {31, "name state n"}, {28, "name state"}, {14, "name"}, {5, "name"}} {
		head := strings.Fields(strings.SplitN(seen(table, noon, c.width, 4), "\n", 2)[0])
		for i, h := range head {
			head[i] = strings.TrimSuffix(h, mark)
		}
		if got := strings.Join(head, " "); !strings.HasPrefix(c.want, got) || (c.width > 5 && got != c.want) {
			t.Errorf("%d cells show %q, want %q", c.width, got, c.want)
		}
	}
}

func TestChangedValueFlashesThenFades(t *testing.T) {
	table, d := tableOf("orders")
	d.Now = noon.Add(time.Second)
	table.SetRows(rows("offline", "orders"), d)
	if got := seen(table, d.Now.Add(2*time.Second), 60, 3); !strings.Contains(got, "offline ok") {
		t.Errorf("the old value does not stand beside the new one:\n%s", got)
	}
	if got := seen(table, d.Now.Add(9*time.Second), 60, 3); strings.Contains(got, "ok") {
		t.Errorf("the old value is still there:\n%s", got)
	}
	d.Now = noon.Add(time.Minute) // other screens were on show meanwhile
	table.SetRows(rows("ok", "orders"), d)
	if got := seen(table, d.Now, 60, 3); strings.Contains(got, "offline") {
		t.Errorf("a value of a minute ago stands beside the new one:\n%s", got)
	}
}

func TestRowsHaveExactlyTheWidth(t *testing.T) {
	table, _ := tableOf("주문-내역-아주-긴-이름", "e\u0301clair", "tab\there", "\x1b[31mred", "👩‍👩‍👧 family")
	for width := 3; width < 90; width++ {
		for i, line := range strings.Split(seen(table, noon, width, 8), "\n") {
			if got := Width(line); got != width {
				t.Fatalf("line %d has %d cells of %d: %q", i, got, width, line)
			}
		}
	}
}

func TestCursorIsAlwaysInSight(t *testing.T) {
	var names []string
	for i := range 100 {
		names = append(names, fmt.Sprintf("row-%02d", i))
	}
	table, _ := tableOf(names...)
	for range 120 {
		if got := seen(table, noon, 40, 7); !strings.Contains(got, "> "+table.Selection()) {
			t.Fatalf("%s is out of sight:\n%s", table.Selection(), got)
		}
		press(t, table, "j")
	}
}
