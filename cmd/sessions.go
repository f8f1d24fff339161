package cmd

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"kdrill/admin"
)

// newSessions lists the sessions of ZooKeeper.
func newSessions(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "sessions",
		Short: "List ZooKeeper's sessions with their owners, timeouts and ephemeral znodes",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withZooKeeper(cmd.Context(), func(cfg admin.Config) error {
				all, err := admin.ReadSessions(cmd.Context(), cfg)
				if err != nil {
					return fmt.Errorf("sessions: %w", err)
				}
				if a.output == "json" {
					return a.printJSON(all)
				}
				table := newColumns("SESSION", "OWNER", ">TIMEOUT", "CONNECTED", "CLIENT", "AT", "EPHEMERALS")
				for _, s := range all.List {
					timeout := "-"
					if s.Timeout > 0 {
						timeout = s.Timeout.String()
					}
					table.add(s.ID, s.Owner, timeout, s.Connected, s.Client, s.Server, strings.Join(s.Ephemerals, " "))
				}
				table.print(a.out)
				if all.Hidden != "" {
					fmt.Fprintf(a.err, "not all is told: %s\n", all.Hidden)
				}
				return nil
			})
		},
	}
}
