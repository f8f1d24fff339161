package tui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"kdrill/admin"
	"kdrill/cluster"
	"kdrill/themes"
	"kdrill/tui/ui"
)

// stopwatch watches how the cluster recovers from faults: each has a clock of its own.
type stopwatch struct {
	clocks []*clock // the newest last; a node has one at most
	last   ui.Fault // injected from this console
}

// clock is that of one fault.
type clock struct {
	admin.Recovery
	overAt time.Time // when it was over, zero until then
}

// lingers is how long the result of a recovery stays on show.
const lingers = 15 * time.Second

// begin starts a clock with a fault. What matters is how the cluster was before it.
func (w *stopwatch) begin(fault admin.Event, before *admin.Snapshot, status *cluster.Status) {
	if before == nil || fault.At.Before(before.At.Add(-time.Minute)) {
		return // an old one, read from the file of events
	}
	for _, c := range w.clocks {
		if fault.At.Equal(c.Fault.At) && fault.Subject == c.Fault.Subject {
			return
		}
	}
	session := time.Duration(0)
	d := ui.Data{Status: status}
	if n, ok := d.Node(fault.Subject); ok {
		session = n.Session
	}
	w.clocks = slices.DeleteFunc(w.clocks, func(c *clock) bool { return c.Fault.Subject == fault.Subject || !c.open() })
	w.clocks = append(w.clocks, &clock{Recovery: admin.Begin(fault, before, session)})
}

func (w *stopwatch) observe(events []admin.Event, s *admin.Snapshot, now time.Time) {
	if s == nil {
		return
	}
	for _, c := range w.clocks {
		c.Recovery = c.Observe(events, s)
		if c.Over() && c.open() {
			c.overAt = now
		}
	}
}

// expire takes results away after a while.
func (w *stopwatch) expire(now time.Time) {
	w.clocks = slices.DeleteFunc(w.clocks, func(c *clock) bool { return !c.open() && now.Sub(c.overAt) > lingers })
}

// dismiss takes results away at once; it says whether there was one.
func (w *stopwatch) dismiss() bool {
	before := len(w.clocks)
	w.clocks = slices.DeleteFunc(w.clocks, func(c *clock) bool { return !c.open() })
	return len(w.clocks) < before
}

// open says whether a fault is not recovered from yet.
func (w *stopwatch) open() bool { return slices.ContainsFunc(w.clocks, (*clock).open) }

// counting says whether tenths of a second matter now.
func (w *stopwatch) counting(now time.Time) bool {
	return slices.ContainsFunc(w.clocks, func(c *clock) bool { return c.counting(now) })
}

// what is the open faults in a few words: broker-2 killed, broker-3 paused.
func (w *stopwatch) what() string {
	var all []string
	for _, c := range w.clocks {
		if c.open() {
			all = append(all, c.what())
		}
	}
	return strings.Join(all, ", ")
}

func (c *clock) open() bool { return c.overAt.IsZero() }

// led says whether every partition is led again, so that only the return of the node is missing.
func (c *clock) led() bool { return c.LedAgain >= c.ToLead }

// waits says whether only the user can end it: the node does not come back on its own.
func (c *clock) waits() bool {
	return c.led() && c.Detected > 0 && c.Full == 0 && c.Returned == 0
}

func (c *clock) counting(now time.Time) bool {
	return c.open() && now.Sub(c.Fault.At) < time.Minute && (c.Left(now) > 0 || !c.led())
}

func (c *clock) what() string { return c.Fault.Subject + " " + past(c.Fault.New) }

// past turns the verb of a fault into what has happened.
func past(verb string) string {
	switch cluster.Verb(verb) {
	case cluster.Kill:
		return "killed"
	case cluster.Stop:
		return "stopped"
	case cluster.Pause:
		return "paused"
	case cluster.Resume:
		return "resumed"
	case cluster.Restart:
		return "restarted"
	case cluster.Start:
		return "started"
	}
	return "faulted"
}

// most is how many clocks are shown at once.
const most = 3

