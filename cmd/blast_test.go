package cmd

import (
	"testing"

	"kdrill/cluster"
)

func TestNobodyIsAskedWhereNoBrokerServes(t *testing.T) {
	status := cluster.Status{Nodes: []cluster.NodeStatus{
		{Name: "coordinator-1", Role: cluster.Coordinator, State: cluster.Serving},
		{Name: "broker-1", Role: cluster.Broker, State: cluster.Paused},
		{Name: "broker-2", Role: cluster.Broker, State: cluster.Exited},
	}}
	if said := blasts(t.Context(), status, status.Nodes[1:2]); said != untold {
		t.Errorf("said %q", said)
	}
}
