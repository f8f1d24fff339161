package settings

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"kdrill/node/config"
)

// Values are the properties of a broker: those of ZooKeeper over those of the file over Apache's defaults.
type Values struct {
	table  Table
	topics Table
	broker map[string]string // /config/brokers/<id>
	all    map[string]string // /config/brokers/<default>
	file   map[string]string
}

// checked takes every entry of the file, rejecting names that Apache does not have and values it does not allow.
func checked(file *config.File) Values {
	v := Values{table: Broker(), topics: Topic(), file: map[string]string{}}
	for e := range file.Prefixed("") {
		name := e.Key
		if strings.HasPrefix(name, ownPrefix) {
			name, _ = v.ownName(name)
		}
		d, known := v.table.Find(name)
		if !known {
			file.Reject(e.Key, "unknown: no property of a Kafka broker has this name")
			continue
		}
		if err := d.Check(e.Value); err != nil {
			file.Reject(e.Key, "%v", err)
			continue
		}
		v.file[e.Key] = strings.TrimSpace(e.Value)
	}
	return v
}

// Has says whether the file sets a property.
func (v Values) Has(key string) bool { _, ok := v.file[key]; return ok }

// Text returns a property, empty if it has neither a value nor a default.
func (v Values) Text(key string) string {
	for _, l := range v.layers() {
		if value, ok := l.values[key]; ok {
			return value
		}
	}
	d, ok := v.FindDynamic(key)
	if !ok {
		panic(fmt.Sprintf("settings: %s is no property of a broker", key))
	}
	if d.Default == nil {
		return ""
	}
	return *d.Default
}

// Int returns a property that is a whole number, 0 if it has neither a value nor a default.
func (v Values) Int(key string) int64 {
	n, _ := strconv.ParseInt(v.Text(key), 10, 64) // checked before
	return n
}

// ListenerInt is Int for one listener: its own value where it has one, else the broker's.
func (v Values) ListenerInt(listener, key string) int64 {
	if own := (scope{v, listener}).own(key); v.broker[own] != "" || v.file[own] != "" {
		key = own
	}
	return v.Int(key)
}

// Millis returns a property that is a time in milliseconds.
func (v Values) Millis(key string) time.Duration {
	const longest = int64(1<<63-1) / int64(time.Millisecond)
	return time.Duration(min(v.Int(key), longest)) * time.Millisecond
}

// Bool returns a property that is true or false.
func (v Values) Bool(key string) bool { return strings.EqualFold(v.Text(key), "true") }

// All returns the properties that the file sets.
func (v Values) All() map[string]string { return maps.Clone(v.file) }

// Unused returns the properties of the file, sorted, that change nothing here: known to Apache, not used yet.
func (v Values) Unused() []string {
	used := used()
	return slices.DeleteFunc(slices.Sorted(maps.Keys(v.file)), func(key string) bool {
		if strings.HasPrefix(key, ownPrefix) {
			key, _ = v.ownName(key)
		}
		_, ok := used[key]
		return ok
	})
}
