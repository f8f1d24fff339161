package controller

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/go-zookeeper/zk"

	"kdrill/node/layout"
)

// takeOver reads the cluster and brings it in order, as the first deed of a term:
//  1. watch the own registration, brokers, topics and wishes; drop notifications meant for the one before;
//  2. read brokers, topics and states; tell every broker who is there;
//  3. take replicas of dead brokers out of the ISRs; elect leaders where there is none;
//  4. tell every broker the state of its replicas, and then of everything;
//  5. go on with deletions, reassignments and wishes; look for leaders to move back from now on.
func (t *term) takeOver() error {
	if err := t.watchController(); err != nil {
		return err
	}
	if err := t.dropNotifications(); err != nil {
		return err
	}
	if err := t.watchLogDirs(); err != nil {
		return err
	}
	registered, err := t.readBrokers()
	if err != nil {
		return err
	}
	for _, b := range registered {
		t.view.brokers[b.id] = b
		t.openOutbox(b)
	}
	t.batch.members = true
	t.flush()

	if err := t.readTopics(); err != nil {
		return err
	}
	if err := t.readDeletions(); err != nil {
		return err
	}
	_, err = t.decide(t.view.where(func(*partition) bool { return true }), func(p *partition) (layout.PartitionState, bool) {
		return withoutReplicas(p.state.PartitionState, t.view.dead)
	})
	if err != nil {
		return err
	}
	if err := t.electOffline(); err != nil {
		return err
	}
	for p := range t.view.partitions() {
		if p.state != nil {
			t.tell(p, false)
		}
	}
	t.batch.members = true
	t.flush()

	if err := t.resumeDeletions(); err != nil {
		return err
	}
	if err := t.resumeReassignments(); err != nil {
		return err
	}
	if err := t.electionWished(); err != nil {
		return err
	}
	t.flush()
	if t.settings.AutoLeaderRebalanceEnable {
		t.after(min(firstImbalanceCheck, t.settings.LeaderImbalanceCheckInterval), "leader imbalance check", t.rebalance)
	}
	return nil
}

// watchController ends the term when the registration is no longer the own one.
func (t *term) watchController() error {
	_, stat, fired, err := t.store.getW(layout.Controller)
	if errors.Is(err, zk.ErrNoNode) || err == nil && stat.EphemeralOwner != t.store.conn.SessionID() {
		return errMoved
	}
	if err != nil {
		return err
	}
	t.watch(fired, "controller changed", t.watchController)
	return nil
}

// dropNotifications removes what brokers told the controller before this one: it has read the outcome itself.
func (t *term) dropNotifications() error {
	for _, parent := range []string{layout.ISRChangeNotification, layout.LogDirEvents} {
		names, err := t.store.children(parent)
		if err != nil && !errors.Is(err, zk.ErrNoNode) {
			return err
		}
		err = parallel(len(names), func(i int) error {
			_, err := t.store.write(&zk.DeleteRequest{Path: parent + "/" + names[i], Version: -1})
			if errors.Is(err, zk.ErrNoNode) {
				return nil
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// readBrokers reads the registrations and watches for the next change.
func (t *term) readBrokers() ([]broker, error) {
	names, fired, err := t.store.childrenW(layout.BrokerIDs)
	if err != nil {
		return nil, err
	}
	t.watch(fired, "brokers changed", t.brokersChanged)
	found := make([]*broker, len(names))
	err = parallel(len(names), func(i int) (err error) {
		found[i], err = t.readBroker(names[i])
		return err
	})
	var all []broker
	for _, b := range found {
		if b != nil {
			all = append(all, *b)
		}
	}
	return all, err
}

// readBroker reads a registration and watches it. It returns nil if the broker left meanwhile, or if its registration cannot
// be understood.
func (t *term) readBroker(name string) (*broker, error) {
	path := layout.BrokerIDs + "/" + name
	data, stat, err := t.readWatched(path, "registration of broker "+name+" changed", func() error { return t.brokerChanged(name) })
	if errors.Is(err, zk.ErrNoNode) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	id, err := strconv.ParseInt(name, 10, 32)
	if err != nil {
		t.log.Error("ignoring a broker whose id is no number", "znode", path)
		return nil, nil
	}
	registration, err := layout.Decode[layout.BrokerRegistration](path, data)
	if err != nil {
		t.log.Error("ignoring a broker with a malformed registration", "err", err)
		return nil, nil
	}
	return &broker{BrokerRegistration: registration, id: int32(id), epoch: stat.Czxid}, nil
}

// readTopics reads all topics with their states and watches for new ones.
func (t *term) readTopics() error {
	names, fired, err := t.store.childrenW(layout.Topics)
	if err != nil {
		return err
	}
	t.watch(fired, "topics changed", t.topicsChanged)
	topics, err := t.loadTopics(names)
	if err != nil {
		return err
	}
	var partitions []*partition
	for _, topic := range topics {
		t.view.topics[topic.name] = topic
		for p := range topic.all() {
			partitions = append(partitions, p)
		}
	}
	return parallel(len(partitions), func(i int) (err error) {
		partitions[i].state, err = t.store.readState(partitions[i])
		if errors.Is(err, errMalformed) {
			t.log.Error("ignoring a partition with a malformed state", "err", err)
			return nil
		}
		return err
	})
}

// loadTopics reads assignments, gives an id to topics without one, and watches for more partitions. Topics that do
// not exist any more or cannot be understood are left out.
func (t *term) loadTopics(names []string) ([]*topic, error) {
	loaded := make([]*topic, len(names))
	err := parallel(len(names), func(i int) error {
		a, fired, err := t.readAssignment(names[i])
		if errors.Is(err, zk.ErrNoNode) {
			return nil
		}
		if errors.Is(err, errMalformed) {
			t.log.Error("ignoring a topic with a malformed assignment", "err", err)
			return nil
		}
		if err != nil {
			return err
		}
		t.watch(fired, "partitions of "+names[i]+" changed", func() error { return t.assignmentChanged(names[i]) })
		loaded[i] = &topic{name: names[i], partitions: map[int32]*partition{}}
		loaded[i].id, _ = parseTopicID(a.TopicID)
		loaded[i].assign(a)
		return nil
	})
	var topics []*topic
	for _, topic := range loaded {
		if topic != nil {
			topics = append(topics, topic)
		}
	}
	return topics, err
}

// readAssignment reads and watches an assignment; one without topic id gets one.
func (t *term) readAssignment(name string) (layout.TopicAssignment, <-chan zk.Event, error) {
	path := layout.Topic(name)
	for {
		data, stat, fired, err := t.store.getW(path)
		if err != nil {
			return layout.TopicAssignment{}, nil, err
		}
		a, err := layout.Decode[layout.TopicAssignment](path, data)
		if err != nil {
			return a, nil, fmt.Errorf("%w: %w", errMalformed, err)
		}
		if _, ok := parseTopicID(a.TopicID); ok {
			return a, fired, nil
		}
		_, err = t.store.write(&zk.SetDataRequest{Path: path, Data: layout.Encode(withTopicID(a)), Version: stat.Version})
		if err != nil && !errors.Is(err, zk.ErrBadVersion) {
			return a, nil, fmt.Errorf("give topic %s an id: %w", name, err)
		}
	}
}
