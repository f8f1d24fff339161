package controller

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/go-zookeeper/zk"

	"kdrill/node/layout"
)

// brokersChanged handles registrations that came or went.
func (t *term) brokersChanged() error {
	registered, err := t.readBrokers()
	if err != nil {
		return err
	}
	diff := diffBrokers(t.view.brokers, registered)
	if gone := diff.gone(); len(gone) > 0 {
		if err := t.brokersFailed(gone); err != nil {
			return err
		}
		t.log.Info("broker failed", "brokers", ids(diff.left), "bounced", ids(diff.bounced), "live", t.members())
	}
	if fresh := slices.Concat(diff.joined, diff.bounced); len(fresh) > 0 {
		if err := t.brokersJoined(fresh); err != nil {
			return err
		}
		t.log.Info("broker joined", "brokers", diff.fresh(), "live", t.members())
	}
	return nil
}

// brokerChanged handles a registration that its broker wrote anew: it is reached elsewhere. One of another epoch is seen by
// brokersChanged.
func (t *term) brokerChanged(name string) error {
	b, err := t.readBroker(name)
	if err != nil || b == nil {
		return err
	}
	was, known := t.view.brokers[b.id]
	if !known || was.epoch != b.epoch || b.sameEndpoints(was) {
		return nil
	}
	t.view.brokers[b.id] = *b
	t.outboxes[b.id].moved(b.BrokerRegistration)
	t.batch.members = true
	t.log.Info("broker is reached elsewhere", "broker", b.id, "endpoints", b.Endpoints)
	return nil
}

// brokersFailed elects new leaders for what the brokers led and takes their replicas out of the ISRs.
func (t *term) brokersFailed(gone []int32) error {
	for _, id := range gone {
		delete(t.view.brokers, id)
		delete(t.view.shuttingDown, id)
		t.forgetFailures(id)
		t.closeOutbox(id)
	}
	t.batch.members = true
	if err := t.electOffline(); err != nil {
		return err
	}
	left := func(id int32) bool { return slices.Contains(gone, id) }
	hosted := t.view.where(func(p *partition) bool { return slices.ContainsFunc(p.replicas, left) })
	shrunk, err := t.decide(hosted, func(p *partition) (layout.PartitionState, bool) {
		return withoutReplicas(p.state.PartitionState, left)
	})
	for _, c := range shrunk {
		t.tell(c.partition, false)
	}
	for _, p := range hosted {
		t.batch.metadata[p] = true // at the least, a replica is offline
	}
	t.deletionsFailed(gone)
	return err
}

// brokersJoined tells new brokers everything, and everybody that they are there.
func (t *term) brokersJoined(fresh []broker) error {
	t.flush() // a failure before it, if a broker bounced
	for _, b := range fresh {
		t.view.brokers[b.id] = b
		t.openOutbox(b)
		t.batch.full[b.id] = true
	}
	t.batch.members = true
	t.flush() // followers must know where a leader is before they hear that it leads
	if err := t.electOffline(); err != nil {
		return err
	}
	for _, b := range fresh {
		for p := range t.view.partitions() {
			if p.hosts(b.id) && p.state != nil {
				t.batch.sendLead(b.id, p, false)
				t.batch.metadata[p] = true
			}
		}
	}
	return t.resumeDeletions()
}

// electOffline gives a leader to every partition whose leader is gone and a state to every new one, where possible.
func (t *term) electOffline() error {
	if err := t.startPartitions(t.view.where(func(p *partition) bool { return p.state == nil })); err != nil {
		return err
	}
	began := time.Now()
	offline := t.view.where(func(p *partition) bool { return p.state != nil && t.view.leaderless(p) })
	unclean, err := t.uncleanTopics(offline)
	if err != nil {
		return err
	}
	elected, err := t.decide(offline, func(p *partition) (layout.PartitionState, bool) {
		return electOffline(p.replicas, p.state.PartitionState, t.view.able(p), unclean[p.Topic])
	})
	lost := 0
	for _, c := range elected {
		t.tell(c.partition, false)
		if c.unclean {
			lost++
		}
	}
	if len(offline) > 0 {
		t.elections.handled(time.Since(began))
		t.log.Info("leaders moved", "partitions", len(elected), "unclean", lost, "leaderless", len(offline)-len(elected))
	}
	return err
}

