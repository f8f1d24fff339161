package tui

import (
	"time"

	tea "charm.land/bubbletea/v2"

	"kdrill/admin"
	"kdrill/cluster"
	"kdrill/themes"
	"kdrill/tui/ui"
)

// Model is the root of the console: it keeps what the console knows and where the user is, and routes messages.
type Model struct {
	cfg      Config
	commands *commands
	route
	stack  []layer // overlays, the top one last
	layers int     // overlays opened so far, for their ids
	data   ui.Data
	held   *ui.Data // what came while the display is frozen, nil if it is not
	// heldZnodes is the newest view that came meanwhile.
	heldZnodes *ui.Znodes
	theme      themes.Theme

	width, height int
	notice        notice
	stopwatch     stopwatch
	actions       []ui.Done
	outcome       Outcome
}

// layer is an overlay with its id.
type layer struct {
	id int
	ui.Overlay
}

// notice is a toast and when it ends.
type notice struct {
	ui.Toast
	until time.Time
}

// The messages that come from outside.
type (
	tickMsg     time.Time
	snapshotMsg struct{ *admin.Snapshot }
	statusMsg   cluster.Status
	eventsMsg   []admin.Event
)

// keptEvents is how many events the console remembers; the cluster's file has all of them.
const keptEvents = 5000

// New makes the console's model. Run makes a program of it.
func New(cfg Config) *Model {
	if cfg.Interval <= 0 {
		cfg.Interval = time.Second
	}
	m := &Model{cfg: cfg, commands: newCommands(cfg), theme: themes.New(cfg.Theme), width: 80, height: 24}
	m.screens = map[place]ui.Screen{}
	m.data = ui.Data{Interval: cfg.Interval, Rates: map[string][]float64{}, Access: access(cfg), Page: 15, Flags: cfg.Flags}
	m.goTo(place{screen: "overview"})
	return m
}

// access says why the user may not do what they may not do.
func access(cfg Config) ui.Access {
	var a ui.Access
	switch {
	case cfg.ReadOnly && cfg.Nodes == nil:
		a.NoWrites = "kdrill did not start this cluster: --read-only=false allows changes"
		a.NoFaults = noSupervisor
	case cfg.ReadOnly:
		a.NoFaults = "the console was started with --read-only"
		a.NoWrites = a.NoFaults
	case cfg.Nodes == nil:
		a.NoFaults = noSupervisor
	}
	return a
}

const noSupervisor = "kdrill did not start this cluster: it has no supervisor that could signal nodes"

// Init implements tea.Model.
func (m *Model) Init() tea.Cmd {
	cmds := []tea.Cmd{tick(0), m.watch()}
	if m.cfg.Theme == "" {
		cmds = append(cmds, tea.RequestBackgroundColor)
	}
	if m.cfg.Command != "" {
		cmds = append(cmds, m.command(m.cfg.Command))
	}
	return tea.Batch(cmds...)
}

// Update implements tea.Model.
func (m *Model) Update(msg tea.Msg) (tea.Model, tea.Cmd) { return m, m.update(msg) }

func (m *Model) update(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
		m.data.Page = max(1, m.bodyHeight()-1)
		return m.tell(m.data)
	case tea.BackgroundColorMsg:
		if m.cfg.Theme == "" && m.theme.Solid() {
			m.theme = themes.New(background(msg.IsDark()))
		}
		return nil
	case tea.ColorProfileMsg:
		m.profile(msg)
		return nil
	case tea.KeyPressMsg:
		return m.press(msg)
	case tea.PasteMsg:
		return m.tellTop(msg)
	case tea.MouseWheelMsg:
		return m.wheel(msg)
	case tea.MouseClickMsg:
		return m.click(msg)
	case tickMsg:
		return m.onTick(time.Time(msg))
	case snapshotMsg:
		return m.onSnapshot(msg.Snapshot)
	case statusMsg:
		return m.onStatus(cluster.Status(msg))
	case eventsMsg:
		return m.onEvents(msg)
	case ui.Armed:
		for _, l := range m.stack {
			if u, ok := l.Overlay.(ui.Updater); ok && l.id == msg.ID {
				u.Update(msg)
			}
		}
		return nil
	case ui.Done:
		return m.onDone(msg)
	case ui.Batch, ui.LogLines, ui.Configs, ui.Subtree:
		return m.tellAll(msg)
	case ui.Znodes:
		if m.held != nil {
			m.heldZnodes = &msg
			return nil
		}
		return m.tellAll(msg)
	}
	return m.wish(msg)
}

