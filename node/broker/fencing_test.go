package broker

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/wire"
)

// ask sends one request to one broker in the version that it has.
func (c *testCluster) ask(t testing.TB, id int32, req kmsg.Request) kmsg.Response {
	t.Helper()
	conn, err := wire.Dial(t.Context(), c.brokers[id].addr, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	response, err := conn.Request(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return response
}

// controller is the broker that every broker takes for the controller.
func (c *testCluster) controller(t *testing.T) int32 {
	t.Helper()
	id := int32(-1)
	c.eventually("there is a controller", func() bool {
		req := kmsg.NewPtrMetadataRequest()
		req.Version, req.Topics = 12, []kmsg.MetadataRequestTopic{}
		id = c.ask(t, 1, req).(*kmsg.MetadataResponse).ControllerID
		return id > 0
	})
	return id
}

// testFencing sends what an older controller, an older life of a broker or a broker that is none would send.
func (c *testCluster) testFencing(t *testing.T) {
	controller := c.controller(t)
	other := controller%3 + 1
	lead := kmsg.NewPtrLeaderAndISRRequest()
	lead.Version, lead.ControllerID, lead.ControllerEpoch, lead.BrokerEpoch = 7, controller, 0, -1
	if got := c.ask(t, other, lead).(*kmsg.LeaderAndISRResponse).ErrorCode; got != kerr.StaleControllerEpoch.Code {
		t.Errorf("LeaderAndIsr of an older controller: %v", kerr.ErrorForCode(got))
	}
	lead.ControllerEpoch, lead.BrokerEpoch = 1<<30, 1
	if got := c.ask(t, other, lead).(*kmsg.LeaderAndISRResponse).ErrorCode; got != kerr.StaleBrokerEpoch.Code {
		t.Errorf("LeaderAndIsr for an earlier life: %v", kerr.ErrorForCode(got))
	}
	update := kmsg.NewPtrUpdateMetadataRequest()
	update.Version, update.ControllerID, update.ControllerEpoch, update.BrokerEpoch = 8, controller, 0, -1
	if got := c.ask(t, other, update).(*kmsg.UpdateMetadataResponse).ErrorCode; got != kerr.StaleControllerEpoch.Code {
		t.Errorf("UpdateMetadata of an older controller: %v", kerr.ErrorForCode(got))
	}
	update.ControllerEpoch, update.BrokerEpoch = 1<<30, 1
	if got := c.ask(t, other, update).(*kmsg.UpdateMetadataResponse).ErrorCode; got != kerr.StaleBrokerEpoch.Code {
		t.Errorf("UpdateMetadata for an earlier life: %v", kerr.ErrorForCode(got))
	}
	stop := kmsg.NewPtrStopReplicaRequest()
	stop.Version, stop.ControllerID, stop.ControllerEpoch, stop.BrokerEpoch = 4, controller, 0, -1
	if got := c.ask(t, other, stop).(*kmsg.StopReplicaResponse).ErrorCode; got != kerr.StaleControllerEpoch.Code {
		t.Errorf("StopReplica of an older controller: %v", kerr.ErrorForCode(got))
	}
	shutdown := kmsg.NewPtrControlledShutdownRequest()
	shutdown.Version, shutdown.BrokerID, shutdown.BrokerEpoch = 3, other, 1
	if got := c.ask(t, controller, shutdown).(*kmsg.ControlledShutdownResponse).ErrorCode; got != kerr.StaleBrokerEpoch.Code {
		t.Errorf("ControlledShutdown of an earlier life: %v", kerr.ErrorForCode(got))
	}
	alter := kmsg.NewPtrAlterPartitionRequest()
	alter.Version, alter.BrokerID, alter.BrokerEpoch = 3, other, 1
	if got := c.ask(t, controller, alter).(*kmsg.AlterPartitionResponse).ErrorCode; got != kerr.StaleBrokerEpoch.Code {
		t.Errorf("AlterPartition of an earlier life: %v", kerr.ErrorForCode(got))
	}
	if got := c.ask(t, other, alter).(*kmsg.AlterPartitionResponse).ErrorCode; got != kerr.NotController.Code {
		t.Errorf("AlterPartition to another broker: %v", kerr.ErrorForCode(got))
	}
	ids := kmsg.NewPtrAllocateProducerIDsRequest()
	for _, test := range []struct {
		name   string
		to, id int32
		epoch  int64
		want   *kerr.Error
	}{
		{"another broker", other, other, 1, kerr.NotController},
		{"an earlier life", controller, other, 1, kerr.StaleBrokerEpoch},
		{"a stranger", controller, 99, 1, kerr.BrokerIDNotRegistered},
	} {
		ids.BrokerID, ids.BrokerEpoch = test.id, test.epoch
		if got := c.ask(t, test.to, ids).(*kmsg.AllocateProducerIDsResponse).ErrorCode; got != test.want.Code {
			t.Errorf("AllocateProducerIds, %s: %v", test.name, kerr.ErrorForCode(got))
		}
	}
	c.testNothingNewer(t, controller)
	produce(t, c.client(t, kgo.RecordDeliveryTimeout(time.Minute)), "first", 2000, 2010) // all of it changed nothing
}

// testNothingNewer asks for what a broker with ZooKeeper does not have.
func (c *testCluster) testNothingNewer(t *testing.T, controller int32) {
	features := kmsg.NewPtrUpdateFeaturesRequest()
	features.Version = 1
	features.FeatureUpdates = append(features.FeatureUpdates, kmsg.UpdateFeaturesRequestFeatureUpdate{Feature: "metadata.version", MaxVersionLevel: 20, UpgradeType: 1})
	if got := c.ask(t, controller, features).(*kmsg.UpdateFeaturesResponse); got.ErrorCode != 0 || len(got.Results) != 1 || got.Results[0].ErrorCode != kerr.InvalidRequest.Code {
		t.Errorf("UpdateFeatures: %+v", got)
	}
	if got := c.ask(t, controller, kmsg.NewPtrConsumerGroupHeartbeatRequest()).(*kmsg.ConsumerGroupHeartbeatResponse); got.ErrorCode != kerr.UnsupportedVersion.Code {
		t.Errorf("ConsumerGroupHeartbeat: %+v", got)
	}
	describe := kmsg.NewPtrConsumerGroupDescribeRequest()
	describe.Groups = []string{"g"}
	if got := c.ask(t, controller, describe).(*kmsg.ConsumerGroupDescribeResponse); len(got.Groups) != 1 || got.Groups[0].ErrorCode != kerr.UnsupportedVersion.Code {
		t.Errorf("ConsumerGroupDescribe: %+v", got)
	}
}
