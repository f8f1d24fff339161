package admin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// askQuorum is a key of busy.
const askQuorum = "quorum"

// silentVoter is how long ago a voter may have fetched the metadata last and still count as serving: twice the longest
// time that Apache's defaults leave between two fetches.
const silentVoter = 4 * time.Second

// quorum asks the controllers of a KRaft cluster, through any broker, who leads them and how far each of them is. Brokers
// do not answer while the leader that they know hangs: then voters, where they are known, are asked themselves.
func (p *peers) quorum(ctx context.Context, voters []string) (*kmsg.DescribeQuorumResponse, error) {
	resp, err := p.askAny(ctx, append(p.addrs(), voters...), func() kmsg.Request {
		req := kmsg.NewPtrDescribeQuorumRequest()
		t := kmsg.NewDescribeQuorumRequestTopic()
		t.Topic = "__cluster_metadata"
		t.Partitions = append(t.Partitions, kmsg.NewDescribeQuorumRequestTopicPartition())
		req.Topics = append(req.Topics, t)
		return req
	}, func(r kmsg.Response) error {
		q := r.(*kmsg.DescribeQuorumResponse)
		if err := protocolError(q.ErrorCode, q.ErrorMessage); err != nil {
			return err
		}
		if len(q.Topics) != 1 || len(q.Topics[0].Partitions) != 1 {
			return errors.New("describe quorum: the answer has no metadata partition")
		}
		return protocolError(q.Topics[0].Partitions[0].ErrorCode, q.Topics[0].Partitions[0].ErrorMessage)
	})
	if err != nil {
		return nil, err
	}
	return resp.(*kmsg.DescribeQuorumResponse), nil
}

func readQuorum(ctx context.Context, p *peers, voters []string, post func(func(*world))) {
	resp, err := p.quorum(ctx, voters)
	if ctx.Err() != nil {
		return
	}
	at := time.Now()
	post(func(w *world) {
		if err != nil {
			w.missQuorum(err)
			return
		}
		w.applyQuorum(resp, at)
	})
}

// missQuorum notes that nobody could say how the quorum is. Who may not ask is shown what brokers say instead.
func (w *world) missQuorum(err error) {
	w.quorumHidden = errors.Is(err, kerr.ClusterAuthorizationFailed) || errors.Is(err, kerr.UnsupportedVersion) || errors.Is(err, kerr.InvalidRequest)
	if w.quorumHidden {
		return
	}
	w.controller = -1
	for i := range w.coordinators {
		w.coordinators[i].Role, w.coordinators[i].Error = "", noLeader
	}
}

// voters are where the controllers of KRaft listen for each other, which is for us as well only where nothing is secured.
func (w *world) voters() (addresses []string) {
	for _, c := range w.coordinators {
		if w.mode == ModeKRaft && w.plaintext && c.Address != "" {
			addresses = append(addresses, c.Address)
		}
	}
	return addresses
}

// applyQuorum takes in who leads the controllers and how far each is.
func (w *world) applyQuorum(resp *kmsg.DescribeQuorumResponse, at time.Time) {
	q := &resp.Topics[0].Partitions[0]
	if q.LeaderEpoch < w.controllerEpoch {
		return // an answer that was on its way for long
	}
	w.controller, w.controllerEpoch = q.LeaderID, q.LeaderEpoch
	var end int64
	for _, v := range q.CurrentVoters {
		if v.ReplicaID == q.LeaderID {
			end = v.LogEndOffset
		}
	}
	member := func(r kmsg.DescribeQuorumResponseTopicPartitionReplicaState, role string) Coordinator {
		c := Coordinator{ID: r.ReplicaID, Role: role, Zxid: r.LogEndOffset, Lag: max(0, end-r.LogEndOffset), Answered: at, Address: quorumAddress(resp, r.ReplicaID)}
		switch fetched := time.UnixMilli(r.LastFetchTimestamp); {
		case r.ReplicaID == q.LeaderID:
			c.Role, c.Lag = "leader", 0
		case r.LogEndOffset < 0:
			c.Role, c.Error = "", "has not fetched since the leader was elected"
		case r.LastFetchTimestamp > 0 && at.Sub(fetched) > silentVoter:
			c.Role, c.Answered = "", fetched
			c.Error = fmt.Sprintf("has not fetched for %s", at.Sub(fetched).Round(time.Second))
		}
		return c
	}
	w.coordinators, w.observers = nil, nil
	for _, v := range q.CurrentVoters {
		w.coordinators = append(w.coordinators, member(v, "follower"))
	}
	for _, o := range q.Observers {
		w.observers = append(w.observers, member(o, "observer"))
	}
	for _, list := range [][]Coordinator{w.coordinators, w.observers} {
		slices.SortFunc(list, func(a, b Coordinator) int { return int(a.ID) - int(b.ID) })
	}
}

