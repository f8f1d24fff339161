package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"kdrill/cluster"
	"kdrill/cluster/apache"
)

// upFlags are the flags of up.
type upFlags struct {
	brokers, coordinators int
	timing, restart       string
	engine                string
	brokerEngine          string // engine where empty
	coordinatorEngine     string
	mode, heap            string
	port                  int // of broker-1, 0 for the usual or the next free ones
	wait                  bool
	timeout               time.Duration
	given                 func(flag string) bool // whether the user gave it
}

func newUp(a *app) *cobra.Command {
	var f upFlags
	c := &cobra.Command{
		Use:   "up",
		Short: "Start a local cluster, or what of it does not run",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			f.given = c.Flags().Changed
			return a.up(c.Context(), f)
		},
	}
	c.Flags().IntVar(&f.brokers, "brokers", 3, "how many brokers a new cluster has")
	c.Flags().IntVar(&f.coordinators, "coordinators", 3, "how many coordinators a new cluster has, controllers in kraft mode")
	c.Flags().StringVar(&f.timing, "timing", string(cluster.Brisk), "timeouts of a new cluster: brisk or apache")
	c.Flags().StringVar(&f.engine, "engine", cluster.Embedded, "what a new cluster's nodes run: embedded, apache (the newest of kdrill engine list), or one by name, such as apache-3.9.1")
	c.Flags().StringVar(&f.brokerEngine, "broker-engine", "", "the same for its brokers only")
	c.Flags().StringVar(&f.coordinatorEngine, "coordinator-engine", "", "the same for its coordinators only")
	c.Flags().StringVar(&f.mode, "mode", string(cluster.ZooKeeper), "where a new cluster keeps its metadata: zookeeper or kraft; kraft with --coordinators 0 lets brokers do it")
	c.Flags().StringVar(&f.heap, "heap", "", "heap of each JVM, such as 512m, or apache for what Apache's scripts take (default KAFKA_HEAP_OPTS, or small)")
	c.Flags().IntVar(&f.port, "port", 0, "port of a new cluster's broker-1; its other ports lie as far from the usual ones (default 9092, or the next hundred that is free)")
	c.Flags().StringVar(&f.restart, "restart", string(cluster.RestartNo), "which ends of a new cluster's nodes are followed by a restart: no, on-success, on-failure, on-abnormal, always")
	c.Flags().BoolVar(&f.wait, "wait", true, "wait until every node serves")
	c.Flags().DurationVar(&f.timeout, "timeout", time.Minute, "how long to wait, longer for JVMs")
	return c
}

func (a *app) up(ctx context.Context, f upFlags) error {
	client, fresh, err := a.openOrCreate(f)
	if err != nil {
		return err
	}
	before := cluster.Status{}
	if !fresh {
		before, _ = client.Status(ctx) // a cluster that is down has none
	}
	if !f.given("timeout") {
		f.timeout = patience(client)
	}
	started := time.Now()
	err = a.raise(ctx, client, f.wait, f.timeout)
	if failed, ok := errors.AsType[unfit](err); ok && len(before.Nodes) == 0 {
		err = a.lower(ctx, client, failed)
	}
	if err != nil {
		return err
	}
	status, err := client.Status(ctx)
	if err != nil {
		return a.advise(err)
	}
	if a.output == "json" {
		return a.printJSON(status)
	}
	already := len(before.Nodes) > 0
	for _, n := range before.Nodes {
		already = already && n.State.Runs()
	}
	took := ""
	if f.wait && !already {
		took = fmt.Sprintf(", ready after %.1f s", time.Since(started).Seconds())
	}
	verb := map[bool]string{true: "is up already", false: "is up"}[already]
	spec, err := client.Spec()
	if err != nil {
		return err
	}
	fmt.Fprintf(a.out, "cluster %s %s: %s, %s, %s timing%s\n", status.Name, verb, counted(len(spec.Role(cluster.Broker)), "broker"), keepers(spec), status.Timing, took)
	fmt.Fprintf(a.out, "bootstrap  %s\n", strings.Join(status.Bootstrap, ","))
	if status.Mode == cluster.KRaft {
		fmt.Fprintf(a.out, "quorum     %s\n", strings.Join(status.Quorum, ","))
		return nil
	}
	fmt.Fprintf(a.out, "zookeeper  %s\n", status.ZooKeeper)
	return nil
}

