package cmd

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"kdrill/cluster"
	"kdrill/cluster/apache"
)

func newEngine(a *app) *cobra.Command {
	engine := &cobra.Command{
		Use:   "engine",
		Short: "Apache Kafkas that clusters can run instead of the embedded nodes",
		Args:  cobra.NoArgs,
		RunE:  func(*cobra.Command, []string) error { return usagef("which? kdrill engine add, list, check or remove") },
	}
	var sha512 string
	add := &cobra.Command{
		Use:   "add FOLDER|ARCHIVE",
		Short: "Add an Apache Kafka: a downloaded archive, its unpacked folder, or a folder of jars",
		Args:  exactly(1, "name one archive or folder: kdrill engine add kafka_2.13-3.9.1.tgz"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withEngines(func(engines apache.Store) error { return a.addEngine(c.Context(), engines, args[0], sha512) })
		},
	}
	add.Flags().StringVar(&sha512, "sha512", "", "SHA-512 that the archive must have: its digits, or the .sha512 file")
	list := &cobra.Command{
		Use:   "list",
		Short: "List the engines",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return a.withEngines(a.listEngines)
		},
	}
	check := &cobra.Command{
		Use:   "check [ENGINE]",
		Short: "Say whether Apache engines can be started here, and what is missing",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withEngines(func(engines apache.Store) error { return a.checkEngines(c.Context(), engines, args) })
		},
	}
	remove := &cobra.Command{
		Use:   "remove ENGINE",
		Short: "Forget an engine, and delete what was unpacked for it",
		Args:  exactly(1, "name one engine: kdrill engine list shows them"),
		RunE: func(_ *cobra.Command, args []string) error {
			return a.withEngines(func(engines apache.Store) error { return a.removeEngine(engines, args[0]) })
		},
	}
	engine.AddCommand(add, list, check, remove)
	return engine
}

func exactly(n int, advice string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != n {
			return usagef("%s", advice)
		}
		return nil
	}
}

// withEngines runs do with the engines of this user.
func (a *app) withEngines(do func(apache.Store) error) error {
	stateDir, err := cluster.StateDir()
	if err != nil {
		return err
	}
	return do(cluster.Engines(stateDir))
}

func (a *app) addEngine(ctx context.Context, engines apache.Store, source, sha512 string) error {
	d, err := engines.Add(source, sha512)
	if err != nil {
		return err
	}
	if a.output == "json" {
		return a.printJSON(d)
	}
	fmt.Fprintf(a.out, "%s added from %s: %s mode; kdrill up --engine %s\n", d.Name, source, strings.Join(d.Modes(), " or "), d.Name)
	for _, line := range lacks(ctx, d) {
		fmt.Fprintf(a.err, "%s: %s\n", d.Name, line)
	}
	return nil
}

func (a *app) listEngines(engines apache.Store) error {
	names, err := engines.Names()
	if err != nil {
		return err
	}
	table := newColumns("NAME", "KAFKA", "ZOOKEEPER", "MODES", "FOLDER")
	table.add(cluster.Embedded, "3.9", "3.9", "zookeeper", "this program")
	for _, name := range names {
		d, err := engines.Get(name)
		if a.output == "json" {
			if err := a.printJSON(d); err != nil {
				return err
			}
		}
		if err != nil {
			fmt.Fprintln(a.err, err)
			continue
		}
		zookeeper := d.ZooKeeper
		if zookeeper == "" {
			zookeeper = "-"
		}
		table.add(d.Name, d.Version, zookeeper, strings.Join(d.Modes(), ","), d.Folder)
	}
	if a.output != "json" {
		table.print(a.out)
	}
	return nil
}

// engineReport is what there is to say about one engine.
type engineReport struct {
	apache.Distribution
	Modes []string `json:"modes"`
	Lacks []string `json:"lacks"` // one sentence each; empty if it can be started
}

func (a *app) checkEngines(ctx context.Context, engines apache.Store, names []string) error {
	if len(names) == 0 {
		var err error
		if names, err = engines.Names(); err != nil {
			return err
		}
	}
	if len(names) == 0 {
		_, err := engines.Newest(apache.KRaftMode)
		return err
	}
	unfit := 0
	for _, name := range names {
		r := engineReport{Lacks: []string{}}
		var err error
		if r.Distribution, err = engines.Get(name); err != nil {
			r.Lacks = append(r.Lacks, err.Error())
		} else {
			r.Modes, r.Lacks = r.Distribution.Modes(), append(r.Lacks, lacks(ctx, r.Distribution)...)
		}
		if len(r.Lacks) > 0 {
			unfit++
		}
		if err := a.reportEngine(ctx, name, r); err != nil {
			return err
		}
	}
	if unfit > 0 {
		return fmt.Errorf("%s cannot be started yet", counted(unfit, "engine"))
	}
	return nil
}

func (a *app) reportEngine(ctx context.Context, name string, r engineReport) error {
	if a.output == "json" {
		return a.printJSON(r)
	}
	if r.Version != "" {
		fmt.Fprintf(a.out, "%s: Kafka %s, ZooKeeper %s, in %s; %s mode\n", name, r.Version, dash(r.ZooKeeper), r.Folder, strings.Join(r.Modes, " or "))
	}
	if java, err := apache.FindJava(ctx); err == nil && r.Version != "" {
		fmt.Fprintf(a.out, "%s: Java %s (%s)\n", name, java.Version, java.Path)
	}
	for _, line := range r.Lacks {
		fmt.Fprintf(a.out, "%s: %s\n", name, line)
	}
	if len(r.Lacks) == 0 {
		fmt.Fprintf(a.out, "%s: can be started\n", name)
	}
	return nil
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// lacks says what keeps a distribution from being started here, one sentence each.
func lacks(ctx context.Context, d apache.Distribution) (sentences []string) {
	java, err := apache.FindJava(ctx)
	if err == nil {
		err = java.Runs(d)
	}
	if err != nil {
		sentences = append(sentences, err.Error())
	}
	if d.Logging == "" {
		sentences = append(sentences, fmt.Sprintf("%s has neither reload4j nor log4j-core, so that its nodes would log nothing: add slf4j-reload4j and reload4j", d.Libs))
	}
	return sentences
}

func (a *app) removeEngine(engines apache.Store, name string) error {
	stateDir, err := cluster.StateDir()
	if err != nil {
		return err
	}
	if users := cluster.EngineUsers(stateDir, name); len(users) > 0 {
		return fmt.Errorf("%s is what %s runs: kdrill down --purge --cluster %s first", name, strings.Join(users, ", "), users[0])
	}
	if err := engines.Remove(name); err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.out, "%s removed\n", name)
	return err
}