// tell hands a message to the screen on show and grants what it wishes for.
func (m *Model) tell(msg tea.Msg) tea.Cmd { return m.grant(m.screen().Update(msg)) }

// tellAll hands an answer to every screen: the one that asked may not be on show any more.
func (m *Model) tellAll(msg tea.Msg) tea.Cmd {
	var cmds []tea.Cmd
	for _, p := range m.order {
		cmds = append(cmds, m.grant(m.screens[p].Update(msg)))
	}
	return tea.Batch(cmds...)
}

// tellTop hands a message to the overlay on top.
func (m *Model) tellTop(msg tea.Msg) tea.Cmd {
	if len(m.stack) > 0 {
		if u, ok := m.stack[len(m.stack)-1].Overlay.(ui.Updater); ok {
			u.Update(msg)
		}
	}
	return nil
}

// grant acts on the wish that a screen's command carries. It does so on the spot: the next key finds the console as the
// wish left it.
func (m *Model) grant(cmd tea.Cmd) tea.Cmd {
	if cmd == nil {
		return nil
	}
	switch msg := cmd().(type) {
	case nil:
		return nil
	case tea.BatchMsg:
		var cmds []tea.Cmd
		for _, c := range msg {
			cmds = append(cmds, m.grant(c))
		}
		return tea.Batch(cmds...)
	default:
		return m.wish(msg)
	}
}

// wish acts on what a screen or an overlay wants.
func (m *Model) wish(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case ui.Open:
		return m.goTo(place{msg.Screen, msg.Arg})
	case ui.Back:
		return m.up()
	case ui.Ask:
		return m.push(msg.Overlay)
	case ui.Toast:
		return m.toast(msg)
	case ui.Copy:
		return tea.Batch(tea.SetClipboard(msg.Text), m.toast(ui.Toast{Text: "Copied: " + ui.Cut(msg.Text, 60, true)}))
	case ui.Save:
		return m.commands.save(msg)
	case ui.Tail:
		return m.commands.tail(msg.Name, msg.Spec)
	case ui.Untail:
		m.commands.untail(msg.Name)
	case ui.ReadLog:
		return m.commands.readLog(msg.Node)
	case ui.Unread:
		m.commands.unread(msg.Node)
	case ui.Browse:
		return m.commands.show(msg.Spec)
	case ui.Unbrowse:
		m.commands.unshow()
	case ui.CountZnodes:
		return m.commands.countZnodes(msg.Path)
	case ui.ReadConfigs:
		return m.commands.readConfigs(msg.Topic)
	case ui.Fault:
		return m.askFault(msg)
	case confirmed:
		return m.do(msg.Deed)
	case ui.Deed:
		return m.do(msg)
	case orderMsg:
		return m.command(string(msg))
	case leaveMsg:
		m.outcome = msg.Outcome
		return tea.Quit
	}
	return nil
}

// confirmed is a deed that the user was asked about.
type confirmed struct{ ui.Deed }

// do does a deed, unless the console is read-only.
func (m *Model) do(d ui.Deed) tea.Cmd {
	if m.data.Access.NoWrites != "" {
		return m.toast(ui.Toast{Text: "Not done: " + m.data.Access.NoWrites + ".", Role: themes.Warn})
	}
	if f, ok := d.(ui.Fault); ok {
		m.stopwatch.last = f
	}
	return m.commands.do(d, m.data.Now)
}

// onDone puts a deed into the action log and says how it ended.
func (m *Model) onDone(done ui.Done) tea.Cmd {
	m.actions = append(m.actions, done)
	toast := ui.Toast{Text: done.Result}
	if done.Err != nil {
		toast = ui.Toast{Text: done.Err.Error(), Role: themes.Bad}
	}
	if m.cfg.Observer != nil {
		m.cfg.Observer.Refresh()
	}
	return tea.Batch(m.toast(toast), m.tellAll(done))
}

// toastFor is how long a toast stays; one that says what is wrong stays longer.
const toastFor = 4 * time.Second

func (m *Model) toast(t ui.Toast) tea.Cmd {
	if t.Text == "" {
		return nil
	}
	stay := toastFor
	if t.Role == themes.Bad || t.Role == themes.Warn {
		stay *= 2
	}
	m.notice = notice{t, m.data.Now.Add(stay)}
	return nil
}

// watch tells the observer what the screen on show needs.
func (m *Model) watch() tea.Cmd {
	interest := admin.Interest{}
	if s, ok := m.screen().(ui.Interested); ok {
		interest = s.Interest()
	}
	return m.commands.watch(interest)
}
