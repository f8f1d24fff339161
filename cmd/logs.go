package cmd

import (
	"context"
	"fmt"
	"sync"

	"github.com/spf13/cobra"

	"kdrill/cluster"
)

func newLogs(a *app) *cobra.Command {
	var follow bool
	var lines int
	c := &cobra.Command{
		Use:   "logs [NODE…]",
		Short: "Print what nodes have logged",
		Long:  "Print what nodes have logged, all of them if none is named. The supervisor counts as a node named supervisor.",
		RunE: func(c *cobra.Command, nodes []string) error {
			return a.logs(c.Context(), nodes, lines, follow)
		},
	}
	c.Flags().BoolVarP(&follow, "follow", "f", false, "wait for more until interrupted")
	c.Flags().IntVarP(&lines, "lines", "n", 50, "how many of the last lines, -1 for all")
	return c
}

// logLine is what logs prints as JSON.
type logLine struct {
	Node string `json:"node"`
	Line string `json:"line"`
}

func (a *app) logs(ctx context.Context, words []string, lines int, follow bool) error {
	client, err := a.openLocal()
	if err != nil {
		return err
	}
	names, err := a.logNames(ctx, client, words)
	if err != nil {
		return err
	}
	var mu sync.Mutex // one line at a time
	print := func(node, line string) error {
		mu.Lock()
		defer mu.Unlock()
		var err error
		switch {
		case a.output == "json":
			err = a.printJSON(logLine{node, line})
		case len(names) > 1:
			_, err = fmt.Fprintf(a.out, "%-14s | %s\n", node, line)
		default:
			_, err = fmt.Fprintln(a.out, line)
		}
		return err
	}
	copyLog := func(node string) error {
		for line, err := range client.Log(ctx, node, lines, follow) {
			if err != nil {
				return err
			}
			if err := print(node, line); err != nil {
				return err
			}
		}
		return nil
	}
	if !follow { // in the order asked for
		for _, node := range names {
			if err := copyLog(node); err != nil {
				return err
			}
		}
		return nil
	}
	failed := make(chan error, len(names))
	for _, node := range names {
		go func() { failed <- copyLog(node) }()
	}
	for range names {
		if err := <-failed; err != nil {
			return err
		}
	}
	return nil
}

// logNames says whose logs are meant. Only a role needs the cluster to be up.
func (a *app) logNames(ctx context.Context, client *cluster.Client, words []string) ([]string, error) {
	status := client.Idle()
	if len(words) == 0 {
		return nodeNames(status), nil
	}
	names := make([]string, len(words))
	for i, word := range words {
		if word == cluster.SupervisorName {
			names[i] = word
			continue
		}
		if isRole(word) {
			var err error
			if status, err = client.Status(ctx); err != nil {
				return nil, a.advise(err)
			}
		}
		nodes, err := a.resolve(ctx, status, []string{word})
		if err != nil {
			return nil, err
		}
		names[i] = nodes[0].Name
	}
	return names, nil
}
