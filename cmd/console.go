package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"kdrill/admin"
	"kdrill/admin/records"
	"kdrill/admin/znodes"
	"kdrill/cluster"
	"kdrill/node/memory"
	"kdrill/themes"
	"kdrill/tui"
	"kdrill/tui/ui"
)

// consoleFlags are the flags of the program without a command.
type consoleFlags struct {
	readOnly, mouse bool
	mayChange       bool // --read-only=false was given
	refresh         time.Duration
	command, theme  string
}

// addConsole makes the root command open the console.
func addConsole(root *cobra.Command, a *app) {
	var f consoleFlags
	flags := root.Flags()
	flags.BoolVar(&f.readOnly, "read-only", false, "the console changes nothing (default for clusters that kdrill did not start)")
	flags.DurationVar(&f.refresh, "refresh", time.Second, "time between two looks of the console at the cluster")
	flags.StringVar(&f.command, "command", "", `what to show first, as typed after ":", such as "topic orders"`)
	flags.StringVar(&f.theme, "theme", "", "dark, light or plain (default: as the terminal is)")
	flags.BoolVar(&f.mouse, "mouse", false, "the console takes the mouse")
	root.RunE = func(c *cobra.Command, _ []string) error {
		f.mayChange = flags.Changed("read-only") && !f.readOnly
		return a.console(c.Context(), f)
	}
}

func (f consoleFlags) check() error {
	switch f.theme {
	case "", themes.Dark, themes.Light, themes.Plain:
	default:
		return usagef("--theme %s: must be dark, light or plain", f.theme)
	}
	if f.refresh < 100*time.Millisecond {
		return usagef("--refresh %s: must be at least 100ms", f.refresh)
	}
	return nil
}

// console opens the console, and opens it again when the user picks another cluster.
func (a *app) console(ctx context.Context, f consoleFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	if !terminal(a.in) || !terminal(a.out) {
		return usagef("the console needs a terminal: see kdrill --help for commands that do not")
	}
	for {
		outcome, client, err := a.openConsole(ctx, f)
		switch {
		case err != nil:
			return err
		case outcome.Stop:
			fmt.Fprintf(a.err, "stopping cluster %s\n", client.Name())
			return client.Down(ctx)
		case outcome.Context == "":
			return nil
		}
		a.cluster, a.bootstrap, a.zookeeper, a.commandConfig, f.command = outcome.Context, nil, "", "", ""
		a.zookeeperAuth, a.adminPort = "", defaultAdminPort
	}
}

// openConsole shows one cluster until the user leaves it. client is nil for a cluster that kdrill did not start.
func (a *app) openConsole(ctx context.Context, f consoleFlags) (tui.Outcome, *cluster.Client, error) {
	cfg := tui.Config{
		ReadOnly: f.readOnly || a.foreign() && !f.mayChange, Theme: f.theme, Mouse: f.mouse, Command: f.command, Interval: f.refresh, Environment: os.Environ(),
	}
	var client *cluster.Client
	if !a.foreign() {
		var err error
		if client, err = a.raiseLocal(ctx); err != nil {
			return tui.Outcome{}, nil, err
		}
		cfg.Cluster, cfg.Nodes, cfg.MayStop = client.Name(), client, !f.readOnly
	} else {
		cfg.Cluster, _, _ = strings.Cut(a.zookeeper, ",")
		if len(a.bootstrap) > 0 {
			cfg.Cluster = a.bootstrap[0]
		}
	}
	target, err := a.adminConfig(ctx)
	if _, ok := errors.AsType[unregistered](err); err != nil && !ok { // the console shows what is wrong with ZooKeeper
		return tui.Outcome{}, nil, err
	}
	target.Interval = f.refresh
	if len(target.Bootstrap) == 0 && cfg.Command == "" { // ZooKeeper is all there is to see
		cfg.Command = "zk"
	}
	cfg.Contexts, cfg.Flags = a.otherClusters(ctx), a.targetFlags()
	outcome, err := a.show(ctx, cfg, client, target)
	return outcome, client, err
}

