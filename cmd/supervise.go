package cmd

import (
	"context"
	"log/slog"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"kdrill/cluster"
)

func newSupervise(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "supervise",
		Short: "Own the nodes of a local cluster, in the foreground; up starts this by itself",
		Long: "Own the nodes of a local cluster, in the foreground; up starts this by itself.\n\n" +
			"When it is interrupted the nodes live on, and the next supervisor adopts them.",
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.supervise(c.Context()) },
	}
}

func (a *app) supervise(ctx context.Context) error {
	if _, err := a.openLocal(); err != nil {
		return err
	}
	stateDir, err := cluster.StateDir()
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(a.err, nil))
	supervisor := cluster.New(cluster.Config{StateDir: stateDir, Name: a.cluster, Log: log})
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer stop() // a cluster that is down needs no observer
		return supervisor.Run(ctx)
	})
	group.Go(func() error {
		select {
		case <-supervisor.Serving():
			(&chronicle{supervisor: supervisor, log: log}).run(ctx)
		case <-ctx.Done():
		}
		return nil
	})
	return group.Wait()
}
