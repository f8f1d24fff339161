package cmd

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"kdrill/cluster"
)

// deed is a command that does a verb to nodes.
type deed struct {
	verb   cluster.Verb
	short  string
	signal string // what the process gets; empty for what hurts nobody and is not asked about
	past   string
	// done says whether a node has become what the verb makes of it; before is how it was.
	done func(before, now cluster.NodeStatus) bool
}

func started(before, now cluster.NodeStatus) bool {
	return now.PID != before.PID && now.State == cluster.Serving || failed(before, now)
}

// failed says whether a process that was started after before has ended.
func failed(before, now cluster.NodeStatus) bool {
	return now.State == cluster.Exited && now.Since.After(before.Since)
}

func ended(before, now cluster.NodeStatus) bool { return now.PID != before.PID }

var deeds = []deed{
	{cluster.Kill, "Kill nodes with SIGKILL; they stay down", "SIGKILL", "killed", ended},
	{cluster.Stop, "Stop nodes with SIGTERM, a controlled shutdown; they stay down", "SIGTERM", "stopped", ended},
	{cluster.Pause, "Halt nodes with SIGSTOP", "SIGSTOP", "paused", func(_, now cluster.NodeStatus) bool {
		return now.State != cluster.Serving && now.State != cluster.Starting
	}},
	{cluster.Resume, "Continue nodes that are paused", "", "resumed", func(_, now cluster.NodeStatus) bool { return now.State != cluster.Paused }},
	{cluster.Restart, "Stop nodes if they run, and start them; of several, each once it can be spared", "SIGTERM", "restarted", started},
	{cluster.Start, "Start nodes that do not run", "", "started", started},
}

const roleHelp = `A node is named broker-1 or coordinator-1, or by what it is at this moment: controller, leader:TOPIC/PARTITION,
group-coordinator:GROUP, coordinator-leader, controller-leader (KRaft).`

// newFaults makes the commands kill, stop, pause, resume, restart and start.
func newFaults(a *app) (all []*cobra.Command) {
	for _, d := range deeds {
		var yes bool
		var timeout time.Duration
		c := &cobra.Command{
			Use:   string(d.verb) + " NODE…",
			Short: d.short,
			Long:  d.short + ".\n\n" + roleHelp,
			Args:  needNodes,
			RunE: func(c *cobra.Command, nodes []string) error {
				return a.do(c.Context(), d, nodes, yes, timeout)
			},
		}
		c.Flags().DurationVar(&timeout, "timeout", 0, "how long to wait for the effect (default 1m, 5m where there are JVMs)")
		c.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
		all = append(all, c)
	}
	return all
}

func needNodes(c *cobra.Command, nodes []string) error {
	if len(nodes) == 0 {
		return usagef("%s: name at least one node, kdrill ps lists them", c.Name())
	}
	return nil
}

// do does a deed to nodes, one after the other, so that each finds the cluster as the one before left it. A timeout of 0
// is as long as such nodes may take.
func (a *app) do(ctx context.Context, d deed, words []string, yes bool, timeout time.Duration) error {
	client, err := a.openLocal()
	if err != nil {
		return err
	}
	if timeout == 0 {
		timeout = patience(client)
	}
	status, err := client.Status(ctx)
	if err != nil {
		return a.advise(err)
	}
	nodes, err := a.resolve(ctx, status, words)
	if err != nil {
		return err
	}
	if d.signal != "" && a.asks(yes) {
		fmt.Fprint(a.err, blasts(ctx, status, nodes))
		if err := a.confirm(ctx, yes, question(d, client.Name(), words, nodes)); err != nil {
			return err
		}
	}
	if d.verb == cluster.Restart { // who does not serve comes first: nobody misses it, and others may wait for it
		slices.SortStableFunc(nodes, func(a, b cluster.NodeStatus) int { return serves(a) - serves(b) })
	}
	rolling := d.verb == cluster.Restart && len(nodes) > 1
	topics := rolling && hasTopics(ctx, status)
	for i, before := range nodes {
		if rolling && before.State == cluster.Serving {
			if err := a.spared(ctx, client, nodes[i:], topics, timeout); err != nil {
				return err
			}
		}
		if err := client.Do(ctx, before.Name, d.verb, "command line"); err != nil {
			return a.advise(err)
		}
		now, err := a.await(ctx, client, d, before, timeout)
		if err != nil {
			return err
		}
		if err := a.tellDone(d, before, now); err != nil {
			return err
		}
		if left := nodes[i+1:]; rolling && len(left) > 0 && before.State.Runs() && left[0].State.Runs() {
			if err := a.rejoined(ctx, status, now, left, topics, timeout); err != nil {
				return err
			}
		}
	}
	return nil
}

func serves(n cluster.NodeStatus) int {
	if n.State == cluster.Serving {
		return 1
	}
	return 0
}

// question names what is hit: the node, what it was called by, its process and the signal.
func question(d deed, name string, words []string, nodes []cluster.NodeStatus) string {
	var hits []string
	for i, n := range nodes {
		var details []string
		if words[i] != n.Name {
			details = append(details, words[i])
		}
		if n.PID != 0 {
			details = append(details, fmt.Sprintf("%s to pid %d", d.signal, n.PID))
		}
		hit := n.Name
		if len(details) > 0 {
			hit += " (" + strings.Join(details, ", ") + ")"
		}
		hits = append(hits, hit)
	}
	return fmt.Sprintf("%s%s %s of cluster %s?", strings.ToUpper(string(d.verb[:1])), d.verb[1:], strings.Join(hits, " and "), name)
}

// await waits for the effect of a deed.
func (a *app) await(ctx context.Context, client *cluster.Client, d deed, before cluster.NodeStatus, timeout time.Duration) (cluster.NodeStatus, error) {
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	now, err := client.Await(limited, before.Name, func(n cluster.NodeStatus) bool { return d.done(before, n) })
	switch {
	case err == nil:
		return now, nil
	case ctx.Err() != nil:
		return now, fmt.Errorf("interrupted: %s was told to %s", before.Name, d.verb)
	case limited.Err() != nil:
		return now, fmt.Errorf("%s %s: no effect after %s, see %s", d.verb, before.Name, timeout, before.Log)
	}
	return now, err
}

func (a *app) tellDone(d deed, before, now cluster.NodeStatus) error {
	if starts := d.verb == cluster.Start || d.verb == cluster.Restart; starts && now.State != cluster.Serving {
		return fmt.Errorf("%s %s: %s", d.verb, now.Name, reason(now))
	}
	if a.output == "json" {
		return a.printJSON(now)
	}
	pid := now.PID
	if pid == 0 {
		pid = before.PID
	}
	line := fmt.Sprintf("%s %s", now.Name, d.past)
	if pid != 0 {
		line += fmt.Sprintf(" (pid %d)", pid)
	}
	_, err := fmt.Fprintln(a.out, line)
	return err
}