// lines are what stands at the top of every screen until it is over: one clock with all its steps, or one line for each of
// several.
func (w *stopwatch) lines(t themes.Theme, now time.Time, width int) []ui.Line {
	switch len(w.clocks) {
	case 0:
		return nil
	case 1:
		return w.clocks[0].lines(t, now, width)
	}
	var lines []ui.Line
	newest := slices.Clone(w.clocks)
	slices.Reverse(newest)
	for _, c := range newest[:min(most, len(newest))] {
		lines = append(lines, c.line(now, width))
	}
	if more := len(newest) - most; more > 0 {
		lines = append(lines, ui.Line{}.Gap(1).Dim("and "+ui.Plural(more, "more fault")))
	}
	return lines
}

// line is a clock beside others: what matters of it now.
func (c *clock) line(now time.Time, width int) ui.Line {
	if !c.open() {
		recovered := func(what string) ui.Line { return ui.Line{}.Gap(1).Add(themes.Good, what).Text("  " + c.Verdict()) }
		line := recovered(c.what() + ", recovered")
		if line.Width() > width { // how long it took matters most
			line = recovered(c.what())
		}
		return line
	}
	line := ui.Line{}.Gap(1).Add(themes.Bad, c.what()).Dim("   " + ago(now.Sub(c.Fault.At)))
	if c.waits() {
		line = line.Add(themes.Warn, c.remedy())
	}
	if left := c.Left(now); left > 0 {
		return line.Gap(3).Dim("session ends in ").Strong(fmt.Sprintf("%.1f s", left.Seconds()))
	}
	return append(line.Gap(2), c.steps()...)
}

// remedy names the key that brings the node back.
func (c *clock) remedy() string {
	if cluster.Verb(c.Fault.New) == cluster.Pause {
		return "   P resumes it"
	}
	return "   R restarts it"
}

// lines are a clock that is alone.
func (c *clock) lines(t themes.Theme, now time.Time, width int) []ui.Line {
	if !c.open() {
		return []ui.Line{c.line(now, width)}
	}
	head := ui.Line{}.Gap(1).Add(themes.Bad, c.what()).Dim("   " + ago(now.Sub(c.Fault.At)))
	if c.waits() {
		head = head.Add(themes.Warn, c.remedy())
	}
	if left := c.Left(now); left > 0 && c.Session > 0 {
		bar := ui.Line{}.Gap(1).Dim("session ends   ")
		bar = append(bar, ui.Bar(t, max(10, min(width-40, 48)), 1-float64(left)/float64(c.Session))...)
		bar = bar.Strong(fmt.Sprintf("  %.1f s", left.Seconds())).Dim(" left")
		return []ui.Line{head, bar, c.steps()}
	}
	return []ui.Line{head, c.steps()}
}

func ago(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1f s ago", d.Seconds())
	}
	return ui.Age(d) + " ago"
}

// steps says how far it has come: each step with the time it took after the one before.
func (c *clock) steps() ui.Line {
	r := &c.Recovery
	line := ui.Line{}.Gap(1)
	step := func(name string, value string, role themes.Role) {
		if line.Width() > 1 {
			line = line.Gap(3)
		}
		line = line.Dim(name+" ").Add(role, value)
	}
	plus := func(d, before time.Duration) string {
		if before <= 0 {
			return ui.Took(d)
		}
		return "+" + ui.Took(max(0, d-before))
	}
	switch {
	case r.Detected == 0 && r.Resumed > 0:
		step("resumed after", ui.Took(r.Resumed), themes.Strong)
		step("in sync", "not seen yet", themes.Warn)
		return line
	case r.Detected > 0:
		step("detected", ui.Took(r.Detected), themes.Strong)
	default:
		step("detected", "not yet", themes.Warn)
	}
	if r.MoveController {
		if r.Controller > 0 {
			step("controller", plus(r.Controller, r.Detected), themes.Strong)
		} else {
			step("controller", "none yet", themes.Warn)
		}
	}
	if r.ToLead > 0 {
		of := fmt.Sprintf("%d of %d led again", r.LedAgain, r.ToLead)
		if r.Led > 0 {
			step(of, plus(r.Led, r.Detected), themes.Strong)
		} else {
			step(of, "", themes.Text)
		}
	}
	switch {
	case r.Full > 0:
		step("ISR full", ui.Took(r.Full), themes.Strong)
	case r.Returned > 0:
		step("ISR full", fmt.Sprintf("%d of %d", r.InSync, r.ToSync), themes.Warn)
	case c.waits():
		step("ISR full", "waits", themes.Warn)
	}
	return line
}
