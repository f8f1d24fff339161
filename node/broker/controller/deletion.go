package controller

import (
	"errors"
	"maps"
	"slices"

	"github.com/go-zookeeper/zk"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/layout"
)

// deletion is how far the brokers are with deleting a topic. It ends when every replica is done; one on a dead broker
// parks it until that broker is back, one that could not be deleted until its broker was restarted.
type deletion struct {
	asked, done map[replica]bool
}

type replica struct{ partition, broker int32 }

// readDeletions marks the topics that somebody wants deleted, and watches for more. Brokers are told at once that such
// a topic has no leaders.
func (t *term) readDeletions() error {
	names, fired, err := t.store.childrenW(layout.DeleteTopics)
	if err != nil {
		return err
	}
	t.watch(fired, "deletions wished", t.deletionsWished)
	if slices.ContainsFunc(names, func(name string) bool { return t.view.topics[name] == nil }) && len(names) > 0 {
		if err := t.topicsChanged(); err != nil { // the topic may be so new that its creation was not handled
			return err
		}
	}
	for _, name := range names {
		topic := t.view.topics[name]
		switch {
		case topic == nil || !t.settings.DeleteTopicEnable:
			t.log.Info("not deleting topic", "topic", name, "exists", topic != nil, "delete.topic.enable", t.settings.DeleteTopicEnable)
			if err := t.remove([]string{layout.DeleteTopic(name)}); err != nil {
				return err
			}
		case topic.deletion == nil:
			t.log.Info("deleting topic", "topic", name, "partitions", len(topic.partitions))
			topic.deletion = &deletion{asked: map[replica]bool{}, done: map[replica]bool{}}
			for _, p := range topic.partitions {
				t.batch.metadata[p] = true
			}
		}
	}
	return nil
}

func (t *term) deletionsWished() error {
	if err := t.readDeletions(); err != nil {
		return err
	}
	return t.resumeDeletions()
}

// resumeDeletions asks live brokers to delete what they were not asked for yet and finishes what is done everywhere.
func (t *term) resumeDeletions() error {
	for _, name := range slices.Sorted(maps.Keys(t.view.topics)) {
		topic := t.view.topics[name]
		if topic.deletion == nil {
			continue
		}
		if t.askToDelete(topic) {
			continue
		}
		t.flush() // brokers must hear of the deletion while the view knows the topic
		if err := t.removeTopic(name); err != nil {
			return err
		}
		delete(t.view.topics, name)
		t.log.Info("topic deleted", "topic", name)
	}
	return nil
}

// askToDelete returns false if there is nothing left to delete.
func (t *term) askToDelete(topic *topic) (waiting bool) {
	for p := range topic.all() {
		for _, id := range p.replicas {
			r := replica{p.Partition, id}
			if topic.deletion.done[r] {
				continue
			}
			waiting = true
			if t.view.live(id) && !topic.deletion.asked[r] {
				topic.deletion.asked[r] = true
				t.batch.sendStop(id, p, true)
			}
		}
	}
	return waiting
}

// deletionsFailed has brokers asked again when they are back.
func (t *term) deletionsFailed(gone []int32) {
	for _, topic := range t.view.topics {
		if topic.deletion != nil {
			maps.DeleteFunc(topic.deletion.asked, func(r replica, _ bool) bool { return slices.Contains(gone, r.broker) })
		}
	}
}

// stopped returns what to do with a broker's answer to a StopReplica.
func (t *term) stopped(b broker, req *kmsg.StopReplicaRequest) func(kmsg.Response) {
	return func(resp kmsg.Response) {
		stop, ok := resp.(*kmsg.StopReplicaResponse)
		if !ok || stop.ErrorCode != 0 {
			return
		}
		t.post(t.ctx, "replicas stopped", func() error {
			if t.view.brokers[b.id].epoch != b.epoch {
				return nil // registered anew: it will be asked again
			}
			removed := deletes(req)
			for _, p := range stop.Partitions {
				topic := t.view.topics[p.Topic]
				if topic == nil || topic.deletion == nil || !removed[layout.TopicPartition{Topic: p.Topic, Partition: p.Partition}] {
					continue
				}
				if p.ErrorCode != 0 {
					t.log.Error("replica not deleted, will ask again when its broker restarts", "topic", p.Topic, "partition", p.Partition, "broker", b.id, "err", errorText(p.ErrorCode))
					continue
				}
				topic.deletion.done[replica{p.Partition, b.id}] = true
			}
			return t.resumeDeletions()
		})
	}
}

// deletes lists the partitions that a StopReplica request deletes.
func deletes(req *kmsg.StopReplicaRequest) map[layout.TopicPartition]bool {
	all := map[layout.TopicPartition]bool{}
	for _, topic := range req.Topics {
		for _, p := range topic.PartitionStates {
			if p.Delete {
				all[layout.TopicPartition{Topic: topic.Topic, Partition: p.Partition}] = true
			}
		}
	}
	return all
}

// removeTopic removes all znodes of a topic, the marker last: a controller that fails in between is followed by one
// that ends it.
func (t *term) removeTopic(name string) error {
	paths, err := t.tree(layout.Topic(name))
	if err != nil {
		return err
	}
	return t.remove(append(paths, layout.EntityConfig("topics", name), layout.DeleteTopic(name)))
}

// tree lists a znode and everything below it, children before their parents.
func (t *term) tree(path string) ([]string, error) {
	names, err := t.store.children(path)
	if errors.Is(err, zk.ErrNoNode) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	below := make([][]string, len(names))
	err = parallel(len(names), func(i int) (err error) {
		below[i], err = t.tree(path + "/" + names[i])
		return err
	})
	return append(slices.Concat(below...), path), err
}

// remove deletes znodes in order; those that are not there are no failure.
func (t *term) remove(paths []string) error {
	for part := range slices.Chunk(paths, opsPerMulti) {
		ops := make([]any, len(part))
		for i, path := range part {
			ops[i] = &zk.DeleteRequest{Path: path, Version: -1}
		}
		_, err := t.store.write(ops...)
		for i := 0; errors.Is(err, zk.ErrNoNode) && i < len(ops); i++ {
			if _, one := t.store.write(ops[i]); one != nil && !errors.Is(one, zk.ErrNoNode) {
				return one
			}
			if i == len(ops)-1 {
				err = nil
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}
