package tui

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"kdrill/admin"
	"kdrill/admin/records"
	"kdrill/admin/znodes"
	"kdrill/cluster"
	"kdrill/themes"
	"kdrill/tui/ui"
	"kdrill/tui/ui/uitest"
)

// console plays the terminal program: it hands messages to the model and runs the commands that come back.
type console struct {
	t     *testing.T
	model *Model
	msgs  chan tea.Msg
	done  chan struct{}
	quit  bool
	fake  *fake
}

// open starts a console in a synctest bubble.
func open(t *testing.T, change func(*Config)) *console {
	t.Helper()
	f := &fake{}
	cfg := Config{Cluster: "default", Theme: themes.Dark, Nodes: f, Kafka: f, Znodes: f, Observer: f, MayStop: true, Contexts: []string{"default", "other"}}
	if change != nil {
		change(&cfg)
	}
	c := &console{t: t, model: New(cfg), msgs: make(chan tea.Msg, 1000), done: make(chan struct{}), fake: f}
	ctx, leave := context.WithCancel(t.Context())
	c.model.commands.ctx = ctx
	t.Cleanup(func() {
		close(c.done)
		leave()
		time.Sleep(2 * time.Second) // of the bubble: the last ticks end
	})
	c.model.data.Location = time.UTC
	c.model.commands.send = func(msg tea.Msg) { c.msgs <- msg }
	c.run(c.model.Init())
	c.settle()
	c.send(tea.WindowSizeMsg{Width: 80, Height: 24})
	return c
}

// run runs a command as the terminal program does.
func (c *console) run(cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	go func() {
		switch msg := cmd().(type) {
		case nil:
		case tea.BatchMsg:
			for _, one := range msg {
				c.run(one)
			}
		default:
			select {
			case c.msgs <- msg:
			case <-c.done:
			}
		}
	}()
}

func (c *console) send(msg tea.Msg) {
	c.run(c.model.update(msg))
	c.settle()
}

// settle lets everything happen that does not need time to pass.
func (c *console) settle() {
	for {
		synctest.Wait()
		select {
		case msg := <-c.msgs:
			if _, ok := msg.(tea.QuitMsg); ok {
				c.quit = true
				continue
			}
			c.run(c.model.update(msg))
		default:
			return
		}
	}
}

// pass lets time go by.
func (c *console) pass(d time.Duration) {
	for range int(d / (50 * time.Millisecond)) {
		time.Sleep(50 * time.Millisecond)
		c.settle()
	}
}

// data hands a fixture over, as if it had come from the cluster now.
func (c *console) data(d ui.Data) {
	now := time.Since(uitest.Now) // from the fixture's time to the bubble's
	if d.Status != nil {
		s := *d.Status
		s.At = s.At.Add(now)
		s.Nodes = slices.Clone(s.Nodes)
		for i := range s.Nodes {
			s.Nodes[i].Started = s.Nodes[i].Started.Add(now)
		}
		c.send(statusMsg(s))
	}
	if d.Snapshot != nil {
		s := *d.Snapshot
		s.At = s.At.Add(now)
		for _, at := range []*time.Time{&s.TopicsAt, &s.GroupsAt} {
			if !at.IsZero() {
				*at = at.Add(now)
			}
		}
		s.Topics = slices.Clone(s.Topics)
		for i := range s.Topics {
			s.Topics[i] = new(*s.Topics[i])
			s.Topics[i].Partitions = slices.Clone(s.Topics[i].Partitions)
			for j := range s.Topics[i].Partitions {
				p := &s.Topics[i].Partitions[j]
				p.ChangedAt = p.ChangedAt.Add(now)
			}
		}
		s.Coordinators = slices.Clone(s.Coordinators)
		for i := range s.Coordinators {
			s.Coordinators[i].Answered = s.Coordinators[i].Answered.Add(now)
		}
		s.Sessions.At = s.Sessions.At.Add(now)
		s.Sessions.List = slices.Clone(s.Sessions.List)
		for i := range s.Sessions.List {
			s.Sessions.List[i].HeardAt = s.Sessions.List[i].HeardAt.Add(now)
		}
		s.Brokers = slices.Clone(s.Brokers)
		for i := range s.Brokers {
			s.Brokers[i].Answered = s.Brokers[i].Answered.Add(now)
		}
		s.Groups = slices.Clone(s.Groups)
		for i := range s.Groups {
			s.Groups[i].At = s.Groups[i].At.Add(now)
		}
		c.send(snapshotMsg{&s})
	}
	if len(d.Events) > 0 {
		events := slices.Clone(d.Events)
		for i := range events {
			events[i].At = events[i].At.Add(now)
		}
		c.send(eventsMsg(events))
	}
}

// keys presses keys by name.
func (c *console) keys(names ...string) {
	c.t.Helper()
	for _, name := range names {
		c.send(keyPress(c.t, name))
	}
}

func (c *console) typed(text string) {
	for _, r := range text {
		c.send(tea.KeyPressMsg{Code: r, Text: string(r)})
	}
}

var special = map[string]rune{
	"enter": tea.KeyEnter, "esc": tea.KeyEscape, "tab": tea.KeyTab, "up": tea.KeyUp, "down": tea.KeyDown, "left": tea.KeyLeft,
	"right": tea.KeyRight, "backspace": tea.KeyBackspace, "space": tea.KeySpace, "pgdown": tea.KeyPgDown, "pgup": tea.KeyPgUp,
}

