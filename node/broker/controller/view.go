package controller

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"iter"
	"maps"
	"slices"

	"kdrill/node/layout"
)

// view is what the controller knows of the cluster: the znodes as it last read or wrote them.
type view struct {
	brokers      map[int32]broker // registered, those shutting down included
	shuttingDown map[int32]bool
	topics       map[string]*topic
}

func newView() *view {
	return &view{brokers: map[int32]broker{}, shuttingDown: map[int32]bool{}, topics: map[string]*topic{}}
}

// broker is a registration and its epoch, the znode's czxid.
type broker struct {
	layout.BrokerRegistration
	id    int32
	epoch int64
}

type topic struct {
	name       string
	id         [16]byte
	partitions map[int32]*partition
	deletion   *deletion // nil unless the topic is marked for deletion
}

type partition struct {
	layout.TopicPartition
	topic    *topic
	replicas []int32
	adding   []int32
	removing []int32
	state    *state  // nil as long as no replica was ever live
	offline  []int32 // replicas whose log directory failed, while their brokers live
}

// state is a partition state and the version of its znode.
type state struct {
	layout.PartitionState
	epoch int32
}

// live says whether a broker takes part in elections.
func (v *view) live(id int32) bool {
	_, ok := v.brokers[id]
	return ok && !v.shuttingDown[id]
}

// able tells which replicas of a partition take part in elections: those of live brokers whose log directory works.
func (v *view) able(p *partition) among {
	return func(id int32) bool { return v.live(id) && !slices.Contains(p.offline, id) }
}

// leaderless says whether a partition has no leader that serves.
func (v *view) leaderless(p *partition) bool {
	return !v.running(p.state.Leader) || slices.Contains(p.offline, p.state.Leader)
}

// running says whether a broker is registered, even if it is shutting down.
func (v *view) running(id int32) bool {
	_, ok := v.brokers[id]
	return ok
}

// leaving says whether a broker is shutting down.
func (v *view) leaving(id int32) bool { return v.shuttingDown[id] }

// epoch is a broker's epoch, -1 if it is not registered.
func (v *view) epoch(id int32) int64 {
	if b, ok := v.brokers[id]; ok {
		return b.epoch
	}
	return -1
}

func (v *view) dead(id int32) bool { return !v.live(id) }

// partitions yields every partition of topics that are not being deleted, in order.
func (v *view) partitions() iter.Seq[*partition] {
	return func(yield func(*partition) bool) {
		for _, name := range slices.Sorted(maps.Keys(v.topics)) {
			if v.topics[name].deletion != nil {
				continue
			}
			for p := range v.topics[name].all() {
				if !yield(p) {
					return
				}
			}
		}
	}
}

// where returns the partitions for which fits holds.
func (v *view) where(fits func(*partition) bool) []*partition {
	var found []*partition
	for p := range v.partitions() {
		if fits(p) {
			found = append(found, p)
		}
	}
	return found
}

// known returns the partitions of all topics, those being deleted included.
func (v *view) known() []*partition {
	var all []*partition
	for _, t := range v.topics {
		all = slices.AppendSeq(all, maps.Values(t.partitions))
	}
	return all
}

func (v *view) partition(topic string, id int32) *partition {
	if t := v.topics[topic]; t != nil {
		return t.partitions[id]
	}
	return nil
}

func (v *view) topicByID(id [16]byte) *topic {
	for _, t := range v.topics {
		if t.id == id {
			return t
		}
	}
	return nil
}

// all yields a topic's partitions in order.
func (t *topic) all() iter.Seq[*partition] {
	return func(yield func(*partition) bool) {
		for _, id := range slices.Sorted(maps.Keys(t.partitions)) {
			if !yield(t.partitions[id]) {
				return
			}
		}
	}
}

// assign takes over an assignment and returns the partitions that are new.
func (t *topic) assign(a layout.TopicAssignment) []*partition {
	var added []*partition
	for _, id := range a.IDs() {
		p := t.partitions[id]
		if p == nil {
			p = &partition{TopicPartition: layout.TopicPartition{Topic: t.name, Partition: id}, topic: t}
			t.partitions[id] = p
			added = append(added, p)
		}
		key := fmt.Sprint(id)
		p.replicas, p.adding, p.removing = a.Partitions[key], a.Adding[key], a.Removing[key]
	}
	return added
}

func (p *partition) String() string { return fmt.Sprintf("%s/%d", p.Topic, p.Partition) }

func (p *partition) hosts(id int32) bool { return slices.Contains(p.replicas, id) }

// parseTopicID reads the text form of a topic id; false if it is none.
func parseTopicID(text string) (id [16]byte, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) != len(id) {
		return id, false
	}
	return [16]byte(raw), true
}

// withTopicID gives an assignment of an older version a random topic id, as uuid version 4.
func withTopicID(a layout.TopicAssignment) layout.TopicAssignment {
	var id [16]byte
	_, _ = rand.Read(id[:]) // cannot fail
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	a.Version, a.TopicID = 3, base64.RawURLEncoding.EncodeToString(id[:])
	if a.Adding == nil {
		a.Adding = map[string][]int32{}
	}
	if a.Removing == nil {
		a.Removing = map[string][]int32{}
	}
	return a
}
