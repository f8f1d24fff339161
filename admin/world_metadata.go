package admin

import (
	"encoding/base64"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// applyMetadata takes in what a broker says about the cluster and all its topics. It returns the partitions whose leader
// epoch is ahead of what ZooKeeper's watches told: their znodes want another reading.
func (w *world) applyMetadata(resp *kmsg.MetadataResponse, at time.Time) (ahead []TopicPartition) {
	w.topicsAt = at
	w.applyCluster(resp, at)
	w.unwatched = false
	listed := make(map[string]bool, len(resp.Topics))
	for i := range resp.Topics {
		t := &resp.Topics[i]
		if t.Topic == nil || t.ErrorCode == kerr.UnknownTopicOrPartition.Code {
			continue
		}
		name := *t.Topic
		listed[name] = true
		if w.zookeeper.decides() && !w.zookeeper.topics[name] {
			continue // deleted, the broker does not know yet
		}
		w.applyTopic(name, t)
		for j := range t.Partitions {
			if w.applyPartition(name, &t.Partitions[j]) {
				ahead = append(ahead, TopicPartition{name, t.Partitions[j].Partition})
			}
		}
	}
	if !w.zookeeper.decides() {
		for name := range w.topics {
			if !listed[name] && !(w.zookeeper.online && w.zookeeper.topics[name]) {
				w.forgetTopic(name)
			}
		}
	}
	return ahead
}

// applyCluster takes in what a broker says about the cluster without its topics.
func (w *world) applyCluster(resp *kmsg.MetadataResponse, at time.Time) {
	w.problem = ""
	if w.told() {
		w.topicsAt = at
	}
	if resp.ClusterID != nil {
		w.clusterID = *resp.ClusterID
	}
	w.applyBrokers(resp, at)
}

func (w *world) applyTopic(name string, t *kmsg.MetadataResponseTopic) {
	known, ok := w.topics[name]
	var text [22]byte
	id := text[:0]
	if t.TopicID != [16]byte{} {
		id = base64.RawURLEncoding.AppendEncode(id, t.TopicID[:])
	}
	same := ok && known.Internal == t.IsInternal && (len(id) == 0 || known.ID == string(id))
	if same {
		return
	}
	topic := w.topic(name)
	topic.Internal = t.IsInternal
	if len(id) > 0 {
		topic.ID = string(id)
	}
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
func (w *world) applyPartition(topic string, p *kmsg.MetadataResponseTopicPartition) (ahead bool) {
	if p.Partition < 0 || p.Partition > 1_000_000 {
		return false
	}
	state, watched := w.zookeeper.state(topic, p.Partition)
	watched = watched && w.zookeeper.online
	w.unwatched = w.unwatched || !watched
	w.change(topic, p.Partition, func(known *Partition) {
		w.replicas(known, p.Replicas)
		if !watched {
			known.applyMetadata(p, w)
		}
	})
	return watched && p.LeaderEpoch > state.leaderEpoch
}

// replicas notes whom a partition is assigned to.
func (w *world) replicas(p *Partition, ids []int32) {
	if slices.Equal(p.Replicas, ids) {
		return
	}
	p.Replicas = w.interned(ids)
	for _, id := range ids {
		w.broker(id)
	}
}

func (known *Partition) applyMetadata(p *kmsg.MetadataResponseTopicPartition, w *world) {
	if p.LeaderEpoch >= 0 && p.LeaderEpoch < known.LeaderEpoch {
		return // an answer from a broker that trails behind
	}
	leader := p.Leader
	if p.ErrorCode == kerr.LeaderNotAvailable.Code {
		leader = -1
	}
	same := slices.Equal(p.ISR, known.ISR)
	if leader != known.Leader || p.LeaderEpoch != known.LeaderEpoch || !same {
		known.PartitionEpoch, known.ControllerEpoch, known.ChangedAt = -1, -1, time.Time{}
	}
	known.Leader, known.LeaderEpoch = leader, p.LeaderEpoch
	if !same {
		known.ISR = w.interned(p.ISR)
	}
}
