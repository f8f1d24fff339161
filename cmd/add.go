package cmd

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"kdrill/cluster"
)

func newAdd(a *app) *cobra.Command {
	add := &cobra.Command{
		Use:   "add",
		Short: "Make a local cluster larger",
		Args:  noArgs,
		RunE:  func(*cobra.Command, []string) error { return usagef("add what? kdrill add broker") },
	}
	var timeout time.Duration
	broker := &cobra.Command{
		Use:   "broker",
		Short: "Add a broker to a local cluster and start it",
		Args:  noArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return a.addBroker(c.Context(), timeout) },
	}
	broker.Flags().DurationVar(&timeout, "timeout", 0, "how long to wait until it serves (default 1m, 5m where there are JVMs)")
	add.AddCommand(broker)
	return add
}

func (a *app) addBroker(ctx context.Context, timeout time.Duration) error {
	client, err := a.openLocal()
	if err != nil {
		return err
	}
	if timeout == 0 {
		timeout = patience(client)
	}
	name, err := client.AddBroker(ctx, "command line")
	if err != nil {
		return a.advise(err)
	}
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	n, err := client.Await(limited, name, func(n cluster.NodeStatus) bool {
		return n.State == cluster.Serving || n.State == cluster.Exited
	})
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("interrupted: %s is part of the cluster and goes on starting", name)
	case limited.Err() != nil:
		return fmt.Errorf("%s does not serve after %s: kdrill logs %s", name, timeout, name)
	case err != nil:
		return err
	case n.State == cluster.Exited:
		return fmt.Errorf("%s is part of the cluster and did not start: %s: kdrill start %s tries again", name, reason(n), name)
	case a.output == "json":
		return a.printJSON(n)
	}
	_, err = fmt.Fprintf(a.out, "%s serves on %s (pid %d)\n", n.Name, n.Address, n.PID)
	return err
}
