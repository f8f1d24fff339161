package controller

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/layout"
)

func TestANewTopicGetsLeadersAndEverybodyHearsOfIt(t *testing.T) {
	c, nodes := three(t)
	c.createTopic("t1", []int32{3, 2, 1}, []int32{1, 3, 2})
	c.awaitState("t1", 0, seen{3, 0, []int32{3, 2, 1}})
	c.awaitState("t1", 1, seen{1, 0, []int32{1, 3, 2}})
	for _, n := range nodes {
		n.await(t, "metadata of t1/1", func(all []kmsg.Request) bool { return lastMetadata(all, "t1", 1) != nil })
		told := n.told()
		lead := lastLead(told, "t1", 0)
		if lead == nil || lead.Leader != 3 || !lead.IsNew || !slices.Equal(lead.Replicas, []int32{3, 2, 1}) {
			t.Errorf("broker %d heard %+v about t1/0", n.id, lead)
		}
		last := told[len(told)-2:]
		if _, ok := last[0].(*kmsg.LeaderAndISRRequest); !ok {
			t.Errorf("broker %d heard of the topic's metadata before it was told to lead: %T", n.id, last[0])
		}
		if update := last[1].(*kmsg.UpdateMetadataRequest); update.BrokerEpoch != n.epoch(t) || update.ControllerEpoch != 1 || update.ControllerID != 1 || update.TopicStates[0].TopicID != c.topicID("t1") {
			t.Errorf("broker %d of epoch %d heard %+v", n.id, n.epoch(t), update)
		}
	}
}

// Epochs and ISRs as recorded from Kafka 2.4.1, when the controller was killed that also led one of three partitions.
func TestWhenTheControllerDiesTheNextOneHealsTheClusterAsRecorded(t *testing.T) {
	c, nodes := three(t)
	c.createTopic("t1", []int32{3, 2, 1}, []int32{2, 1, 3}, []int32{1, 3, 2})
	c.awaitState("t1", 2, seen{1, 0, []int32{1, 3, 2}})
	c.kill(nodes[1])
	c.awaitState("t1", 0, seen{3, 1, []int32{3, 2}}) // a follower died
	c.awaitState("t1", 1, seen{2, 1, []int32{2, 3}})
	c.awaitState("t1", 2, seen{3, 2, []int32{3, 2}}) // the leader died: once without leader, then a new one
	c.await(layout.ControllerEpoch, "2", func(data []byte) bool { return string(data) == "2" })
	for _, id := range []int32{2, 3} {
		nodes[id].await(t, "the new leader of t1/2", func(all []kmsg.Request) bool {
			p := lastMetadata(all, "t1", 2)
			return p != nil && p.Leader == 3 && p.ControllerEpoch == 2 && slices.Equal(p.OfflineReplicas, []int32{1})
		})
	}
}

func TestWhenAnotherBrokerDiesEachOfItsPartitionsChangesOnce(t *testing.T) {
	c, nodes := three(t)
	c.createTopic("t1", []int32{3, 2, 1}, []int32{2, 1, 3}, []int32{1, 3, 2}, []int32{2})
	nodes[1].await(t, "all of t1", func(all []kmsg.Request) bool { return lastMetadata(all, "t1", 3) != nil })
	nodes[1].forget()
	c.kill(nodes[2])
	c.awaitState("t1", 0, seen{3, 1, []int32{3, 1}})
	c.awaitState("t1", 1, seen{1, 1, []int32{1, 3}})
	c.awaitState("t1", 2, seen{1, 1, []int32{1, 3}})
	c.awaitState("t1", 3, seen{layout.NoLeader, 1, []int32{2}}) // the last member of an ISR stays in it
	nodes[1].await(t, "t1/3 is offline", func(all []kmsg.Request) bool {
		p := lastMetadata(all, "t1", 3)
		return p != nil && p.Leader == layout.NoLeader && slices.Equal(p.OfflineReplicas, []int32{2})
	})
	if told := nodes[1].told(); len(told) != 2 {
		t.Errorf("one failure caused %d requests to broker 1, want LeaderAndIsr and UpdateMetadata", len(told))
	}

	back := c.start(2)
	c.awaitState("t1", 3, seen{2, 2, []int32{2}})
	back.await(t, "its replicas", func(all []kmsg.Request) bool { return lastLead(all, "t1", 0) != nil && lastLead(all, "t1", 3) != nil })
	first, ok := back.told()[0].(*kmsg.UpdateMetadataRequest)
	if !ok || len(first.LiveBrokers) != 3 || lastMetadata([]kmsg.Request{first}, "t1", 0) == nil {
		t.Errorf("the first a new broker hears must be all metadata, not %T", back.told()[0])
	}
}

