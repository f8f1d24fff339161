package cmd

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"kdrill/admin"
	"kdrill/cluster"
)

// blastTime is how long a question may wait for the cluster to say what a fault would do: far more than one takes that is well,
// on a busy machine, too.
const blastTime = 10 * time.Second

// untold stands where the cluster does not say what a fault would do.
const untold = "no broker answers: what that would do is not known\n"

// blasts says what would happen if each of the nodes ended now, one line a node. Where no broker serves none is asked.
func blasts(ctx context.Context, status cluster.Status, nodes []cluster.NodeStatus) string {
	if !slices.ContainsFunc(status.Nodes, func(n cluster.NodeStatus) bool { return n.Role == cluster.Broker && n.State == cluster.Serving }) {
		return untold
	}
	ctx, cancel := context.WithTimeout(ctx, blastTime)
	defer cancel()
	client, err := admin.Dial(ctx, localConfig(status))
	if err != nil {
		return untold
	}
	defer client.Close()
	snapshot, err := client.Snapshot(ctx, admin.Interest{Groups: true})
	if err != nil {
		return untold
	}
	var text strings.Builder
	for _, n := range nodes {
		b := admin.CoordinatorBlast(snapshot, n.Address)
		if n.Role == cluster.Broker {
			b = admin.BlastRadius(snapshot, int32(n.ID))
		}
		fmt.Fprintf(&text, "%s: %s\n", n.Name, consequences(b, snapshot.Ensemble()))
	}
	return text.String()
}

// consequences puts a blast radius into one line; ensemble is what the nodes are called that keep the metadata.
func consequences(b admin.Blast, ensemble string) string {
	var parts []string
	add := func(n int, one, many string) {
		if n == 1 {
			parts = append(parts, "1 "+one)
		} else if n > 1 {
			parts = append(parts, fmt.Sprintf("%d %s", n, many))
		}
	}
	add(len(b.Loses), "partition loses its leader", "partitions lose their leader")
	add(len(b.Offline), "partition goes offline", "partitions go offline")
	add(len(b.BelowMinISR), "partition falls below min.insync.replicas", "partitions fall below min.insync.replicas")
	add(len(b.Groups), "group moves", "groups move")
	if b.Controller {
		parts = append(parts, "the controller moves")
	}
	if q := b.Quorum; q != nil {
		parts = append(parts, fmt.Sprintf("%d of %d %s serve on, %d are needed", q.Serving, q.Size, ensemble, q.Needed))
	}
	if len(parts) == 0 {
		return "nobody loses a leader"
	}
	return strings.Join(parts, ", ")
}
