package wire

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// API is one request type with the versions that are served, both ends included.
type API struct{ Key, Min, Max int16 }

// Table is what a broker serves, ordered by key.
type Table []API

// Versions returns what a Kafka 3.9 broker in ZooKeeper mode advertises, as far as it is implemented here.
func Versions(implemented func(key int16) bool) Table {
	return slices.DeleteFunc(kafka39(), func(a API) bool { return !implemented(a.Key) })
}

// Has says whether a version of a request is served.
func (t Table) Has(key, version int16) bool {
	i, ok := t.find(key)
	return ok && t[i].Min <= version && version <= t[i].Max
}

func (t Table) find(key int16) (int, bool) {
	return slices.BinarySearchFunc(t, key, func(a API, key int16) int { return int(a.Key) - int(key) })
}

// response answers ApiVersions. A version from the future is answered as version 0 with the versions of
// ApiVersions itself, so that the client can ask again (KIP-511).
func (t Table) response(version int16) *kmsg.ApiVersionsResponse {
	answer := kmsg.NewPtrApiVersionsResponse()
	listed := t
	if !t.Has(keyAPIVersions, version) {
		version = 0
		answer.ErrorCode = kerr.UnsupportedVersion.Code
		listed = nil
		if i, ok := t.find(keyAPIVersions); ok {
			listed = t[i : i+1]
		}
	}
	answer.SetVersion(version)
	for _, a := range listed {
		key := kmsg.NewApiVersionsResponseApiKey()
		key.ApiKey, key.MinVersion, key.MaxVersion = a.Key, a.Min, a.Max
		answer.ApiKeys = append(answer.ApiKeys, key)
	}
	return answer
}

// kafka39 is the table of Kafka 3.9 in ZooKeeper mode.
func kafka39() Table {
	return Table{
		{0, 0, 11}, // Produce
		{1, 0, 17}, // Fetch
		{2, 0, 9},  // ListOffsets
		{3, 0, 12}, // Metadata
		{4, 0, 7},  // LeaderAndIsr
		{5, 0, 4},  // StopReplica
		{6, 0, 8},  // UpdateMetadata
		{7, 0, 3},  // ControlledShutdown
		{8, 0, 9},  // OffsetCommit
		{9, 0, 9},  // OffsetFetch
		{10, 0, 6}, // FindCoordinator
		{11, 0, 9}, // JoinGroup
		{12, 0, 4}, // Heartbeat
		{13, 0, 5}, // LeaveGroup
		{14, 0, 5}, // SyncGroup
		{15, 0, 5}, // DescribeGroups
		{16, 0, 5}, // ListGroups
		{17, 0, 1}, // SaslHandshake
		{18, 0, 4}, // ApiVersions
		{19, 0, 7}, // CreateTopics
		{20, 0, 6}, // DeleteTopics
		{21, 0, 2}, // DeleteRecords
		{22, 0, 5}, // InitProducerId
		{23, 0, 4}, // OffsetForLeaderEpoch
		{24, 0, 5}, // AddPartitionsToTxn
		{25, 0, 4}, // AddOffsetsToTxn
		{26, 0, 4}, // EndTxn
		{27, 0, 1}, // WriteTxnMarkers
		{28, 0, 4}, // TxnOffsetCommit
		{29, 0, 3}, // DescribeAcls
		{30, 0, 3}, // CreateAcls
		{31, 0, 3}, // DeleteAcls
		{32, 0, 4}, // DescribeConfigs
		{33, 0, 2}, // AlterConfigs
		{34, 0, 2}, // AlterReplicaLogDirs
		{35, 0, 4}, // DescribeLogDirs
		{36, 0, 2}, // SaslAuthenticate
		{37, 0, 3}, // CreatePartitions
		{38, 0, 3}, // CreateDelegationToken
		{39, 0, 2}, // RenewDelegationToken
		{40, 0, 2}, // ExpireDelegationToken
		{41, 0, 3}, // DescribeDelegationToken
		{42, 0, 2}, // DeleteGroups
		{43, 0, 2}, // ElectLeaders
		{44, 0, 1}, // IncrementalAlterConfigs
		{45, 0, 0}, // AlterPartitionReassignments
		{46, 0, 0}, // ListPartitionReassignments
		{47, 0, 0}, // OffsetDelete
		{48, 0, 1}, // DescribeClientQuotas
		{49, 0, 1}, // AlterClientQuotas
		{50, 0, 0}, // DescribeUserScramCredentials
		{51, 0, 0}, // AlterUserScramCredentials
		{56, 0, 3}, // AlterPartition
		{57, 0, 1}, // UpdateFeatures
		{58, 0, 0}, // Envelope
		{60, 0, 1}, // DescribeCluster
		{61, 0, 0}, // DescribeProducers
		{65, 0, 0}, // DescribeTransactions
		{66, 0, 1}, // ListTransactions
		{67, 0, 0}, // AllocateProducerIds
		{68, 0, 0}, // ConsumerGroupHeartbeat
		{69, 0, 0}, // ConsumerGroupDescribe
	}
}
