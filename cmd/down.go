package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"kdrill/cluster"
)

func newDown(a *app) *cobra.Command {
	var purge, yes bool
	c := &cobra.Command{
		Use:   "down",
		Short: "Stop every node of a local cluster and its supervisor",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.down(c.Context(), purge, yes)
		},
	}
	c.Flags().BoolVar(&purge, "purge", false, "remove the cluster with all its data as well")
	c.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return c
}

// downed is what down prints as JSON.
type downed struct {
	Name    string `json:"name"`
	Stopped bool   `json:"stopped"` // false if nothing ran
	Purged  bool   `json:"purged"`
}

func (a *app) down(ctx context.Context, purge, yes bool) error {
	client, err := a.openLocal()
	if errors.Is(err, cluster.ErrNotFound) {
		return a.tellDown(downed{Name: a.cluster}, "there is no cluster %s: nothing to stop", a.cluster)
	}
	if err != nil {
		return err
	}
	if purge {
		question := fmt.Sprintf("Stop cluster %s and remove %s with all its data?", client.Name(), client.Directory())
		if err := a.confirm(ctx, yes, question); err != nil {
			return err
		}
	}
	done := downed{Name: client.Name(), Stopped: true, Purged: purge}
	said := "cluster %s is down"
	switch err := client.Down(ctx); {
	case errors.Is(err, cluster.ErrDown):
		done.Stopped = false
		said = "cluster %s is down already"
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("interrupted: cluster %s goes on stopping", client.Name())
	case err != nil:
		return err
	}
	if purge {
		if err := client.Purge(); err != nil {
			return err
		}
		os.Remove(filepath.Dir(client.Directory())) // if it was the last cluster
		said += ", and " + client.Directory() + " is removed"
	}
	return a.tellDown(done, said, client.Name())
}

func (a *app) tellDown(d downed, format string, args ...any) error {
	if a.output == "json" {
		return a.printJSON(d)
	}
	_, err := fmt.Fprintf(a.out, format+"\n", args...)
	return err
}
