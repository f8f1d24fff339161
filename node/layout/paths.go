package layout

import (
	"fmt"
	"strconv"
	"strings"
)

// The fixed paths of a cluster. Those that hold no data exist from the first broker's start on, those of delegation tokens
// from the first that has a key for them.
const (
	ClusterID             = "/cluster/id"
	Controller            = "/controller"
	ControllerEpoch       = "/controller_epoch"
	BrokerIDs             = "/brokers/ids"
	BrokerSeqID           = "/brokers/seqid"
	Topics                = "/brokers/topics"
	Config                = "/config"
	ConfigChanges         = "/config/changes"
	ConfigChangePrefix    = "/config/changes/config_change_"
	DeleteTopics          = "/admin/delete_topics"
	ReassignPartitions    = "/admin/reassign_partitions"
	PreferredElection     = "/admin/preferred_replica_election"
	ISRChangeNotification = "/isr_change_notification"
	LogDirEvents          = "/log_dir_event_notification"
	LogDirEventPrefix     = "/log_dir_event_notification/log_dir_event_"
	ProducerIDBlock       = "/latest_producer_id_block"
	Feature               = "/feature"

	DelegationTokens            = "/delegation_token/tokens"
	DelegationTokenChanges      = "/delegation_token/token_changes"
	DelegationTokenChangePrefix = "/delegation_token/token_changes/token_change_"
)

// Persistent lists the paths that every broker makes sure of when it starts, parents first.
func Persistent() []string {
	return []string{
		"/consumers", BrokerIDs, Topics, ConfigChanges, DeleteTopics, BrokerSeqID,
		ISRChangeNotification, ProducerIDBlock, LogDirEvents,
		EntityType("topics"), EntityType("clients"), EntityType("users"), EntityType("brokers"), EntityType("ips"),
	}
}

// EntityType is the parent of the configurations of one kind: topics, brokers, clients, users or ips.
func EntityType(kind string) string { return Config + "/" + kind }

// EntityConfig is the znode with the configuration of one entity.
func EntityConfig(kind, name string) string { return Config + "/" + kind + "/" + name }

// Broker is the ephemeral registration of a broker.
func Broker(id int32) string { return BrokerIDs + "/" + strconv.Itoa(int(id)) }

// Topic is the assignment of a topic.
func Topic(name string) string { return Topics + "/" + name }

// Partitions is the parent of a topic's partitions.
func Partitions(topic string) string { return Topic(topic) + "/partitions" }

// Partition is the parent of one partition's state.
func Partition(topic string, partition int32) string {
	return Partitions(topic) + "/" + strconv.Itoa(int(partition))
}

// State is the leader, epoch and isr of one partition.
func State(topic string, partition int32) string { return Partition(topic, partition) + "/state" }

// DelegationToken is what is known of one token.
func DelegationToken(id string) string { return DelegationTokens + "/" + id }

// DeleteTopic marks a topic for deletion.
func DeleteTopic(name string) string { return DeleteTopics + "/" + name }

// ParseState is the inverse of [State].
func ParseState(path string) (topic string, partition int32, err error) {
	rest, ok := strings.CutPrefix(path, Topics+"/")
	parts := strings.Split(rest, "/")
	if !ok || len(parts) != 4 || parts[1] != "partitions" || parts[3] != "state" {
		return "", 0, fmt.Errorf("%s is no partition state path", path)
	}
	n, err := strconv.ParseInt(parts[2], 10, 32)
	if err != nil || n < 0 {
		return "", 0, fmt.Errorf("%s is no partition state path", path)
	}
	return parts[0], int32(n), nil
}
