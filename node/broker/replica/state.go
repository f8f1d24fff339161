package replica

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/log"
)

func compareKeys(a, b key) int {
	return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
}

// fence refuses requests of an earlier controller, or meant for this broker before it was registered anew. Needs roles.
func (r *Replicas) fence(controllerEpoch int32, brokerEpoch int64) *kerr.Error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed:
		return kerr.BrokerNotAvailable
	case brokerEpoch != -1 && brokerEpoch < r.cfg.BrokerEpoch():
		return kerr.StaleBrokerEpoch
	case controllerEpoch < r.controllerEpoch:
		return kerr.StaleControllerEpoch
	}
	r.controllerEpoch = controllerEpoch
	return nil
}

// placement is one partition of a LeaderAndIsr.
type placement struct {
	key
	topicID [16]byte
	state   *kmsg.LeaderAndISRRequestTopicPartition
}

func placements(req *kmsg.LeaderAndISRRequest) []placement {
	var all []placement
	for i := range req.PartitionStates {
		s := &req.PartitionStates[i]
		all = append(all, placement{key: key{Topic: s.Topic, Partition: s.Partition}, state: s})
	}
	for i := range req.TopicStates {
		t := &req.TopicStates[i]
		for j := range t.PartitionStates {
			s := &t.PartitionStates[j]
			all = append(all, placement{key{Topic: t.Topic, Partition: s.Partition}, t.TopicID, s})
		}
	}
	return all
}

// LeaderAndISR makes this broker's replicas leaders and followers. Once it is answered, they are. Versions 0 to 7.
func (r *Replicas) LeaderAndISR(_ context.Context, req *kmsg.LeaderAndISRRequest) *kmsg.LeaderAndISRResponse {
	resp := req.ResponseKind().(*kmsg.LeaderAndISRResponse)
	r.roles.Lock()
	defer r.roles.Unlock()
	if err := r.fence(req.ControllerEpoch, req.BrokerEpoch); err != nil {
		r.log.Warn("LeaderAndIsr refused", "controller", req.ControllerID, "controllerEpoch", req.ControllerEpoch, "err", err)
		resp.ErrorCode = err.Code
		return resp
	}
	var follow []*partition
	all := placements(req)
	r.prepare(all)
	for _, at := range all {
		p, err := r.place(at)
		if p != nil {
			follow = append(follow, p)
		}
		part := kmsg.NewLeaderAndISRResponseTopicPartition()
		part.Topic, part.Partition, part.ErrorCode = at.Topic, at.Partition, code(err)
		if req.Version < 5 {
			resp.Partitions = append(resp.Partitions, part)
			continue
		}
		if n := len(resp.Topics); n == 0 || resp.Topics[n-1].TopicID != at.topicID {
			t := kmsg.NewLeaderAndISRResponseTopic()
			t.TopicID = at.topicID
			resp.Topics = append(resp.Topics, t)
		}
		t := &resp.Topics[len(resp.Topics)-1]
		t.Partitions = append(t.Partitions, part)
	}
	r.fetchers.add(follow)
	return resp
}

// prepare opens the logs of partitions that are new here, several at a time: most of it is waiting for the disk. What
// fails is tried again, and told, by place. With several directories place does it all, since each partition goes where
// the fewest are.
func (r *Replicas) prepare(all []placement) {
	if len(r.cfg.Dirs.All()) > 1 {
		return
	}
	fresh := map[key]placement{}
	for _, at := range all {
		if r.lookup(at.key) == nil && judgeState(r.cfg.BrokerID, -1, [16]byte{}, at.topicID, at.state) == nil {
			fresh[at.key] = at
		}
	}
	inParallel(slices.Collect(maps.Values(fresh)), func(at placement) {
		if p, err := r.open(at.key, at.state.IsNew); err == nil && p.log.TopicID() == ([16]byte{}) {
			r.identify(p, at.topicID)
		}
	})
}