// targetFlags are the flags that make another command line mean the same cluster.
func (a *app) targetFlags() string {
	var words []string
	add := func(flag, value string) {
		if value != "" {
			words = append(words, flag+" "+ui.Quote(value))
		}
	}
	if a.foreign() {
		add("--bootstrap-server", strings.Join(a.bootstrap, ","))
		add("--zookeeper", a.zookeeper)
		add("--command-config", a.commandConfig)
	} else if a.cluster != "default" {
		add("--cluster", a.cluster)
	}
	if strings.HasPrefix(a.zookeeperAuth, "@") { // else it is a secret
		add("--zookeeper-auth", a.zookeeperAuth)
	}
	add("--zk-tls-config-file", a.zookeeperTLS)
	if a.adminPort != defaultAdminPort {
		add("--zookeeper-admin-port", strconv.Itoa(int(a.adminPort)))
	}
	return strings.Join(words, " ")
}

// raiseLocal starts what of the local cluster does not run, and returns it.
func (a *app) raiseLocal(ctx context.Context) (*cluster.Client, error) {
	client, fresh, err := a.openOrCreate(upFlags{
		brokers: 3, coordinators: 3, timing: string(cluster.Brisk), engine: cluster.Embedded, restart: string(cluster.RestartNo),
		given: func(string) bool { return false },
	})
	if err != nil {
		return nil, err
	}
	if !fresh {
		if status, err := client.Status(ctx); err == nil && len(status.Nodes) > 0 {
			return client, nil // it is up: a node that was killed stays so
		}
	}
	err = a.raise(ctx, client, true, patience(client))
	if failed, ok := errors.AsType[unfit](err); ok {
		err = a.lower(ctx, client, failed)
	}
	return client, err
}

// otherClusters names the local clusters.
func (a *app) otherClusters(ctx context.Context) []string {
	stateDir, err := cluster.StateDir()
	if err != nil {
		return nil
	}
	list, _ := cluster.List(ctx, stateDir) // those that can be read
	var names []string
	for _, c := range list {
		names = append(names, c.Name)
	}
	return names
}

// startOver is how long after its start a console has read everything once: of a large cluster that takes much more memory than
// keeping it.
const startOver = 10 * time.Second

// heapGrowth is by how many percent the heap of a console may grow between collections. Their cost counts, too, while nothing happens.
const heapGrowth = 75

// show runs the observer, the streams of the supervisor and the console until the user leaves.
func (a *app) show(ctx context.Context, cfg tui.Config, client *cluster.Client, target admin.Config) (tui.Outcome, error) {
	memory.Tune(heapGrowth)
	defer time.AfterFunc(startOver, memory.ForgetStart).Stop()
	watched := target
	watched.Deadline = 0 // who stands still is shown at once
	observer := admin.NewObserver(watched)
	connection := &kafka{cfg: target}
	defer connection.close()
	cfg.Observer, cfg.Kafka, cfg.Snapshots, cfg.Events = observer, connection, observer.Snapshots(), observer.Events()
	if target.ZooKeeper != "" {
		cfg.Znodes = zookeeper{znodes.Config{Connect: target.ZooKeeper, Access: target.ZooKeeperAccess}}
	}

	ctx, leave := context.WithCancel(ctx)
	defer leave()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return unlessDone(ctx, observer.Run(ctx)) })
	if client != nil {
		// The supervisor records what an observer sees, so its timeline has everything; ours is not needed beside it.
		group.Go(func() error { return drain(ctx, observer.Events()) })
		events := make(chan admin.Event, 256)
		statuses := make(chan cluster.Status, 1)
		cfg.Events, cfg.Statuses = events, statuses
		group.Go(func() error {
			for status := range client.Watch(ctx) {
				observer.Beside(status.ZooKeeperSession)
				select {
				case <-statuses: // newest wins
				default:
				}
				statuses <- status
			}
			return nil
		})
		group.Go(func() error { follow(ctx, client, events); return nil })
	}
	var outcome tui.Outcome
	group.Go(func() error {
		defer leave()
		var err error
		outcome, err = tui.Run(ctx, cfg)
		return err
	})
	err := group.Wait()
	return outcome, err
}

