package cmd

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"kdrill/admin"
)

// newTopic works on one topic.
func newTopic(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "topic",
		Short: "Create, describe, alter or delete a topic",
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(newTopicCreate(a), newTopicDescribe(a), newTopicAlter(a), newTopicDelete(a))
	return c
}

func newTopicCreate(a *app) *cobra.Command {
	var spec admin.TopicSpec
	var configs []string
	c := &cobra.Command{
		Use:   "create NAME",
		Short: "Create a topic and wait until every partition has a leader",
		Args:  oneArg("name of the topic"),
		RunE: func(cmd *cobra.Command, args []string) error {
			spec.Name = args[0]
			if cmd.Flags().Changed("partitions") && spec.Partitions < 1 {
				return usagef("--partitions %d: a topic has at least 1 partition", spec.Partitions)
			}
			if cmd.Flags().Changed("replication-factor") && spec.ReplicationFactor < 1 {
				return usagef("--replication-factor %d: must be at least 1", spec.ReplicationFactor)
			}
			var err error
			if spec.Configs, err = settings(configs); err != nil {
				return err
			}
			if err := spec.Validate(0); err != nil {
				return usageError{err}
			}
			return a.withClient(cmd.Context(), func(client *admin.Client) error { return a.createTopic(cmd.Context(), client, spec) })
		},
	}
	c.Flags().Int32Var(&spec.Partitions, "partitions", 0, "number of partitions (default: the brokers' num.partitions)")
	c.Flags().Int16Var(&spec.ReplicationFactor, "replication-factor", 0, "replicas of each partition (default: the brokers' default.replication.factor)")
	c.Flags().StringArrayVar(&configs, "config", nil, "name=value, may be repeated")
	return c
}

func (a *app) createTopic(ctx context.Context, client *admin.Client, spec admin.TopicSpec) error {
	if err := client.CreateTopic(ctx, spec); err != nil {
		return err
	}
	t, err := describe(ctx, client, spec.Name)
	if err != nil {
		return err
	}
	if a.output == "json" {
		return a.printJSON(t)
	}
	fmt.Fprintf(a.out, "created %s with %s, replication factor %d\n", t.Name, count(len(t.Partitions), "partition"), totals(t).replicas)
	return nil
}

// describe reads one topic with its configs.
func describe(ctx context.Context, client *admin.Client, name string) (*admin.Topic, error) {
	s, err := client.Snapshot(ctx, admin.Interest{Offsets: []string{name}, LogDirs: true, Configs: name})
	if err != nil {
		return nil, err
	}
	t, ok := s.Topic(name)
	if !ok {
		return nil, fmt.Errorf("there is no topic %s: kdrill topics lists them", name)
	}
	return t, nil
}

func newTopicDescribe(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "describe NAME",
		Short: "Show the partitions and configs of a topic",
		Args:  oneArg("name of the topic"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withClient(cmd.Context(), func(client *admin.Client) error {
				t, err := describe(cmd.Context(), client, args[0])
				if err != nil {
					return err
				}
				if a.output == "json" {
					return a.printJSON(t)
				}
				a.printTopic(t)
				return nil
			})
		},
	}
}

func (a *app) printTopic(t *admin.Topic) {
	sum := totals(t)
	fmt.Fprintf(a.out, "%s  %s  RF %d  min ISR %d  %s records  %s", t.Name, count(len(t.Partitions), "partition"), sum.replicas, t.MinISR, number(sum.records), size(sum.size))
	if t.ID != "" {
		fmt.Fprintf(a.out, "  id %s", t.ID)
	}
	fmt.Fprintln(a.out)
	table := newColumns(">#", "LEADER", ">EPOCH", "REPLICAS", "IN SYNC", "OUT", ">START", ">END", ">SIZE")
	for _, p := range t.Partitions {
		table.add(p.ID, admin.NodeName(p.Leader), p.LeaderEpoch, join(p.Replicas), join(p.ISR), join(p.Out()), number(p.Start), number(p.End), size(p.Size))
	}
	table.print(a.out)
	for _, name := range slices.Sorted(maps.Keys(t.Configs)) {
		fmt.Fprintf(a.out, "%s=%s\n", name, t.Configs[name])
	}
}

func newTopicAlter(a *app) *cobra.Command {
	var partitions int32
	var configs, remove []string
	c := &cobra.Command{
		Use:   "alter NAME",
		Short: "Add partitions to a topic, set or remove its configs",
		Args:  oneArg("name of the topic"),
		RunE: func(cmd *cobra.Command, args []string) error {
			set, err := settings(configs)
			if err != nil {
				return err
			}
			if partitions == 0 && len(set)+len(remove) == 0 {
				return usagef("topic alter: say what with --partitions, --config name=value or --delete-config name")
			}
			return a.withClient(cmd.Context(), func(client *admin.Client) error {
				if len(set)+len(remove) > 0 {
					if err := client.AlterTopicConfig(cmd.Context(), args[0], set, remove); err != nil {
						return err
					}
				}
				if partitions != 0 {
					if err := client.AddPartitions(cmd.Context(), args[0], partitions); err != nil {
						return err
					}
				}
				return a.done("altered", args[0])
			})
		},
	}
	c.Flags().Int32Var(&partitions, "partitions", 0, "raise the number of partitions to this")
	c.Flags().StringArrayVar(&configs, "config", nil, "name=value, may be repeated")
	c.Flags().StringArrayVar(&remove, "delete-config", nil, "name of a config that falls back to its default, may be repeated")
	return c
}

func newTopicDelete(a *app) *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use:   "delete NAME…",
		Short: "Delete topics and their records",
		Args: func(c *cobra.Command, names []string) error {
			if len(names) == 0 {
				return usagef("%s: give the name of at least one topic", c.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, names []string) error {
			return a.withClient(cmd.Context(), func(client *admin.Client) error {
				for _, name := range names {
					if err := a.deleteTopic(cmd.Context(), client, name, yes); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return c
}

func (a *app) deleteTopic(ctx context.Context, client *admin.Client, name string, yes bool) error {
	if !yes {
		if err := a.confirmDelete(ctx, client, name); err != nil {
			return err
		}
	}
	if err := client.DeleteTopic(ctx, name); err != nil {
		return err
	}
	return a.done("deleted", name)
}

// confirmDelete has the name typed again.
func (a *app) confirmDelete(ctx context.Context, client *admin.Client, name string) error {
	if !terminal(a.in) {
		return usagef("topic delete %s: add --yes to delete without being asked", name)
	}
	t, err := describe(ctx, client, name)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.out, "%s has %s and %s records. Type its name to delete it: ", name, count(len(t.Partitions), "partition"), number(totals(t).records))
	typed := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(a.in).ReadString('\n')
		typed <- strings.TrimSpace(line)
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(a.out)
		return ctx.Err()
	case line := <-typed:
		if line != name {
			return fmt.Errorf("%q is not %s: nothing is deleted", line, name)
		}
	}
	return nil
}

// settings reads name=value pairs.
func settings(pairs []string) (map[string]string, error) {
	set := map[string]string{}
	for _, pair := range pairs {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return nil, usagef("--config %s: write name=value", pair)
		}
		set[name] = value
	}
	return set, nil
}

// done says that something was done.
func (a *app) done(what, name string) error {
	if a.output == "json" {
		return a.printJSON(map[string]string{"name": name, "done": what})
	}
	fmt.Fprintln(a.out, what, name)
	return nil
}

// oneArg is an argument check that says what is missing.
func oneArg(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usagef("%s: give one %s", cmd.CommandPath(), what)
		}
		return nil
	}
}
