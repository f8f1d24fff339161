package cmd

import (
	"github.com/spf13/cobra"

	"kdrill/admin"
)

// newTopics lists topics.
func newTopics(a *app) *cobra.Command {
	var internal bool
	c := &cobra.Command{
		Use:   "topics",
		Short: "List topics",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withClient(cmd.Context(), func(client *admin.Client) error {
				s, err := client.Snapshot(cmd.Context(), admin.Interest{AllOffsets: true, LogDirs: true})
				if err != nil {
					return err
				}
				topics := []*admin.Topic{}
				for _, t := range s.Topics {
					if internal || !t.Internal {
						topics = append(topics, t)
					}
				}
				if a.output == "json" {
					return a.printJSON(topics)
				}
				a.printTopics(topics)
				a.warn(s)
				return nil
			})
		},
	}
	c.Flags().BoolVar(&internal, "internal", false, "list internal topics too")
	return c
}

func (a *app) printTopics(topics []*admin.Topic) {
	table := newColumns("TOPIC", ">PARTITIONS", ">RF", ">MIN ISR", ">RECORDS", ">SIZE", ">UNDER-REPLICATED", ">OFFLINE")
	for _, t := range topics {
		total := totals(t)
		minISR := int64(t.MinISR)
		if minISR == 0 {
			minISR = -1
		}
		table.add(t.Name, len(t.Partitions), total.replicas, number(minISR), number(total.records), size(total.size), total.under, total.offline)
	}
	table.print(a.out)
}

// topicTotals sums up a topic's partitions; -1 where one of them is unknown.
type topicTotals struct {
	replicas, under, offline int
	records, size            int64
}

func totals(t *admin.Topic) (sum topicTotals) {
	for _, p := range t.Partitions {
		sum.replicas = max(sum.replicas, len(p.Replicas))
		if p.UnderReplicated() {
			sum.under++
		}
		if p.Offline() {
			sum.offline++
		}
		if p.End < 0 || p.Start < 0 || sum.records < 0 {
			sum.records = -1
		} else {
			sum.records += p.End - p.Start
		}
		if p.Size < 0 || sum.size < 0 {
			sum.size = -1
		} else {
			sum.size += p.Size
		}
	}
	return sum
}
