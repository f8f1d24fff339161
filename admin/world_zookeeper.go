package admin

import (
	"slices"
	"time"

	"kdrill/admin/watch"
)

// applyWatch takes in what a znode says.
func (w *world) applyWatch(u watch.Update, at time.Time) {
	z := &w.zookeeper
	switch u := u.(type) {
	case watch.Online:
		z.online, z.synced, z.controller, z.registered, z.session = true, false, false, nil, u.Session
	case watch.Offline:
		z.online = false
	case watch.Synced:
		z.synced = true
		w.prune()
	case watch.Brokers:
		z.registered = map[int32]bool{}
		for _, id := range u.IDs {
			z.registered[id] = true
		}
		for id, b := range w.brokers {
			if !z.registered[id] { // who is new follows with the time of its registration
				b.setRegistered(false, at)
			}
		}
	case watch.Broker:
		w.applyRegistration(u)
	case watch.Controller:
		w.controller, w.controllerAt, z.controller = u.ID, u.At, true
		if u.ID >= 0 {
			w.controllerEpoch = z.controllerEpoch
		}
	case watch.ControllerEpoch: // shown together with the controller whose epoch it is
		z.controllerEpoch = u.Epoch
	case watch.Topics:
		w.applyTopics(u)
	case watch.Assignment:
		w.applyAssignment(u)
	case watch.State:
		w.applyState(u)
	}
	w.topicsAt = at
}

func (w *world) applyRegistration(u watch.Broker) {
	if !w.zookeeper.registered[u.ID] {
		return
	}
	b := w.broker(u.ID)
	b.Epoch, b.SessionID, b.registeredAt = u.Epoch, u.Session, u.At
	b.setRegistered(true, u.At)
	if b.Host == "" { // metadata names the listener that we use, the registration only one of them
		b.Host, b.Port = u.Registration.Host, u.Registration.Port
	}
	if u.Registration.Rack != "" {
		b.Rack = u.Registration.Rack
	}
}

func (w *world) applyTopics(u watch.Topics) {
	before := w.zookeeper.topics
	w.zookeeper.topics = make(map[string]watch.Assignment, len(u.Names))
	for _, name := range u.Names {
		w.zookeeper.topics[name] = before[name]
	}
	if w.zookeeper.decides() {
		w.prune()
	}
}

// prune forgets topics that ZooKeeper does not have.
func (w *world) prune() {
	z := &w.zookeeper
	if z.topics == nil {
		return
	}
	for name := range w.topics {
		if _, exists := z.topics[name]; !exists {
			delete(w.topics, name)
		}
	}
	for at := range z.states {
		if _, exists := z.topics[at.Topic]; !exists {
			delete(z.states, at)
		}
	}
}

func (w *world) applyAssignment(u watch.Assignment) {
	if _, exists := w.zookeeper.topics[u.Topic]; !exists {
		return
	}
	w.zookeeper.topics[u.Topic] = u
	t := w.topic(u.Topic)
	if u.TopicID != "" {
		if t.ID != "" && t.ID != u.TopicID { // deleted and made again
			w.forgetStates(u.Topic)
			t.Partitions = nil
		}
		t.ID = u.TopicID
	}
	t.createdAt = u.At
	t.Internal = t.Internal || u.Topic == "__consumer_offsets" || u.Topic == "__transaction_state"
	for _, id := range u.IDs() {
		t.partition(id).Replicas = u.Replicas(id)
		for _, replica := range u.Replicas(id) {
			w.broker(replica)
		}
	}
}

func (w *world) forgetStates(topic string) {
	for at := range w.zookeeper.states {
		if at.Topic == topic {
			delete(w.zookeeper.states, at)
		}
	}
}

func (w *world) applyState(u watch.State) {
	at := TopicPartition{u.Topic, u.Partition}
	known, ok := w.zookeeper.states[at]
	if ok && (u.Created < known.Created || u.Created == known.Created && u.Version < known.Version) {
		return // read before what is known, arrived after it
	}
	if _, exists := w.zookeeper.topics[u.Topic]; !exists {
		return
	}
	w.zookeeper.states[at] = u
	p := w.topic(u.Topic).partition(u.Partition)
	if !slices.Equal(p.ISR, u.ISR) || p.Leader != u.Leader || p.LeaderEpoch != u.LeaderEpoch || p.ChangedAt.IsZero() {
		p.Leader, p.LeaderEpoch, p.ISR = u.Leader, u.LeaderEpoch, u.ISR
		p.ChangedAt = u.At
	}
	p.ControllerEpoch, p.PartitionEpoch = u.ControllerEpoch, u.Version
}
