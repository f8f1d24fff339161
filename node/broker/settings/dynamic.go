package settings

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/broker/auth"
)

// The properties that limit replication, in bytes a second. They exist only in /config/brokers, not in server.properties.
const (
	LeaderThrottle   = "leader.replication.throttled.rate"
	FollowerThrottle = "follower.replication.throttled.rate"
	LogDirsThrottle  = "replica.alter.log.dirs.io.max.bytes.per.second"
)

// throttles are the definitions of the three.
func throttles() Table {
	const line = "\tlong\t9223372036854775807\t0..\t\t"
	return parse(FollowerThrottle + line + "How many bytes a second the throttled replicas of this broker copy as followers.\n" +
		LeaderThrottle + line + "How many bytes a second followers copy of the throttled replicas that this broker leads.\n" +
		LogDirsThrottle + line + "How many bytes a second this broker copies from one log directory to another.\n")
}

// dynamic lists, beside what gives topics their defaults, what may change while a broker runs, sorted.
func dynamic() []string {
	return []string{
		"advertised.listeners",
		"background.threads",
		"listener.security.protocol.map",
		"listeners",
		"log.cleaner.backoff.ms",
		"log.cleaner.dedupe.buffer.size",
		"log.cleaner.io.buffer.load.factor",
		"log.cleaner.io.buffer.size",
		"log.cleaner.io.max.bytes.per.second",
		"log.cleaner.threads",
		"max.connection.creation.rate",
		"max.connections",
		"max.connections.per.ip",
		"max.connections.per.ip.overrides",
		"num.io.threads",
		"num.network.threads",
		"num.recovery.threads.per.data.dir",
		"num.replica.fetchers",
		"producer.id.expiration.ms",
		"remote.fetch.max.wait.ms",
		"remote.log.index.file.cache.total.size.bytes",
		"remote.log.manager.copy.max.bytes.per.second",
		"remote.log.manager.fetch.max.bytes.per.second",
		"transaction.partition.verification.enable",
	}
}

// Dynamic says whether a broker's property may change while it runs; one of a listener, while that is open.
func (v Values) Dynamic(name string) bool {
	if _, ok := throttles().Find(name); ok {
		return true
	}
	if strings.HasPrefix(name, ownPrefix) {
		return slices.Contains(ofListeners(), base(name)) || isOfStores(name)
	}
	if _, ok := slices.BinarySearch(dynamic(), name); ok {
		return true
	}
	const fixed = "log.message.format.version" // the one default of topics that only a restart changes
	return name != fixed && slices.ContainsFunc(v.topics, func(d Definition) bool { return d.Broker == name })
}

// FindDynamic is the definition of a property that may be set in /config/brokers.
func (v Values) FindDynamic(name string) (Definition, bool) {
	if strings.HasPrefix(name, ownPrefix) {
		base, _ := v.ownName(name)
		d, known := v.table.Find(base)
		d.Name = name
		return d, known
	}
	if d, ok := v.table.Find(name); ok {
		return d, true
	}
	return throttles().Find(name)
}

// CheckDynamic says why a property cannot be set to a value while the broker runs, or for all brokers. Names that Kafka
// does not know may be set: they could be a plugin's.
func (v Values) CheckDynamic(name, value string, all bool) error {
	d, known := v.FindDynamic(name)
	own := strings.HasPrefix(name, ownPrefix)
	switch {
	case own && !known:
		return fmt.Errorf("%s is unknown: no property of a listener has this name", name)
	case own && all:
		return fmt.Errorf("%s is a listener's: set it for each broker, not for all", name)
	case slices.Contains(addresses(), name) && all:
		return fmt.Errorf("%s is each broker's own: set it for each broker, not for all", name)
	case slices.Contains(auth.Renewable(), name):
		return fmt.Errorf("%s can be updated dynamically only for one listener: set listener.name.NAME.%s", name, name)
	case !known:
		return nil
	case !own && !v.Dynamic(name):
		return fmt.Errorf("%s cannot be updated dynamically: edit server.properties and restart the broker", name)
	}
	if err := d.Validate(value); err != nil {
		return err
	}
	if n, _ := strconv.ParseInt(strings.TrimSpace(value), 10, 64); n == 0 && slices.Contains(ofListeners(), base(name)) {
		return fmt.Errorf("invalid value 0 for configuration %s: nobody could connect any more to change it back", name)
	}
	return nil
}

// base is the property of the broker that one of a listener stands for; others are themselves.
func base(name string) string {
	if own, ok := strings.CutPrefix(name, ownPrefix); ok {
		_, name, _ = strings.Cut(own, ".")
	}
	return name
}

// ofListeners are the properties that may change while a broker runs for one listener, too.
func ofListeners() []string { return []string{"max.connection.creation.rate", "max.connections"} }

// With returns the values under what /config/brokers sets for this broker and for all. What cannot be set
// there is left out, what is unknown has no effect: both are returned, too.
func (v Values) With(broker, all map[string]string) (with Values, wrong []error) {
	keep := func(given map[string]string, all bool) map[string]string {
		kept := map[string]string{}
		for _, name := range slices.Sorted(maps.Keys(given)) {
			if err := v.CheckDynamic(name, given[name], all); err != nil {
				wrong = append(wrong, err)
				continue
			}
			if _, known := v.FindDynamic(name); !known {
				wrong = append(wrong, fmt.Errorf("%s is not known here, it has no effect", name))
				continue
			}
			kept[name] = strings.TrimSpace(given[name])
		}
		return kept
	}
	v.broker, v.all = keep(broker, false), keep(all, true)
	return v, wrong
}

// After returns the values once /config/brokers sets for this broker, or for all, just what is given.
func (v Values) After(all bool, given map[string]string) Values {
	broker, everyone := given, v.all
	if all {
		broker, everyone = v.broker, given
	}
	v, _ = v.With(broker, everyone) // what has no effect cannot contradict
	return v
}

// Dynamics are the values that are set while the broker runs, this broker's over those of all.
func (v Values) Dynamics() map[string]string {
	all := maps.Clone(v.all)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, v.broker)
	return all
}

// Loggable are Dynamics without passwords.
func (v Values) Loggable() map[string]string {
	configs := v.Dynamics()
	maps.DeleteFunc(configs, func(name, _ string) bool { return v.isPassword(name) })
	return configs
}

// layer is one place that gives properties values.
type layer struct {
	values map[string]string
	source kmsg.ConfigSource
}

// layers are the places from which values come, the strongest first.
func (v Values) layers() []layer {
	return []layer{
		{v.broker, kmsg.ConfigSourceDynamicBrokerConfig},
		{v.all, kmsg.ConfigSourceDynamicDefaultBrokerConfig},
		{v.file, kmsg.ConfigSourceStaticBrokerConfig},
	}
}

// synonyms are the values that a property has been given, by any of the names it has, the strongest first.
func (v Values) synonyms(name string) []Synonym {
	var found []Synonym
	for _, l := range v.layers() {
		for _, unit := range inUnits(name) {
			if value, ok := l.values[unit.name]; ok {
				found = append(found, Synonym{unit.name, &value, l.source})
			}
		}
	}
	return found
}

// DescribeDefault returns what is set for all brokers.
func (v Values) DescribeDefault() []Entry {
	var entries []Entry
	for _, name := range slices.Sorted(maps.Keys(v.all)) {
		d, _ := v.FindDynamic(name)
		value := v.all[name]
		source := kmsg.ConfigSourceDynamicDefaultBrokerConfig
		entries = append(entries, Entry{Definition: d, Value: &value, Source: source, Synonyms: []Synonym{{name, &value, source}}})
	}
	return entries
}
