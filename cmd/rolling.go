package cmd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"kdrill/admin"
	"kdrill/cluster"
)

// rollEvery is how often a rolling restart asks whether it may go on.
const rollEvery = 200 * time.Millisecond

// spared waits until the first of the nodes that are left can be taken without leaving anybody short: a partition without a
// leader or below min.insync.replicas, a quorum without its majority. It shows what it waits for, and gives up after timeout.
func (a *app) spared(ctx context.Context, client *cluster.Client, nodes []cluster.NodeStatus, hasTopics bool, timeout time.Duration) error {
	n := nodes[0]
	needs, trouble := a.untilNone(ctx, timeout, func(ctx context.Context) ([]string, error) {
		status, err := client.Status(ctx)
		if err != nil {
			return nil, err
		}
		return needed(ctx, status, n, hasTopics)
	}, n.Name+" is restarted once it is not needed for ")
	rest := notRestarted(nodes)
	switch {
	case trouble == nil:
		return nil
	case ctx.Err() != nil:
		return errors.New("interrupted: " + rest)
	case len(needs) == 0:
		return fmt.Errorf("%s: whether %s can be spared is not known after %s: %w", rest, n.Name, timeout, trouble)
	}
	return fmt.Errorf("%s: %s is needed for %s, still after %s: see kdrill ps and kdrill topics; kdrill restart %s, alone, takes it all the same",
		rest, n.Name, summary(needs), timeout, n.Name)
}

// needed says what would be short without a node now.
func needed(ctx context.Context, status cluster.Status, n cluster.NodeStatus, hasTopics bool) ([]string, error) {
	needs := quorumNeeds(status, n)
	if n.Role != cluster.Broker {
		return needs, nil
	}
	client, err := admin.Dial(ctx, localConfig(status))
	if err != nil {
		return needs, err
	}
	defer client.Close()
	var away []int32
	for _, other := range status.Nodes {
		if other.Role == cluster.Broker && other.State != cluster.Serving && other.Name != n.Name {
			away = append(away, int32(other.ID))
		}
	}
	partitions, err := client.Needed(ctx, int32(n.ID), away, hasTopics)
	return append(needs, partitions...), err
}

// quorumNeeds says whether a node is needed for the majority of those that keep the metadata, while others are away.
func quorumNeeds(status cluster.Status, n cluster.NodeStatus) []string {
	votes := func(n cluster.NodeStatus) bool { return n.Role != cluster.Broker || n.Voter }
	size, serving := 0, 0
	for _, member := range status.Nodes {
		if votes(member) {
			size++
			if member.State == cluster.Serving {
				serving++
			}
		}
	}
	if !votes(n) || serving == size || serving-1 > size/2 {
		return nil
	}
	return []string{fmt.Sprintf("the quorum, %d of %d serve", serving, size)}
}

// rejoined waits until a node that was restarted has caught up, so that the next can be taken without anybody missing
// both. It shows what it waits for, and gives up after timeout.
func (a *app) rejoined(ctx context.Context, status cluster.Status, n cluster.NodeStatus, left []cluster.NodeStatus, hasTopics bool, timeout time.Duration) error {
	if n.Role == cluster.Coordinator {
		return nil // it serves, so it follows its quorum
	}
	behind, trouble := a.untilNone(ctx, timeout, func(ctx context.Context) ([]string, error) { return behindOnce(ctx, status, n, hasTopics) },
		"waiting for "+n.Name+" to catch up: ")
	rest := notRestarted(left)
	switch {
	case trouble == nil:
		return nil
	case ctx.Err() != nil:
		return errors.New("interrupted: " + rest)
	case len(behind) == 0:
		return fmt.Errorf("%s: whether %s has caught up is not known after %s: %w", rest, n.Name, timeout, trouble)
	}
	return fmt.Errorf("%s: %s has not caught up after %s, it is out of %s: see kdrill logs %s, and go on once kdrill topics shows nothing under-replicated",
		rest, n.Name, timeout, summary(behind), n.Name)
}

// untilNone asks until nothing is in the way, and tells what is whenever that changes. If timeout ends first it returns
// what was in the way last, if that is known, and an error.
func (a *app) untilNone(ctx context.Context, timeout time.Duration, ask func(context.Context) ([]string, error), waiting string) (last []string, err error) {
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	tick := time.NewTicker(rollEvery)
	defer tick.Stop()
	trouble := errors.New("no broker has answered: see kdrill ps")
	for said := ""; ; {
		found, err := ask(limited)
		switch {
		case err == nil && len(found) == 0:
			return nil, nil
		case err == nil:
			last = found
			if now := summary(found); now != said {
				said = now
				fmt.Fprintf(a.err, "%s%s\n", waiting, now)
			}
		case limited.Err() == nil:
			trouble = err
		}
		select {
		case <-tick.C:
		case <-limited.Done():
			return last, trouble
		}
	}
}

// hasTopics says whether the brokers tell of topics, false if none answers: a broker that has just started may not know yet.
func hasTopics(ctx context.Context, status cluster.Status) bool {
	client, err := admin.Dial(ctx, localConfig(status))
	if err != nil {
		return false
	}
	defer client.Close()
	has, _ := client.HasTopics(ctx)
	return has
}

func behindOnce(ctx context.Context, status cluster.Status, n cluster.NodeStatus, hasTopics bool) ([]string, error) {
	client, err := admin.Dial(ctx, localConfig(status))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	return client.Behind(ctx, int32(n.ID), hasTopics)
}

// notRestarted names the nodes that a rolling restart has not come to when it ends early.
func notRestarted(nodes []cluster.NodeStatus) string {
	names := make([]string, len(nodes))
	for i, n := range nodes {
		names[i] = n.Name
	}
	were := "were"
	if len(names) == 1 {
		were = "was"
	}
	return fmt.Sprintf("%s %s not restarted", summary(names), were)
}

// summary names a few of many.
func summary(names []string) string {
	const few = 3
	if len(names) <= few {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
}