func TestABrokerThatRegistersAnewFailsAndJoins(t *testing.T) {
	c, nodes := three(t)
	c.createTopic("t1", []int32{2, 3, 1}, []int32{3})
	c.awaitState("t1", 0, seen{2, 0, []int32{2, 3, 1}})
	old := nodes[2].epoch(t)
	_, err := nodes[2].conn.Multi( // faster than any watch: the list of ids does not change
		&zk.DeleteRequest{Path: layout.Broker(2), Version: -1},
		&zk.CreateRequest{Path: layout.Broker(2), Acl: zk.WorldACL(zk.PermAll), Flags: zk.FlagEphemeral, Data: registration(t, nodes[2])},
	)
	if err != nil {
		t.Fatal(err)
	}
	c.awaitState("t1", 0, seen{3, 1, []int32{3, 1}})
	nodes[2].await(t, "its replicas, in its new epoch", func(all []kmsg.Request) bool {
		return slices.ContainsFunc(all, func(req kmsg.Request) bool {
			lead, ok := req.(*kmsg.LeaderAndISRRequest)
			return ok && lead.BrokerEpoch > old && lastLead([]kmsg.Request{lead}, "t1", 0) != nil
		})
	})
}

func TestABrokerThatIsReachedElsewhereIsNoNewBroker(t *testing.T) {
	c, nodes := three(t)
	c.createTopic("t1", []int32{2, 3, 1})
	c.awaitState("t1", 0, seen{2, 0, []int32{2, 3, 1}})
	for _, n := range nodes {
		n.await(t, "metadata of t1/0", func(all []kmsg.Request) bool { return lastMetadata(all, "t1", 0) != nil })
		n.forget()
	}
	for _, endpoint := range []string{"NEW://localhost:1", "NEW://localhost:2"} { // watched again after the first change
		r, err := layout.Decode[layout.BrokerRegistration](layout.Broker(2), registration(t, nodes[2]))
		if err != nil {
			t.Fatal(err)
		}
		r.Endpoints, r.SecurityProtocol = append(r.Endpoints[:1:1], endpoint), map[string]string{"PLAINTEXT": "PLAINTEXT", "NEW": "PLAINTEXT"}
		if _, err := nodes[2].conn.Set(layout.Broker(2), layout.Encode(r), -1); err != nil {
			t.Fatal(err)
		}
		_, address, _ := strings.Cut(endpoint, "localhost:")
		for _, n := range nodes {
			n.await(t, endpoint, func(all []kmsg.Request) bool {
				return slices.ContainsFunc(all, func(req kmsg.Request) bool {
					update, ok := req.(*kmsg.UpdateMetadataRequest)
					return ok && len(update.LiveBrokers) == 3 && slices.ContainsFunc(update.LiveBrokers[1].Endpoints, func(e kmsg.UpdateMetadataRequestLiveBrokerEndpoint) bool {
						return e.ListenerName == "NEW" && strconv.Itoa(int(e.Port)) == address
					})
				})
			})
		}
	}
	for _, n := range nodes {
		if lastLead(n.told(), "t1", 0) != nil {
			t.Errorf("broker %d was told who leads though nothing of that changed", n.id)
		}
	}
	c.awaitState("t1", 0, seen{2, 0, []int32{2, 3, 1}})
	c.kill(nodes[2]) // a registration that is watched and goes is a broker that failed
	c.awaitState("t1", 0, seen{3, 1, []int32{3, 1}})
	c.start(2).await(t, "its replicas", func(all []kmsg.Request) bool { return lastLead(all, "t1", 0) != nil })
}

