package tui

import (
	"path"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"kdrill/cluster"
	"kdrill/themes"
	"kdrill/tui/ui"
)

// order is one word of the command line.
type order struct {
	names string // separated by spaces, the first one is completed
	does  string
	args  func(*Model) []string // what can follow, nil if nothing
	run   func(m *Model, arg string) tea.Cmd
}

func opens(screen string) func(*Model, string) tea.Cmd {
	return func(m *Model, arg string) tea.Cmd { return m.goTo(place{screen, arg}) }
}

func opensNamed(list, one string) func(*Model, string) tea.Cmd {
	return func(m *Model, arg string) tea.Cmd {
		if arg == "" {
			return m.goTo(place{screen: list})
		}
		return m.goTo(place{one, arg})
	}
}

func faults(verb cluster.Verb) func(*Model, string) tea.Cmd {
	return func(m *Model, arg string) tea.Cmd {
		if arg == "" {
			return m.toast(ui.Toast{Text: "Which node? :" + string(verb) + " broker-1", Role: themes.Warn})
		}
		return m.askFault(ui.Fault{Verb: verb, Node: arg})
	}
}

// orders are the words of the command line.
func orders() []order {
	list := []order{
		{"overview", "nodes, leaders, latest events", nil, opens("overview")},
		{"nodes node", "processes, or the log of one", nodeNames, opensNamed("nodes", "log")},
		{"topics topic", "all topics, or one", topicNames, opensNamed("topics", "topic")},
		{"groups group", "all consumer groups, or one", groupNames, opensNamed("groups", "group")},
		{"records tail", "records of a topic as they come", topicNames, opens("records")},
		{"timeline events", "what happened", nil, opens("timeline")},
		{"zookeeper zk coordinators", "ZooKeeper: its members, or the controllers of KRaft", nil, opens(ui.CoordinatorsScreen)},
		{"znodes znode", "ZooKeeper's tree, or one znode", znodePaths, openZnode},
		{"sessions", "ZooKeeper's sessions and their owners", nil, opens(ui.SessionsScreen)},
		{"actions", "what was done, as command lines", nil, opens("actions")},
		{"logs log", "the log of a node", nodeNames, opensNamed("nodes", "log")},
		{"ctx context", "another cluster", func(m *Model) []string { return m.cfg.Contexts }, (*Model).changeContext},
		{"elect", "preferred leaders of all partitions", nil, func(m *Model, _ string) tea.Cmd { return m.grant(ui.AskElect(m.data, nil)) }},
		{"theme", "dark, light or plain", func(*Model) []string { return []string{themes.Dark, themes.Light, themes.Plain} }, (*Model).changeTheme},
		{"help", "help for this screen", nil, func(m *Model, _ string) tea.Cmd { return m.push(m.help()) }},
		{"quit q", "leave the console", nil, func(m *Model, _ string) tea.Cmd {
			m.goTo(place{screen: "overview"})
			return m.quit()
		}},
	}
	for _, v := range []cluster.Verb{cluster.Kill, cluster.Stop, cluster.Pause, cluster.Resume, cluster.Restart} {
		list = append(list, order{string(v), signals[v] + " a node", nodeNames, faults(v)})
	}
	return list
}

func nodeNames(m *Model) []string {
	var names []string
	if m.data.Status != nil {
		for _, n := range m.data.Status.Nodes {
			names = append(names, n.Name)
		}
	}
	return names
}

func openZnode(m *Model, arg string) tea.Cmd {
	if arg != "" {
		arg = path.Clean("/" + arg)
	}
	return m.goTo(place{ui.ZnodesScreen, arg})
}

// znodePaths are where to begin; any other path can be typed.
func znodePaths(m *Model) []string {
	s := m.data.Snapshot
	if s == nil {
		return []string{"/"}
	}
	var paths []string
	if !s.Bare {
		for _, at := range []string{"/brokers/ids", "/brokers/topics", "/controller", "/config", "/admin"} {
			paths = append(paths, s.Chroot+at)
		}
	}
	return append(paths, "/", "/zookeeper")
}

func topicNames(m *Model) []string {
	var names []string
	if m.data.Snapshot != nil {
		for i := range m.data.Snapshot.Topics {
			names = append(names, m.data.Snapshot.Topics[i].Name)
		}
	}
	return names
}

func groupNames(m *Model) []string {
	var names []string
	if m.data.Snapshot != nil {
		for i := range m.data.Snapshot.Groups {
			names = append(names, m.data.Snapshot.Groups[i].ID)
		}
	}
	return names
}

func (m *Model) changeContext(arg string) tea.Cmd {
	switch {
	case arg == "":
		return m.toast(ui.Toast{Text: "This is " + m.cfg.Cluster + ". Others: " + strings.Join(m.cfg.Contexts, ", ") + "."})
	case !slices.Contains(m.cfg.Contexts, arg):
		return m.toast(ui.Toast{Text: "There is no local cluster " + arg + ". kdrill up --cluster " + arg + " makes one.", Role: themes.Warn})
	}
	m.outcome = Outcome{Context: arg}
	return tea.Quit
}

