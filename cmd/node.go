package cmd

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"kdrill/node/broker"
	"kdrill/node/coordinator"
)

// newNode is the command that runs one node in the foreground.
func newNode(a *app) *cobra.Command {
	node := &cobra.Command{
		Use:   "node",
		Short: "Run one node in the foreground",
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	node.AddCommand(
		runNode(a, "broker", "server.properties", broker.Run),
		runNode(a, "coordinator", "zoo.cfg", coordinator.Run),
	)
	return node
}

// runNode makes the command of one role; file is the usual name of its configuration.
func runNode(a *app, role, file string, run func(ctx context.Context, configPath string, out io.Writer) error) *cobra.Command {
	var path string
	c := &cobra.Command{
		Use:   role + " --config " + file,
		Short: "Run a " + role,
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if path == "" {
				return usagef("node %s: --config %s is missing", role, file)
			}
			// A first signal asks the node to stop in order, a second one ends it at once.
			context.AfterFunc(cmd.Context(), func() { signal.Reset(os.Interrupt, syscall.SIGTERM) })
			return run(cmd.Context(), path, a.out)
		},
	}
	c.Flags().StringVar(&path, "config", "", "configuration file ("+file+")")
	return c
}
