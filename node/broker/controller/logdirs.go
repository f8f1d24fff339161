package controller

import (
	"errors"
	"slices"

	"github.com/go-zookeeper/zk"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/layout"
)

// watchLogDirs has brokers' notifications of failed log directories handled.
func (t *term) watchLogDirs() error {
	names, fired, err := t.store.childrenW(layout.LogDirEvents)
	if errors.Is(err, zk.ErrNoNode) {
		return nil // brokers make it before they can notify
	}
	if err != nil {
		return err
	}
	t.watch(fired, "log directories failed", t.watchLogDirs)
	for _, name := range names {
		if err := t.logDirFailed(layout.LogDirEvents + "/" + name); err != nil {
			return err
		}
	}
	return nil
}

// logDirFailed takes one notification: which replicas are offline, the broker answers when it is told of all it has.
func (t *term) logDirFailed(path string) error {
	data, _, err := t.store.get(path)
	if errors.Is(err, zk.ErrNoNode) {
		return nil
	}
	if err != nil {
		return err
	}
	event, err := layout.Decode[layout.LogDirEvent](path, data)
	if err != nil {
		t.log.Error("ignoring a malformed notification", "err", err)
	} else if t.view.running(event.Broker) {
		t.log.Warn("log directory failed, asking which replicas are offline", "broker", event.Broker)
		for p := range t.view.partitions() {
			if p.hosts(event.Broker) && p.state != nil {
				t.batch.sendLead(event.Broker, p, false)
			}
		}
	}
	if _, err := t.store.write(&zk.DeleteRequest{Path: path, Version: -1}); err != nil && !errors.Is(err, zk.ErrNoNode) {
		return err
	}
	return nil
}

// assumed handles the answer to LeaderAndIsr: replicas that answer storage errors are offline.
func (t *term) assumed(b broker, req *kmsg.LeaderAndISRRequest) func(kmsg.Response) {
	return func(resp kmsg.Response) {
		answer, ok := resp.(*kmsg.LeaderAndISRResponse)
		if !ok || answer.ErrorCode != 0 {
			return
		}
		failed := failedReplicas(req, answer)
		if len(failed) == 0 {
			return
		}
		t.post(t.ctx, "replicas offline", func() error {
			if t.view.brokers[b.id].epoch != b.epoch {
				return nil // registered anew: it will be told again
			}
			return t.replicasFailed(b.id, failed)
		})
	}
}

// failedReplicas lists the partitions that a broker cannot have for the state of its disks.
func failedReplicas(req *kmsg.LeaderAndISRRequest, resp *kmsg.LeaderAndISRResponse) (failed []layout.TopicPartition) {
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if p.ErrorCode != kerr.KafkaStorageError.Code {
				continue
			}
			i := slices.IndexFunc(req.TopicStates, func(asked kmsg.LeaderAndISRRequestTopicState) bool { return asked.TopicID == t.TopicID })
			if i >= 0 {
				failed = append(failed, layout.TopicPartition{Topic: req.TopicStates[i].Topic, Partition: p.Partition})
			}
		}
	}
	return failed
}

// replicasFailed elects new leaders for what a broker led on a directory that failed and takes these replicas out of
// the ISRs.
func (t *term) replicasFailed(id int32, failed []layout.TopicPartition) error {
	var fresh []*partition
	for _, at := range failed {
		if p := t.view.partition(at.Topic, at.Partition); p != nil && !slices.Contains(p.offline, id) {
			p.offline = append(p.offline, id)
			fresh = append(fresh, p)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	t.log.Warn("replicas offline", "broker", id, "partitions", len(fresh))
	if err := t.electOffline(); err != nil {
		return err
	}
	shrunk, err := t.decide(fresh, func(p *partition) (layout.PartitionState, bool) {
		return withoutReplicas(p.state.PartitionState, func(other int32) bool { return other == id })
	})
	for _, c := range shrunk {
		t.tell(c.partition, false)
	}
	for _, p := range fresh {
		t.batch.metadata[p] = true // at the least, a replica is offline
	}
	return err
}

// forgetFailures clears what is known of a broker's disks when it leaves: it says it anew when it is back.
func (t *term) forgetFailures(id int32) {
	for _, p := range t.view.known() {
		p.offline = slices.DeleteFunc(p.offline, func(other int32) bool { return other == id })
	}
}
