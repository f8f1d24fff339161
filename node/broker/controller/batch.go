package controller

import (
	"cmp"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/layout"
)

// The versions of control requests, the newest of Kafka 3.9.
const (
	leaderAndISRVersion   = 7
	updateMetadataVersion = 8
	stopReplicaVersion    = 4
)

// What takes the place of a leader and of an epoch when a topic is being deleted: brokers forget such a partition,
// and stop it whatever epoch they know.
const (
	leaderDuringDelete int32 = -2
	epochDuringDelete  int32 = -2
)

// batch collects what the brokers must be told after one event, at most one request of a kind for each broker.
type batch struct {
	lead     map[int32]map[*partition]bool // LeaderAndIsr by broker; the value says whether the partition is new
	stop     map[int32]map[*partition]bool // StopReplica by broker; the value says whether to delete
	metadata map[*partition]bool           // UpdateMetadata for every broker
	members  bool                          // every broker must learn who is there, even if no partition changed
	full     map[int32]bool                // brokers that get UpdateMetadata of everything, before LeaderAndIsr
}

func newBatch() *batch {
	return &batch{
		lead: map[int32]map[*partition]bool{}, stop: map[int32]map[*partition]bool{},
		metadata: map[*partition]bool{}, full: map[int32]bool{},
	}
}

// sendLead tells a broker the state of a partition it has a replica of.
func (b *batch) sendLead(broker int32, p *partition, isNew bool) {
	if b.lead[broker] == nil {
		b.lead[broker] = map[*partition]bool{}
	}
	b.lead[broker][p] = b.lead[broker][p] || isNew
}

// sendStop tells a broker to stop fetching, and to delete its replica.
func (b *batch) sendStop(broker int32, p *partition, remove bool) {
	if b.stop[broker] == nil {
		b.stop[broker] = map[*partition]bool{}
	}
	b.stop[broker][p] = b.stop[broker][p] || remove
}

// sender is who speaks in a control request.
type sender struct {
	id       int32
	epoch    int32
	listener string
}

// requests turns the batch into the requests for each registered broker, in the order of sending: LeaderAndIsr before
// UpdateMetadata, so that a broker leads before clients hear of it; a fresh broker first learns who is there.
func (b *batch) requests(v *view, from sender) map[int32][]kmsg.Request {
	changed := metadataStates(v, slices.Collect(maps.Keys(b.metadata)))
	var everything []kmsg.UpdateMetadataRequestTopicState
	if len(b.full) > 0 {
		everything = metadataStates(v, v.known())
	}
	all := map[int32][]kmsg.Request{}
	for id, broker := range v.brokers {
		var list []kmsg.Request
		if b.full[id] {
			list = append(list, updateMetadata(v, from, broker, everything))
		}
		if states := b.lead[id]; len(states) > 0 {
			list = append(list, leaderAndISR(v, from, broker, states))
		}
		if !b.full[id] && (b.members || len(changed) > 0) {
			list = append(list, updateMetadata(v, from, broker, changed))
		}
		if states := b.stop[id]; len(states) > 0 {
			list = append(list, stopReplica(from, broker, states))
		}
		if len(list) > 0 {
			all[id] = list
		}
	}
	return all
}

func leaderAndISR(v *view, from sender, to broker, states map[*partition]bool) kmsg.Request {
	req := kmsg.NewPtrLeaderAndISRRequest()
	req.Version, req.ControllerID, req.ControllerEpoch, req.BrokerEpoch = leaderAndISRVersion, from.id, from.epoch, to.epoch
	leaders := map[int32]bool{}
	byTopic(states, func(t *topic, partitions []*partition) {
		states1 := kmsg.NewLeaderAndISRRequestTopicState()
		states1.Topic, states1.TopicID = t.name, t.id
		for _, p := range partitions {
			if p.state == nil {
				continue
			}
			leaders[p.state.Leader] = true
			s := kmsg.NewLeaderAndISRRequestTopicPartition()
			s.Topic, s.Partition = p.Topic, p.Partition
			s.ControllerEpoch, s.Leader, s.LeaderEpoch = p.state.ControllerEpoch, p.state.Leader, p.state.LeaderEpoch
			s.ISR, s.ZKVersion, s.Replicas = p.state.ISR, p.state.epoch, p.replicas
			s.AddingReplicas, s.RemovingReplicas = p.adding, p.removing
			s.IsNew, s.LeaderRecoveryState = states[p], p.state.LeaderRecoveryState
			states1.PartitionStates = append(states1.PartitionStates, s)
		}
		req.TopicStates = append(req.TopicStates, states1)
	})
	for _, id := range slices.Sorted(maps.Keys(leaders)) {
		if b, ok := v.brokers[id]; ok {
			live := kmsg.NewLeaderAndISRRequestLiveLeader()
			live.BrokerID = id
			live.Host, live.Port = b.endpoint(from.listener)
			req.LiveLeaders = append(req.LiveLeaders, live)
		}
	}
	return req
}

