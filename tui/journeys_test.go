package tui

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	tea "charm.land/bubbletea/v2"
	"golang.org/x/tools/txtar"

	"kdrill/admin"
	"kdrill/admin/records"
	"kdrill/tui/ui"
	"kdrill/tui/ui/uitest"
)

// TestJourneys plays the scripts of testdata/journeys: one command a line.
//
//	size W H            the terminal's size
//	data NAME           what the cluster shows: healthy, failed, faults (events of a kill only), second (events of a pause only), resumed, unreachable, quiet, kraft
//	keys K…             keys by name
//	type TEXT           letters
//	paste TEXT          pasted letters
//	wait DURATION       time passes
//	records N           N records come from the tail of orders
//	znodes              the browser of znodes sends what is shown
//	fail TEXT           deeds fail with this sentence; without a text they succeed again
//	see TEXT            is on the screen; unseen TEXT is not
//	deed TEXT           was done, as the last one; idle: nothing was done at all
//	left HOW            the console was left: stop, stay, or to another cluster's name
//	options WORD…       before anything else: read-only, remote
func TestJourneys(t *testing.T) {
	files, err := filepath.Glob("testdata/journeys/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no journeys", err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { play(t, string(archive.Comment)) })
		})
	}
}

func play(t *testing.T, script string) {
	var c *console
	for i, line := range strings.Split(script, "\n") {
		line = strings.TrimSpace(line)
		word, rest, _ := strings.Cut(line, " ")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if c == nil {
			options := ""
			if word == "options" {
				options = rest
			}
			c = open(t, func(cfg *Config) {
				cfg.ReadOnly = strings.Contains(options, "read-only")
				if strings.Contains(options, "remote") {
					cfg.Nodes, cfg.MayStop = nil, false
				}
			})
		}
		if word != "options" && !c.step(word, rest) {
			t.Fatalf("line %d: %s\n%s", i+1, line, c.screen())
		}
	}
}

// step does one line; it says whether it held.
func (c *console) step(word, rest string) bool {
	last := ""
	if n := len(c.fake.deeds); n > 0 {
		last = c.fake.deeds[n-1]
	}
	switch word {
	case "size":
		w, h, _ := strings.Cut(rest, " ")
		width, _ := strconv.Atoi(w)
		height, _ := strconv.Atoi(h)
		c.send(tea.WindowSizeMsg{Width: width, Height: height})
	case "data":
		c.data(fixture(rest))
	case "keys":
		c.keys(strings.Fields(rest)...)
	case "type":
		c.typed(rest)
	case "paste":
		c.send(tea.PasteMsg{Content: rest})
	case "wait":
		d, err := time.ParseDuration(rest)
		c.pass(d)
		return err == nil
	case "records":
		n, _ := strconv.Atoi(rest)
		c.records(n)
	case "znodes":
		c.znodes()
	case "fail":
		c.fake.fail = nil
		if rest != "" {
			c.fake.fail = sentence(rest)
		}
	case "see":
		return strings.Contains(c.screen(), rest)
	case "unseen":
		return !strings.Contains(c.screen(), rest)
	case "deed":
		return last == rest
	case "idle":
		return last == ""
	case "left":
		o := c.model.outcome
		how := o.Context
		if how == "" {
			how = map[bool]string{true: "stop", false: "stay"}[o.Stop]
		}
		return c.quit && how == rest
	default:
		return false
	}
	return true
}

type sentence string

func (s sentence) Error() string { return string(s) }

func fixture(name string) ui.Data {
	switch name {
	case "quiet":
		return uitest.Quiet()
	case "kraft":
		return uitest.KRaft()
	case "failed":
		return uitest.Failed()
	case "crowded":
		return uitest.Crowded()
	case "faults":
		d := uitest.Empty()
		d.Events = uitest.Fault()
		return d
	case "second":
		d := uitest.Empty()
		d.Events = uitest.Second()
		return d
	case "resumed":
		return uitest.Resumed()
	case "unreachable":
		d := uitest.Empty()
		d.Snapshot = &admin.Snapshot{At: uitest.Now, Controller: -1, Problem: "No broker of 10.0.0.1:9092 answers."}
		return d
	}
	return uitest.Healthy()
}

func (c *console) records(n int) {
	b := ui.Batch{Name: "orders"}
	for i := range n {
		b.Records = append(b.Records, records.Record{
			Topic: "orders", Partition: int32(i % 3), Offset: int64(i), Time: uitest.Now, TimeType: "CreateTime", ProducerID: -1,
			Key: []byte("kr-" + strconv.Itoa(i)), Value: []byte(`{"amount":1000,"memo":"입금"}`),
		})
	}
	b.Read, b.At = int64(n), time.Now()
	c.send(b)
}
