package admin

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TopicSpec is a topic to create.
type TopicSpec struct {
	Name              string
	Partitions        int32 // 0 = the broker's default
	ReplicationFactor int16 // 0 = the broker's default
	Configs           map[string]string
}

var topicName = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)

// Validate says in one sentence what is wrong with the topic, before a broker is asked. brokers is how many there
// are, 0 unknown.
func (s TopicSpec) Validate(brokers int) error {
	switch {
	case s.Name == "":
		return errors.New("a topic needs a name")
	case s.Name == "." || s.Name == "..":
		return fmt.Errorf("a topic cannot be called %s", s.Name)
	case len(s.Name) > 249:
		return fmt.Errorf("a topic's name has at most 249 characters, this one has %d", len(s.Name))
	case !topicName.MatchString(s.Name):
		return fmt.Errorf("topic name %q: only letters, digits, dot, underscore and hyphen are allowed", s.Name)
	case s.Partitions < 0:
		return errors.New("a topic has at least 1 partition")
	case s.ReplicationFactor < 0:
		return errors.New("a replication factor is at least 1")
	case brokers > 0 && int(s.ReplicationFactor) > brokers:
		return fmt.Errorf("replication factor %d needs as many brokers, there are %d", s.ReplicationFactor, brokers)
	}
	if minISR, err := strconv.Atoi(s.Configs["min.insync.replicas"]); err == nil && s.ReplicationFactor > 0 && minISR > int(s.ReplicationFactor) {
		return fmt.Errorf("min.insync.replicas %d is above the replication factor %d: acks=all would always be refused", minISR, s.ReplicationFactor)
	}
	return nil
}

// CreateTopic creates a topic and waits until every partition has a leader.
func (c *Client) CreateTopic(ctx context.Context, spec TopicSpec) error {
	if err := spec.Validate(0); err != nil {
		return err
	}
	resp, err := c.atController(ctx, func() kmsg.Request {
		req := kmsg.NewPtrCreateTopicsRequest()
		req.TimeoutMillis = int32(operationTimeout.Milliseconds())
		t := kmsg.NewCreateTopicsRequestTopic()
		t.Topic, t.NumPartitions, t.ReplicationFactor = spec.Name, spec.Partitions, spec.ReplicationFactor
		if t.NumPartitions == 0 {
			t.NumPartitions = -1
		}
		if t.ReplicationFactor == 0 {
			t.ReplicationFactor = -1
		}
		for name, value := range spec.Configs {
			config := kmsg.NewCreateTopicsRequestTopicConfig()
			config.Name, config.Value = name, kmsg.StringPtr(value)
			t.Configs = append(t.Configs, config)
		}
		req.Topics = append(req.Topics, t)
		return req
	}, func(r kmsg.Response) error {
		for _, t := range r.(*kmsg.CreateTopicsResponse).Topics {
			return protocolError(t.ErrorCode, t.ErrorMessage)
		}
		return errEmptyAnswer
	})
	if err != nil {
		return fmt.Errorf("create topic %s: %w", spec.Name, err)
	}
	partitions := int(spec.Partitions)
	if n := resp.(*kmsg.CreateTopicsResponse).Topics[0].NumPartitions; n > 0 {
		partitions = int(n)
	}
	return c.until(ctx, fmt.Sprintf("topic %s is created, but not every partition has a leader yet: look again with kdrill topic describe %s", spec.Name, spec.Name), func(m *kmsg.MetadataResponse) bool {
		led := led(m)
		return led > 0 && led >= partitions
	}, spec.Name)
}

// led counts the partitions that have a leader.
func led(m *kmsg.MetadataResponse) (n int) {
	for _, t := range m.Topics {
		for _, p := range t.Partitions {
			if p.ErrorCode == 0 && p.Leader >= 0 {
				n++
			}
		}
	}
	return n
}

var errEmptyAnswer = errors.New("the broker's answer is empty")