func updateMetadata(v *view, from sender, to broker, states []kmsg.UpdateMetadataRequestTopicState) kmsg.Request {
	req := kmsg.NewPtrUpdateMetadataRequest()
	req.Version, req.ControllerID, req.ControllerEpoch, req.BrokerEpoch = updateMetadataVersion, from.id, from.epoch, to.epoch
	req.TopicStates = states // shared by the requests of a batch: nobody changes them
	for _, id := range slices.Sorted(maps.Keys(v.brokers)) {
		req.LiveBrokers = append(req.LiveBrokers, v.brokers[id].live())
	}
	return req
}

// metadataStates leaves out partitions that never had a leader.
func metadataStates(v *view, partitions []*partition) []kmsg.UpdateMetadataRequestTopicState {
	set := make(map[*partition]bool, len(partitions))
	for _, p := range partitions {
		if p.state != nil || p.topic.deletion != nil {
			set[p] = true
		}
	}
	var all []kmsg.UpdateMetadataRequestTopicState
	byTopic(set, func(t *topic, partitions []*partition) {
		states := kmsg.NewUpdateMetadataRequestTopicState()
		states.Topic, states.TopicID = t.name, t.id
		for _, p := range partitions {
			s := kmsg.NewUpdateMetadataRequestTopicPartition()
			s.Topic, s.Partition, s.Replicas = p.Topic, p.Partition, p.replicas
			s.OfflineReplicas = only(p.replicas, func(id int32) bool { return v.dead(id) || slices.Contains(p.offline, id) })
			s.Leader = leaderDuringDelete
			if p.state != nil {
				s.ControllerEpoch, s.LeaderEpoch = p.state.ControllerEpoch, p.state.LeaderEpoch
				s.ISR, s.ZKVersion = p.state.ISR, p.state.epoch
				if t.deletion == nil {
					s.Leader = p.state.Leader
				}
			}
			states.PartitionStates = append(states.PartitionStates, s)
		}
		all = append(all, states)
	})
	return all
}

func stopReplica(from sender, to broker, states map[*partition]bool) kmsg.Request {
	req := kmsg.NewPtrStopReplicaRequest()
	req.Version, req.ControllerID, req.ControllerEpoch, req.BrokerEpoch = stopReplicaVersion, from.id, from.epoch, to.epoch
	byTopic(states, func(t *topic, partitions []*partition) {
		topic := kmsg.NewStopReplicaRequestTopic()
		topic.Topic = t.name
		for _, p := range partitions {
			s := kmsg.NewStopReplicaRequestTopicPartitionState()
			s.Partition, s.Delete, s.LeaderEpoch = p.Partition, states[p], -1
			if t.deletion != nil {
				s.LeaderEpoch = epochDuringDelete
			} else if p.state != nil {
				s.LeaderEpoch = p.state.LeaderEpoch
			}
			topic.PartitionStates = append(topic.PartitionStates, s)
		}
		req.Topics = append(req.Topics, topic)
	})
	return req
}

// byTopic calls each once for every topic in the set, topics and partitions in order.
func byTopic(set map[*partition]bool, each func(*topic, []*partition)) {
	sorted := slices.SortedFunc(maps.Keys(set), func(a, b *partition) int {
		return compare(a.TopicPartition, b.TopicPartition)
	})
	for len(sorted) > 0 {
		t := sorted[0].topic
		n := slices.IndexFunc(sorted, func(p *partition) bool { return p.topic != t })
		if n < 0 {
			n = len(sorted)
		}
		each(t, sorted[:n])
		sorted = sorted[n:]
	}
}

func compare(a, b layout.TopicPartition) int {
	return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
}

var securityProtocols = []string{"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"} // by their number in the protocol

func (b broker) live() kmsg.UpdateMetadataRequestLiveBroker {
	live := kmsg.NewUpdateMetadataRequestLiveBroker()
	live.ID = b.id
	if b.Rack != "" {
		live.Rack = &b.Rack
	}
	for _, text := range b.Endpoints {
		name, host, port, ok := parseEndpoint(text)
		if !ok {
			continue
		}
		e := kmsg.NewUpdateMetadataRequestLiveBrokerEndpoint()
		e.ListenerName, e.Host, e.Port = name, host, port
		protocol := b.SecurityProtocol[name]
		if protocol == "" {
			protocol = name
		}
		e.SecurityProtocol = int16(max(0, slices.Index(securityProtocols, protocol)))
		live.Endpoints = append(live.Endpoints, e)
	}
	return live
}

// endpoint is where the broker listens under a listener name, or else first of all.
func (b broker) endpoint(listener string) (host string, port int32) {
	host, port = b.Host, b.Port
	for i, text := range b.Endpoints {
		name, h, p, ok := parseEndpoint(text)
		if ok && name == listener {
			return h, p
		}
		if ok && i == 0 {
			host, port = h, p
		}
	}
	return host, port
}

// parseEndpoint takes LISTENER://host:port apart.
func parseEndpoint(text string) (listener, host string, port int32, ok bool) {
	listener, address, ok := strings.Cut(text, "://")
	if !ok {
		return "", "", 0, false
	}
	host, digits, err := net.SplitHostPort(address)
	if err != nil {
		return "", "", 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 16)
	return listener, host, int32(n), err == nil
}
