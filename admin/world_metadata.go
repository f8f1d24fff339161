package admin

import (
	"encoding/base64"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// applyMetadata takes in what a broker says about the cluster. It returns the partitions whose leader epoch is ahead
// of what ZooKeeper's watches told: their znodes want another reading.
func (w *world) applyMetadata(resp *kmsg.MetadataResponse, at time.Time) (ahead []TopicPartition) {
	w.problem = ""
	w.topicsAt = at
	if resp.ClusterID != nil {
		w.clusterID = *resp.ClusterID
	}
	w.applyBrokers(resp, at)
	listed := map[string]bool{}
	for _, t := range resp.Topics {
		if t.Topic == nil || t.ErrorCode == kerr.UnknownTopicOrPartition.Code {
			continue
		}
		name := *t.Topic
		listed[name] = true
		if _, exists := w.zookeeper.topics[name]; w.zookeeper.decides() && !exists {
			continue // deleted, the broker does not know yet
		}
		topic := w.topic(name)
		topic.Internal = t.IsInternal
		if t.TopicID != [16]byte{} {
			topic.ID = base64.RawURLEncoding.EncodeToString(t.TopicID[:])
		}
		for _, p := range t.Partitions {
			if w.applyPartition(topic, p) {
				ahead = append(ahead, TopicPartition{name, p.Partition})
			}
		}
	}
	if !w.zookeeper.decides() {
		for name := range w.topics {
			if _, exists := w.zookeeper.topics[name]; !listed[name] && !(w.zookeeper.online && exists) {
				delete(w.topics, name)
			}
		}
	}
	return ahead
}

func (w *world) applyBrokers(resp *kmsg.MetadataResponse, at time.Time) {
	z := &w.zookeeper
	var live []int32
	for _, b := range resp.Brokers {
		live = append(live, b.NodeID)
		broker := w.broker(b.NodeID)
		broker.Host, broker.Port = b.Host, b.Port
		if b.Rack != nil {
			broker.Rack = *b.Rack
		}
	}
	if !z.online || z.registered == nil {
		for id, b := range w.brokers {
			b.setRegistered(slices.Contains(live, id), at)
		}
	}
	if w.mode == ModeKRaft && !w.quorumHidden { // there brokers name any of them
		return
	}
	if !z.online || !z.controller {
		w.controller, w.controllerAt = resp.ControllerID, time.Time{}
		if !slices.Contains(live, w.controller) {
			w.controller = -1
		}
	}
}

// applyPartition takes in one partition; it returns true if the broker knows a newer leader epoch than ZooKeeper's watch told.
func (w *world) applyPartition(topic *Topic, p kmsg.MetadataResponseTopicPartition) (ahead bool) {
	if p.Partition < 0 || p.Partition > 1_000_000 {
		return false
	}
	known := topic.partition(p.Partition)
	known.Replicas = p.Replicas
	for _, id := range p.Replicas {
		w.broker(id)
	}
	if state, watched := w.zookeeper.states[TopicPartition{topic.Name, p.Partition}]; watched && w.zookeeper.online {
		return p.LeaderEpoch > state.LeaderEpoch
	}
	if p.LeaderEpoch >= 0 && p.LeaderEpoch < known.LeaderEpoch {
		return false // an answer from a broker that trails behind
	}
	leader := p.Leader
	if p.ErrorCode == kerr.LeaderNotAvailable.Code {
		leader = -1
	}
	if leader != known.Leader || p.LeaderEpoch != known.LeaderEpoch || !slices.Equal(p.ISR, known.ISR) {
		known.PartitionEpoch, known.ControllerEpoch, known.ChangedAt = -1, -1, time.Time{}
	}
	known.Leader, known.LeaderEpoch, known.ISR = leader, p.LeaderEpoch, p.ISR
	return false
}
