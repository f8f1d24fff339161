package admin

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/admin/ensemble"
)

// Node is what a role stands for at one moment.
type Node struct {
	Broker      int32  `json:"broker"`                // -1 if it is a coordinator
	Coordinator string `json:"coordinator,omitempty"` // host:port
	Controller  int32  `json:"controller,omitempty"`  // node id, where controllers are nodes of their own
}

// IsRole says whether text names a role rather than a node.
func IsRole(text string) bool {
	return text == "controller" || text == "controller-leader" || text == "coordinator-leader" || strings.HasPrefix(text, "leader:") || strings.HasPrefix(text, "group-coordinator:")
}

// Resolve finds the node that has a role now: controller, leader:orders/3, group-coordinator:billing,
// coordinator-leader.
func (c *Client) Resolve(ctx context.Context, role string) (Node, error) {
	kind, of, _ := strings.Cut(role, ":")
	switch {
	case role == "controller", role == "controller-leader":
		return c.resolveController(ctx, role)
	case role == "coordinator-leader":
		return LeadingCoordinator(ctx, c.cfg)
	case kind == "leader" && of != "":
		return c.leaderOf(ctx, of)
	case kind == "group-coordinator" && of != "":
		return c.groupCoordinator(ctx, of)
	}
	return Node{}, fmt.Errorf("%q is no role: use controller, controller-leader, coordinator-leader, leader:TOPIC/PARTITION or group-coordinator:GROUP", role)
}

func (c *Client) leaderOf(ctx context.Context, partition string) (Node, error) {
	at, ok := parsePartition(partition)
	if !ok {
		return Node{}, fmt.Errorf("leader:%s: write leader:TOPIC/PARTITION, such as leader:orders/3", partition)
	}
	m, err := c.peers.metadata(ctx, []string{at.Topic})
	if err != nil {
		return Node{}, unreachable(c.cfg.Bootstrap, err)
	}
	for _, t := range m.Topics {
		for _, p := range t.Partitions {
			switch {
			case p.Partition != at.Partition:
			case p.Leader < 0:
				return Node{}, fmt.Errorf("%s is offline: nobody leads it", at)
			default:
				return Node{Broker: p.Leader}, nil
			}
		}
	}
	return Node{}, fmt.Errorf("there is no partition %s: kdrill topics lists what there is", at)
}

func (c *Client) groupCoordinator(ctx context.Context, group string) (Node, error) {
	resp, err := c.peers.askAny(ctx, c.peers.addrs(), func() kmsg.Request {
		req := kmsg.NewPtrFindCoordinatorRequest()
		req.CoordinatorKey, req.CoordinatorKeys = group, []string{group}
		return req
	}, func(r kmsg.Response) error {
		f := r.(*kmsg.FindCoordinatorResponse)
		for _, answer := range f.Coordinators {
			return protocolError(answer.ErrorCode, answer.ErrorMessage)
		}
		return protocolError(f.ErrorCode, f.ErrorMessage)
	})
	if err != nil {
		return Node{}, fmt.Errorf("find the coordinator of group %s: %w", group, err)
	}
	f := resp.(*kmsg.FindCoordinatorResponse)
	id, host, port := f.NodeID, f.Host, f.Port
	for _, answer := range f.Coordinators {
		id, host, port = answer.NodeID, answer.Host, answer.Port
	}
	if !c.mayHave(ctx, net.JoinHostPort(host, strconv.Itoa(int(port))), group) {
		return Node{}, fmt.Errorf("there is no group %s: kdrill groups lists what there is", group)
	}
	return Node{Broker: id}, nil
}

// mayHave asks the coordinator of a group whether it exists. Brokers find a coordinator for any name, a mistyped one too; a
// coordinator that does not answer may have the group.
func (c *Client) mayHave(ctx context.Context, addr, group string) bool {
	resp, err := c.peers.ask(ctx, addr, kmsg.NewPtrListGroupsRequest())
	if err != nil {
		return true
	}
	listed := resp.(*kmsg.ListGroupsResponse)
	return listed.ErrorCode != 0 || slices.ContainsFunc(listed.Groups, func(g kmsg.ListGroupsResponseGroup) bool { return g.Group == group })
}

// LeadingCoordinator asks every coordinator who leads; it needs no broker.
func LeadingCoordinator(ctx context.Context, cfg Config) (Node, error) {
	cfg = cfg.withDefaults()
	servers, _ := ensemble.Servers(cfg.ZooKeeper)
	if len(servers) == 0 {
		return Node{}, fmt.Errorf("coordinator-leader: no ZooKeeper is known: name it with --zookeeper host:port")
	}
	leads, prober := make([]bool, len(servers)), cfg.prober()
	var waiting sync.WaitGroup
	for i, address := range servers {
		waiting.Go(func() {
			answer, err := askCoordinator(ctx, prober, address, false, cfg.Deadline)
			leads[i] = err == nil && (answer.Role == "leader" || answer.Role == "standalone")
		})
	}
	waiting.Wait()
	for i, address := range servers {
		if leads[i] {
			return Node{Broker: -1, Coordinator: address}, nil
		}
	}
	return Node{}, fmt.Errorf("no coordinator leads now: fewer than %d of %d serve, or they elect a leader this moment", len(servers)/2+1, len(servers))
}
