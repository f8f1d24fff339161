package ui

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"kdrill/themes"
)

// TestATableThatKeepsWhatDidNotChangeShowsWhatOneMadeAnewShows changes rows, filter and order at random.
func TestATableThatKeepsWhatDidNotChangeShowsWhatOneMadeAnewShows(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	columns := []Column{{Title: "name", Fill: true}, {Title: "state"}, {Title: "n", Right: true}}
	row := func(id int) Row {
		n := random.IntN(1000)
		return Row{ID: fmt.Sprint("row-", id), Cells: []Cell{{Text: fmt.Sprint("row-", id)}, {Text: []string{"in sync", "1 offline"}[n%2]}, {Text: fmt.Sprint(n), Order: float64(n)}}}
	}
	kept := NewTable(columns...)
	filter, column, down := "", -1, false
	var rows []Row
	for id := range 30 {
		rows = append(rows, row(id))
	}
	d := Data{Now: time.Unix(1000, 0), Page: 20}
	for step := range 3000 {
		rows = slices.Clone(rows) // the table keeps those it got
		switch random.IntN(8) {
		case 0:
			filter = []string{"", "1", "!sync", "-f of"}[random.IntN(4)]
			kept.SetFilter(filter)
		case 1:
			column, down = random.IntN(4)-1, random.IntN(2) == 0
			kept.SortBy(column, down)
		case 2:
			if len(rows) > 5 {
				i := random.IntN(len(rows))
				rows = slices.Delete(rows, i, i+1)
			}
		case 3:
			rows = slices.Insert(rows, random.IntN(len(rows)+1), row(100+step))
		case 4: // nothing
		default:
			i := random.IntN(len(rows))
			changed := row(0)
			changed.ID, changed.Cells[0] = rows[i].ID, rows[i].Cells[0]
			rows[i] = changed
		}
		kept.SetRows(rows, d)
		anew := NewTable(columns...)
		anew.SetRows(rows, d)
		anew.SetFilter(filter)
		anew.SortBy(column, down)
		if got, want := slices.Collect(kept.Shown()), slices.Collect(anew.Shown()); !slices.Equal(got, want) {
			t.Fatalf("step %d: filter %q, column %d shows\n%v, made anew\n%v", step, filter, column, got, want)
		}
		f := Frame{Data: d, Theme: themes.New(themes.Plain), Width: 60, Height: 21}
		anew.Select(kept.Selection())
		if got, want := kept.View(f), anew.View(f); got != want {
			t.Fatalf("step %d: shows\n%s\nmade anew\n%s", step, got, want)
		}
	}
}

func TestInViewIsWhatTheScreenShowsAndLittleMore(t *testing.T) {
	table := NewTable(Column{Title: "name"})
	var rows []Row
	for id := range 1000 {
		rows = append(rows, Row{ID: fmt.Sprint(id), Cells: []Cell{{Text: fmt.Sprint("row-", id, ".")}}})
	}
	d := Data{Page: 30}
	table.SetRows(rows, d)
	f := Frame{Data: d, Theme: themes.New(themes.Plain), Width: 40, Height: d.Page + 1}
	times, last := 0, []string(nil)
	for range 1000 {
		view, in := table.View(f), table.InView()
		if len(in) > d.Page+3*inViewStep {
			t.Fatalf("%d rows in view, the screen has %d", len(in), d.Page)
		}
		shown := 0
		for _, id := range in {
			if strings.Contains(view, "row-"+id+".") {
				shown++
			}
		}
		if shown != d.Page {
			t.Fatalf("with the cursor on %s, %d of the %d rows on the screen are in view", table.Selection(), shown, d.Page)
		}
		if !slices.Equal(in, last) {
			times, last = times+1, in
		}
		table.moved = true
		table.Move(1)
	}
	if times > 2*1000/inViewStep+1 {
		t.Errorf("what is in view changed %d times while the cursor went over 1,000 rows", times)
	}
}
