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
			return refuse(kerr.InvalidConfig, "unknown topic config name: %s", name)
		}
		if err := d.Validate(overrides[name]); err != nil {
			return refuse(kerr.InvalidConfig, "%v", err)
		}
		if name == "remote.storage.enable" && strings.EqualFold(overrides[name], "true") {
			return refuse(kerr.InvalidConfig, "tiered storage is disabled in the broker: remote.storage.enable cannot be true")
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
			if len(r.ConfigNames) == 0 || slices.Contains(r.ConfigNames, e.Name) {
				answer.Configs = append(answer.Configs, describeConfig(e, req))
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
		return b.values().DescribeTopic(overrides), nil
	case kmsg.ConfigResourceTypeBroker:
		if name == "" {
			return b.values().DescribeDefault(), nil
		}
		if err := b.isOwnName(name); err != nil {
			return nil, err
		}
		return b.values().DescribeBroker(), nil
	case kmsg.ConfigResourceTypeBrokerLogger:
		if err := b.isOwnLogger(name); err != nil {
			return nil, err
		}
		return b.describeLoggers(), nil
	}
	return nil, refuse(kerr.InvalidRequest, "resources of type %v have no configuration here", kind)
}

func describeConfig(e settings.Entry, req *kmsg.DescribeConfigsRequest) kmsg.DescribeConfigsResponseResourceConfig {
	c := kmsg.NewDescribeConfigsResponseResourceConfig()
	c.Name, c.Value, c.Source, c.ConfigType = e.Name, e.Value, e.Source, e.Type
	c.IsSensitive = e.Type == kmsg.ConfigTypePassword
	c.ReadOnly = e.ReadOnly
	c.IsDefault = e.Source == kmsg.ConfigSourceDefaultConfig
	if c.IsSensitive {
		c.Value = nil
	}
	if req.IncludeDocumentation && e.Doc != "" {
		c.Documentation = &e.Doc
	}
	for _, s := range e.Synonyms {
		if !req.IncludeSynonyms {
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
	for i, r := range req.Resources {
		err := onlyOnce(i, len(req.Resources), func(j int) entity { return entity{req.Resources[j].ResourceType, req.Resources[j].ResourceName} })
		if err == nil {
			err = b.changeConfigs(ctx, entity{r.ResourceType, r.ResourceName}, req.ValidateOnly, func(entity, map[string]string) (map[string]string, error) {
				return replaced(r.Configs)
			})
		}
		answer := kmsg.NewAlterConfigsResponseResource()
		answer.ResourceType, answer.ResourceName = r.ResourceType, r.ResourceName
		answer.ErrorCode, answer.ErrorMessage = codeOf(err), textOf(err)
		response.Resources = append(response.Resources, answer)
	}
	return response
}

func replaced(configs []kmsg.AlterConfigsRequestResourceConfig) (map[string]string, error) {
	next := map[string]string{}
	for _, c := range configs {
		if _, twice := next[c.Name]; twice {
			return nil, refuse(kerr.InvalidRequest, "%s is there more than once", c.Name)
		}
		if c.Value == nil {
			return nil, refuse(kerr.InvalidRequest, "null value not supported for %s", c.Name)
		}
		next[c.Name] = *c.Value
	}
	return next, nil
}

// incrementalAlterConfigs serves IncrementalAlterConfigs, versions 0 and 1.
func (b *Broker) incrementalAlterConfigs(ctx context.Context, req *kmsg.IncrementalAlterConfigsRequest) *kmsg.IncrementalAlterConfigsResponse {
	response := kmsg.NewPtrIncrementalAlterConfigsResponse()
	for i, r := range req.Resources {
		err := onlyOnce(i, len(req.Resources), func(j int) entity { return entity{req.Resources[j].ResourceType, req.Resources[j].ResourceName} })
		switch {
		case err != nil:
		case r.ResourceType == kmsg.ConfigResourceTypeBrokerLogger:
			err = b.alterLoggers(r.ResourceName, req.ValidateOnly, r.Configs)
		default:
			err = b.changeConfigs(ctx, entity{r.ResourceType, r.ResourceName}, req.ValidateOnly, func(e entity, now map[string]string) (map[string]string, error) {
				return b.increment(e, now, r.Configs)
			})
		}
		answer := kmsg.NewIncrementalAlterConfigsResponseResource()
		answer.ResourceType, answer.ResourceName = r.ResourceType, r.ResourceName
		answer.ErrorCode, answer.ErrorMessage = codeOf(err), textOf(err)
		response.Resources = append(response.Resources, answer)
	}
	return response
}

// onlyOnce refuses a resource that a request names more than once.
func onlyOnce(i, n int, at func(int) entity) error {
	for j := range n {
		if j != i && at(j) == at(i) {
			return refuse(kerr.InvalidRequest, "each resource must appear at most once")
		}
	}
	return nil
}

// increment returns an entity's settings after a list of changes.
func (b *Broker) increment(e entity, now map[string]string, changes []kmsg.IncrementalAlterConfigsRequestResourceConfig) (map[string]string, error) {
	next := maps.Clone(now)
	for i, c := range changes {
		if slices.ContainsFunc(changes[:i], func(other kmsg.IncrementalAlterConfigsRequestResourceConfig) bool { return other.Name == c.Name }) {
			return nil, refuse(kerr.InvalidRequest, "%s is there more than once", c.Name)
		}
		if c.Op == kmsg.IncrementalAlterConfigOpDelete {
			delete(next, c.Name)
			continue
		}
		if c.Value == nil {
			return nil, refuse(kerr.InvalidRequest, "null value not supported for %s", c.Name)
		}
		if c.Op == kmsg.IncrementalAlterConfigOpSet {
			next[c.Name] = *c.Value
			continue
		}
		if d, ok := b.find(e, c.Name); !ok || d.Type != kmsg.ConfigTypeList {
			return nil, refuse(kerr.InvalidConfig, "%s is no list: it can only be set or deleted", c.Name)
		}
		value, ok := now[c.Name]
		if !ok {
			value = b.without(e, c.Name)
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

// entity is what has a configuration: a topic, a broker, or with an empty name all brokers.
type entity struct {
	kind kmsg.ConfigResourceType
	name string
}

// path is where ZooKeeper keeps an entity's configuration, below /config.
func (e entity) path() string {
	switch {
	case e.kind == kmsg.ConfigResourceTypeTopic:
		return "topics/" + e.name
	case e.name == "":
		return "brokers/" + allBrokers
	}
	return "brokers/" + e.name
}

// find is the definition of one of an entity's configurations.
func (b *Broker) find(e entity, name string) (settings.Definition, bool) {
	if e.kind == kmsg.ConfigResourceTypeTopic {
		return settings.Topic().Find(name)
	}
	return b.settings.FindDynamic(name)
}

// without is the value of a configuration that an entity does not set.
func (b *Broker) without(e entity, name string) string {
	if e.kind == kmsg.ConfigResourceTypeTopic {
		return b.values().TopicDefault(name)
	}
	return b.settings.Text(name)
}

// mayChange says why an entity's configuration cannot be changed here.
func (b *Broker) mayChange(e entity) error {
	switch e.kind {
	case kmsg.ConfigResourceTypeTopic:
		if err := checkTopicName(e.name); err != nil {
			return err
		}
		if b.cache.Current().Topics[e.name] == nil {
			return refuse(kerr.UnknownTopicOrPartition, "there is no topic %s", e.name)
		}
		return nil
	case kmsg.ConfigResourceTypeBroker:
		if e.name == "" {
			return nil
		}
		return b.isOwnName(e.name)
	}
	return refuse(kerr.InvalidRequest, "only configurations of topics and brokers can be changed this way, not those of resource type %v", e.kind)
}

// isOwnName refuses what is meant for another broker.
func (b *Broker) isOwnName(name string) error {
	if name != strconv.Itoa(int(b.settings.BrokerID)) {
		return refuse(kerr.InvalidRequest, "unexpected broker id, expected %d or an empty string, but received %s", b.settings.BrokerID, name)
	}
	return nil
}

// check says what is wrong with all that an entity is to set. The result is how ZooKeeper keeps it.
func (b *Broker) check(e entity, now, next map[string]string) (stored map[string]string, err error) {
	if e.kind == kmsg.ConfigResourceTypeTopic {
		return next, checkTopicConfigs(next)
	}
	return b.checkBroker(e, now, next)
}

// changeConfigs writes what an entity sets and tells all brokers of it by a notification.
func (b *Broker) changeConfigs(ctx context.Context, e entity, validateOnly bool, change func(entity, map[string]string) (map[string]string, error)) error {
	if err := b.mayChange(e); err != nil {
		return err
	}
	if e.kind == kmsg.ConfigResourceTypeBroker {
		b.reconfigure.Lock()
		defer b.reconfigure.Unlock()
		defer b.listeners.Release() // of listeners that were not added after all
	}
	path := layout.Config + "/" + e.path()
	for {
		now, version, err := readEntityConfig(ctx, b.zk, path)
		if err != nil {
			return err
		}
		next, err := change(e, now)
		if err != nil {
			return err
		}
		if next, err = b.check(e, now, next); err != nil || validateOnly {
			return err
		}
		err = b.writeConfigs(ctx, path, next, version)
		if errors.Is(err, zk.ErrBadVersion) || errors.Is(err, zk.ErrNodeExists) { // somebody else changed it meanwhile
			continue
		}
		if err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
		notice := layout.Encode(layout.ConfigChange{Version: 2, EntityPath: e.path()})
		if _, err = b.zk.create(ctx, layout.ConfigChangePrefix, notice, zk.FlagSequence); err != nil {
			return err
		}
		if e.kind == kmsg.ConfigResourceTypeBroker {
			return b.followConfigs(ctx, e) // who asks next sees it
		}
		return nil
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
