package tui

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	tea "charm.land/bubbletea/v2"

	"kdrill/themes"
	"kdrill/tui/ui"
	"kdrill/tui/ui/uitest"
)

// TestGoldenScreens draws the whole console: every screen in every size, and what can lie over it.
func TestGoldenScreens(t *testing.T) {
	for _, p := range everyScreen {
		name := p.screen
		if p.screen == "records" && p.arg == "" {
			name = "records-which"
		}
		golden(t, name, "healthy", func(c *console) {
			c.run(c.model.goTo(p))
			c.pass(100e6)
			c.records(12)
			c.znodes()
		})
	}
	golden(t, "fault-asked", "healthy", func(c *console) { c.keys("j", "K") })
	golden(t, "fault-coordinator", "healthy", func(c *console) { c.keys("G", "k", "X") })
	golden(t, "fault-watched", "healthy", func(c *console) { c.data(fixture("faults")); c.data(uitest.Failed()) })
	golden(t, "faults-watched", "healthy", func(c *console) {
		c.data(fixture("faults"))
		c.data(uitest.Failed())
		c.data(fixture("second"))
	})
	golden(t, "broken", "failed", func(*console) {})
	golden(t, "crowded", "crowded", func(c *console) { c.keys("6") })
	golden(t, "crowded-run", "crowded", func(c *console) { c.keys("6", "enter") })
	golden(t, "crowded-filter", "crowded", func(c *console) { c.keys("6", "/"); c.typed("invoices/1"); c.keys("enter") })
	golden(t, "crowded-overview", "crowded", func(*console) {})
	golden(t, "unreachable", "unreachable", func(*console) {})
	golden(t, "loading", "", func(*console) {})
	golden(t, "help", "healthy", func(c *console) { c.keys("?") })
	golden(t, "command-line", "healthy", func(c *console) { c.keys(":"); c.typed("t") })
	golden(t, "filter", "healthy", func(c *console) { c.keys("3", "/"); c.typed("or") })
	golden(t, "form", "healthy", func(c *console) { c.keys("3", "n"); c.typed("no way"); c.keys("tab") })
	golden(t, "delete", "healthy", func(c *console) { c.keys("3", "D") })
	golden(t, "record", "healthy", func(c *console) {
		c.run(c.model.goTo(place{"records", "orders"}))
		c.settle()
		c.records(3)
		c.keys("enter")
	})
	for name, to := range map[string]place{"coordinators": {screen: "coordinators"}, "sessions": {screen: "sessions"}, "znodes": {screen: "znodes"}} {
		golden(t, name+"-quiet", "quiet", func(c *console) { c.run(c.model.goTo(to)); c.settle() })
		golden(t, name+"-kraft", "kraft", func(c *console) { c.run(c.model.goTo(to)); c.settle() })
		golden(t, name+"-loading", "", func(c *console) { c.run(c.model.goTo(to)); c.settle() })
	}
	golden(t, "znodes-crowd", "healthy", func(c *console) { c.browse("/crowd/00003") })
	golden(t, "znodes-follow", "healthy", func(c *console) { c.browse("/brokers"); c.keys("w") })
	golden(t, "znodes-offline", "healthy", func(c *console) {
		c.browse("/controller")
		v := uitest.Znodes()
		v.Online, v.At = false, time.Now().Add(-7*time.Second)
		c.send(ui.Znodes{View: v})
	})
	golden(t, "znodes-binary", "healthy", func(c *console) { c.browse("/crowd"); c.keys("d") })
	golden(t, "znode-delete", "healthy", func(c *console) { c.browse("/brokers/ids"); c.keys("D") })
	golden(t, "znode-set", "healthy", func(c *console) {
		c.browse("/controller")
		c.keys("e", "backspace")
		c.typed(`,"x":1}`)
		c.keys("enter")
	})
	golden(t, "configs", "healthy", func(c *console) { c.run(c.model.goTo(place{"topic", "orders"})); c.settle(); c.keys("right") })
}

func golden(t *testing.T, name, data string, set func(*console)) {
	t.Helper()
	for _, size := range uitest.Sizes {
		synctest.Test(t, func(t *testing.T) {
			c := open(t, nil)
			c.send(tea.WindowSizeMsg{Width: size[0], Height: size[1]})
			if data != "" {
				c.data(fixture(data))
			}
			set(c)
			uitest.Golden(t, fmt.Sprintf("%s-%dx%d", name, size[0], size[1]), c.model.theme, size[0], size[1], c.model.draw())
		})
	}
}

func TestThemes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, theme := range []string{themes.Light, themes.Plain, themes.Basic} {
			c := open(t, func(cfg *Config) { cfg.Theme = theme })
			c.data(uitest.Failed())
			c.send(tea.WindowSizeMsg{Width: 120, Height: 40})
			uitest.Golden(t, "overview-"+theme, c.model.theme, 120, 40, c.model.draw())
		}
	})
}
