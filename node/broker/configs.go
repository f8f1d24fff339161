package broker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/go-zookeeper/zk"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/broker/settings"
	"kdrill/node/layout"
)

// checkTopicConfigs says what is wrong with a topic's overrides.
func checkTopicConfigs(overrides map[string]string) error {
	table := settings.Topic()
	for _, name := range slices.Sorted(maps.Keys(overrides)) {
		d, ok := table.Find(name)
		if !ok {
			return refuse(kerr.InvalidConfig, "%s is no configuration of a topic", name)
		}
		if err := d.Check(overrides[name]); err != nil {
			return refuse(kerr.InvalidConfig, "%s: %v", name, err)
		}
	}
	return nil
}

// describeConfigs serves DescribeConfigs, versions 0 to 4.
func (b *Broker) describeConfigs(ctx context.Context, req *kmsg.DescribeConfigsRequest) *kmsg.DescribeConfigsResponse {
	response := kmsg.NewPtrDescribeConfigsResponse()
	for _, r := range req.Resources {
		answer := kmsg.NewDescribeConfigsResponseResource()
		answer.ResourceType, answer.ResourceName = r.ResourceType, r.ResourceName
		entries, err := b.entries(ctx, r.ResourceType, r.ResourceName)
		answer.ErrorCode, answer.ErrorMessage = codeOf(err), textOf(err)
		for _, e := range entries {
			if r.ConfigNames == nil || slices.Contains(r.ConfigNames, e.Name) {
				answer.Configs = append(answer.Configs, describeConfig(e, r.ResourceType, req.IncludeSynonyms))
			}
		}
		response.Resources = append(response.Resources, answer)
	}
	return response
}

// entries returns the configurations of a resource.
func (b *Broker) entries(ctx context.Context, kind kmsg.ConfigResourceType, name string) ([]settings.Entry, error) {
	switch kind {
	case kmsg.ConfigResourceTypeTopic:
		if err := checkTopicName(name); err != nil {
			return nil, err
		}
		if b.cache.Current().Topics[name] == nil {
			return nil, refuse(kerr.UnknownTopicOrPartition, "there is no topic %s", name)
		}
		overrides, _, err := readEntityConfig(ctx, b.zk, layout.EntityConfig("topics", name))
		if err != nil {
			return nil, err
		}
		return b.settings.DescribeTopic(overrides), nil
	case kmsg.ConfigResourceTypeBroker:
		if name == "" { // what applies to all brokers: nothing can be set
			return nil, nil
		}
		if name != strconv.Itoa(int(b.settings.BrokerID)) {
			return nil, refuse(kerr.InvalidRequest, "this is broker %d: ask broker %s for its configuration", b.settings.BrokerID, name)
		}
		return b.settings.DescribeBroker(), nil
	}
	return nil, refuse(kerr.InvalidRequest, "resources of type %v have no configuration here", kind)
}

func describeConfig(e settings.Entry, kind kmsg.ConfigResourceType, synonyms bool) kmsg.DescribeConfigsResponseResourceConfig {
	c := kmsg.NewDescribeConfigsResponseResourceConfig()
	c.Name, c.Value, c.Source, c.ConfigType = e.Name, e.Value, e.Source, e.Type
	c.IsSensitive = e.Type == kmsg.ConfigTypePassword
	c.ReadOnly = kind == kmsg.ConfigResourceTypeBroker
	c.IsDefault = e.Source == kmsg.ConfigSourceDefaultConfig
	if c.IsSensitive {
		c.Value = nil
	}
	for _, s := range e.Synonyms {
		if !synonyms {
			break
		}
		synonym := kmsg.NewDescribeConfigsResponseResourceConfigConfigSynonym()
		synonym.Name, synonym.Value, synonym.Source = s.Name, s.Value, s.Source
		if c.IsSensitive {
			synonym.Value = nil
		}
		c.ConfigSynonyms = append(c.ConfigSynonyms, synonym)
	}
	return c
}

// alterConfigs serves AlterConfigs, versions 0 to 2: what the request does not list goes back to its default.
func (b *Broker) alterConfigs(ctx context.Context, req *kmsg.AlterConfigsRequest) *kmsg.AlterConfigsResponse {
	response := kmsg.NewPtrAlterConfigsResponse()
	for _, r := range req.Resources {
		err := b.changeConfigs(ctx, r.ResourceType, r.ResourceName, req.ValidateOnly, func(map[string]string) (map[string]string, error) {
			next := map[string]string{}
			for _, c := range r.Configs {
				if c.Value == nil {
					return nil, refuse(kerr.InvalidRequest, "%s has no value", c.Name)
				}
				next[c.Name] = *c.Value
			}
			return next, nil
		})
		answer := kmsg.NewAlterConfigsResponseResource()
		answer.ResourceType, answer.ResourceName = r.ResourceType, r.ResourceName
		answer.ErrorCode, answer.ErrorMessage = codeOf(err), textOf(err)
		response.Resources = append(response.Resources, answer)
	}
	return response
}

