package ui

import (
	"time"

	tea "charm.land/bubbletea/v2"

	"kdrill/admin"
	"kdrill/cluster"
	"kdrill/themes"
)

// Screen is one page of the console. It holds rows, cursor and filter; size, theme, time and the state of the cluster
// come with each call.
type Screen interface {
	// Update takes [Data] when something changed, and the answers to what the screen wished for. A command that it
	// returns carries one wish and does nothing else: it is run on the spot.
	Update(msg tea.Msg) tea.Cmd
	// View draws exactly f.Height lines of f.Width cells. It changes nothing.
	View(f Frame) string
	// Title is the line above the screen: what it shows and how much of it.
	Title(f Frame) (left, right Line)
	// Keys are what the screen understands now; help and hints are made of them.
	Keys() []Key
}

// Filterable is a screen whose rows can be filtered.
type Filterable interface {
	Filter() string
	SetFilter(text string)
}

// Interested is a screen that needs more of the cluster than every snapshot has.
type Interested interface {
	Interest() admin.Interest
}

// Selector is a screen with something to copy: the identity of the row under the cursor.
type Selector interface {
	Selection() string
}

// Marker is a screen whose rows can be marked for one action on all of them.
type Marker interface {
	Unmark() bool // says whether there was a mark
}

// Rawer is a screen that can show what it knows of the selection as it is.
type Rawer interface {
	Raw() any // nil if nothing is selected
}

// Visited is a screen that has something running while it is on show.
type Visited interface {
	Enter() tea.Cmd
	Leave() tea.Cmd
}

// Data is what the console knows. All of it is immutable: share it, never change it.
type Data struct {
	Snapshot *admin.Snapshot // nil until the first one came
	Health   admin.Health    // of the snapshot
	Status   *cluster.Status // nil where nobody supervises
	Events   []admin.Event   // oldest first
	Now      time.Time       // of the last tick
	Access   Access
	Page     int // rows that a page key moves
	// Rates holds records per second by topic, one value a snapshot, oldest first; the empty name has the sum. Topics that
	// never had any are not in it: [Data.History] knows.
	Rates map[string][]float64
	// Interval is the time between two snapshots.
	Interval time.Duration
	// Flags are those that make a command line mean this cluster: "--cluster other"; empty for the default one.
	Flags string
	// Location is where times of day are shown, nil for as they are.
	Location *time.Location
}

// Access says what the user may do here. A reason is empty when it is allowed.
type Access struct {
	NoFaults string // why nodes cannot be killed, stopped, paused or restarted
	NoWrites string // why topics and records cannot be changed
}

// Frame is what a screen needs to draw itself once.
type Frame struct {
	Data
	Theme         themes.Theme
	Width, Height int
}

// Wide says whether there is room for more than the necessary.
func (f Frame) Wide() bool { return f.Width >= 100 }

// Narrow says whether there is room for the most necessary only.
func (f Frame) Narrow() bool { return f.Width < 72 }

// Node returns the supervisor's view of a node.
func (d Data) Node(name string) (cluster.NodeStatus, bool) {
	if d.Status != nil {
		for _, n := range d.Status.Nodes {
			if n.Name == name {
				return n, true
			}
		}
	}
	return cluster.NodeStatus{}, false
}

// none are the rates of a topic without records, as long as any history is.
var none [120]float64

// History is the rates of a topic, oldest first.
func (d Data) History(t *admin.Topic) []float64 {
	rates, ok := d.Rates[t.Name]
	if !ok && t.PerSecond >= 0 {
		n := min(len(d.Rates[""]), len(none))
		return none[:n:n]
	}
	return rates
}

// Line is the command line that does the same as a deed.
func (d Data) Line(deed Deed) string {
	if d.Flags == "" {
		return deed.Line()
	}
	return deed.Line() + " " + d.Flags
}

// Stale says how old a value is, if it is older than a healthy cluster's values can be; else zero.
func (d Data) Stale(at time.Time) time.Duration {
	if at.IsZero() || d.Now.IsZero() {
		return 0
	}
	if age := d.Now.Sub(at); age > max(3*d.Interval, 3*time.Second) {
		return age
	}
	return 0
}

// Clock is a time of day with milliseconds.
func (d Data) Clock(at time.Time) string { return d.Local(at).Format("15:04:05.000") }

// Local is a time where the user is.
func (d Data) Local(at time.Time) time.Time {
	if d.Location == nil {
		return at
	}
	return at.In(d.Location)
}
