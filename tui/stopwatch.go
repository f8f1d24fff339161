package tui

import (
	"fmt"
	"time"

	"kdrill/admin"
	"kdrill/cluster"
	"kdrill/themes"
	"kdrill/tui/ui"
)

// stopwatch watches how the cluster recovers from the last fault.
type stopwatch struct {
	running  bool
	recovery admin.Recovery
	overAt   time.Time // when it was over, zero until then
	last     ui.Fault  // injected from this console
}

// lingers is how long the result of a recovery stays on show.
const lingers = 15 * time.Second

// begin starts at a fault. What matters is how the cluster was before it.
func (w *stopwatch) begin(fault admin.Event, before *admin.Snapshot, status *cluster.Status) {
	if before == nil || fault.At.Before(before.At.Add(-time.Minute)) {
		return // an old one, read from the file of events
	}
	if w.running && fault.At.Equal(w.recovery.Fault.At) && fault.Subject == w.recovery.Fault.Subject {
		return
	}
	session := time.Duration(0)
	d := ui.Data{Status: status}
	if n, ok := d.Node(fault.Subject); ok {
		session = n.Session
	}
	w.running, w.overAt = true, time.Time{}
	w.recovery = admin.Begin(fault, before, session)
}

func (w *stopwatch) observe(events []admin.Event, s *admin.Snapshot, now time.Time) {
	if !w.running || s == nil {
		return
	}
	w.recovery = w.recovery.Observe(events, s)
	if w.recovery.Over() && w.overAt.IsZero() {
		w.overAt = now
	}
}

// expire takes the result away after a while.
func (w *stopwatch) expire(now time.Time) {
	if w.running && !w.overAt.IsZero() && now.Sub(w.overAt) > lingers {
		w.running = false
	}
}

// dismiss takes the result away at once; it says whether there was one.
func (w *stopwatch) dismiss() bool {
	shown := w.running && !w.overAt.IsZero()
	w.running = w.running && !shown
	return shown
}

// open says whether a fault is not recovered from yet.
func (w *stopwatch) open() bool { return w.running && w.overAt.IsZero() }

// led says whether every partition is led again, so that only the return of the node is missing.
func (w *stopwatch) led() bool { return w.recovery.LedAgain >= w.recovery.ToLead }

// waits says whether only the user can end it: the node does not come back on its own.
func (w *stopwatch) waits() bool {
	r := &w.recovery
	return w.led() && r.Detected > 0 && r.Full == 0 && r.Returned == 0
}

// counting says whether tenths of a second matter now.
func (w *stopwatch) counting(now time.Time) bool {
	return w.open() && now.Sub(w.recovery.Fault.At) < time.Minute && (w.recovery.Left(now) > 0 || !w.led())
}

// what is the fault in a few words: broker-2 killed.
func (w *stopwatch) what() string { return w.recovery.Fault.Subject + " " + past(w.recovery.Fault.New) }

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

// lines are what stands at the top of every screen until it is over.
func (w *stopwatch) lines(t themes.Theme, now time.Time, width int) []ui.Line {
	if !w.running {
		return nil
	}
	r := &w.recovery
	since := now.Sub(r.Fault.At)
	head := ui.Line{}.Gap(1).Add(themes.Bad, w.what())
	if !w.overAt.IsZero() {
		head = ui.Line{}.Gap(1).Add(themes.Good, w.what()+", recovered").Text("  " + r.Verdict())
		return []ui.Line{head}
	}
	head = head.Dim("   " + ago(since))
	if w.waits() {
		how := "   R restarts it"
		if cluster.Verb(r.Fault.New) == cluster.Pause {
			how = "   P resumes it"
		}
		head = head.Add(themes.Warn, how)
	}
	if left := r.Left(now); left > 0 && r.Session > 0 {
		bar := ui.Line{}.Gap(1).Dim("session ends   ")
		bar = append(bar, ui.Bar(t, max(10, min(width-40, 48)), 1-float64(left)/float64(r.Session))...)
		bar = bar.Strong(fmt.Sprintf("  %.1f s", left.Seconds())).Dim(" left")
		return []ui.Line{head, bar, w.steps(width)}
	}
	return []ui.Line{head, w.steps(width)}
}

func ago(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1f s ago", d.Seconds())
	}
	return ui.Age(d) + " ago"
}

// steps says how far it has come: each step with the time it took after the one before.
func (w *stopwatch) steps(width int) ui.Line {
	r := &w.recovery
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
	case w.waits():
		step("ISR full", "waits", themes.Warn)
	}
	return line
}
