package cmd

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"kdrill/admin"
)

// newElect holds preferred elections.
func newElect(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "elect [TOPIC/PARTITION]...",
		Short: "Make preferred replicas lead their partitions, all of them if none is named",
		RunE: func(cmd *cobra.Command, args []string) error {
			var partitions []admin.TopicPartition
			for _, arg := range args {
				topic, id, _ := strings.Cut(arg, "/")
				n, err := strconv.ParseInt(id, 10, 32)
				if err != nil || topic == "" || n < 0 {
					return usagef("elect %s: write TOPIC/PARTITION, such as orders/3", arg)
				}
				partitions = append(partitions, admin.TopicPartition{Topic: topic, Partition: int32(n)})
			}
			return a.withClient(cmd.Context(), func(client *admin.Client) error {
				elections, err := client.ElectPreferred(cmd.Context(), partitions)
				if err != nil {
					return err
				}
				return a.printElections(elections)
			})
		},
	}
}

func (a *app) printElections(elections []admin.Election) error {
	failed := 0
	table := newColumns("PARTITION", "PREFERRED", "OUTCOME")
	for _, e := range elections {
		outcome := "leads"
		switch {
		case e.Error != "":
			outcome = e.Error
			failed++
		case !e.Needed:
			outcome = "led already"
		}
		table.add(e.TopicPartition, admin.NodeName(e.Leader), outcome)
	}
	switch {
	case a.output == "json":
		if err := a.printJSON(append([]admin.Election{}, elections...)); err != nil {
			return err
		}
	case len(elections) == 0:
		fmt.Fprintln(a.out, "every preferred replica leads its partition already")
	default:
		table.print(a.out)
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d preferred replicas do not lead: they have to be alive and in sync", failed, len(elections))
	}
	return nil
}
