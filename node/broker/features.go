package broker

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// updateFeatures serves UpdateFeatures, versions 0 and 1. A cluster with ZooKeeper has no feature that could be changed.
func (b *Broker) updateFeatures(_ context.Context, req *kmsg.UpdateFeaturesRequest) *kmsg.UpdateFeaturesResponse {
	response := req.ResponseKind().(*kmsg.UpdateFeaturesResponse)
	if !b.controller.Active() {
		response.ErrorCode = kerr.NotController.Code
		return response
	}
	for _, u := range req.FeatureUpdates {
		result := kmsg.NewUpdateFeaturesResponseResult()
		err := refuse(kerr.InvalidRequest, "feature %s is not supported", u.Feature)
		result.Feature, result.ErrorCode, result.ErrorMessage = u.Feature, codeOf(err), textOf(err)
		response.Results = append(response.Results, result)
	}
	return response
}

// consumerGroupHeartbeat and consumerGroupDescribe serve the group protocol of KIP-848 as a broker does that has it
// disabled, which one with ZooKeeper always has.
func consumerGroupHeartbeat(_ context.Context, req *kmsg.ConsumerGroupHeartbeatRequest) *kmsg.ConsumerGroupHeartbeatResponse {
	response := req.ResponseKind().(*kmsg.ConsumerGroupHeartbeatResponse)
	response.ErrorCode = kerr.UnsupportedVersion.Code
	return response
}

func consumerGroupDescribe(_ context.Context, req *kmsg.ConsumerGroupDescribeRequest) *kmsg.ConsumerGroupDescribeResponse {
	response := req.ResponseKind().(*kmsg.ConsumerGroupDescribeResponse)
	for _, id := range req.Groups {
		group := kmsg.NewConsumerGroupDescribeResponseGroup()
		group.Group, group.ErrorCode = id, kerr.UnsupportedVersion.Code
		response.Groups = append(response.Groups, group)
	}
	return response
}