// DeleteTopic deletes a topic and waits until it is no longer listed.
func (c *Client) DeleteTopic(ctx context.Context, name string) error {
	_, err := c.atController(ctx, func() kmsg.Request {
		req := kmsg.NewPtrDeleteTopicsRequest()
		req.TimeoutMillis = int32(operationTimeout.Milliseconds())
		req.TopicNames = []string{name}
		t := kmsg.NewDeleteTopicsRequestTopic()
		t.Topic = kmsg.StringPtr(name)
		req.Topics = append(req.Topics, t)
		return req
	}, func(r kmsg.Response) error {
		for _, t := range r.(*kmsg.DeleteTopicsResponse).Topics {
			return protocolError(t.ErrorCode, t.ErrorMessage)
		}
		return errEmptyAnswer
	})
	if err != nil {
		return fmt.Errorf("delete topic %s: %w", name, c.noSuchTopic(name, err))
	}
	return c.until(ctx, fmt.Sprintf("topic %s is marked for deletion, which goes on when every broker with a replica is back", name), func(m *kmsg.MetadataResponse) bool {
		for _, t := range m.Topics {
			if t.ErrorCode != kerr.UnknownTopicOrPartition.Code {
				return false
			}
		}
		return true
	}, name)
}

// AddPartitions raises the number of partitions of a topic to total and waits until every one has a leader.
func (c *Client) AddPartitions(ctx context.Context, topic string, total int32) error {
	m, err := c.peers.metadata(ctx, []string{topic})
	if err != nil {
		return unreachable(c.cfg.Bootstrap, err)
	}
	for _, t := range m.Topics {
		if has := len(t.Partitions); int(total) <= has {
			return fmt.Errorf("raise partitions of %s to %d: it has %d, and partitions cannot be removed", topic, total, has)
		}
	}
	_, err = c.atController(ctx, func() kmsg.Request {
		req := kmsg.NewPtrCreatePartitionsRequest()
		req.TimeoutMillis = int32(operationTimeout.Milliseconds())
		t := kmsg.NewCreatePartitionsRequestTopic()
		t.Topic, t.Count = topic, total
		req.Topics = append(req.Topics, t)
		return req
	}, func(r kmsg.Response) error {
		for _, t := range r.(*kmsg.CreatePartitionsResponse).Topics {
			return protocolError(t.ErrorCode, t.ErrorMessage)
		}
		return errEmptyAnswer
	})
	if err != nil {
		return fmt.Errorf("raise partitions of %s to %d: %w", topic, total, c.noSuchTopic(topic, err))
	}
	return c.until(ctx, fmt.Sprintf("topic %s has its new partitions, but not every one has a leader yet: look again with kdrill topic describe %s", topic, topic), func(m *kmsg.MetadataResponse) bool {
		return led(m) >= int(total)
	}, topic)
}

// AlterTopicConfig sets and removes configs of a topic; a config that is removed falls back to its default.
func (c *Client) AlterTopicConfig(ctx context.Context, topic string, set map[string]string, unset []string) error {
	_, err := c.atController(ctx, func() kmsg.Request {
		req := kmsg.NewPtrIncrementalAlterConfigsRequest()
		r := kmsg.NewIncrementalAlterConfigsRequestResource()
		r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeTopic, topic
		for name, value := range set {
			config := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
			config.Name, config.Op, config.Value = name, kmsg.IncrementalAlterConfigOpSet, kmsg.StringPtr(value)
			r.Configs = append(r.Configs, config)
		}
		for _, name := range unset {
			config := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
			config.Name, config.Op = name, kmsg.IncrementalAlterConfigOpDelete
			r.Configs = append(r.Configs, config)
		}
		req.Resources = append(req.Resources, r)
		return req
	}, func(r kmsg.Response) error {
		for _, t := range r.(*kmsg.IncrementalAlterConfigsResponse).Resources {
			return protocolError(t.ErrorCode, t.ErrorMessage)
		}
		return errEmptyAnswer
	})
	if err != nil {
		return fmt.Errorf("alter topic %s: %w", topic, c.noSuchTopic(topic, err))
	}
	return nil
}

// noSuchTopic says in plain words that a topic does not exist.
func (c *Client) noSuchTopic(name string, err error) error {
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		return fmt.Errorf("there is no topic %s: kdrill topics lists them", name)
	}
	return err
}

// until asks for metadata of the topics until it holds; otherwise says what is still missing.
func (c *Client) until(ctx context.Context, otherwise string, holds func(*kmsg.MetadataResponse) bool, topics ...string) error {
	deadline := time.NewTimer(operationTimeout)
	defer deadline.Stop()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	// Brokers learn one after another: twice in a row is a sign that most know.
	for held := 0; held < 2; {
		if m, err := c.peers.metadata(ctx, topics); err == nil && holds(m) {
			held++
		} else {
			held = 0
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-deadline.C:
			return errors.New(otherwise)
		case <-again.C:
		}
	}
	return nil
}
