package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The controller's requests. It addresses a registration, by its epoch: what was meant for an earlier one is refused.

func (b *Broker) isStale(epoch int64) bool { return epoch != -1 && epoch < b.registration.epoch.Load() }

func (b *Broker) updateMetadata(_ context.Context, req *kmsg.UpdateMetadataRequest) *kmsg.UpdateMetadataResponse {
	response := kmsg.NewPtrUpdateMetadataResponse()
	err := error(kerr.StaleBrokerEpoch)
	var deleted []string
	if !b.isStale(req.BrokerEpoch) {
		deleted, err = b.cache.Update(req)
	}
	if err != nil {
		b.log.Warn("metadata refused", "controller", req.ControllerID, "controller_epoch", req.ControllerEpoch, "broker_epoch", req.BrokerEpoch, "err", err)
		response.ErrorCode = codeOf(err)
		return response
	}
	b.configs.Forget(deleted...)
	for _, topic := range deleted {
		b.groups.TopicDeleted(topic)
	}
	return response
}

func (b *Broker) leaderAndISR(ctx context.Context, req *kmsg.LeaderAndISRRequest) *kmsg.LeaderAndISRResponse {
	topics := map[string]bool{}
	for _, p := range req.PartitionStates {
		topics[p.Topic] = true
	}
	for _, t := range req.TopicStates {
		topics[t.Topic] = true
	}
	limit, cancel := context.WithTimeout(ctx, b.settings.ZooKeeper.SessionTimeout)
	defer cancel()
	if err := b.configs.Load(limit, topics); err != nil {
		b.log.Warn("topic configurations not read, defaults are used until they are", "err", err)
		b.configs.LoadLater(topics)
	}
	return b.replicas.LeaderAndISR(ctx, req)
}

func (b *Broker) stopReplica(ctx context.Context, req *kmsg.StopReplicaRequest) *kmsg.StopReplicaResponse {
	return b.replicas.StopReplica(ctx, req)
}
