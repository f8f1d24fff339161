package admin

import (
	"context"
	"errors"
)

var errPending = errors.New("not there yet")

// TopicSpec is a topic to create.
type TopicSpec struct {
	Name              string
	Partitions        int32 // 0 = the broker's default
	ReplicationFactor int16 // 0 = the broker's default
	Configs           map[string]string
}

// Validate says in one sentence what is wrong with the topic, before a broker is asked. brokers is how many there are, 0 unknown.
func (s TopicSpec) Validate(brokers int) error { return errPending }

// CreateTopic creates a topic and waits until every partition has a leader.
func (c *Client) CreateTopic(ctx context.Context, spec TopicSpec) error { return errPending }

// DeleteTopic deletes a topic.
func (c *Client) DeleteTopic(ctx context.Context, name string) error { return errPending }

// AddPartitions raises the number of partitions of a topic to total.
func (c *Client) AddPartitions(ctx context.Context, topic string, total int32) error {
	return errPending
}

// AlterTopicConfig sets and removes configs of a topic.
func (c *Client) AlterTopicConfig(ctx context.Context, topic string, set map[string]string, unset []string) error {
	return errPending
}

// Election is the outcome of an election in one partition.
type Election struct {
	TopicPartition
	Leader int32  `json:"leader"`          // its leader now, -1 unknown
	Error  string `json:"error,omitempty"` // empty if the preferred replica leads now
}

// ElectPreferred makes the preferred replicas of the partitions lead them; of every partition if none is named.
func (c *Client) ElectPreferred(ctx context.Context, partitions []TopicPartition) ([]Election, error) {
	return nil, errPending
}

// Node is what a role stands for at one moment.
type Node struct {
	Broker      int32  `json:"broker"`                // -1 if it is a coordinator
	Coordinator string `json:"coordinator,omitempty"` // host:port
}

// Resolve finds the node that has a role now: controller, leader:orders/3, group-coordinator:billing, coordinator-leader.
func (c *Client) Resolve(ctx context.Context, role string) (Node, error) { return Node{}, errPending }