func keyPress(t *testing.T, name string) tea.KeyPressMsg {
	t.Helper()
	rest, ctrl := strings.CutPrefix(name, "ctrl+")
	k := tea.KeyPressMsg{}
	if code, ok := special[rest]; ok {
		k.Code = code
	} else if runes := []rune(rest); len(runes) == 1 {
		k.Code = runes[0]
		if !ctrl {
			k.Text = rest
		}
	} else {
		t.Fatalf("no key %q", name)
	}
	if ctrl {
		k.Mod = tea.ModCtrl
	}
	if k.String() != name {
		t.Fatalf("key %q reads as %q", name, k.String())
	}
	return k
}

// screen is what is to be seen, without styles.
func (c *console) screen() string { return ansi.Strip(c.model.draw()) }

func (c *console) sees(fragments ...string) {
	c.t.Helper()
	screen := c.screen()
	for _, f := range fragments {
		if !strings.Contains(screen, f) {
			c.t.Fatalf("no %q on the screen:\n%s", f, screen)
		}
	}
}

// browse opens the browser of znodes at a path.
func (c *console) browse(at string) {
	c.run(c.model.goTo(place{"znodes", at}))
	c.settle()
	c.znodes()
}

// znodes sends the fixtures' view, as the browser does.
func (c *console) znodes() {
	v := uitest.Znodes()
	v.Spec = c.fake.shown
	now := time.Since(uitest.Now)
	for i := range v.Changes {
		v.Changes[i].At = v.Changes[i].At.Add(now)
	}
	v.At = v.At.Add(now)
	if at := c.fake.shown.Detail; at != "" && v.Entries[at] == nil {
		v.Entries[at] = &znodes.Entry{Node: znodes.Node{Path: at}, Error: "there is no such znode"}
	}
	for at, e := range v.Entries {
		e.Stat.Modified, e.Stat.Created = e.Stat.Modified.Add(now), e.Stat.Created.Add(now)
		if c.fake.shown.Open[at] == 0 {
			e.Opened, e.Children = false, nil
		}
	}
	c.send(ui.Znodes{View: v})
}

// fake is the cluster behind the console: it notes what it is asked to do.
type fake struct {
	every    time.Duration // between two looks
	deeds    []string
	interest admin.Interest
	shown    znodes.Spec // what the browser shows
	fail     error
}

func (f *fake) note(format string, args ...any) error {
	f.deeds = append(f.deeds, fmt.Sprintf(format, args...))
	return f.fail
}

func (f *fake) SetInterval(d time.Duration) { f.every = d }

func (f *fake) SetInterest(i admin.Interest) { f.interest = i }
func (f *fake) Refresh()                     {}

func (f *fake) CreateTopic(_ context.Context, s admin.TopicSpec) error {
	return f.note("create %s %d %d %v", s.Name, s.Partitions, s.ReplicationFactor, s.Configs)
}

func (f *fake) DeleteTopic(_ context.Context, name string) error { return f.note("delete %s", name) }

func (f *fake) AddPartitions(_ context.Context, topic string, total int32) error {
	return f.note("partitions %s %d", topic, total)
}

func (f *fake) AlterTopicConfig(_ context.Context, topic string, set map[string]string, unset []string) error {
	return f.note("alter %s %v %v", topic, set, unset)
}

func (f *fake) TopicConfigs(context.Context, string) ([]admin.ConfigEntry, error) {
	return []admin.ConfigEntry{
		{Name: "cleanup.policy", Value: "delete", Default: true, Source: "default"},
		{Name: "min.insync.replicas", Value: "2", Source: "topic"},
	}, f.fail
}

func (f *fake) ElectPreferred(_ context.Context, p []admin.TopicPartition) ([]admin.Election, error) {
	return []admin.Election{{}, {}}, f.note("elect %v", p)
}

func (f *fake) Produce(_ context.Context, topic string, key, value []byte) error {
	return f.note("produce %s %s %s", topic, key, value)
}

func (f *fake) Tail(context.Context, records.Spec) (*records.Tail, error) {
	return nil, errors.New("the fake cluster has no records")
}

func (f *fake) Browse(spec znodes.Spec) (Browser, error) {
	f.shown = spec
	return &fakeBrowser{f, make(chan *znodes.View)}, nil
}

// fakeBrowser sends nothing by itself.
type fakeBrowser struct {
	fake  *fake
	views chan *znodes.View
}

func (b *fakeBrowser) Show(spec znodes.Spec)      { b.fake.shown = spec }
func (b *fakeBrowser) Views() <-chan *znodes.View { return b.views }
func (b *fakeBrowser) Run(ctx context.Context) error {
	defer close(b.views)
	<-ctx.Done()
	return nil
}

func (f *fake) Subtree(context.Context, string) (int, bool, error) { return 4, true, f.fail }

func (f *fake) CreateZnode(_ context.Context, path string, data []byte, _ bool) (string, error) {
	return path, f.note("create %s %s", path, data)
}

func (f *fake) SetZnode(_ context.Context, path string, data []byte, version int32) error {
	return f.note("set %s %s version %d", path, data, version)
}

func (f *fake) DeleteZnode(_ context.Context, path string, version int32, recursive bool) (int, error) {
	return 4, f.note("delete %s version %d recursive %v", path, version, recursive)
}

func (f *fake) Do(_ context.Context, node string, verb cluster.Verb, by string) error {
	return f.note("%s %s by %s", verb, node, by)
}

func (f *fake) Log(_ context.Context, node string, _ int, _ bool) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		_ = yield(`time=2026-03-14T12:04:31.870Z level=INFO msg="broker ready" id=1 address=127.0.0.1:9092`, nil) &&
			yield(`time=2026-03-14T12:04:32.001Z level=WARN msg=slow took=2s`, nil) &&
			yield("goroutine 1 [running]:", nil)
	}
}
