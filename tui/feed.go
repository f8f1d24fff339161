package tui

import (
	"time"

	tea "charm.land/bubbletea/v2"

	"kdrill/admin"
	"kdrill/cluster"
	"kdrill/tui/ui"
)

// The pace of ticks: what ages on the screen ages by the second; a running stopwatch counts in tenths.
const (
	slow = time.Second
	fast = 100 * time.Millisecond
)

func tick(after time.Duration) tea.Cmd {
	return tea.Tick(after, func(at time.Time) tea.Msg { return tickMsg(at) })
}

func (m *Model) onTick(at time.Time) tea.Cmd {
	m.forward(at)
	m.stopwatch.expire(m.data.Now)
	m.watch() // what is in view may be in another order
	if m.stopwatch.counting(m.data.Now) {
		return tick(fast)
	}
	return tick(slow)
}

// forward moves the console's time; it never goes back.
func (m *Model) forward(at time.Time) {
	if at.After(m.data.Now) {
		m.data.Now = at
	}
	if m.notice.Text != "" && m.notice.until.Before(m.data.Now) {
		if m.notice.until.IsZero() || m.data.Now.Sub(m.notice.until) < 24*time.Hour {
			m.notice = notice{}
		} else { // shown before the first tick told the time
			m.notice.until = m.data.Now.Add(toastFor)
		}
	}
}

// incoming is where new values go: while the display is frozen they wait.
func (m *Model) incoming() *ui.Data {
	if m.held != nil {
		return m.held
	}
	return &m.data
}

// fed tells the screen that there is something new.
func (m *Model) fed() tea.Cmd {
	if m.held != nil {
		return nil
	}
	return m.tell(m.data)
}

func (m *Model) onSnapshot(s *admin.Snapshot) tea.Cmd {
	m.forward(s.At)
	d := m.incoming()
	d.Snapshot, d.Health = s, admin.Check(s)
	remember(d, s)
	m.stopwatch.observe(nil, s, m.data.Now)
	return m.fed()
}

func (m *Model) onStatus(s cluster.Status) tea.Cmd {
	m.forward(s.At)
	m.incoming().Status = &s
	return m.fed()
}

func (m *Model) onEvents(events []admin.Event) tea.Cmd {
	d := m.incoming()
	all := append(d.Events, events...) // only this line appends: what screens hold is shorter, and not written over
	if len(all) > keptEvents {
		all = append([]admin.Event(nil), all[len(all)-keptEvents*4/5:]...)
	}
	d.Events = all
	for _, e := range events {
		if e.Kind == admin.KindFault {
			m.stopwatch.begin(e, d.Snapshot, d.Status)
		}
	}
	m.stopwatch.observe(events, d.Snapshot, m.data.Now)
	return m.fed()
}

// keptRates is how many rates of a topic are kept: the cells of a sparkline, twice.
const keptRates = 60

// remember adds the rates of a snapshot to the history; the empty name is the sum. Topics that never had any are left out.
func remember(d *ui.Data, s *admin.Snapshot) {
	sum, known := 0.0, false
	for _, t := range s.Topics {
		if t.PerSecond < 0 {
			continue
		}
		known = true
		sum += t.PerSecond
		if _, had := d.Rates[t.Name]; had || t.PerSecond > 0 {
			d.Rates[t.Name] = push(d.History(t), t.PerSecond)
		}
	}
	if known {
		d.Rates[""] = push(d.Rates[""], sum)
	}
}

// push adds a value. What others hold is shorter, and not written over: only the newest history is appended to.
func push(values []float64, v float64) []float64 {
	if len(values) < keptRates {
		return append(values, v)
	}
	if len(values) == cap(values) {
		values = append(make([]float64, 0, 2*keptRates), values[len(values)-keptRates+1:]...)
		return append(values, v)
	}
	return append(values[1:], v)
}