func (m *Model) changeTheme(arg string) tea.Cmd {
	if !slices.Contains([]string{themes.Dark, themes.Light, themes.Plain}, arg) {
		return m.toast(ui.Toast{Text: "A theme is dark, light or plain.", Role: themes.Warn})
	}
	m.theme, m.cfg.Theme = themes.New(arg), arg
	return nil
}

// command runs one line of the command line.
func (m *Model) command(line string) tea.Cmd {
	word, arg, _ := strings.Cut(strings.TrimSpace(strings.TrimPrefix(line, ":")), " ")
	if word == "" {
		return nil
	}
	for _, o := range orders() {
		if slices.Contains(strings.Fields(o.names), word) {
			return o.run(m, strings.TrimSpace(arg))
		}
	}
	return m.toast(ui.Toast{Text: "No command " + word + ". Press : and tab to see them.", Role: themes.Warn})
}

// palette is the command line with its completions.
type palette struct {
	m     *Model
	input ui.Input
	at    int
}

func (m *Model) openPalette() tea.Cmd { return m.push(&palette{m: m, input: ui.NewInput("")}) }

// suggestion is one way to go on.
type suggestion struct{ text, does string }

const mostSuggestions = 8

// suggestions are the ways to complete what was typed.
func (p *palette) suggestions() []suggestion {
	var list []suggestion
	word, arg, has := strings.Cut(p.input.Value(), " ")
	for _, o := range orders() {
		names := strings.Fields(o.names)
		if !has {
			if slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, word) }) {
				list = append(list, suggestion{names[0], o.does})
			}
			continue
		}
		if !slices.Contains(names, word) || o.args == nil {
			continue
		}
		for _, a := range o.args(p.m) {
			if strings.Contains(strings.ToLower(a), strings.ToLower(strings.TrimSpace(arg))) {
				list = append(list, suggestion{word + " " + a, ""})
			}
			if len(list) == 200 {
				break
			}
		}
	}
	return list
}

// Press implements ui.Overlay.
func (p *palette) Press(k tea.KeyPressMsg) (bool, tea.Cmd) {
	list := p.suggestions()
	switch k.String() {
	case "esc":
		return true, nil
	case "tab":
		if len(list) > 0 {
			text := list[min(p.at, len(list)-1)].text
			if !strings.Contains(text, " ") {
				text += " "
			}
			p.input, p.at = ui.NewInput(text), 0
		}
		return false, nil
	case "down", "ctrl+n":
		p.at = min(p.at+1, max(len(list)-1, 0))
		return false, nil
	case "up", "ctrl+p":
		p.at = max(p.at-1, 0)
		return false, nil
	case "enter":
		return true, p.m.run(p.line(list))
	}
	if p.input.Key(k) {
		p.at = 0
	}
	return false, nil
}

// line is what enter runs: what was typed, or the suggestion that was picked or that it begins.
func (p *palette) line(list []suggestion) string {
	typed := strings.TrimSpace(p.input.Value())
	if typed == "" && p.at == 0 {
		return ""
	}
	for _, o := range orders() {
		if p.at == 0 && slices.Contains(strings.Fields(o.names), typed) {
			return typed
		}
	}
	if len(list) == 0 || p.at == 0 && strings.Contains(typed, " /") { // a path is what was typed
		return typed
	}
	exact := slices.ContainsFunc(list, func(s suggestion) bool { return s.text == typed })
	if exact && p.at == 0 {
		return typed
	}
	return list[min(p.at, len(list)-1)].text
}

// run makes a wish of a line.
func (m *Model) run(line string) tea.Cmd { return ui.Wish(orderMsg(line)) }

// orderMsg is a line of the command line to run.
type orderMsg string

// Update implements ui.Updater.
func (p *palette) Update(msg tea.Msg) {
	if paste, ok := msg.(tea.PasteMsg); ok {
		p.input.Insert(paste.Content)
	}
}

// Box implements ui.Overlay.
func (p *palette) Box(f ui.Frame) ui.Box {
	list := p.suggestions()
	from := max(0, min(p.at-mostSuggestions+1, len(list)-mostSuggestions))
	var lines []ui.Line
	for i, s := range list[from:min(from+mostSuggestions, len(list))] {
		line := ui.Line{}.Gap(1)
		if from+i == p.at {
			line = line.Add(themes.Accent, "> ").Strong(ui.Fit(s.text, 24, false))
		} else {
			line = line.Gap(2).Text(ui.Fit(s.text, 24, false))
		}
		lines = append(lines, line.Dim("  "+s.does))
	}
	line := ui.Line{}.Gap(1).Add(themes.Accent, ":")
	lines = append(lines, append(line, p.input.Line(themes.Text, max(10, f.Width-30), true)...))
	return ui.Box{Lines: lines, Bottom: true}
}

// Keys implements ui.Overlay.
func (p *palette) Keys() []ui.Key { return nil }
