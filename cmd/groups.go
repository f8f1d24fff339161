package cmd

import (
	"github.com/spf13/cobra"

	"kdrill/admin"
)

// newGroups lists consumer groups.
func newGroups(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "groups",
		Short: "List consumer groups with their lag",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withClient(cmd.Context(), func(client *admin.Client) error {
				s, err := client.Snapshot(cmd.Context(), admin.Interest{Groups: true})
				if err != nil {
					return err
				}
				if a.output == "json" {
					return a.printJSON(s.Groups)
				}
				table := newColumns("GROUP", "STATE", "COORDINATOR", ">MEMBERS", ">LAG")
				for _, g := range s.Groups {
					table.add(g.ID, g.State, admin.NodeName(g.Coordinator), len(g.Members), number(g.Lag))
				}
				table.print(a.out)
				a.warn(s)
				return nil
			})
		},
	}
}
