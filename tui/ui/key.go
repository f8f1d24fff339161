package ui

import (
	"strings"

	tea "charm.land/bubbletea/v2"

	"kdrill/themes"
)

// Key is one thing a screen or the console can do, and the keys that do it. Help, hints and dispatch are made of the
// same list, so they never disagree.
type Key struct {
	Keys string // separated by spaces, as tea spells them; the first one is shown
	Does string // for help: "kill the node"
	Hint string // for the footer: "kill"; empty is not shown there
	Not  string // why it cannot be done now, one sentence; empty if it can
	Move bool   // it only moves or sorts: no action of the selected row
	Act  func() tea.Cmd
}

// Has says whether pressed is one of the keys.
func (k Key) Has(pressed string) bool {
	for name := range strings.FieldsSeq(k.Keys) {
		if name == pressed {
			return true
		}
	}
	return false
}

// Shown is the name of its first key.
func (k Key) Shown() string {
	name, _, _ := strings.Cut(k.Keys, " ")
	return name
}

// Find returns the first key of the list that has pressed.
func Find(keys []Key, pressed string) (Key, bool) {
	for _, k := range keys {
		if k.Has(pressed) {
			return k, true
		}
	}
	return Key{}, false
}

// Press does what the key is for, or says why it cannot.
func (k Key) Press() tea.Cmd {
	if k.Not != "" {
		return Wish(Toast{Text: k.Shown() + ": " + k.Not, Role: themes.Warn})
	}
	if k.Act == nil {
		return nil
	}
	return k.Act()
}

// Hints is one line of the keys that have a hint, as many as fit.
func Hints(keys []Key, width int) Line {
	var line Line
	used := 0
	for _, k := range keys {
		if k.Hint == "" {
			continue
		}
		role := themes.Dim
		if k.Not != "" {
			role = themes.Faint
		}
		w := Width(k.Shown()) + 1 + Width(k.Hint)
		if used > 0 {
			w += 3
		}
		if used+w > width {
			break
		}
		if used > 0 {
			line = line.Gap(3)
		}
		used += w
		if k.Not != "" {
			line = line.Add(themes.Faint, k.Shown()+" "+k.Hint)
			continue
		}
		line = line.Add(themes.Key, k.Shown()).Add(role, " "+k.Hint)
	}
	return line
}

// Clashes lists keys that stand twice in a list.
func Clashes(keys []Key) []string {
	var clashes []string
	seen := map[string]string{}
	for _, k := range keys {
		for name := range strings.FieldsSeq(k.Keys) {
			if other, ok := seen[name]; ok {
				clashes = append(clashes, name+": "+other+" and "+k.Does)
			}
			seen[name] = k.Does
		}
	}
	return clashes
}
