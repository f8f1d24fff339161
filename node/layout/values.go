package layout

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
)

// ClusterIdentity is the data of [ClusterID]. Its version is a string, unlike all others.
type ClusterIdentity struct {
	Version string `json:"version"`
	ID      string `json:"id"`
}

// ControllerRegistration is the data of [Controller], an ephemeral znode.
type ControllerRegistration struct {
	Version              int    `json:"version"`
	BrokerID             int32  `json:"brokerid"`
	Timestamp            string `json:"timestamp"` // milliseconds since 1970, as text
	KRaftControllerEpoch int32  `json:"kraftControllerEpoch"`
}

// NewControllerRegistration is what the broker id writes when it becomes controller.
func NewControllerRegistration(id int32, at time.Time) ControllerRegistration {
	return ControllerRegistration{Version: 2, BrokerID: id, Timestamp: millis(at), KRaftControllerEpoch: -1}
}

// BrokerRegistration is the data of [Broker]. The znode's czxid is the broker's epoch (KIP-380).
type BrokerRegistration struct {
	Version          int               `json:"version"`
	Host             string            `json:"host"` // of the first plaintext listener; null elsewhere
	Port             int32             `json:"port"`
	JMXPort          int32             `json:"jmx_port"`
	Timestamp        string            `json:"timestamp"`
	Endpoints        []string          `json:"endpoints"` // LISTENER://host:port
	Rack             string            `json:"rack,omitempty"`
	SecurityProtocol map[string]string `json:"listener_security_protocol_map"`
	Features         map[string]any    `json:"features"`
}

// TopicAssignment is the data of [Topic]: the replicas of each partition, the preferred leader first.
type TopicAssignment struct {
	Version    int                `json:"version"`
	TopicID    string             `json:"topic_id,omitempty"` // 22 characters of URL-safe base64, without padding
	Partitions map[string][]int32 `json:"partitions"`
	Adding     map[string][]int32 `json:"adding_replicas"`
	Removing   map[string][]int32 `json:"removing_replicas"`
}

// NewTopicAssignment assigns replicas to the partitions 0 to len(replicas)-1.
func NewTopicAssignment(topicID string, replicas [][]int32) TopicAssignment {
	a := TopicAssignment{
		Version: 3, TopicID: topicID,
		Partitions: make(map[string][]int32, len(replicas)),
		Adding:     map[string][]int32{}, Removing: map[string][]int32{},
	}
	for p, r := range replicas {
		a.Partitions[strconv.Itoa(p)] = r
	}
	return a
}

// IDs returns the partitions in order.
func (a TopicAssignment) IDs() []int32 {
	ids := make([]int32, 0, len(a.Partitions))
	for p := range maps.Keys(a.Partitions) {
		if n, err := strconv.ParseInt(p, 10, 32); err == nil {
			ids = append(ids, int32(n))
		}
	}
	slices.Sort(ids)
	return ids
}

// Replicas returns the replicas of one partition, nil if it does not exist.
func (a TopicAssignment) Replicas(partition int32) []int32 {
	return a.Partitions[strconv.Itoa(int(partition))]
}

// PartitionState is the data of [State]. The znode's version is the partition epoch.
type PartitionState struct {
	Version         int     `json:"version"`
	Leader          int32   `json:"leader"` // NoLeader while offline
	LeaderEpoch     int32   `json:"leader_epoch"`
	ControllerEpoch int32   `json:"controller_epoch"`
	ISR             []int32 `json:"isr"`
	// LeaderRecoveryState is 1 after an unclean election until the leader has recovered, else absent.
	LeaderRecoveryState int8 `json:"leader_recovery_state,omitempty"`
}

// NoLeader stands in [PartitionState].Leader for a partition that is offline.
const NoLeader int32 = -1

// EntityConfiguration is the data of [EntityConfig].
type EntityConfiguration struct {
	Version int               `json:"version"`
	Config  map[string]string `json:"config"`
}

// ConfigChange is the data of the sequential znodes under [ConfigChanges]: whose configuration changed.
type ConfigChange struct {
	Version    int    `json:"version"`
	EntityPath string `json:"entity_path"` // such as topics/orders
}

// LogDirEvent is the data of the sequential znodes under [LogDirEvents]: a broker's log directory failed (event 1).
type LogDirEvent struct {
	Version int   `json:"version"`
	Broker  int32 `json:"broker"`
	Event   int   `json:"event"`
}

// DelegationTokenInfo is the data of a token's znode. Principals are sanitized, times are milliseconds since 1970. What proves
// a token is not in it.
type DelegationTokenInfo struct {
	Version         int      `json:"version"` // 3; before that the requester is the owner
	Owner           string   `json:"owner"`
	TokenRequester  string   `json:"tokenRequester,omitempty"`
	Renewers        []string `json:"renewers"`
	IssueTimestamp  int64    `json:"issueTimestamp"`
	MaxTimestamp    int64    `json:"maxTimestamp"`
	ExpiryTimestamp int64    `json:"expiryTimestamp"`
	TokenID         string   `json:"tokenId"`
}

// TopicPartition names one partition in the lists under /admin.
type TopicPartition struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
}

// PreferredElectionRequest is the data of [PreferredElection].
type PreferredElectionRequest struct {
	Version    int              `json:"version"`
	Partitions []TopicPartition `json:"partitions"`
}

// ProducerIDs is the data of [ProducerIDBlock]: the block of ids given out last.
type ProducerIDs struct {
	Version int    `json:"version"`
	Broker  int32  `json:"broker"`
	Start   string `json:"block_start"`
	End     string `json:"block_end"` // inclusive
}

// Encode turns one of this package's values into a znode's data.
func Encode(value any) []byte {
	data, err := json.Marshal(value)
	if err != nil { // only values of this package come here: none can fail
		panic(fmt.Sprintf("layout: %T cannot be encoded: %v", value, err))
	}
	return data
}

// Decode reads a znode's data; path is only for the error.
func Decode[T any](path string, data []byte) (T, error) {
	var value T
	if err := json.Unmarshal(data, &value); err != nil {
		return value, fmt.Errorf("znode %s: %w", path, err)
	}
	return value, nil
}

// Time reads a timestamp of a registration; ok is false if it is none.
func Time(timestamp string) (at time.Time, ok bool) {
	ms, err := strconv.ParseInt(timestamp, 10, 64)
	return time.UnixMilli(ms), err == nil
}

func millis(at time.Time) string { return strconv.FormatInt(at.UnixMilli(), 10) }
