package broker

import "github.com/twmb/franz-go/pkg/kmsg"

// forCluster guards a request that needs an operation on the cluster; refuse makes the answer without it.
func forCluster[Q kmsg.Request, R kmsg.Response](op kmsg.ACLOperation, refuse func(req Q, resp R)) guard {
	return guarded(func(a asker, req Q, serve func() R) R {
		if a.cluster(op) {
			return serve()
		}
		resp := answerOf[R](req)
		refuse(req, resp)
		return resp
	})
}

// clusterGuards are those of requests that concern the cluster as a whole. What brokers ask of each other needs
// CLUSTER_ACTION.
func clusterGuards() map[int16]guard {
	return map[int16]guard{
		4: forCluster(toActForCluster, func(_ *kmsg.LeaderAndISRRequest, r *kmsg.LeaderAndISRResponse) { r.ErrorCode = clusterDenied }),
		5: forCluster(toActForCluster, func(_ *kmsg.StopReplicaRequest, r *kmsg.StopReplicaResponse) { r.ErrorCode = clusterDenied }),
		6: forCluster(toActForCluster, func(_ *kmsg.UpdateMetadataRequest, r *kmsg.UpdateMetadataResponse) { r.ErrorCode = clusterDenied }),
		7: forCluster(toActForCluster, func(_ *kmsg.ControlledShutdownRequest, r *kmsg.ControlledShutdownResponse) {
			r.ErrorCode = clusterDenied
		}),
		29: forCluster(toDescribe, func(_ *kmsg.DescribeACLsRequest, r *kmsg.DescribeACLsResponse) { r.ErrorCode = clusterDenied }),
		30: forCluster(toAlter, refuseCreateACLs),
		31: forCluster(toAlter, refuseDeleteACLs),
		34: forCluster(toAlter, refuseAlterReplicaLogDirs),
		35: forCluster(toDescribe, func(_ *kmsg.DescribeLogDirsRequest, r *kmsg.DescribeLogDirsResponse) { r.ErrorCode = clusterDenied }),
		43: forCluster(toAlter, func(_ *kmsg.ElectLeadersRequest, r *kmsg.ElectLeadersResponse) { r.ErrorCode = clusterDenied }),
		45: forCluster(toAlter, func(_ *kmsg.AlterPartitionAssignmentsRequest, r *kmsg.AlterPartitionAssignmentsResponse) {
			r.ErrorCode = clusterDenied
		}),
		46: forCluster(toDescribe, func(_ *kmsg.ListPartitionReassignmentsRequest, r *kmsg.ListPartitionReassignmentsResponse) {
			r.ErrorCode = clusterDenied
		}),
		48: forCluster(toDescribeConfigs, func(_ *kmsg.DescribeClientQuotasRequest, r *kmsg.DescribeClientQuotasResponse) {
			r.ErrorCode = clusterDenied
		}),
		49: forCluster(toAlterConfigs, refuseAlterQuotas),
		50: forCluster(toDescribe, func(_ *kmsg.DescribeUserSCRAMCredentialsRequest, r *kmsg.DescribeUserSCRAMCredentialsResponse) {
			r.ErrorCode = clusterDenied
		}),
		51: forCluster(toAlter, refuseAlterScram),
		56: forCluster(toActForCluster, func(_ *kmsg.AlterPartitionRequest, r *kmsg.AlterPartitionResponse) { r.ErrorCode = clusterDenied }),
		57: forCluster(toAlter, func(_ *kmsg.UpdateFeaturesRequest, r *kmsg.UpdateFeaturesResponse) { r.ErrorCode = clusterDenied }),
		67: forCluster(toActForCluster, func(_ *kmsg.AllocateProducerIDsRequest, r *kmsg.AllocateProducerIDsResponse) {
			r.ErrorCode = clusterDenied
		}),
	}
}

func refuseCreateACLs(req *kmsg.CreateACLsRequest, resp *kmsg.CreateACLsResponse) {
	for range req.Creations {
		result := kmsg.NewCreateACLsResponseResult()
		result.ErrorCode = clusterDenied
		resp.Results = append(resp.Results, result)
	}
}

func refuseDeleteACLs(req *kmsg.DeleteACLsRequest, resp *kmsg.DeleteACLsResponse) {
	for range req.Filters {
		result := kmsg.NewDeleteACLsResponseResult()
		result.ErrorCode = clusterDenied
		resp.Results = append(resp.Results, result)
	}
}

func refuseAlterReplicaLogDirs(req *kmsg.AlterReplicaLogDirsRequest, resp *kmsg.AlterReplicaLogDirsResponse) {
	for _, d := range req.Dirs {
		for _, t := range d.Topics {
			topic := kmsg.NewAlterReplicaLogDirsResponseTopic()
			topic.Topic = t.Topic
			for _, p := range t.Partitions {
				topic.Partitions = append(topic.Partitions, kmsg.AlterReplicaLogDirsResponseTopicPartition{Partition: p, ErrorCode: clusterDenied})
			}
			resp.Topics = append(resp.Topics, topic)
		}
	}
}

func refuseAlterQuotas(req *kmsg.AlterClientQuotasRequest, resp *kmsg.AlterClientQuotasResponse) {
	for _, e := range req.Entries {
		entry := kmsg.NewAlterClientQuotasResponseEntry()
		entry.ErrorCode = clusterDenied
		for _, part := range e.Entity {
			entry.Entity = append(entry.Entity, kmsg.AlterClientQuotasResponseEntryEntity{Type: part.Type, Name: part.Name})
		}
		resp.Entries = append(resp.Entries, entry)
	}
}

func refuseAlterScram(req *kmsg.AlterUserSCRAMCredentialsRequest, resp *kmsg.AlterUserSCRAMCredentialsResponse) {
	for user := range scramChanges(req) {
		result := kmsg.NewAlterUserSCRAMCredentialsResponseResult()
		result.User, result.ErrorCode = user, clusterDenied
		resp.Results = append(resp.Results, result)
	}
}
