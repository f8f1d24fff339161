package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"kdrill/cluster"
)

func newPS(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "ps",
		Short: "Show the nodes of a local cluster and their processes",
		Args:  noArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return a.ps(c.Context()) },
	}
}

func (a *app) ps(ctx context.Context) error {
	client, err := a.openLocal()
	if err != nil {
		return err
	}
	status, err := client.Status(ctx)
	switch {
	case errors.Is(err, cluster.ErrDown):
		status = client.Idle()
	case err != nil:
		return a.advise(err)
	}
	if a.output == "json" {
		return a.printJSON(status)
	}
	printNodes(a.out, status)
	if status.Problem != "" {
		fmt.Fprintf(a.err, "%v\n", a.advise(err))
	}
	return nil
}

func printNodes(out io.Writer, s cluster.Status) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tROLE\tID\tENGINE\tSTATE\tPID\tADDRESS\tUPTIME\tRSS\tCPU\tRESTARTS\tLAST EXIT")
	for _, n := range s.Nodes {
		pid, uptime, rss, cpu := "-", "-", "-", "-"
		if n.State.Runs() {
			pid, uptime = fmt.Sprint(n.PID), brief(s.At.Sub(n.Started))
			rss, cpu = fmt.Sprintf("%dM", n.RSS>>20), brief(n.CPU)
		}
		exit := cmp.Or(n.Exit, "-")
		if n.Reason != "" {
			exit += ": " + n.Reason
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\n",
			n.Name, n.Role, n.ID, n.Engine, n.State, pid, n.Address, uptime, rss, cpu, n.Restarts, exit)
	}
	w.Flush()
}

// brief writes a duration with two units at most: 0.31s, 12s, 4m12s, 3h07m.
func brief(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.2fs", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
}