// place carries out one partition's state.
func (r *Replicas) place(at placement) (*partition, error) {
	s := at.state
	p, knownEpoch, knownID := r.lookup(at.key), int32(-1), [16]byte{}
	if p != nil {
		p.mu.Lock()
		knownEpoch, knownID = p.leaderEpoch, p.topicID
		failed := p.failed
		p.mu.Unlock()
		if failed != nil {
			return nil, kerr.KafkaStorageError
		}
	}
	if err := judgeState(r.cfg.BrokerID, knownEpoch, knownID, at.topicID, s); err != nil {
		if err == kerr.StaleControllerEpoch && s.LeaderEpoch == knownEpoch && knownID == ([16]byte{}) && at.topicID != knownID {
			r.identify(p, at.topicID) // a controller that gives old topics ids
			return nil, nil
		}
		return nil, err
	}
	if p != nil {
		r.dropForeign(p, knownEpoch, at.topicID)
	}
	p, err := r.open(at.key, s.IsNew)
	if err != nil {
		r.log.Error("partition not opened", "partition", at.String(), "err", err)
		return nil, kerr.KafkaStorageError
	}
	r.identify(p, at.topicID)
	led, leads, err := r.assume(p, s)
	switch {
	case err != nil:
		return nil, kerr.KafkaStorageError
	case leads && r.cfg.OnLead != nil:
		r.cfg.OnLead(p.Topic, p.Partition, s.LeaderEpoch)
	case led && !leads && r.cfg.OnResign != nil:
		r.cfg.OnResign(p.Topic, p.Partition)
	}
	return p, nil
}

// dropForeign deletes what is on disk of another topic of the same name, which was deleted while this broker was away.
func (r *Replicas) dropForeign(p *partition, knownEpoch int32, id [16]byte) {
	found := p.log.TopicID()
	if knownEpoch >= 0 || id == ([16]byte{}) || found == ([16]byte{}) || found == id {
		return
	}
	r.log.Warn("replica of a former topic of that name deleted", "partition", p.String(), "end", p.log.End())
	r.forget(p)
	if err := r.cfg.Dirs.Delete(p.log); err != nil {
		r.log.Error("partition not deleted", "partition", p.String(), "err", err)
	}
}

// assume changes a partition's role to what the controller said; led and leads tell whether it led before and does now.
func (r *Replicas) assume(p *partition, s *kmsg.LeaderAndISRRequestTopicPartition) (led, leads bool, err error) {
	p.writer.Lock()
	defer p.writer.Unlock()
	p.mu.Lock()
	led, known := p.lead != nil, p.partitionEpoch
	p.mu.Unlock()
	if s.ZKVersion < known {
		return led, led, nil // an older state of the znode: accepted, and nothing to do
	}
	r.fetchers.remove(p)
	if s.Leader != r.cfg.BrokerID {
		if err := p.trustOnlyCommitted(); err != nil {
			p.fail(err)
			return led, false, err
		}
		p.becomeFollower(s.Leader, s.LeaderEpoch, s.ZKVersion)
		r.log.Info("follower", "partition", p.String(), "leader", s.Leader, "epoch", s.LeaderEpoch, "end", p.log.End(), "hw", p.highWatermark())
		return led, false, nil
	}
	_, minISR := r.topicConfig(p.Topic)
	lead := &leadership{
		self: r.cfg.BrokerID, epoch: s.LeaderEpoch, minISR: minISR,
		replicas: slices.Clone(s.Replicas), isr: slices.Clone(s.ISR),
	}
	if err := p.becomeLeader(lead, s.ZKVersion, time.Now()); err != nil {
		p.fail(err)
		return led, false, err
	}
	r.log.Info("leader", "partition", p.String(), "epoch", s.LeaderEpoch, "isr", s.ISR, "end", lead.epochStart, "hw", p.highWatermark())
	return led, true, nil
}

// trustOnlyCommitted cuts a log whose epochs are not known back to its high watermark: a leader could not tell where it
// diverged (KIP-101). Needs writer.
func (p *partition) trustOnlyCommitted() error {
	hw := p.highWatermark()
	if p.log.LastEpoch() >= 0 || p.log.End() <= hw {
		return nil
	}
	p.r.log.Warn("no leader epochs are known: what may not be committed is cut off", "partition", p.String(), "from", p.log.End(), "to", hw)
	return p.log.Truncate(hw)
}

