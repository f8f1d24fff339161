package cmd

import (
	"context"
	"log/slog"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"kdrill/admin"
	"kdrill/cluster"
)

func newSupervise(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "supervise",
		Short: "Own the nodes of a local cluster, in the foreground; up starts this by itself",
		Long: "Own the nodes of a local cluster, in the foreground; up starts this by itself.\n\n" +
			"When it is interrupted the nodes live on, and the next supervisor adopts them.",
		Args: cobra.NoArgs,
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
			chronicle(ctx, supervisor, log)
		case <-ctx.Done():
		}
		return nil
	})
	return group.Wait()
}

// chronicle records what the cluster shows of itself in the supervisor's timeline, so that there is one without a console.
// It never ends the supervisor: a cluster without a timeline is better than none.
func chronicle(ctx context.Context, supervisor *cluster.Supervisor, log *slog.Logger) {
	status := supervisor.Status()
	observer := admin.NewObserver(admin.Config{Bootstrap: status.Bootstrap, ZooKeeper: status.ZooKeeper, Log: log})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := observer.Run(ctx); err != nil && ctx.Err() == nil {
			log.Error("nothing observes the cluster", "err", err)
		}
	}()
	for {
		select {
		case e := <-observer.Events():
			supervisor.Record(cluster.Event(e))
		case <-observer.Snapshots():
		case <-ended:
			return
		}
	}
}
