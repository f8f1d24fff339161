package broker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sync/errgroup"

	"kdrill/node/layout"
)

// raftTopic is where controllers without ZooKeeper keep metadata; no topic may be mistaken for it.
const raftTopic = "__cluster_metadata"

// newTopic is a topic to be created.
type newTopic struct {
	name     string
	id       [16]byte
	replicas [][]int32 // of each partition
	configs  map[string]string
}

// createTopics serves CreateTopics, versions 0 to 7: on the controller, and answered when every partition of the new
// topics has a leader that this broker knows, or the time is over.
func (b *Broker) createTopics(ctx context.Context, req *kmsg.CreateTopicsRequest) *kmsg.CreateTopicsResponse {
	response := kmsg.NewPtrCreateTopicsResponse()
	response.Topics = make([]kmsg.CreateTopicsResponseTopic, 0, len(req.Topics))
	topics, errs := b.createEach(ctx, req)
	made := map[int]newTopic{} // by index in response
	seen := map[string]bool{}
	for i, t := range req.Topics {
		if seen[t.Topic] { // answered already
			continue
		}
		seen[t.Topic] = true
		if errs[i] == nil && !req.ValidateOnly {
			made[len(response.Topics)] = topics[i]
		}
		response.Topics = append(response.Topics, b.created(t.Topic, topics[i], errs[i]))
	}
	b.awaitTopics(ctx, req.TimeoutMillis, made, response)
	return response
}

// createEach creates the topics of a request beside each other, and returns what came of each.
func (b *Broker) createEach(ctx context.Context, req *kmsg.CreateTopicsRequest) ([]newTopic, []error) {
	const atOnce = 32
	count := map[string]int{}
	for _, t := range req.Topics {
		count[t.Topic]++
	}
	topics, errs := make([]newTopic, len(req.Topics)), make([]error, len(req.Topics))
	var group errgroup.Group
	group.SetLimit(atOnce)
	for i, t := range req.Topics {
		switch n := count[t.Topic]; {
		case n > 1:
			errs[i] = refuse(kerr.InvalidRequest, "topic %s is there %d times", t.Topic, n)
		case !b.controller.Active():
			errs[i] = kerr.NotController
		default:
			group.Go(func() error {
				topics[i], errs[i] = b.createTopic(ctx, req.Version, t, req.ValidateOnly)
				return nil
			})
		}
	}
	_ = group.Wait() // errors are in errs
	return topics, errs
}

// created is the answer about one topic.
func (b *Broker) created(name string, topic newTopic, err error) kmsg.CreateTopicsResponseTopic {
	answer := kmsg.NewCreateTopicsResponseTopic()
	answer.Topic, answer.ErrorCode, answer.ErrorMessage = name, codeOf(err), textOf(err)
	answer.NumPartitions, answer.ReplicationFactor = -1, -1
	if err != nil {
		return answer
	}
	answer.TopicID, answer.NumPartitions, answer.ReplicationFactor = topic.id, int32(len(topic.replicas)), int16(len(topic.replicas[0]))
	for _, e := range b.values().DescribeTopic(topic.configs) {
		c := kmsg.NewCreateTopicsResponseTopicConfig()
		c.Name, c.Value, c.Source = e.Name, e.Value, int8(e.Source)
		answer.Configs = append(answer.Configs, c)
	}
	return answer
}

func (b *Broker) awaitTopics(ctx context.Context, timeoutMillis int32, made map[int]newTopic, response *kmsg.CreateTopicsResponse) {
	limit, cancel := context.WithTimeout(ctx, time.Duration(timeoutMillis)*time.Millisecond)
	defer cancel()
	for i, topic := range made {
		if b.awaitLed(limit, topic.name, len(topic.replicas)) != nil {
			err := refuse(kerr.RequestTimedOut, "topic %s was created, but not every partition has a leader yet", topic.name)
			response.Topics[i] = b.created(topic.name, newTopic{}, err)
		}
	}
}

// createTopic checks one topic and, unless only that was asked, writes it to ZooKeeper.
func (b *Broker) createTopic(ctx context.Context, version int16, t kmsg.CreateTopicsRequestTopic, validateOnly bool) (newTopic, error) {
	topic := newTopic{name: t.Topic, id: randomID(), configs: map[string]string{}}
	if err := b.checkNewName(ctx, t.Topic); err != nil {
		return topic, err
	}
	if t.Topic == raftTopic {
		return topic, refuse(kerr.InvalidRequest, "%s is the name of a log that only brokers without ZooKeeper have", t.Topic)
	}
	for _, c := range t.Configs {
		if c.Value == nil {
			return topic, refuse(kerr.InvalidConfig, "config %s has no value", c.Name)
		}
		topic.configs[c.Name] = *c.Value
	}
	if err := checkTopicConfigs(topic.configs); err != nil {
		return topic, err
	}
	live, err := b.liveBrokers(ctx)
	if err != nil {
		return topic, err
	}
	if topic.replicas, err = b.placeTopic(version, t, live); err != nil {
		return topic, err
	}
	if validateOnly {
		topic.id = [16]byte{}
		return topic, nil
	}
	if err := mutate(ctx, len(topic.replicas)); err != nil {
		return topic, err
	}
	return topic, b.writeTopic(ctx, topic)
}

