package cmd

import (
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"kdrill/cluster"
)

func newClusters(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "clusters",
		Short: "List the local clusters",
		Args:  noArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return a.clusters(c.Context()) },
	}
}

func (a *app) clusters(ctx context.Context) error {
	stateDir, err := cluster.StateDir()
	if err != nil {
		return err
	}
	all, err := cluster.List(ctx, stateDir)
	if err != nil {
		return err
	}
	if a.output == "json" {
		for _, s := range all {
			if err := a.printJSON(s); err != nil {
				return err
			}
		}
		return nil
	}
	if len(all) == 0 {
		fmt.Fprintf(a.err, "no cluster in %s: kdrill up starts one\n", stateDir)
		return nil
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tSTATE\tNODES\tENGINE\tTIMING\tBOOTSTRAP\tDIRECTORY")
	for _, s := range all {
		running := 0
		for _, n := range s.Status.Nodes {
			if n.State.Runs() {
				running++
			}
		}
		bootstrap := "-"
		if s.Presence == cluster.Up && len(s.Status.Bootstrap) > 0 {
			bootstrap = s.Status.Bootstrap[0]
		}
		fmt.Fprintf(w, "%s\t%s\t%d of %d\t%s\t%s\t%s\t%s\n", s.Name, s.Presence, running, len(s.Status.Nodes),
			s.Status.Engine, s.Status.Timing, bootstrap, s.Status.Directory)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, s := range all {
		if s.Status.Problem != "" {
			fmt.Fprintf(a.err, "%s: %s\n", s.Name, s.Status.Problem)
		}
	}
	return nil
}