// startPartitions writes the first states of new partitions that have a live replica.
func (t *term) startPartitions(partitions []*partition) error {
	changes := map[string][]change{}
	waiting := 0
	for _, p := range partitions {
		if next, ok := firstState(p.replicas, t.view.live); ok {
			next.ControllerEpoch = t.epoch
			changes[p.Topic] = append(changes[p.Topic], change{partition: p, next: next})
		} else {
			waiting++
		}
	}
	if waiting > 0 {
		t.log.Warn("new partitions have no leader yet, none of their replicas is live", "partitions", waiting)
	}
	topics := slices.Sorted(maps.Keys(changes))
	err := parallel(len(topics), func(i int) error { return t.store.createStates(changes[topics[i]]) })
	for _, topic := range topics {
		for _, c := range changes[topic] {
			if c.state == nil {
				t.log.Error("partition cannot start: its state is malformed or its topic gone", "partition", c.partition.String())
				continue
			}
			t.tell(c.partition, true)
		}
	}
	return err
}

// topicsChanged handles topics that were created, or removed behind the controller's back.
func (t *term) topicsChanged() error {
	names, fired, err := t.store.childrenW(layout.Topics)
	if err != nil {
		return err
	}
	t.watch(fired, "topics changed", t.topicsChanged)
	present := make(map[string]bool, len(names))
	for _, name := range names {
		present[name] = true
	}
	maps.DeleteFunc(t.view.topics, func(name string, _ *topic) bool { return !present[name] })
	names = slices.DeleteFunc(names, func(name string) bool { return t.view.topics[name] != nil })
	topics, err := t.loadTopics(names)
	if err != nil {
		return err
	}
	var partitions []*partition
	for _, topic := range topics {
		t.view.topics[topic.name] = topic
		partitions = slices.AppendSeq(partitions, topic.all())
		t.log.Info("topic created", "topic", topic.name, "partitions", len(topic.partitions))
	}
	return t.startPartitions(partitions)
}

// assignmentChanged handles partitions that were added to a topic.
func (t *term) assignmentChanged(name string) error {
	topic := t.view.topics[name]
	a, fired, err := t.readAssignment(name)
	switch {
	case topic == nil, errors.Is(err, zk.ErrNoNode):
		return nil // topicsChanged sees to it
	case errors.Is(err, errMalformed):
		t.log.Error("ignoring a malformed assignment", "err", err)
		return nil
	case err != nil:
		return err
	}
	t.watch(fired, "partitions of "+name+" changed", func() error { return t.assignmentChanged(name) })
	if topic.deletion != nil {
		return nil
	}
	added := topic.assign(a)
	if len(added) > 0 {
		t.log.Info("partitions added", "topic", name, "partitions", len(added))
	}
	return t.startPartitions(added)
}

// uncleanTopics reads which topics allow unclean elections, of those that have partitions which need one.
func (t *term) uncleanTopics(offline []*partition) (map[string]bool, error) {
	unclean := map[string]bool{}
	for _, p := range offline {
		_, clean := electOffline(p.replicas, p.state.PartitionState, t.view.able(p), false)
		if _, ok := first(p.replicas, t.view.able(p)); ok && !clean {
			unclean[p.Topic] = false
		}
	}
	if len(unclean) == 0 {
		return unclean, nil
	}
	const key = "unclean.leader.election.enable"
	cluster, err := t.configValue(layout.EntityConfig("brokers", "<default>"), key)
	if err != nil {
		return nil, err
	}
	names := slices.Collect(maps.Keys(unclean))
	values := make([]string, len(names))
	err = parallel(len(names), func(i int) (err error) {
		values[i], err = t.configValue(layout.EntityConfig("topics", names[i]), key)
		return err
	})
	for i, name := range names {
		switch cmp.Or(values[i], cluster) {
		case "true":
			unclean[name] = true
		case "":
			unclean[name] = t.unclean()
		}
	}
	return unclean, err
}

// configValue is empty if the entity does not set the key.
func (t *term) configValue(path, key string) (string, error) {
	data, _, err := t.store.get(path)
	if errors.Is(err, zk.ErrNoNode) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	c, err := layout.Decode[layout.EntityConfiguration](path, data)
	if err != nil {
		t.log.Error("ignoring a malformed configuration", "err", err)
		return "", nil
	}
	return c.Config[key], nil
}