// placeTopic decides which brokers get which partition: as the request says, or else spread over all.
func (b *Broker) placeTopic(version int16, t kmsg.CreateTopicsRequestTopic, live []int32) ([][]int32, error) {
	partitions, factor := t.NumPartitions, t.ReplicationFactor
	if len(t.ReplicaAssignment) > 0 {
		if partitions != -1 || factor != -1 {
			return nil, refuse(kerr.InvalidRequest, "an assignment excludes numbers of partitions and replicas: both must be -1")
		}
		return manualAssignment(t.ReplicaAssignment, live)
	}
	if partitions == -1 && version >= 4 {
		partitions = int32(b.settings.Int("num.partitions"))
	}
	if factor == -1 && version >= 4 {
		factor = int16(b.settings.Int("default.replication.factor"))
	}
	const most = 100_000 // znodes have an end
	if partitions < 1 || partitions > most {
		return nil, refuse(kerr.InvalidPartitions, "%d partitions: must be 1 to %d", partitions, most)
	}
	n := max(len(live), 1)
	return assign(live, b.racks(), 0, partitions, factor, rand.IntN(n), rand.IntN(n))
}

func manualAssignment(given []kmsg.CreateTopicsRequestTopicReplicaAssignment, live []int32) ([][]int32, error) {
	replicas := make([][]int32, len(given))
	for _, a := range given {
		if a.Partition < 0 || int(a.Partition) >= len(given) || replicas[a.Partition] != nil {
			return nil, refuse(kerr.InvalidReplicaAssignment, "partitions must be 0 to %d, each once", len(given)-1)
		}
		if err := checkReplicas(a.Partition, a.Replicas, live); err != nil {
			return nil, err
		}
		if len(a.Replicas) != len(given[0].Replicas) {
			return nil, refuse(kerr.InvalidReplicaAssignment, "partitions %d and %d have different numbers of replicas", given[0].Partition, a.Partition)
		}
		replicas[a.Partition] = a.Replicas
	}
	return replicas, nil
}

func checkReplicas(partition int32, replicas, live []int32) error {
	if len(replicas) == 0 {
		return refuse(kerr.InvalidReplicaAssignment, "partition %d has no replicas", partition)
	}
	for i, id := range replicas {
		if slices.Contains(replicas[:i], id) {
			return refuse(kerr.InvalidReplicaAssignment, "partition %d has broker %d twice", partition, id)
		}
		if !slices.Contains(live, id) {
			return refuse(kerr.InvalidReplicaAssignment, "partition %d: broker %d is not alive", partition, id)
		}
	}
	return nil
}

// liveBrokers returns the ids of the registered brokers in order.
func (b *Broker) liveBrokers(ctx context.Context) ([]int32, error) {
	names, err := b.zk.children(ctx, layout.BrokerIDs)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", layout.BrokerIDs, err)
	}
	var ids []int32
	for _, name := range names {
		if id, err := strconv.ParseInt(name, 10, 32); err == nil {
			ids = append(ids, int32(id))
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// checkNewName says why a topic cannot have a name.
func (b *Broker) checkNewName(ctx context.Context, name string) error {
	if err := checkTopicName(name); err != nil {
		return err
	}
	cluster := b.cache.Current()
	if cluster.Topics[name] != nil {
		return refuse(kerr.TopicAlreadyExists, "Topic '%s' already exists.", name)
	}
	if metricName := strings.ReplaceAll(name, ".", "_"); strings.ContainsAny(name, "._") {
		for other := range cluster.Topics {
			if strings.ReplaceAll(other, ".", "_") == metricName {
				return refuse(kerr.InvalidTopicException, "%s collides with topic %s: . and _ count as the same", name, other)
			}
		}
	}
	deleting, err := b.zk.exists(ctx, layout.DeleteTopic(name))
	if err != nil {
		return fmt.Errorf("read %s: %w", layout.DeleteTopic(name), err)
	}
	if deleting {
		return refuse(kerr.TopicAlreadyExists, "topic %s is still being deleted", name)
	}
	return nil
}

// checkTopicName says why no topic can have a name.
func checkTopicName(name string) error {
	const longest = 249
	wrong := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-'
	}
	switch i := strings.IndexFunc(name, wrong); {
	case name == "" || name == "." || name == "..":
		return refuse(kerr.InvalidTopicException, "%q is no topic name", name)
	case len(name) > longest:
		return refuse(kerr.InvalidTopicException, "a topic name has %d characters at most, this has %d", longest, len(name))
	case i >= 0:
		return refuse(kerr.InvalidTopicException, "topic name %q: only letters, digits and . _ - are allowed", name)
	}
	return nil
}

// writeTopic creates the topic's znodes; the controller takes it from there.
func (b *Broker) writeTopic(ctx context.Context, t newTopic) error {
	path, configPath := layout.Topic(t.name), layout.EntityConfig("topics", t.name)
	data := layout.Encode(layout.NewTopicAssignment(encodeID(t.id), t.replicas))
	config := layout.Encode(layout.EntityConfiguration{Version: 1, Config: t.configs})
	err := b.zk.multi(ctx, createRequest(path, data, 0), createRequest(configPath, config, 0))
	if errors.Is(err, zk.ErrNodeExists) { // perhaps only a configuration, left over or made ahead
		err = b.zk.multi(ctx, createRequest(path, data, 0), &zk.SetDataRequest{Path: configPath, Data: config, Version: -1})
	}
	if errors.Is(err, zk.ErrNodeExists) {
		if found, _, readErr := b.zk.get(ctx, path); readErr == nil && string(found) == string(data) {
			err = nil // ours: the answer to an earlier attempt was lost
		}
	}
	switch {
	case errors.Is(err, zk.ErrNodeExists), errors.Is(err, zk.ErrNoNode):
		return refuse(kerr.TopicAlreadyExists, "Topic '%s' already exists.", t.name)
	case err != nil:
		return fmt.Errorf("create topic %s: %w", t.name, err)
	}
	b.log.Info("topic created", "topic", t.name, "partitions", len(t.replicas), "replication_factor", len(t.replicas[0]))
	return nil
}
