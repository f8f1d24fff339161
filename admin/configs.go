package admin

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// ConfigEntry is one config of a topic.
type ConfigEntry struct {
	Name      string `json:"name"`
	Value     string `json:"value"` // empty if it is a secret
	Default   bool   `json:"default"`
	Source    string `json:"source"` // topic, broker or default: whose setting it is
	Sensitive bool   `json:"sensitive,omitempty"`
}

// The sources of a config's value.
const (
	sourceTopic   = "topic"
	sourceBroker  = "broker"
	sourceDefault = "default"
)

// TopicConfigs reads all configs of a topic, by name.
func (c *Client) TopicConfigs(ctx context.Context, topic string) ([]ConfigEntry, error) {
	return topicConfigs(ctx, c.peers, topic)
}

func topicConfigs(ctx context.Context, p *peers, topic string) ([]ConfigEntry, error) {
	resp, err := describeConfigs(ctx, p, []string{topic})
	if err != nil {
		return nil, err
	}
	var entries []ConfigEntry
	for _, r := range resp.Resources {
		if err := protocolError(r.ErrorCode, r.ErrorMessage); err != nil {
			return nil, fmt.Errorf("read the configs of %s: %w", topic, err)
		}
		for _, c := range r.Configs {
			entries = append(entries, configEntry(c))
		}
	}
	slices.SortFunc(entries, func(a, b ConfigEntry) int { return cmp.Compare(a.Name, b.Name) })
	return entries, nil
}

func configEntry(c kmsg.DescribeConfigsResponseResourceConfig) ConfigEntry {
	e := ConfigEntry{Name: c.Name, Sensitive: c.IsSensitive, Source: sourceBroker}
	switch c.Source {
	case kmsg.ConfigSourceDynamicTopicConfig:
		e.Source = sourceTopic
	case kmsg.ConfigSourceDefaultConfig:
		e.Source = sourceDefault
	}
	if c.Source == 0 && c.IsDefault { // answers from before Kafka 1.1 name no source
		e.Source = sourceDefault
	}
	e.Default = e.Source != sourceTopic
	if c.Value != nil && !c.IsSensitive {
		e.Value = *c.Value
	}
	return e
}