// incrementalAlterConfigs serves IncrementalAlterConfigs, versions 0 and 1.
func (b *Broker) incrementalAlterConfigs(ctx context.Context, req *kmsg.IncrementalAlterConfigsRequest) *kmsg.IncrementalAlterConfigsResponse {
	response := kmsg.NewPtrIncrementalAlterConfigsResponse()
	for _, r := range req.Resources {
		err := b.changeConfigs(ctx, r.ResourceType, r.ResourceName, req.ValidateOnly, func(now map[string]string) (map[string]string, error) {
			return b.increment(now, r.Configs)
		})
		answer := kmsg.NewIncrementalAlterConfigsResponseResource()
		answer.ResourceType, answer.ResourceName = r.ResourceType, r.ResourceName
		answer.ErrorCode, answer.ErrorMessage = codeOf(err), textOf(err)
		response.Resources = append(response.Resources, answer)
	}
	return response
}

// increment returns a topic's overrides after a list of changes.
func (b *Broker) increment(now map[string]string, changes []kmsg.IncrementalAlterConfigsRequestResourceConfig) (map[string]string, error) {
	next := maps.Clone(now)
	table := settings.Topic()
	for i, c := range changes {
		if slices.ContainsFunc(changes[:i], func(other kmsg.IncrementalAlterConfigsRequestResourceConfig) bool { return other.Name == c.Name }) {
			return nil, refuse(kerr.InvalidRequest, "%s is there more than once", c.Name)
		}
		if c.Op == kmsg.IncrementalAlterConfigOpDelete {
			delete(next, c.Name)
			continue
		}
		if c.Value == nil {
			return nil, refuse(kerr.InvalidRequest, "%s has no value", c.Name)
		}
		if c.Op == kmsg.IncrementalAlterConfigOpSet {
			next[c.Name] = *c.Value
			continue
		}
		if d, ok := table.Find(c.Name); !ok || d.Type != kmsg.ConfigTypeList {
			return nil, refuse(kerr.InvalidConfig, "%s is no list: it can only be set or deleted", c.Name)
		}
		value, ok := now[c.Name]
		if !ok {
			value = b.settings.TopicDefault(c.Name)
		}
		next[c.Name] = strings.Join(alterList(settings.List(value), settings.List(*c.Value), c.Op), ",")
	}
	return next, nil
}

func alterList(now, items []string, op kmsg.IncrementalAlterConfigOp) []string {
	if op == kmsg.IncrementalAlterConfigOpSubtract {
		return slices.DeleteFunc(now, func(item string) bool { return slices.Contains(items, item) })
	}
	for _, item := range items {
		if !slices.Contains(now, item) {
			now = append(now, item)
		}
	}
	return now
}

// changeConfigs writes a topic's overrides and tells all brokers of it by a notification.
func (b *Broker) changeConfigs(ctx context.Context, kind kmsg.ConfigResourceType, topic string, validateOnly bool, change func(map[string]string) (map[string]string, error)) error {
	switch {
	case kind == kmsg.ConfigResourceTypeBroker:
		return refuse(kerr.InvalidRequest, "a broker's configuration cannot be changed while it runs: edit its server.properties and restart it")
	case kind != kmsg.ConfigResourceTypeTopic:
		return refuse(kerr.InvalidRequest, "resources of type %v have no configuration here", kind)
	}
	if err := checkTopicName(topic); err != nil {
		return err
	}
	if b.cache.Current().Topics[topic] == nil {
		return refuse(kerr.UnknownTopicOrPartition, "there is no topic %s", topic)
	}
	path := layout.EntityConfig("topics", topic)
	for {
		now, version, err := readEntityConfig(ctx, b.zk, path)
		if err != nil {
			return err
		}
		next, err := change(now)
		if err != nil {
			return err
		}
		if err := checkTopicConfigs(next); err != nil || validateOnly {
			return err
		}
		err = b.writeConfigs(ctx, path, next, version)
		if errors.Is(err, zk.ErrBadVersion) || errors.Is(err, zk.ErrNodeExists) { // somebody else changed it meanwhile
			continue
		}
		if err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
		notice := layout.Encode(layout.ConfigChange{Version: 2, EntityPath: "topics/" + topic})
		_, err = b.zk.create(ctx, layout.ConfigChangePrefix, notice, zk.FlagSequence)
		return err
	}
}

func (b *Broker) writeConfigs(ctx context.Context, path string, overrides map[string]string, version int32) error {
	data := layout.Encode(layout.EntityConfiguration{Version: 1, Config: overrides})
	if version < 0 {
		_, err := b.zk.create(ctx, path, data, 0)
		return err
	}
	return b.zk.do(ctx, func() error {
		_, err := b.zk.Set(path, data, version)
		return err
	})
}