// identify notes the topic's id.
func (r *Replicas) identify(p *partition, id [16]byte) {
	if id == ([16]byte{}) {
		return
	}
	if err := p.log.SetTopicID(id); err != nil {
		r.log.Error("topic id not written", "partition", p.String(), "err", err)
	}
	p.mu.Lock()
	p.topicID = id
	p.mu.Unlock()
	r.mu.Lock()
	r.names[id] = p.Topic
	r.mu.Unlock()
}

// StopReplica stops replicas, and deletes those that the controller wants gone. Versions 0 to 4.
func (r *Replicas) StopReplica(_ context.Context, req *kmsg.StopReplicaRequest) *kmsg.StopReplicaResponse {
	resp := req.ResponseKind().(*kmsg.StopReplicaResponse)
	r.roles.Lock()
	defer r.roles.Unlock()
	if err := r.fence(req.ControllerEpoch, req.BrokerEpoch); err != nil {
		r.log.Warn("StopReplica refused", "controller", req.ControllerID, "controllerEpoch", req.ControllerEpoch, "err", err)
		resp.ErrorCode = err.Code
		return resp
	}
	answer := func(k key, epoch int32, remove bool) {
		part := kmsg.NewStopReplicaResponsePartition()
		part.Topic, part.Partition, part.ErrorCode = k.Topic, k.Partition, code(r.stopReplica(k, epoch, remove))
		resp.Partitions = append(resp.Partitions, part)
	}
	for _, t := range req.Topics {
		if req.Version == 0 {
			answer(key{Topic: t.Topic, Partition: t.Partition}, noEpoch, req.DeletePartitions)
		}
		for _, id := range t.Partitions {
			answer(key{Topic: t.Topic, Partition: id}, noEpoch, req.DeletePartitions)
		}
		for _, s := range t.PartitionStates {
			answer(key{Topic: t.Topic, Partition: s.Partition}, s.LeaderEpoch, s.Delete)
		}
	}
	return resp
}

func (r *Replicas) stopReplica(k key, epoch int32, remove bool) error {
	p := r.lookup(k)
	if p == nil {
		if !remove || !slices.Contains(r.cfg.Dirs.Existing(), k) {
			return nil
		}
		var err error
		if p, err = r.open(k, false); err != nil {
			return kerr.KafkaStorageError
		}
	}
	led, err := r.halt(p, epoch)
	if err != nil {
		return err
	}
	if led && r.cfg.OnResign != nil {
		r.cfg.OnResign(p.Topic, p.Partition)
	}
	r.log.Info("replica stopped", "partition", p.String(), "delete", remove)
	if !remove {
		return nil
	}
	r.forget(p)
	if err := r.cfg.Dirs.Delete(p.log); err != nil && !errors.Is(err, log.ErrClosed) {
		r.log.Error("partition not deleted", "partition", p.String(), "err", err)
		return kerr.KafkaStorageError
	}
	return nil
}

// halt ends whatever role a partition has, unless the request is older than the role.
func (r *Replicas) halt(p *partition, epoch int32) (led bool, err error) {
	p.writer.Lock()
	defer p.writer.Unlock()
	p.mu.Lock()
	led, failed, known := p.lead != nil, p.failed, p.leaderEpoch
	p.mu.Unlock()
	switch {
	case failed != nil:
		return led, kerr.KafkaStorageError
	case !mayStop(epoch, known):
		return led, kerr.FencedLeaderEpoch
	}
	r.fetchers.remove(p)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.following = false
	p.resign(notLeader)
	return led, nil
}

// forget takes a partition off the books, and its topic's id with the last one.
func (r *Replicas) forget(p *partition) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cancelMove(p.key)
	delete(r.hosted, p.key)
	delete(r.restored, p.key)
	for k := range r.hosted {
		if k.Topic == p.Topic {
			return
		}
	}
	delete(r.names, p.topicID)
}