// quorumAddress is where a voter answers other nodes; older controllers do not tell.
func quorumAddress(resp *kmsg.DescribeQuorumResponse, id int32) string {
	for _, n := range resp.Nodes {
		if n.NodeID == id && len(n.Listeners) > 0 {
			return net.JoinHostPort(n.Listeners[0].Host, strconv.Itoa(int(n.Listeners[0].Port)))
		}
	}
	return ""
}

// ControllerName is how the controller appears: broker-2, or controller-101 where controllers are nodes of their own.
func (s *Snapshot) ControllerName() string { return s.NameOf(s.Controller) }

func (s *Snapshot) NameOf(node int32) string {
	if _, broker := s.Broker(node); !broker && s.Mode == ModeKRaft && node >= 0 {
		return "controller-" + strconv.Itoa(int(node))
	}
	return NodeName(node)
}

// Ensemble is what the nodes are called that keep the metadata.
func (s *Snapshot) Ensemble() string {
	if s.Mode == ModeKRaft {
		return "controllers"
	}
	return "coordinators"
}

// Standing says in one line how a node takes part in the quorum of KRaft; empty where it does not, or nobody knows.
func (s *Snapshot) Standing(id int32) string {
	is := func(c Coordinator) bool { return c.ID == id }
	members := fmt.Sprintf("%s, %s", count(len(s.Coordinators), "voter"), count(len(s.Observers), "observer"))
	for _, list := range [][]Coordinator{s.Coordinators, s.Observers} {
		i := slices.IndexFunc(list, is)
		if s.Mode != ModeKRaft || i < 0 {
			continue
		}
		switch c := list[i]; {
		case c.Error != "":
			return fmt.Sprintf("%s; epoch %d, %s", c.Error, s.ControllerEpoch, members)
		case c.Role == "leader":
			return fmt.Sprintf("leads in epoch %d, log end %d; %s", s.ControllerEpoch, c.Zxid, members)
		default:
			return fmt.Sprintf("%s in epoch %d, lag %d; %s", c.Role, s.ControllerEpoch, c.Lag, members)
		}
	}
	return ""
}

// diffQuorum tells which controllers of a KRaft quorum fell silent, came back, got or lost their vote.
func diffQuorum(prev, next *Snapshot, add func(Event)) {
	if prev.Mode != ModeKRaft || next.Mode != ModeKRaft || len(prev.Coordinators) == 0 {
		return
	}
	find := func(s *Snapshot, id int32) *Coordinator {
		for i := range s.Coordinators {
			if s.Coordinators[i].ID == id {
				return &s.Coordinators[i]
			}
		}
		return nil
	}
	for _, c := range next.Coordinators {
		name := next.NameOf(c.ID)
		was := find(prev, c.ID)
		switch {
		case was == nil:
			add(Event{Kind: KindQuorum, Subject: name, New: c.Role, Note: "has a vote now"})
		case was.Role != "" && c.Role == "" && next.Controller >= 0 && c.Zxid >= 0: // a new leader knows nothing of others
			add(Event{Kind: KindQuorum, Subject: name, Old: was.Role, New: "silent", Note: c.Error})
		case was.Role == "" && c.Role != "" && was.Error != noLeader:
			add(Event{Kind: KindQuorum, Subject: name, Old: "silent", New: c.Role, Note: "follows the quorum again"})
		}
	}
	for _, was := range prev.Coordinators {
		if find(next, was.ID) == nil {
			add(Event{Kind: KindQuorum, Subject: prev.NameOf(was.ID), Old: was.Role, New: "no voter", Note: "has no vote any more"})
		}
	}
}

// noLeader is the Error of a voter while nobody leads.
const noLeader = "no controller leads"

// resolveController finds the controller: in KRaft mode the leader of the quorum, for a broker names any broker there.
func (c *Client) resolveController(ctx context.Context, role string) (Node, error) {
	m, err := c.peers.metadata(ctx, []string{})
	if err != nil {
		return Node{}, unreachable(c.cfg.Bootstrap, err)
	}
	w := newWorld(c.cfg)
	readMode(ctx, c.peers, func(apply func(*world)) { apply(w) })
	if w.mode != ModeKRaft || w.quorumHidden {
		if role != "controller" {
			return Node{}, fmt.Errorf("%s: the cluster has no KRaft quorum; its controller is one of the brokers (controller), its coordinators have a leader (coordinator-leader)", role)
		}
		if m.ControllerID < 0 {
			return Node{}, errNoController
		}
		return Node{Broker: m.ControllerID}, nil
	}
	resp, err := c.peers.quorum(ctx, nil)
	if err != nil {
		return Node{}, fmt.Errorf("find the leader of the controllers: %w", err)
	}
	leader := resp.Topics[0].Partitions[0].LeaderID
	switch {
	case leader < 0:
		return Node{}, errNoController
	case slices.ContainsFunc(m.Brokers, func(b kmsg.MetadataResponseBroker) bool { return b.NodeID == leader }):
		return Node{Broker: leader}, nil
	}
	return Node{Broker: -1, Controller: leader, Coordinator: quorumAddress(resp, leader)}, nil
}