func registration(t *testing.T, n *node) []byte {
	data, _, err := n.conn.Get(layout.Broker(n.id))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestControlledShutdownMovesLeadersBeforeTheBrokerGoes(t *testing.T) {
	c, nodes := three(t)
	c.createTopic("t1", []int32{3, 2, 1}, []int32{1, 3, 2}, []int32{3, 1})
	c.createTopic("alone", []int32{3})
	c.awaitState("t1", 2, seen{3, 0, []int32{3, 1}})
	c.awaitState("alone", 0, seen{3, 0, []int32{3}})
	nodes[3].await(t, "alone", func(all []kmsg.Request) bool { return lastMetadata(all, "alone", 0) != nil })

	// The only member of an ISR keeps its partition, whoever asks.
	c.alter(nodes, 3, "t1", 2, []int32{3}, 0)

	req := kmsg.NewPtrControlledShutdownRequest()
	req.Version, req.BrokerID, req.BrokerEpoch = 3, 3, nodes[3].epoch(t)
	if resp := nodes[2].ControlledShutdown(t.Context(), req); resp.ErrorCode != kerr.NotController.Code {
		t.Errorf("a broker that is not the controller answered %d", resp.ErrorCode)
	}
	resp := nodes[1].ControlledShutdown(t.Context(), req)
	if resp.ErrorCode != 0 || len(resp.PartitionsRemaining) != 1 || resp.PartitionsRemaining[0].Topic != "t1" || resp.PartitionsRemaining[0].Partition != 2 {
		t.Errorf("controlled shutdown answered %+v", resp)
	}
	c.awaitState("t1", 0, seen{2, 1, []int32{2, 1}})
	c.awaitState("t1", 1, seen{1, 1, []int32{1, 2}})
	c.awaitState("alone", 0, seen{3, 0, []int32{3}})
	nodes[3].await(t, "stop t1/1", func(all []kmsg.Request) bool {
		return slices.ContainsFunc(all, func(req kmsg.Request) bool {
			stop, ok := req.(*kmsg.StopReplicaRequest)
			return ok && stop.Topics[0].Topic == "t1" && stop.Topics[0].PartitionStates[0].Partition == 1 && !stop.Topics[0].PartitionStates[0].Delete
		})
	})
	if p := lastLead(nodes[3].told(), "t1", 0); p == nil || p.Leader != 2 {
		t.Errorf("the broker that led t1/0 was told %+v", p)
	}

	// Until it has gone it cannot come back into an ISR.
	if code := c.propose(nodes, 2, "t1", 0, []int32{2, 1, 3}, 1); code != kerr.IneligibleReplica.Code {
		t.Errorf("a replica that shuts down was let into the ISR: code %d", code)
	}
	req.BrokerEpoch--
	if resp := nodes[1].ControlledShutdown(t.Context(), req); resp.ErrorCode != kerr.StaleBrokerEpoch.Code {
		t.Errorf("an old broker epoch was answered with %d", resp.ErrorCode)
	}
}

// propose sends AlterPartition in the name of a leader and returns the error code.
func (c *cluster) propose(nodes map[int32]*node, leader int32, topic string, id int32, isr []int32, leaderEpoch int32) int16 {
	c.t.Helper()
	_, stat, err := c.zk.Get(layout.State(topic, id))
	if err != nil {
		c.t.Fatal(err)
	}
	req := kmsg.NewPtrAlterPartitionRequest()
	req.Version, req.BrokerID, req.BrokerEpoch = 3, leader, nodes[leader].epoch(c.t)
	asked := kmsg.NewAlterPartitionRequestTopic()
	asked.TopicID = c.topicID(topic)
	p := kmsg.NewAlterPartitionRequestTopicPartition()
	p.Partition, p.LeaderEpoch, p.PartitionEpoch = id, leaderEpoch, stat.Version
	for _, member := range isr {
		m := kmsg.NewAlterPartitionRequestTopicPartitionNewEpochISR()
		m.BrokerID, m.BrokerEpoch = member, nodes[member].epoch(c.t)
		p.NewEpochISR = append(p.NewEpochISR, m)
	}
	asked.Partitions = append(asked.Partitions, p)
	req.Topics = append(req.Topics, asked)
	resp := nodes[1].AlterPartition(c.t.Context(), req)
	if resp.ErrorCode != 0 {
		return resp.ErrorCode
	}
	answer := resp.Topics[0].Partitions[0]
	if answer.ErrorCode == 0 && (!slices.Equal(answer.ISR, isr) || answer.PartitionEpoch != stat.Version+1 || answer.LeaderID != leader) {
		c.t.Errorf("AlterPartition of %s/%d from version %d answered %+v", topic, id, stat.Version, answer)
	}
	return answer.ErrorCode
}

func (c *cluster) alter(nodes map[int32]*node, leader int32, topic string, id int32, isr []int32, leaderEpoch int32) {
	c.t.Helper()
	if code := c.propose(nodes, leader, topic, id, isr, leaderEpoch); code != 0 {
		c.t.Fatalf("AlterPartition of %s/%d: code %d", topic, id, code)
	}
}

func TestALeaderShrinksAndGrowsItsISR(t *testing.T) {
	c, nodes := three(t)
	c.createTopic("t1", []int32{2, 3, 1})
	c.awaitState("t1", 0, seen{2, 0, []int32{2, 3, 1}})
	nodes[2].await(t, "t1", func(all []kmsg.Request) bool { return lastMetadata(all, "t1", 0) != nil })
	c.alter(nodes, 2, "t1", 0, []int32{2, 3}, 0)
	c.awaitState("t1", 0, seen{2, 0, []int32{2, 3}})
	nodes[3].await(t, "the smaller ISR", func(all []kmsg.Request) bool {
		p := lastMetadata(all, "t1", 0)
		return p != nil && slices.Equal(p.ISR, []int32{2, 3}) && p.ZKVersion == 1
	})
	c.alter(nodes, 2, "t1", 0, []int32{2, 3, 1}, 0)
	c.awaitState("t1", 0, seen{2, 0, []int32{2, 3, 1}})

	req := kmsg.NewPtrAlterPartitionRequest()
	req.BrokerID, req.BrokerEpoch = 2, nodes[2].epoch(t)-1
	if resp := nodes[1].AlterPartition(t.Context(), req); resp.ErrorCode != kerr.StaleBrokerEpoch.Code {
		t.Errorf("an old broker epoch was answered with %d", resp.ErrorCode)
	}
}

func TestADeletedTopicIsGoneOnceEveryReplicaIs(t *testing.T) {
	c, nodes := three(t)
	c.createTopic("t1", []int32{1, 2}, []int32{2, 3})
	c.awaitState("t1", 1, seen{2, 0, []int32{2, 3}})
	c.kill(nodes[3])
	c.awaitState("t1", 1, seen{2, 1, []int32{2}})
	c.create(layout.DeleteTopic("t1"), nil)
	c.create(layout.DeleteTopic("unknown"), nil)
	c.awaitGone(layout.DeleteTopic("unknown"))
	for _, id := range []int32{1, 2} {
		nodes[id].await(t, "delete its replicas", func(all []kmsg.Request) bool {
			return slices.ContainsFunc(all, func(req kmsg.Request) bool {
				stop, ok := req.(*kmsg.StopReplicaRequest)
				return ok && stop.Topics[0].PartitionStates[0].Delete && stop.Topics[0].PartitionStates[0].LeaderEpoch == -2
			})
		})
		if p := lastMetadata(nodes[id].told(), "t1", 1); p == nil || p.Leader != -2 {
			t.Errorf("broker %d still takes t1/1 for a partition: %+v", id, p)
		}
	}
	if ok, _, err := c.zk.Exists(layout.Topic("t1")); !ok || err != nil {
		t.Fatalf("the topic is gone while a dead broker has a replica of it: %v", err)
	}
	c.start(3)
	c.awaitGone(layout.Topic("t1"))
	c.awaitGone(layout.EntityConfig("topics", "t1"))
	c.awaitGone(layout.DeleteTopic("t1"))

	c.createTopic("t1", []int32{2, 1}) // the name is free again
	c.awaitState("t1", 0, seen{2, 0, []int32{2, 1}})
}

func TestAReplicaThatCannotBeDeletedParksTheDeletionUntilItsBrokerRestarts(t *testing.T) {
	c, nodes := three(t)
	c.createTopic("t1", []int32{1, 2})
	c.awaitState("t1", 0, seen{1, 0, []int32{1, 2}})
	nodes[2].refuse(kerr.KafkaStorageError.Code)
	c.create(layout.DeleteTopic("t1"), nil)
	nodes[2].await(t, "delete t1", func(all []kmsg.Request) bool {
		return slices.ContainsFunc(all, func(req kmsg.Request) bool { _, ok := req.(*kmsg.StopReplicaRequest); return ok })
	})
	c.createTopic("t2", []int32{1}) // the controller goes on with other things
	c.awaitState("t2", 0, seen{1, 0, []int32{1}})
	if ok, _, err := c.zk.Exists(layout.Topic("t1")); !ok || err != nil {
		t.Fatalf("the topic is gone while broker 2 still has a replica: %v", err)
	}
	c.kill(nodes[2])
	c.start(2)
	c.awaitGone(layout.Topic("t1"))
}

func TestTheNextControllerEndsADeletion(t *testing.T) {
	c, nodes := three(t)
	c.createTopic("t1", []int32{2, 3})
	c.awaitState("t1", 0, seen{2, 0, []int32{2, 3}})
	nodes[3].hang(true)
	c.create(layout.DeleteTopic("t1"), nil)
	nodes[2].await(t, "t1 is being deleted", func(all []kmsg.Request) bool {
		p := lastMetadata(all, "t1", 0)
		return p != nil && p.Leader == leaderDuringDelete
	})
	c.kill(nodes[1])
	nodes[3].hang(false)
	c.awaitGone(layout.Topic("t1"))
	c.awaitGone(layout.DeleteTopic("t1"))
}

func TestWithoutDeleteTopicEnableNothingIsDeleted(t *testing.T) {
	c := newCluster(t)
	c.settings.DeleteTopicEnable = false
	one := c.start(1)
	c.createTopic("t1", []int32{1})
	c.awaitState("t1", 0, seen{1, 0, []int32{1}})
	c.create(layout.DeleteTopic("t1"), nil)
	c.awaitGone(layout.DeleteTopic("t1"))
	c.awaitState("t1", 0, seen{1, 0, []int32{1}})
	for _, req := range one.told() {
		if _, ok := req.(*kmsg.StopReplicaRequest); ok {
			t.Error("the broker was told to delete")
		}
	}
}

func TestMalformedZnodesAreLeftAsideAndTheRestIsControlled(t *testing.T) {
	c := newCluster(t)
	c.create(layout.Topic("bad"), []byte("{"))
	c.createTopic("worse", []int32{1}, []int32{1})
	c.mkdir(layout.Partition("worse", 0))
	c.create(layout.State("worse", 0), []byte("not json"))
	c.create(layout.Broker(99), []byte("?"))
	c.create(layout.BrokerIDs+"/x", nil)
	c.create(layout.LogDirEventPrefix+"0000000001", nil)
	c.start(1)
	c.awaitState("worse", 1, seen{1, 0, []int32{1}})
	c.createTopic("good", []int32{1})
	c.awaitState("good", 0, seen{1, 0, []int32{1}})
	c.awaitGone(layout.LogDirEventPrefix + "0000000001")
}

func TestAStateThatSomebodyElseChangedIsReadBeforeTheNextDecision(t *testing.T) {
	c, nodes := three(t)
	c.createTopic("t1", []int32{2, 3, 1}, []int32{2, 1})
	c.awaitState("t1", 1, seen{2, 0, []int32{2, 1}})
	foreign := stateOf(2, 8, 2, 1)
	if _, err := c.zk.Set(layout.State("t1", 0), layout.Encode(foreign), -1); err != nil {
		t.Fatal(err)
	}
	c.kill(nodes[2])
	c.awaitState("t1", 0, seen{1, 9, []int32{1}})
	c.awaitState("t1", 1, seen{1, 1, []int32{1}})
}

func TestAWriteWhoseAnswerWasLostCountsAsWritten(t *testing.T) {
	c, nodes := three(t)
	c.createTopic("t1", []int32{2, 1}, []int32{3, 1})
	c.awaitState("t1", 1, seen{3, 0, []int32{3, 1}})
	s := nodes[1].active.Load().store
	var changes []change
	for id := range int32(2) {
		p := &partition{TopicPartition: layout.TopicPartition{Topic: "t1", Partition: id}, state: &state{}}
		changes = append(changes, change{partition: p, next: stateOf(1, 1, 1)})
	}
	if _, err := c.zk.Set(layout.State("t1", 0), layout.Encode(changes[0].next), -1); err != nil {
		t.Fatal(err)
	}
	made, err := s.writeStates(changes)
	if err != nil || len(made) != 2 || made[0].state.epoch != 1 || made[1].state.epoch != 1 {
		t.Errorf("made %+v, %v", made, err)
	}
	if made, err := s.writeStates(changes[:1]); err != nil || len(made) != 1 || made[0].state.epoch != 2 {
		t.Errorf("made %+v, %v", made, err)
	}
}

func TestUncleanElectionsByRequest(t *testing.T) {
	c, nodes := three(t)
	c.createTopic("t1", []int32{2, 3}, []int32{3})
	c.awaitState("t1", 0, seen{2, 0, []int32{2, 3}})
	c.alter(nodes, 2, "t1", 0, []int32{2}, 0)
	c.kill(nodes[2])
	c.awaitState("t1", 0, seen{layout.NoLeader, 1, []int32{2}})
	req := kmsg.NewPtrElectLeadersRequest()
	req.Version, req.ElectionType, req.Topics = 2, uncleanElection, nil
	resp := nodes[1].ElectLeaders(t.Context(), req)
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 || resp.Topics[0].Partitions[0].Partition != 0 || resp.Topics[0].Partitions[0].ErrorCode != 0 {
		t.Errorf("of all partitions only t1/0 needed it, the answer is %+v", resp.Topics)
	}
	c.awaitState("t1", 0, seen{3, 2, []int32{3}})
	if resp := nodes[3].ElectLeaders(t.Context(), req); resp.ErrorCode != kerr.NotController.Code {
		t.Errorf("a broker that is not the controller answered %+v", resp)
	}
}

func TestPartitionsAddedToATopicStart(t *testing.T) {
	c, _ := three(t)
	c.createTopic("t1", []int32{1, 2})
	c.awaitState("t1", 0, seen{1, 0, []int32{1, 2}})
	data, _, err := c.zk.Get(layout.Topic("t1"))
	if err != nil {
		t.Fatal(err)
	}
	a, err := layout.Decode[layout.TopicAssignment]("", data)
	if err != nil {
		t.Fatal(err)
	}
	a.Partitions["1"], a.Partitions["2"] = []int32{2, 3}, []int32{7}
	if _, err := c.zk.Set(layout.Topic("t1"), layout.Encode(a), -1); err != nil {
		t.Fatal(err)
	}
	c.awaitState("t1", 1, seen{2, 0, []int32{2, 3}})
	if ok, _, _ := c.zk.Exists(layout.State("t1", 2)); ok {
		t.Error("a partition without live replica has a state")
	}
	c.start(7)
	c.awaitState("t1", 2, seen{7, 0, []int32{7}})
}

func TestATopicWithoutIDGetsOne(t *testing.T) {
	c, _ := three(t)
	c.create(layout.Topic("old"), []byte(`{"version":2,"partitions":{"0":[1,2]},"adding_replicas":{},"removing_replicas":{}}`))
	c.awaitState("old", 0, seen{1, 0, []int32{1, 2}})
	if id := c.topicID("old"); id == [16]byte{} {
		t.Error("the topic still has no id")
	}
}

func TestPreferredLeadersAreElectedOnRequestByZnodeAndByTimer(t *testing.T) {
	c, nodes := three(t)
	c.createTopic("t1", []int32{2, 1}, []int32{2, 3})
	c.awaitState("t1", 1, seen{2, 0, []int32{2, 3}})
	c.kill(nodes[2])
	c.awaitState("t1", 0, seen{1, 1, []int32{1}})
	c.awaitState("t1", 1, seen{3, 1, []int32{3}})

	req := kmsg.NewPtrElectLeadersRequest()
	req.Version = 2
	topic := kmsg.NewElectLeadersRequestTopic()
	topic.Topic, topic.Partitions = "t1", []int32{0, 9}
	req.Topics = append(req.Topics, topic)
	if resp := nodes[1].ElectLeaders(t.Context(), req); resp.Topics[0].Partitions[0].ErrorCode != kerr.PreferredLeaderNotAvailable.Code || resp.Topics[0].Partitions[1].ErrorCode != kerr.UnknownTopicOrPartition.Code {
		t.Errorf("the election of a dead broker answered %+v", resp)
	}
	nodes[2] = c.start(2)
	nodes[2].await(t, "its replicas", func(all []kmsg.Request) bool { return lastLead(all, "t1", 1) != nil })
	c.alter(nodes, 1, "t1", 0, []int32{1, 2}, 1)
	c.alter(nodes, 3, "t1", 1, []int32{3, 2}, 1)
	if resp := nodes[1].ElectLeaders(t.Context(), req); resp.Topics[0].Partitions[0].ErrorCode != 0 {
		t.Errorf("the preferred election answered %+v", resp.Topics[0].Partitions[0])
	}
	c.awaitState("t1", 0, seen{2, 2, []int32{1, 2}})
	if resp := nodes[1].ElectLeaders(t.Context(), req); resp.Topics[0].Partitions[0].ErrorCode != kerr.ElectionNotNeeded.Code {
		t.Errorf("a second election answered %+v", resp.Topics[0].Partitions[0])
	}
	c.create(layout.PreferredElection, layout.Encode(layout.PreferredElectionRequest{Version: 1, Partitions: []layout.TopicPartition{{Topic: "t1", Partition: 1}}}))
	c.awaitState("t1", 1, seen{2, 2, []int32{3, 2}})
	c.awaitGone(layout.PreferredElection)
}

func TestLeadersMoveBackByThemselves(t *testing.T) {
	c := newCluster(t)
	c.settings.AutoLeaderRebalanceEnable, c.settings.LeaderImbalanceCheckInterval = true, 100*time.Millisecond
	one := c.start(1)
	c.awaitController(one, 1)
	c.createTopic("t1", []int32{2, 1})
	c.awaitState("t1", 0, seen{1, 0, []int32{1}})
	two := c.start(2)
	two.await(t, "its replica", func(all []kmsg.Request) bool { return lastLead(all, "t1", 0) != nil })
	c.alter(map[int32]*node{1: one, 2: two}, 1, "t1", 0, []int32{1, 2}, 0)
	c.awaitState("t1", 0, seen{2, 1, []int32{1, 2}})
}

func TestAnUncleanElectionNeedsPermission(t *testing.T) {
	c, nodes := three(t)
	c.createTopic("t1", []int32{2, 3})
	c.awaitState("t1", 0, seen{2, 0, []int32{2, 3}})
	c.alter(nodes, 2, "t1", 0, []int32{2}, 0)
	c.kill(nodes[2])
	c.awaitState("t1", 0, seen{layout.NoLeader, 1, []int32{2}})
	config := layout.EntityConfiguration{Version: 1, Config: map[string]string{"unclean.leader.election.enable": "true"}}
	if _, err := c.zk.Set(layout.EntityConfig("topics", "t1"), layout.Encode(config), -1); err != nil {
		t.Fatal(err)
	}
	nodes[1].ConfigChanged()
	c.awaitState("t1", 0, seen{3, 2, []int32{3}})
	nodes[3].await(t, "it must recover", func(all []kmsg.Request) bool {
		p := lastLead(all, "t1", 0)
		return p != nil && p.Leader == 3 && p.LeaderRecoveryState == recovering
	})
	unclean, handled := int64(0), int64(0)
	for _, n := range nodes {
		unclean, handled = unclean+n.Elections().Unclean, handled+n.Elections().Handled
	}
	if unclean != 1 || handled == 0 {
		t.Errorf("%d unclean elections, %d times looked after", unclean, handled)
	}
}

func TestAHungBrokerDelaysNobodyElse(t *testing.T) {
	c, nodes := three(t)
	nodes[2].hang(true)
	c.createTopic("t1", []int32{1, 2, 3})
	nodes[3].await(t, "t1", func(all []kmsg.Request) bool { return lastMetadata(all, "t1", 0) != nil })
	c.createTopic("t2", []int32{3, 1})
	nodes[1].await(t, "t2", func(all []kmsg.Request) bool { return lastMetadata(all, "t2", 0) != nil })
	nodes[2].hang(false)
	nodes[2].await(t, "t1 and t2, in order", func(all []kmsg.Request) bool {
		return lastMetadata(all, "t1", 0) != nil && lastMetadata(all, "t2", 0) != nil
	})
}

func TestAControllerWhoseSessionExpiredWritesNothingAndStandsAgain(t *testing.T) {
	c := newCluster(t)
	old := c.startSession(1, 4*time.Second)
	c.awaitController(old, 1)
	next := c.start(2)
	c.createTopic("t1", []int32{2, 1})
	c.awaitState("t1", 0, seen{2, 0, []int32{2, 1}})
	past := old.active.Load()
	old.net.set(true)
	c.awaitController(next, 2)
	c.awaitState("t1", 0, seen{2, 1, []int32{2}})

	// What the old controller may still have on its way.
	late := &store{ctx: t.Context(), conn: c.zk, version: past.store.version}
	if _, err := late.write(&zk.SetDataRequest{Path: layout.State("t1", 0), Data: []byte("{}"), Version: -1}); !errors.Is(err, errMoved) {
		t.Errorf("a write in the epoch of the old controller ended with %v", err)
	}
	c.awaitState("t1", 0, seen{2, 1, []int32{2}})

	old.net.set(false)
	<-past.ctx.Done()
	c.register(old) // as its broker does in the new session
	old.await(t, "its replicas, by the new controller", func(all []kmsg.Request) bool {
		return slices.ContainsFunc(all, func(req kmsg.Request) bool {
			lead, ok := req.(*kmsg.LeaderAndISRRequest)
			return ok && lead.ControllerEpoch == 2 && lead.ControllerID == 2
		})
	})
	c.kill(next)
	c.awaitController(old, 3)
}

func TestAControllerWhoseZnodeIsDeletedResigns(t *testing.T) {
	c := newCluster(t)
	one := c.start(1)
	c.awaitController(one, 1)
	if err := c.zk.Delete(layout.Controller, -1); err != nil {
		t.Fatal(err)
	}
	c.awaitController(one, 2)
}
