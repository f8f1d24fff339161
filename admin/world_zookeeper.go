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
	w.zookeeper.topics = make(map[string]bool, len(u.Names))
	for _, name := range u.Names {
		w.zookeeper.topics[name] = true
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
		if !z.topics[name] {
			w.forgetTopic(name)
		}
	}
	for name := range z.states {
		if !z.topics[name] {
			delete(z.states, name)
		}
	}
}

func (w *world) applyAssignment(u watch.Assignment) {
	if !w.zookeeper.topics[u.Topic] {
		return
	}
	internal := u.Topic == "__consumer_offsets" || u.Topic == "__transaction_state"
	t, ok := w.topics[u.Topic]
	if !ok || u.TopicID != "" && u.TopicID != t.ID || internal && !t.Internal || !t.createdAt.Equal(u.At) {
		t := w.topic(u.Topic)
		if u.TopicID != "" {
			if t.ID != "" && t.ID != u.TopicID { // deleted and made again
				delete(w.zookeeper.states, u.Topic)
				t.Partitions = nil
			}
			t.ID = u.TopicID
		}
		t.createdAt, t.Internal = u.At, t.Internal || internal
	}
	for _, id := range u.IDs() {
		w.change(u.Topic, id, func(p *Partition) { w.replicas(p, u.Replicas(id)) })
	}
}

func (w *world) applyState(u watch.State) {
	if !w.zookeeper.topics[u.Topic] || u.Partition < 0 {
		return
	}
	known, ok := w.zookeeper.state(u.Topic, u.Partition)
	if ok && (u.Created < known.created || u.Created == known.created && u.Version < known.version) {
		return // read before what is known, arrived after it
	}
	list := w.zookeeper.states[u.Topic]
	for int32(len(list)) <= u.Partition {
		list = append(list, readState{})
	}
	list[u.Partition] = readState{created: u.Created, version: u.Version, leaderEpoch: u.LeaderEpoch, read: true}
	w.zookeeper.states[u.Topic] = list
	w.change(u.Topic, u.Partition, func(p *Partition) {
		same := slices.Equal(p.ISR, u.ISR)
		if !same || p.Leader != u.Leader || p.LeaderEpoch != u.LeaderEpoch || p.ChangedAt.IsZero() {
			p.Leader, p.LeaderEpoch, p.ChangedAt = u.Leader, u.LeaderEpoch, u.At
		}
		if !same {
			p.ISR = w.interned(u.ISR)
		}
		p.ControllerEpoch, p.PartitionEpoch = u.ControllerEpoch, u.Version
	})
}
