package group

import (
	"strings"
	"testing"
	"time"

	"kdrill/admin"
	"kdrill/themes"
	"kdrill/tui/ui"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func data(at time.Time, lags ...int64) ui.Data {
	g := admin.Group{
		ID: "billing", State: "Stable", Coordinator: 2, At: at, PerSecond: 12,
		Members: []admin.Member{{ID: "app-1", ClientID: "app", Host: "/127.0.0.1", Assigned: map[string][]int32{"orders": {1, 0}}}},
	}
	for i, lag := range lags {
		g.Partitions = append(g.Partitions, admin.GroupLag{Topic: "orders", Partition: int32(i), Committed: 100, End: 100 + lag, Lag: lag, Member: "app-1"})
		g.Lag += lag
	}
	return ui.Data{Snapshot: &admin.Snapshot{At: at, GroupsAt: at, Groups: []admin.Group{g}}, Now: at, Page: 20}
}

func see(s *Screen, d ui.Data) string {
	view := s.View(ui.Frame{Data: d, Theme: themes.New(themes.Plain), Width: 120, Height: 10})
	var out strings.Builder
	skip := false
	for _, r := range view {
		switch {
		case r == '\x1b':
			skip = true
		case skip && r == 'm':
			skip = false
		case !skip:
			out.WriteRune(r)
		}
	}
	return out.String()
}

func TestLagSaysWhetherItGrows(t *testing.T) {
	s := New("billing")
	s.Update(data(noon, 10, 10, 10))
	later := data(noon.Add(time.Second), 25, 3, 10)
	s.Update(later)
	lines := strings.Split(see(s, later), "\n")
	for i, want := range []string{"rising", "falling", ""} {
		line := lines[i+1]
		if got := strings.Contains(line, "rising") || strings.Contains(line, "falling"); got != (want != "") || !strings.Contains(line, want) {
			t.Errorf("orders/%d: want %q in %q", i, want, line)
		}
	}
}

func TestMembersShowWhatTheyRead(t *testing.T) {
	s := New("billing")
	d := data(noon, 1)
	s.Update(d)
	k, _ := ui.Find(s.Keys(), "right")
	k.Press()
	if got := see(s, d); !strings.Contains(got, "orders 0,1") || !strings.Contains(got, "127.0.0.1") {
		t.Errorf("\n%s", got)
	}
}

func TestAGroupThatIsGoneIsSaidSo(t *testing.T) {
	s := New("other")
	d := data(noon, 1)
	s.Update(d)
	if got := see(s, d); !strings.Contains(got, "no group other") {
		t.Errorf("\n%s", got)
	}
}

func TestKeysDoNotClash(t *testing.T) {
	if clashes := ui.Clashes(New("billing").Keys()); len(clashes) > 0 {
		t.Error(clashes)
	}
}
