package cmd

import (
	"fmt"

	"github.com/spf13/cobra"

	"kdrill/admin"
)

// newGroup works on one consumer group.
func newGroup(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "group",
		Short: "Describe a consumer group",
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(&cobra.Command{
		Use:   "describe GROUP",
		Short: "Show the members of a group and its lag in each partition",
		Args:  oneArg("name of the group"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withClient(cmd.Context(), func(client *admin.Client) error {
				s, err := client.Snapshot(cmd.Context(), admin.Interest{Group: args[0]})
				if err != nil {
					return err
				}
				g, ok := s.Group(args[0])
				if !ok {
					a.warn(s)
					return fmt.Errorf("there is no group %s: kdrill groups lists them", args[0])
				}
				if a.output == "json" {
					return a.printJSON(g)
				}
				a.printGroup(g)
				return nil
			})
		},
	})
	return c
}

func (a *app) printGroup(g *admin.Group) {
	fmt.Fprintf(a.out, "%s  %s  coordinator %s  %s  lag %s\n", g.ID, g.State, admin.NodeName(g.Coordinator), count(len(g.Members), "member"), number(g.Lag))
	clients := map[string]string{}
	for _, m := range g.Members {
		clients[m.ID] = m.ClientID + " " + m.Host
	}
	table := newColumns("TOPIC", ">#", ">COMMITTED", ">END", ">LAG", "MEMBER")
	for _, p := range g.Partitions {
		table.add(p.Topic, p.Partition, number(p.Committed), number(p.End), number(p.Lag), clients[p.Member])
	}
	table.print(a.out)
}
