package tui

import (
	"strings"
	"testing"
	"testing/synctest"

	"kdrill/tui/ui"
	"kdrill/tui/ui/uitest"
)

// everyScreen are all places of the console.
var everyScreen = []place{
	{"overview", ""},
	{"nodes", ""},
	{"log", "broker-1"},
	{"topics", ""},
	{"topic", "orders"},
	{"groups", ""},
	{"group", "billing"},
	{"records", ""},
	{"records", "orders"},
	{"timeline", ""},
	{"coordinators", ""},
	{"znodes", ""},
	{"sessions", ""},
	{"actions", ""},
}

func TestTwoKeysNeverClash(t *testing.T) {
	m := New(Config{})
	for _, clash := range ui.Clashes(m.keys()) {
		t.Errorf("console: %s", clash)
	}
	for _, p := range everyScreen {
		s := m.newScreen(p)
		s.Update(uitest.Healthy())
		for _, clash := range ui.Clashes(s.Keys()) {
			t.Errorf("%v: %s", p, clash)
		}
		for _, k := range s.Keys() {
			for name := range strings.FieldsSeq(k.Keys) {
				own, ok := ui.Find(m.keys(), name)
				if ok && name != "ctrl+s" { // a screen may know better what of it is worth saving
					t.Errorf("%v takes %s (%s) from the console (%s)", p, name, k.Does, own.Does)
				}
			}
		}
	}
}

func TestNoKeyNearCtrlDDestroys(t *testing.T) {
	m := New(Config{Nodes: &fake{}})
	for _, p := range everyScreen {
		s := m.newScreen(p)
		s.Update(uitest.Healthy())
		for _, name := range []string{"ctrl+d", "ctrl+k"} {
			k, ok := ui.Find(s.Keys(), name)
			if !ok {
				continue
			}
			if cmd := k.Press(); cmd != nil {
				if _, deed := cmd().(ui.Deed); deed {
					t.Errorf("%v: %s does %s", p, name, k.Does)
				}
			}
		}
	}
}

func TestEveryScreenExplainsItsKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, nil)
		c.data(uitest.Healthy())
		for _, p := range everyScreen {
			c.run(c.model.goTo(p))
			c.settle()
			for _, k := range c.model.screen().Keys() {
				if k.Does == "" {
					t.Errorf("%v: key %s has no explanation", p, k.Keys)
				}
			}
			c.keys("?")
			c.sees("Keys of " + p.screen)
			c.keys("esc")
		}
	})
}
