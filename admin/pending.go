package admin

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

var errPending = errors.New("not there yet")

func (c *Client) metadata(context.Context) (*kmsg.MetadataResponse, error) { return nil, errPending }

func unreachable([]string, error) error { return errPending }

// Snapshot reads the cluster once.
func (c *Client) Snapshot(ctx context.Context, interest Interest) (*Snapshot, error) {
	return nil, errPending
}

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

// ConfigEntry is one config of a topic.
type ConfigEntry struct {
	Name    string `json:"name"`
	Value   string `json:"value"` // empty if it is a secret
	Default bool   `json:"default"`
	Source  string `json:"source"` // topic, broker, default
}

// TopicConfigs reads all configs of a topic, by name.
func (c *Client) TopicConfigs(ctx context.Context, topic string) ([]ConfigEntry, error) {
	return nil, errPending
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

// Observer watches a cluster.
type Observer struct{}

// NewObserver makes an observer; Run makes it observe.
func NewObserver(Config) *Observer { return &Observer{} }

// Run observes until ctx ends. It fails only for what the user has to mend, such as a wrong client.properties.
func (o *Observer) Run(ctx context.Context) error { return errPending }

// Snapshots returns the channel of snapshots: capacity 1, the newest wins. One reader.
func (o *Observer) Snapshots() <-chan *Snapshot { return nil }

// Events returns the channel of what changed, in order; nothing is left out as long as it is read. One reader.
func (o *Observer) Events() <-chan Event { return nil }

// SetInterest says what to ask for from now on; it refreshes at once.
func (o *Observer) SetInterest(Interest) {}

// Refresh asks for a poll now.
func (o *Observer) Refresh() {}

// Diff returns what happened between two snapshots of one cluster.
func Diff(prev, next *Snapshot) []Event { return nil }

// Check judges a snapshot.
func Check(s *Snapshot) Health { return Health{} }

// BlastRadius says what would happen if a broker ended now.
func BlastRadius(s *Snapshot, broker int32) Blast { return Blast{} }

// CoordinatorBlast says what would happen if the coordinator at address ended now.
func CoordinatorBlast(s *Snapshot, address string) Blast { return Blast{} }

// Begin starts the stopwatch of a fault. before is the last snapshot from before it; session is the broker's
// session timeout, 0 unknown.
func Begin(fault Event, before *Snapshot, session time.Duration) Recovery { return Recovery{} }

// Observe folds what happened and how things stand into the stopwatch.
func (r Recovery) Observe(events []Event, now *Snapshot) Recovery { return r }

// Left is how long the session of the dead node lives on at most; 0 once it has ended or where it is unknown.
func (r Recovery) Left(now time.Time) time.Duration { return 0 }

// Over says whether everything is as it was.
func (r Recovery) Over() bool { return false }

// Verdict is one line about how it went.
func (r Recovery) Verdict() string { return "" }