// patience is how long nodes may take to start: six JVMs on a busy machine need more than embedded ones.
func patience(client *cluster.Client) time.Duration {
	if spec, err := client.Spec(); err == nil && spec.RunsApache() {
		return 5 * time.Minute
	}
	return time.Minute
}

// keepers counts the nodes that keep the metadata.
func keepers(spec cluster.Spec) string {
	switch controllers := len(spec.Role(cluster.Controller)); {
	case spec.Mode != cluster.KRaft:
		return counted(len(spec.Role(cluster.Coordinator)), "coordinator")
	case controllers == 0:
		return "brokers are controllers too"
	default:
		return counted(controllers, "controller")
	}
}

// openOrCreate returns the cluster that --cluster names; flags describe it if it is new and must agree if it is not.
func (a *app) openOrCreate(f upFlags) (client *cluster.Client, fresh bool, err error) {
	client, err = a.openLocal()
	switch {
	case err == nil:
		spec, err := client.Spec()
		if err != nil {
			return nil, false, err
		}
		return client, false, f.agree(spec)
	case !errors.Is(err, cluster.ErrNotFound):
		return nil, false, err
	}
	stateDir, err := cluster.StateDir()
	if err != nil {
		return nil, false, err
	}
	spec, err := f.describe(a.cluster, cluster.Engines(stateDir))
	if err != nil {
		return nil, false, err
	}
	if spec.Restart, err = cluster.ParsePolicy(f.restart); err != nil {
		return nil, false, usageError{err}
	}
	if f.given("port") {
		spec.PlacePorts(f.port)
	}
	if err := spec.Check(); err != nil {
		return nil, false, usageError{err}
	}
	client, err = cluster.Create(stateDir, spec)
	if errors.Is(err, cluster.ErrExists) { // another up was faster
		client, err = a.openLocal()
	}
	return client, true, err
}

// describe turns the flags into a new cluster. An engine "apache" becomes the newest that there is.
func (f upFlags) describe(name string, engines apache.Store) (spec cluster.Spec, err error) {
	if cluster.Metadata(f.mode) == cluster.KRaft {
		spec = cluster.NewKRaftSpec(name, f.coordinators, f.brokers, cluster.Timing(f.timing))
	} else {
		spec = cluster.NewSpec(name, f.coordinators, f.brokers, cluster.Timing(f.timing))
		spec.Mode = cluster.Metadata(f.mode)
	}
	named := func(engine string) string {
		if engine == "apache" && err == nil {
			var newest apache.Distribution
			newest, err = engines.Newest(f.mode)
			return newest.Name
		}
		return engine
	}
	spec.Engine = named(f.engine)
	keeper := cluster.Coordinator
	if spec.Mode == cluster.KRaft {
		keeper = cluster.Controller
	}
	for role, engine := range map[cluster.Role]string{cluster.Broker: f.brokerEngine, keeper: f.coordinatorEngine} {
		if engine == "" {
			continue
		}
		if spec.Engines == nil {
			spec.Engines = map[cluster.Role]string{}
		}
		spec.Engines[role] = named(engine)
	}
	switch {
	case spec.RunsApache():
		spec.Heap = cmp.Or(f.heap, strings.TrimSpace(os.Getenv("KAFKA_HEAP_OPTS")))
	case f.heap != "" && err == nil:
		err = usagef("--heap %s: the embedded nodes are no JVMs: leave it out, or add --engine apache", f.heap)
	}
	return spec, err
}

// sameEngine says whether a flag names the engine that a cluster has.
func sameEngine(flag, has string) string {
	if flag == "apache" && strings.HasPrefix(has, "apache-") {
		return has
	}
	return flag
}

