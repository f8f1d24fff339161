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
	total := map[int32]int{}
	most := 1
	for i := range s.Topics {
		for j := range s.Topics[i].Partitions {
			p := &s.Topics[i].Partitions[j]
			total[p.Leader]++
			most = max(most, total[p.Leader])
		}
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
		length := total[id] * bar / most
		if total[id] > 0 {
			length = max(1, length)
		}
		line = append(line, ui.Blocks(f.Theme, length)...)
		line = line.Gap(bar-length).Add(role, ui.Fit(ui.Count(int64(total[id])), 5, true)).Gap(1)
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
	if total[-1] > 0 {
		row(-1, themes.Bad)
	}
	return lines
}

func short(name string) string {
	return ui.Cut(strings.Replace(name, "__consumer_offsets", "__offsets", 1), 9, true)
}

// chosen are the topics with the most partitions, the user's own first.
func chosen(s *admin.Snapshot, n int) []*admin.Topic {
	topics := slices.Clone(s.Topics)
	slices.SortStableFunc(topics, func(a, b *admin.Topic) int {
		if a.Internal != b.Internal {
			if a.Internal {
				return 1
			}
			return -1
		}
		return len(b.Partitions) - len(a.Partitions)
	})
	return topics[:min(n, len(topics))]
}

// traffic is the rate of records with its past, and how far groups are behind.
func traffic(f ui.Frame, width int) []ui.Line {
	rates := f.Rates[""]
	line := ui.Line{}.Dim("Records in ")
	if len(rates) == 0 {
		line = line.Add(themes.Faint, "not known yet")
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
