package controller

import (
	"errors"
	"slices"

	"github.com/go-zookeeper/zk"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/layout"
)

const uncleanElection int8 = 1 // ElectLeadersRequest.ElectionType; 0 is preferred

// electLeaders answers for each partition asked for. Without topics it means every partition, and the answer leaves
// out those that needed no election.
func (t *term) electLeaders(req *kmsg.ElectLeadersRequest) (*kmsg.ElectLeadersResponse, error) {
	unclean := req.Version >= 1 && req.ElectionType == uncleanElection
	asked := askedPartitions(req)
	if req.Topics == nil {
		for p := range t.view.partitions() {
			asked = append(asked, p.TopicPartition)
		}
	}
	codes := map[layout.TopicPartition]int16{}
	var electing []*partition
	for _, tp := range asked {
		p := t.view.partition(tp.Topic, tp.Partition)
		if codes[tp] = t.electable(p, unclean); codes[tp] == 0 {
			electing = append(electing, p)
		}
	}
	made, err := t.elect(electing, unclean)
	if err != nil {
		return nil, err
	}
	for _, p := range electing {
		if !slices.ContainsFunc(made, func(c change) bool { return c.partition == p }) {
			codes[p.TopicPartition] = kerr.PreferredLeaderNotAvailable.Code
			if unclean {
				codes[p.TopicPartition] = kerr.EligibleLeadersNotAvailable.Code
			}
		}
	}
	if req.Topics == nil {
		asked = slices.DeleteFunc(asked, func(tp layout.TopicPartition) bool { return codes[tp] == kerr.ElectionNotNeeded.Code })
	}
	return electResponse(req, asked, codes), nil
}

// electable says why a partition needs no election, or cannot have one; 0 if it can be tried.
func (t *term) electable(p *partition, unclean bool) int16 {
	switch {
	case p == nil:
		return kerr.UnknownTopicOrPartition.Code
	case p.topic.deletion != nil:
		return kerr.InvalidTopicException.Code
	case p.state == nil && unclean:
		return kerr.EligibleLeadersNotAvailable.Code
	case p.state == nil:
		return kerr.PreferredLeaderNotAvailable.Code
	case unclean && !t.view.leaderless(p), !unclean && p.state.Leader == p.replicas[0]:
		return kerr.ElectionNotNeeded.Code
	}
	return 0
}

// elect returns the partitions that got a new leader.
func (t *term) elect(partitions []*partition, unclean bool) ([]change, error) {
	made, err := t.decide(partitions, func(p *partition) (layout.PartitionState, bool) {
		if unclean {
			return electOffline(p.replicas, p.state.PartitionState, t.view.able(p), true)
		}
		return electPreferred(p.replicas, p.state.PartitionState, t.view.able(p))
	})
	for _, c := range made {
		t.tell(c.partition, false)
	}
	if len(made) > 0 {
		t.log.Info("leaders elected", "partitions", len(made), "unclean", unclean)
	}
	return made, err
}

// electionWished elects the preferred leaders that somebody wrote into the znode for it, and removes the znode.
func (t *term) electionWished() error {
	exists, fired, err := t.store.existsW(layout.PreferredElection)
	if err != nil {
		return err
	}
	if !exists {
		t.watch(fired, "preferred election wished", t.electionWished)
		return nil
	}
	data, _, err := t.store.get(layout.PreferredElection)
	if errors.Is(err, zk.ErrNoNode) {
		return t.electionWished()
	}
	if err != nil {
		return err
	}
	wish, err := layout.Decode[layout.PreferredElectionRequest](layout.PreferredElection, data)
	if err != nil {
		t.log.Error("ignoring a malformed wish for elections", "err", err)
	}
	var electing []*partition
	for _, tp := range wish.Partitions {
		if p := t.view.partition(tp.Topic, tp.Partition); t.electable(p, false) == 0 {
			electing = append(electing, p)
		}
	}
	if _, err := t.elect(electing, false); err != nil {
		return err
	}
	if err := t.remove([]string{layout.PreferredElection}); err != nil {
		return err
	}
	return t.electionWished()
}

// rebalance moves leaders back to the preferred replicas, where enough of them are away.
func (t *term) rebalance() error {
	t.after(t.settings.LeaderImbalanceCheckInterval, "leader imbalance check", t.rebalance)
	moves := imbalanced(t.view.where(func(*partition) bool { return true }), t.view.live, t.settings.LeaderImbalancePerBrokerPercent)
	_, err := t.elect(moves, false)
	return err
}

func askedPartitions(req *kmsg.ElectLeadersRequest) []layout.TopicPartition {
	var asked []layout.TopicPartition
	for _, topic := range req.Topics {
		for _, id := range topic.Partitions {
			asked = append(asked, layout.TopicPartition{Topic: topic.Topic, Partition: id})
		}
	}
	return asked
}

func electResponse(req *kmsg.ElectLeadersRequest, asked []layout.TopicPartition, codes map[layout.TopicPartition]int16) *kmsg.ElectLeadersResponse {
	resp := req.ResponseKind().(*kmsg.ElectLeadersResponse)
	for _, tp := range asked {
		i := slices.IndexFunc(resp.Topics, func(t kmsg.ElectLeadersResponseTopic) bool { return t.Topic == tp.Topic })
		if i < 0 {
			topic := kmsg.NewElectLeadersResponseTopic()
			topic.Topic = tp.Topic
			i, resp.Topics = len(resp.Topics), append(resp.Topics, topic)
		}
		p := kmsg.NewElectLeadersResponseTopicPartition()
		p.Partition, p.ErrorCode = tp.Partition, codes[tp]
		if text := errorText(p.ErrorCode); text != "" {
			p.ErrorMessage = &text
		}
		resp.Topics[i].Partitions = append(resp.Topics[i].Partitions, p)
	}
	return resp
}

// refuseElection answers in the name of a broker that is not the controller: for all, and, since version 0 has no place
// for that, for each partition.
func refuseElection(req *kmsg.ElectLeadersRequest) *kmsg.ElectLeadersResponse {
	asked := askedPartitions(req)
	codes := map[layout.TopicPartition]int16{}
	for _, tp := range asked {
		codes[tp] = kerr.NotController.Code
	}
	resp := electResponse(req, asked, codes)
	resp.ErrorCode = kerr.NotController.Code
	return resp
}