// agree says which flag contradicts the cluster that is there.
func (f upFlags) agree(spec cluster.Spec) error {
	mode := cmp.Or(spec.Mode, cluster.ZooKeeper)
	keepers := len(spec.Role(cluster.Coordinator)) + len(spec.Role(cluster.Controller))
	broker, coordinator := spec.EngineOf(cluster.Broker), spec.EngineOf(cluster.Coordinator)
	if mode == cluster.KRaft {
		coordinator = spec.EngineOf(cluster.Controller)
	}
	differs := []struct {
		flag       string
		has, wants any
		instead    string
	}{
		{"brokers", len(spec.Role(cluster.Broker)), f.brokers, "add one with kdrill add broker, or start over after kdrill down --purge"},
		{"coordinators", keepers, f.coordinators, "start over after kdrill down --purge"},
		{"timing", string(spec.Timing), f.timing, "edit cluster.yaml while it is down, or start over after kdrill down --purge"},
		{"engine", spec.Engine, sameEngine(f.engine, spec.Engine), "start over after kdrill down --purge"},
		{"broker-engine", broker, sameEngine(f.brokerEngine, broker), "start over after kdrill down --purge"},
		{"coordinator-engine", coordinator, sameEngine(f.coordinatorEngine, coordinator), "start over after kdrill down --purge"},
		{"mode", string(mode), f.mode, "start over after kdrill down --purge"},
		{"heap", spec.Heap, f.heap, "edit cluster.yaml while it is down"},
		{"port", spec.Role(cluster.Broker)[0].Port, f.port, "edit cluster.yaml while it is down"},
		{"restart", string(spec.Restart), f.restart, "edit cluster.yaml while it is down"},
	}
	for _, d := range differs {
		if f.given(d.flag) && d.has != d.wants {
			if d.has == "" {
				d.has = "none"
			}
			return usagef("--%s %v: cluster %s has %v: %s", d.flag, d.wants, spec.Name, d.has, d.instead)
		}
	}
	return nil
}

// raise starts what does not run, shows how it comes up and, if asked to, waits until all of it serves.
func (a *app) raise(ctx context.Context, client *cluster.Client, wait bool, timeout time.Duration) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if err := client.Up(ctx, self); err != nil {
		return a.advise(err)
	}
	if !wait {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	show := newProgress(a.err)
	var last cluster.Status
	for last = range client.Watch(limited) {
		show.draw(last)
		if done, err := settled(last); done {
			return err
		}
	}
	if ctx.Err() != nil {
		return fmt.Errorf("interrupted: cluster %s goes on starting, kdrill ps shows it, kdrill down stops it", client.Name())
	}
	return unready(last, timeout)
}

// settled says whether every node serves, or that one of them will not.
func settled(s cluster.Status) (done bool, err error) {
	done = s.Problem == ""
	for _, n := range s.Nodes {
		switch n.State {
		case cluster.Serving:
		case cluster.Exited:
			return true, unfit{n}
		case cluster.Paused:
			return true, fmt.Errorf("%s is paused: continue it with kdrill resume %s", n.Name, n.Name)
		default:
			done = false
		}
	}
	return done, nil
}

// unfit is a node that ended instead of serving.
type unfit struct{ cluster.NodeStatus }

func (n unfit) Error() string {
	return fmt.Sprintf("%s did not start: %s", n.Name, reason(n.NodeStatus))
}

// lower stops what was started beside a node that did not start, where nothing ran before; its log stays.
func (a *app) lower(ctx context.Context, client *cluster.Client, failed unfit) error {
	if err := client.Down(ctx); err != nil {
		return errors.Join(failed, err)
	}
	start, purge := "kdrill up", "kdrill down --purge"
	if a.cluster != cluster.DefaultName {
		start, purge = start+" --cluster "+a.cluster, purge+" --cluster "+a.cluster
	}
	return fmt.Errorf("%w; the other nodes were stopped: %s tries again, %s removes the cluster", failed, start, purge)
}

// reason is how and why a node failed, or where to look for it.
func reason(n cluster.NodeStatus) string {
	switch {
	case n.Exit == "":
		return n.Reason
	case n.Reason == "":
		return fmt.Sprintf("it ended with %s, see %s", n.Exit, n.Log)
	}
	return fmt.Sprintf("%s (it ended with %s)", n.Reason, n.Exit)
}

func unready(s cluster.Status, timeout time.Duration) error {
	if s.Problem != "" {
		return errors.New(s.Problem)
	}
	for _, n := range s.Nodes {
		if n.State == cluster.BackOff {
			return unfit{n}
		}
		if n.State == cluster.Starting {
			return fmt.Errorf("%s does not serve after %s: see %s", n.Name, timeout, n.Log)
		}
	}
	return fmt.Errorf("the cluster is not ready after %s: kdrill ps shows what it waits for", timeout)
}

func counted(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