// unlessDone is the error of something that was to run until ctx ended, nil if it did.
func unlessDone(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func drain(ctx context.Context, events <-chan admin.Event) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-events:
		}
	}
}

// pastEvents is how much of the timeline the console reads when it opens.
const pastEvents = 1000

// follow passes the cluster's timeline on; when its supervisor ends it goes on with the next one, behind the last event.
func follow(ctx context.Context, client *cluster.Client, to chan<- admin.Event) {
	var last admin.Event
	for ctx.Err() == nil {
		known := 0
		if !last.At.IsZero() {
			known = pastEvents
		}
		for e, err := range client.Events(ctx, -pastEvents, true) {
			if err != nil {
				break
			}
			event := admin.Event(e)
			if known > 0 {
				known--
				if event.At.Equal(last.At) && event.Kind == last.Kind && event.Subject == last.Subject {
					known = 0
				}
				continue
			}
			select {
			case to <- event:
				last = event
			case <-ctx.Done():
				return
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// kafka is the console's connection to the cluster: made by the first deed, since the console opens without one.
type kafka struct {
	cfg admin.Config

	mu     sync.Mutex
	client *admin.Client
}

func (k *kafka) dial(ctx context.Context) (*admin.Client, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.client == nil {
		c, err := admin.Dial(ctx, k.cfg)
		if err != nil {
			return nil, err
		}
		k.client = c
	}
	return k.client, nil
}

func (k *kafka) close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.client != nil {
		k.client.Close()
	}
}

// with does something over the connection.
func (k *kafka) with(ctx context.Context, do func(*admin.Client) error) error {
	c, err := k.dial(ctx)
	if err != nil {
		return err
	}
	return do(c)
}

// The methods are those of [tui.Kafka].

func (k *kafka) CreateTopic(ctx context.Context, spec admin.TopicSpec) error {
	return k.with(ctx, func(c *admin.Client) error { return c.CreateTopic(ctx, spec) })
}

func (k *kafka) DeleteTopic(ctx context.Context, name string) error {
	return k.with(ctx, func(c *admin.Client) error { return c.DeleteTopic(ctx, name) })
}

func (k *kafka) AddPartitions(ctx context.Context, topic string, total int32) error {
	return k.with(ctx, func(c *admin.Client) error { return c.AddPartitions(ctx, topic, total) })
}

func (k *kafka) AlterTopicConfig(ctx context.Context, topic string, set map[string]string, unset []string) error {
	return k.with(ctx, func(c *admin.Client) error { return c.AlterTopicConfig(ctx, topic, set, unset) })
}

func (k *kafka) TopicConfigs(ctx context.Context, topic string) (entries []admin.ConfigEntry, err error) {
	return entries, k.with(ctx, func(c *admin.Client) error {
		entries, err = c.TopicConfigs(ctx, topic)
		return err
	})
}

func (k *kafka) ElectPreferred(ctx context.Context, partitions []admin.TopicPartition) (all []admin.Election, err error) {
	return all, k.with(ctx, func(c *admin.Client) error {
		all, err = c.ElectPreferred(ctx, partitions)
		return err
	})
}

func (k *kafka) Produce(ctx context.Context, topic string, key, value []byte) error {
	return k.with(ctx, func(c *admin.Client) error {
		p, err := c.Producer(ctx, records.Produce{Topic: topic, Partition: -1, Idempotent: true, Timeout: 10 * time.Second})
		if err != nil {
			return err
		}
		p.Send(ctx, records.Record{Key: key, Value: value})
		_, err = p.Close(ctx)
		return err
	})
}

func (k *kafka) Tail(ctx context.Context, spec records.Spec) (tail *records.Tail, err error) {
	return tail, k.with(ctx, func(c *admin.Client) error {
		tail, err = c.Tail(spec)
		return err
	})
}
