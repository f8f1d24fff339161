package topic

import (
	"fmt"
	"strconv"
	"strings"

	tea "charm.land/bubbletea/v2"

	"kdrill/admin"
	"kdrill/tui/ui"
)

func (s *Screen) configKeys() []ui.Key {
	name := s.configs.Selection()
	not := s.data.Access.NoWrites
	if not == "" && name == "" {
		not = "no config is selected"
	}
	unset := not
	if e, ok := s.entry(name); unset == "" && ok && e.Source != "topic" {
		unset = name + " is not set by the topic"
	}
	return []ui.Key{
		{Keys: "e enter", Does: "edit the config", Hint: "edit", Not: not, Act: s.edit},
		{Keys: "u", Does: "unset the config, so that the broker's value counts", Hint: "unset", Not: unset, Act: func() tea.Cmd {
			return ui.Wish(ui.AlterConfig{Topic: s.name, Name: name, Unset: true})
		}},
	}
}

func (s *Screen) entry(name string) (admin.ConfigEntry, bool) {
	for _, e := range s.entries {
		if e.Name == name {
			return e, true
		}
	}
	return admin.ConfigEntry{}, false
}

// edit asks for a new value.
func (s *Screen) edit() tea.Cmd {
	name := s.configs.Selection()
	e, _ := s.entry(name)
	deed := func(v []string) ui.AlterConfig {
		return ui.AlterConfig{Topic: s.name, Name: name, Value: strings.TrimSpace(v[0])}
	}
	form := ui.NewForm(ui.Form{
		Title:  "Config of " + s.name,
		Verb:   "set",
		Fields: []ui.Field{{Name: name, Value: e.Value}},
		Line:   func(v []string) string { return s.data.Line(deed(v)) },
		Submit: func(v []string) (tea.Cmd, error) { return ui.Wish(deed(v)), nil },
	})
	return ui.Wish(ui.Ask{Overlay: form})
}

// addPartitions asks how many the topic should have.
func (s *Screen) addPartitions() tea.Cmd {
	t := s.topic()
	if t == nil {
		return nil
	}
	has := len(t.Partitions)
	read := func(text string) (int32, error) {
		n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 32)
		if err != nil || int(n) <= has {
			return 0, fmt.Errorf("must be more than %d: partitions cannot be taken away", has)
		}
		return int32(n), nil
	}
	form := ui.NewForm(ui.Form{
		Title: "Add partitions to " + s.name,
		Verb:  "add",
		Fields: []ui.Field{{Name: "partitions in all", Value: strconv.Itoa(has + 1), Proposed: true, Help: "keys are spread anew", Check: func(v string) error {
			_, err := read(v)
			return err
		}}},
		Line: func(v []string) string {
			n, _ := read(v[0])
			return s.data.Line(ui.AddPartitions{Topic: s.name, Total: n})
		},
		Submit: func(v []string) (tea.Cmd, error) {
			n, err := read(v[0])
			return ui.Wish(ui.AddPartitions{Topic: s.name, Total: n}), err
		},
	})
	return ui.Wish(ui.Ask{Overlay: form})
}
