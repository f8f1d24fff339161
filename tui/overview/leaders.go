package overview

import (
	"slices"
	"strings"

	"kdrill/admin"
	"kdrill/themes"
	"kdrill/tui/ui"
)

// side is what stands beside the nodes: the map of leaders, then rates.
func (s *Screen) side(f ui.Frame, width int) []ui.Line {
	if f.Snapshot == nil {
		return []ui.Line{ui.Styled(themes.Faint, "The brokers have not answered yet.")}
	}
	lines := leaders(f, width)
	lines = append(lines, nil)
	return append(lines, traffic(f, width)...)
}

// leaders shows how evenly leadership is spread: one bar a broker, and numbers for the topics with the most partitions.
func leaders(f ui.Frame, width int) []ui.Line {
	s := f.Snapshot
	loads := s.Loads()
	most := 1
	for _, l := range loads {
		most = max(most, l.Leads)
	}
	const name, cell = 10, 10
	bar := max(6, min(16, width/5))
	topics := chosen(s, max(0, (width-name-bar-6)/cell))
	head := ui.Line{}.Dim(ui.Fit("Leaders", name+bar+6, false))
	for _, t := range topics {
		head = head.Dim(ui.Fit(short(t.Name), cell-1, true)).Gap(1)
	}
	lines := []ui.Line{head}
	row := func(id int32, role themes.Role) {
		line := ui.Line{}.Add(role, ui.Fit(ui.Broker(id), name, false))
		leads := loads[id].Leads
		length := leads * bar / most
		if leads > 0 {
			length = max(1, length)
		}
		line = append(line, ui.Blocks(f.Theme, length)...)
		line = line.Gap(bar-length).Add(role, ui.Fit(ui.Count(int64(leads)), 5, true)).Gap(1)
		for _, t := range topics {
			n := 0
			for i := range t.Partitions {
				if t.Partitions[i].Leader == id {
					n++
				}
			}
			line = line.Dim(ui.Fit(ui.Count(int64(n)), cell-1, true)).Gap(1)
		}
		lines = append(lines, line)
	}
	for _, b := range s.Brokers {
		role := themes.Text
		if !b.Registered {
			role = themes.Faint
		}
		row(b.ID, role)
	}
	if loads[-1].Leads > 0 {
		row(-1, themes.Bad)
	}
	return lines
}

func short(name string) string {
	return ui.Cut(strings.Replace(name, "__consumer_offsets", "__offsets", 1), 9, true)
}

// chosen are the topics with the most partitions, the user's own first.
func chosen(s *admin.Snapshot, n int) []*admin.Topic {
	best := make([]*admin.Topic, 0, n+1)
	for _, t := range s.Topics {
		at := len(best)
		for at > 0 && before(t, best[at-1]) {
			at--
		}
		if at < n {
			best = slices.Insert(best, at, t)
			best = best[:min(len(best), n)]
		}
	}
	return best
}

func before(a, b *admin.Topic) bool {
	if a.Internal != b.Internal {
		return b.Internal
	}
	return len(a.Partitions) > len(b.Partitions)
}

// traffic is the rate of records with its past, and how far groups are behind.
func traffic(f ui.Frame, width int) []ui.Line {
	rates := f.Rates[""]
	line := ui.Line{}.Dim("Records in ")
	if len(rates) == 0 {
		line = line.Add(themes.Faint, "measuring")
	} else {
		line = line.Text(ui.Fit(ui.Rate(rates[len(rates)-1]), 8, true)).Gap(1).Add(themes.Accent, ui.Sparkline(rates, max(6, min(20, width-24))))
	}
	groups := ui.Line{}.Dim("Groups     ").Text(ui.Fit(ui.Count(int64(len(f.Snapshot.Groups))), 8, true))
	if len(f.Snapshot.Groups) > 0 {
		lag := int64(0)
		for _, g := range f.Snapshot.Groups {
			lag += max(g.Lag, 0)
		}
		groups = groups.Gap(1).Dim("lag ").Text(ui.Count(lag))
	}
	return []ui.Line{line, groups}
}
