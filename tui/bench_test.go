package tui

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"kdrill/admin"
	"kdrill/themes"
	"kdrill/tui/ui/uitest"
)

// big is a cluster of 5,000 topics with six partitions each.
func big(at time.Time) *admin.Snapshot {
	s := *uitest.Snapshot()
	s.At, s.TopicsAt = at, at
	s.Topics = make([]*admin.Topic, 0, 5000)
	for i := range 5000 {
		s.Topics = append(s.Topics, uitest.Topic(fmt.Sprintf("topic-%04d", i), 6, 3, false))
	}
	s.Count()
	return &s
}

func bigConsole(screen string) *Model {
	m := New(Config{Theme: themes.Dark})
	m.update(tea.WindowSizeMsg{Width: 200, Height: 50})
	m.update(tickMsg(uitest.Now))
	m.update(statusMsg(*uitest.Status()))
	m.goTo(place{screen: screen})
	m.update(snapshotMsg{big(uitest.Now)})
	return m
}

// BenchmarkKeyToScreen is a key on the list of 5,000 topics until the new screen is drawn.
func BenchmarkKeyToScreen(b *testing.B) {
	m := bigConsole("topics")
	key := tea.KeyPressMsg{Code: 'j', Text: "j"}
	b.ReportAllocs()
	for b.Loop() {
		m.update(key)
		m.draw()
	}
}

// BenchmarkFilterToScreen is a letter of a filter over 5,000 topics until the new screen is drawn.
func BenchmarkFilterToScreen(b *testing.B) {
	m := bigConsole("topics")
	m.update(tea.KeyPressMsg{Code: '/', Text: "/"})
	for b.Loop() {
		m.update(tea.KeyPressMsg{Code: '7', Text: "7"})
		m.draw()
		m.update(tea.KeyPressMsg{Code: tea.KeyBackspace})
	}
}

// BenchmarkSnapshotToScreen is a new snapshot of 30,000 partitions until the new screen is drawn.
func BenchmarkSnapshotToScreen(b *testing.B) {
	for _, screen := range []string{"overview", "nodes", "topics"} {
		b.Run(screen, func(b *testing.B) {
			m := bigConsole(screen)
			at := uitest.Now
			s := big(at)
			b.ReportAllocs()
			for b.Loop() {
				at = at.Add(time.Second)
				next := *s
				next.At, next.TopicsAt = at, at
				m.update(snapshotMsg{&next})
				m.draw()
			}
			b.StopTimer()
			var stats runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&stats)
			b.ReportMetric(float64(stats.HeapInuse)/1e6, "MB-heap")
			runtime.KeepAlive(m)
		})
	}
}

// BenchmarkView is drawing every screen as it is.
func BenchmarkView(b *testing.B) {
	for _, p := range everyScreen {
		b.Run(p.screen, func(b *testing.B) {
			m := bigConsole(p.screen)
			m.goTo(p)
			b.ReportAllocs()
			for b.Loop() {
				m.draw()
			}
		})
	}
}
