package tui

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"

	"kdrill/admin"
	"kdrill/themes"
	"kdrill/tui/ui"
)

// commands performs what was wished for. It is the only part of the console that talks to the cluster; every deed runs
// on a goroutine of its own and answers with a message.
type commands struct {
	kafka    Kafka
	znodes   Znodes
	nodes    Nodes
	observer Observer
	watched  admin.Interest

	mu     sync.Mutex
	ctx    context.Context
	send   func(tea.Msg)
	tails  map[string]context.CancelFunc // by name
	logs   map[string]context.CancelFunc // by node
	browse browsing
	ending sync.WaitGroup
}

func newCommands(cfg Config) *commands {
	return &commands{
		kafka: cfg.Kafka, znodes: cfg.Znodes, nodes: cfg.Nodes, observer: cfg.Observer,
		ctx: context.Background(), send: func(tea.Msg) {},
		tails: map[string]context.CancelFunc{}, logs: map[string]context.CancelFunc{},
	}
}

// deedTimeout is how long one deed may take.
const deedTimeout = 30 * time.Second

// do does a deed; [ui.Done] says how it ended.
func (c *commands) do(d ui.Deed, at time.Time) tea.Cmd {
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(c.ctx, deedTimeout)
		defer cancel()
		result, err := c.perform(ctx, d)
		return ui.Done{Deed: d, Result: result, Err: err, At: at}
	}
}

var errNoCluster = errors.New("there is no connection to the cluster")

func (c *commands) perform(ctx context.Context, d ui.Deed) (string, error) {
	if f, ok := d.(ui.Fault); ok {
		if c.nodes == nil {
			return "", errors.New("nobody supervises the nodes of this cluster")
		}
		return c.fault(ctx, f)
	}
	if result, known, err := c.znode(ctx, d); known {
		return result, err
	}
	if c.kafka == nil {
		return "", errNoCluster
	}
	switch d := d.(type) {
	case ui.CreateTopic:
		return "Topic " + d.Spec.Name + " created.", c.kafka.CreateTopic(ctx, d.Spec)
	case ui.DeleteTopics:
		return c.deleteTopics(ctx, d.Topics)
	case ui.AddPartitions:
		return fmt.Sprintf("Topic %s has %d partitions.", d.Topic, d.Total), c.kafka.AddPartitions(ctx, d.Topic, d.Total)
	case ui.AlterConfig:
		set, unset := map[string]string{d.Name: d.Value}, []string(nil)
		if d.Unset {
			set, unset = nil, []string{d.Name}
		}
		return d.Name + " of " + d.Topic + " changed.", c.kafka.AlterTopicConfig(ctx, d.Topic, set, unset)
	case ui.Produce:
		return c.produce(ctx, d)
	case ui.Elect:
		return c.elect(ctx, d)
	}
	return "", fmt.Errorf("%T: not known", d)
}

// fault does it to one node after the other; the first that fails ends it.
func (c *commands) fault(ctx context.Context, f ui.Fault) (string, error) {
	for i, node := range f.Nodes() {
		if err := c.nodes.Do(ctx, node, f.Verb, "console"); err != nil {
			return "", after(f.Nodes()[:i], string(f.Verb)+" sent to", err)
		}
	}
	return capital(string(f.Verb)) + " sent to " + ui.And(f.Nodes()) + ".", nil
}

func (c *commands) deleteTopics(ctx context.Context, topics []string) (string, error) {
	for i, topic := range topics {
		if err := c.kafka.DeleteTopic(ctx, topic); err != nil {
			return "", after(topics[:i], "deleted", err)
		}
	}
	if len(topics) == 1 {
		return "Topic " + topics[0] + " deleted.", nil
	}
	return ui.Plural(len(topics), "topic") + " deleted.", nil
}

// after says what was done before an error ended it.
func after(done []string, what string, err error) error {
	if len(done) == 0 {
		return err
	}
	return fmt.Errorf("%w (before that, %s %s)", err, what, ui.And(done))
}

func (c *commands) produce(ctx context.Context, p ui.Produce) (string, error) {
	key := []byte(p.Key)
	if p.NoKey {
		key = nil
	}
	return "Written to " + p.Topic + ".", c.kafka.Produce(ctx, p.Topic, key, []byte(p.Value))
}

func (c *commands) elect(ctx context.Context, e ui.Elect) (string, error) {
	results, err := c.kafka.ElectPreferred(ctx, e.Partitions)
	if err != nil {
		return "", err
	}
	failed := slices.DeleteFunc(slices.Clone(results), func(r admin.Election) bool { return r.Error == "" })
	if len(failed) > 0 {
		f := failed[0]
		return "", fmt.Errorf("%d of %d not elected, %s/%d: %s", len(failed), len(results), f.Topic, f.Partition, f.Error)
	}
	return ui.Plural(len(results), "partition") + " led by the preferred replica.", nil
}

// watch tells the observer what to look at, if that changed.
func (c *commands) watch(i admin.Interest) tea.Cmd {
	if c.observer == nil || reflect.DeepEqual(i, c.watched) {
		return nil
	}
	c.watched = i
	c.observer.SetInterest(i)
	return nil
}

// readConfigs asks for the configs of a topic.
func (c *commands) readConfigs(topic string) tea.Cmd {
	return func() tea.Msg {
		if c.kafka == nil {
			return ui.Configs{Topic: topic, Err: errNoCluster}
		}
		ctx, cancel := context.WithTimeout(c.ctx, deedTimeout)
		defer cancel()
		entries, err := c.kafka.TopicConfigs(ctx, topic)
		return ui.Configs{Topic: topic, Entries: entries, Err: err}
	}
}

// pace tells the observer how often to look.
func (c *commands) pace(every time.Duration) {
	if c.observer != nil {
		c.observer.SetInterval(every)
	}
}

// createFile makes a file that did not exist: name.txt, or name-2.txt if there is one already, and so on.
func createFile(name string) (*os.File, error) {
	extension := filepath.Ext(name)
	base := strings.TrimSuffix(name, extension)
	for n := 2; ; n++ {
		file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if !errors.Is(err, os.ErrExist) || n > 1000 {
			return file, err
		}
		name = fmt.Sprintf("%s-%d%s", base, n, extension)
	}
}

// save writes a file of its own.
func (c *commands) save(s ui.Save) tea.Cmd {
	return func() tea.Msg {
		file, err := createFile(s.Name)
		if err == nil {
			_, err = file.WriteString(s.Text)
			err = errors.Join(err, file.Close())
		}
		if err != nil {
			return ui.Toast{Text: "Not saved: " + err.Error(), Role: themes.Bad}
		}
		path, _ := filepath.Abs(file.Name())
		return ui.Toast{Text: "Saved to " + path}
	}
}
