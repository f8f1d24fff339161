package settings

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Entry is one configuration as DescribeConfigs shows it, the strongest source first.
type Entry struct {
	Definition
	Value    *string
	Source   kmsg.ConfigSource
	Synonyms []Synonym
	ReadOnly bool // a restart is needed to change it
}

// strongest is the value that counts, and where it comes from: the default where nothing is listed that gives one.
func (e Entry) strongest() (*string, kmsg.ConfigSource) {
	if len(e.Synonyms) == 0 {
		return e.Default, kmsg.ConfigSourceDefaultConfig
	}
	return e.Synonyms[0].Value, e.Synonyms[0].Source
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
		for _, s := range v.synonyms(d.Broker) {
			value := inMillis(s)
			e.Synonyms = append(e.Synonyms, Synonym{s.Name, &value, s.Source})
		}
		if d.Broker != "" {
			e.Synonyms = append(e.Synonyms, Synonym{d.Broker, d.Default, kmsg.ConfigSourceDefaultConfig})
		}
		e.Value, e.Source = e.strongest()
		entries = append(entries, e)
	}
	return entries
}

// DescribeBroker returns the properties of this broker.
func (v Values) DescribeBroker() []Entry {
	var entries []Entry
	for _, d := range slices.Concat(v.table, throttles(), v.owned()) {
		of := d.Name // the broker's, of which a listener may have its own
		if strings.HasPrefix(of, ownPrefix) {
			of, _ = v.ownName(of)
		}
		e := Entry{Definition: d, Synonyms: v.given(d.Name, of), ReadOnly: !v.Dynamic(d.Name)}
		if len(e.Synonyms) == 0 && slices.ContainsFunc(throttles(), func(t Definition) bool { return t.Name == d.Name }) {
			continue
		}
		if d.Default != nil {
			e.Synonyms = append(e.Synonyms, Synonym{of, d.Default, kmsg.ConfigSourceDefaultConfig})
		}
		e.Value, e.Source = e.strongest()
		entries = append(entries, e)
	}
	return entries
}

// given are the values that a property has been given, the strongest first, and behind it, source by source as Kafka lists
// them, those of what applies without it.
func (v Values) given(name, without string) (found []Synonym) {
	for _, l := range v.layers() {
		for _, n := range slices.Compact([]string{name, without}) {
			if value, ok := l.values[n]; ok && (n == name || len(found) > 0) {
				found = append(found, Synonym{n, &value, l.source})
			}
		}
	}
	return found
}

// owned are the properties that single listeners were given.
func (v Values) owned() (t Table) {
	names := map[string]bool{}
	for _, l := range v.layers() {
		for name := range l.values {
			if strings.HasPrefix(name, ownPrefix) {
				names[name] = true
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		d, _ := v.FindDynamic(name) // checked before
		t = append(t, d)
	}
	return t
}

// inMillis is the value of a property as its variant in milliseconds would have it.
func inMillis(s Synonym) string {
	value := *s.Value
	for _, unit := range inUnits(s.Name) {
		if n, err := strconv.ParseInt(value, 10, 64); err == nil && unit.name == s.Name && unit.millis > 1 && n > 0 {
			value = strconv.FormatInt(n*unit.millis, 10)
		}
	}
	return value
}

type inUnit struct {
	name   string
	millis int64
}

// inUnits returns the property and its coarser variants, the one that wins first.
func inUnits(name string) []inUnit {
	const minute, hour = 60_000, 3_600_000
	switch name {
	case "log.retention.ms", "log.retention.minutes", "log.retention.hours":
		return []inUnit{{"log.retention.ms", 1}, {"log.retention.minutes", minute}, {"log.retention.hours", hour}}
	case "log.roll.ms", "log.roll.hours":
		return []inUnit{{"log.roll.ms", 1}, {"log.roll.hours", hour}}
	case "log.roll.jitter.ms", "log.roll.jitter.hours":
		return []inUnit{{"log.roll.jitter.ms", 1}, {"log.roll.jitter.hours", hour}}
	case "log.flush.interval.ms":
		return []inUnit{{name, 1}, {"log.flush.scheduler.interval.ms", 1}}
	}
	return []inUnit{{name, 1}}
}

// TopicDefault returns the value of a topic's configuration where the topic sets none, empty if there is none.
func (v Values) TopicDefault(name string) string {
	d, ok := v.topics.Find(name)
	if !ok {
		return ""
	}
	if given := v.synonyms(d.Broker); len(given) > 0 {
		return inMillis(given[0])
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
