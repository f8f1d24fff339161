package cmd

import (
	"context"
	"fmt"
	"strings"
	"time"

	"kdrill/admin"
	"kdrill/cluster"
)

// resolve turns names of nodes and roles into nodes.
func (a *app) resolve(ctx context.Context, status cluster.Status, words []string) ([]cluster.NodeStatus, error) {
	nodes := make([]cluster.NodeStatus, len(words))
	for i, word := range words {
		name := word
		if strings.Contains(word, ":") && !admin.IsRole(word) {
			return nil, usagef("%q is no role: use controller, controller-leader, coordinator-leader, leader:TOPIC/PARTITION or group-coordinator:GROUP", word)
		}
		if isRole(word) {
			var err error
			if name, err = roleHolder(ctx, status, word); err != nil {
				return nil, err
			}
		}
		n, ok := status.Node(name)
		if !ok {
			return nil, usagef("cluster %s has no node %q: name one of %s, or a role (see --help)", status.Name, word, strings.Join(nodeNames(status), ", "))
		}
		nodes[i] = n
	}
	return nodes, nil
}

func nodeNames(status cluster.Status) (names []string) {
	for _, n := range status.Nodes {
		names = append(names, n.Name)
	}
	return names
}

const (
	coordinatorLeader = "coordinator-leader"
	controllerLeader  = "controller-leader"
)

func isRole(word string) bool {
	return word == "controller" || word == controllerLeader || word == coordinatorLeader || strings.Contains(word, ":")
}

// roleHolder finds the node that has a role now.
func roleHolder(ctx context.Context, status cluster.Status, role string) (string, error) {
	switch {
	case role == coordinatorLeader && status.Mode == cluster.KRaft:
		role = controllerLeader
	case role == coordinatorLeader:
		return leadingCoordinator(ctx, status)
	}
	client, err := admin.Dial(ctx, localConfig(status))
	if err != nil {
		return "", err
	}
	defer client.Close()
	holder, err := client.Resolve(ctx, role)
	if err != nil {
		return "", err
	}
	for _, n := range status.Nodes {
		if n.Role == cluster.Broker && n.ID == int(holder.Broker) || n.Role == cluster.Coordinator && n.Address == holder.Coordinator ||
			n.Role == cluster.Controller && n.ID == int(holder.Controller) {
			return n.Name, nil
		}
	}
	return "", fmt.Errorf("%s: held by a node that this cluster does not have", role)
}

// leaderPatience is how long a command waits for coordinators that elect a leader.
const leaderPatience = 30 * time.Second

// leadingCoordinator asks the coordinators themselves, which works while no broker does. One that was hurt a moment ago has
// a successor soon.
func leadingCoordinator(ctx context.Context, status cluster.Status) (string, error) {
	var running []cluster.NodeStatus
	all := 0
	for _, n := range status.Nodes {
		if n.Role != cluster.Coordinator {
			continue
		}
		all++
		if n.State == cluster.Serving || n.State == cluster.Starting {
			running = append(running, n)
		}
	}
	if len(running) <= all/2 {
		return "", fmt.Errorf("%s: no coordinator can lead, %d of %d run: start others, kdrill ps lists them", coordinatorLeader, len(running), all)
	}
	limited, cancel := context.WithTimeout(ctx, leaderPatience)
	defer cancel()
	for {
		for _, n := range running {
			if mode, err := cluster.Mode(limited, n.Address); err == nil && (mode == "leader" || mode == "standalone") {
				return n.Name, nil
			}
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-limited.Done():
			return "", fmt.Errorf("%s: no coordinator says that it leads, for %s: kdrill logs shows what each of them waits for", coordinatorLeader, leaderPatience)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
