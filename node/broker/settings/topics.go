package settings

import (
	"strconv"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Entry is one configuration as DescribeConfigs shows it, the strongest source first.
type Entry struct {
	Definition
	Value    *string
	Source   kmsg.ConfigSource
	Synonyms []Synonym
}

// Synonym is one place that gives a configuration a value.
type Synonym struct {
	Name   string
	Value  *string
	Source kmsg.ConfigSource
}

// DescribeTopic returns the configurations of a topic with what it overrides, in the order of their names.
func (v Values) DescribeTopic(overrides map[string]string) []Entry {
	var entries []Entry
	for _, d := range v.topics {
		e := Entry{Definition: d}
		if value, ok := overrides[d.Name]; ok {
			e.Synonyms = append(e.Synonyms, Synonym{d.Name, &value, kmsg.ConfigSourceDynamicTopicConfig})
		}
		if value, from, ok := v.topicDefault(d); ok {
			e.Synonyms = append(e.Synonyms, Synonym{from, &value, kmsg.ConfigSourceStaticBrokerConfig})
		}
		name := d.Broker
		if name == "" {
			name = d.Name
		}
		e.Synonyms = append(e.Synonyms, Synonym{name, d.Default, kmsg.ConfigSourceDefaultConfig})
		e.Value, e.Source = e.Synonyms[0].Value, e.Synonyms[0].Source
		entries = append(entries, e)
	}
	return entries
}

// DescribeBroker returns the properties of this broker.
func (v Values) DescribeBroker() []Entry {
	var entries []Entry
	for _, d := range v.table {
		e := Entry{Definition: d}
		if value, ok := v.file[d.Name]; ok {
			e.Synonyms = append(e.Synonyms, Synonym{d.Name, &value, kmsg.ConfigSourceStaticBrokerConfig})
		}
		if d.Default != nil || len(e.Synonyms) == 0 {
			e.Synonyms = append(e.Synonyms, Synonym{d.Name, d.Default, kmsg.ConfigSourceDefaultConfig})
		}
		e.Value, e.Source = e.Synonyms[0].Value, e.Synonyms[0].Source
		entries = append(entries, e)
	}
	return entries
}

// topicDefault returns what the file gives topics that do not set d, and the property it comes from.
func (v Values) topicDefault(d Definition) (value, from string, ok bool) {
	for _, unit := range inUnits(d.Broker) {
		value, ok := v.file[unit.name]
		if !ok {
			continue
		}
		if n, err := strconv.ParseInt(value, 10, 64); err == nil && unit.millis > 1 && n > 0 {
			value = strconv.FormatInt(n*unit.millis, 10)
		}
		return value, unit.name, true
	}
	return "", "", false
}

type inUnit struct {
	name   string
	millis int64
}

// inUnits returns the property and its coarser variants, the one that wins first.
func inUnits(name string) []inUnit {
	const minute, hour = 60_000, 3_600_000
	switch name {
	case "log.retention.ms":
		return []inUnit{{name, 1}, {"log.retention.minutes", minute}, {"log.retention.hours", hour}}
	case "log.roll.ms":
		return []inUnit{{name, 1}, {"log.roll.hours", hour}}
	case "log.roll.jitter.ms":
		return []inUnit{{name, 1}, {"log.roll.jitter.hours", hour}}
	}
	return []inUnit{{name, 1}}
}

// TopicDefault returns the value of a topic's configuration where the topic sets none, empty if there is none.
func (v Values) TopicDefault(name string) string {
	d, ok := v.topics.Find(name)
	if !ok {
		return ""
	}
	if value, _, ok := v.topicDefault(d); ok {
		return value
	}
	if d.Default == nil {
		return ""
	}
	return *d.Default
}

// TopicInt returns the value of a topic's configuration that is a whole number, where the topic sets none.
func (v Values) TopicInt(name string) int64 {
	n, _ := strconv.ParseInt(v.TopicDefault(name), 10, 64) // checked before
	return n
}
