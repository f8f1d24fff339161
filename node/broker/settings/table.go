package settings

import (
	_ "embed"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Definition describes one configuration.
type Definition struct {
	Name    string
	Type    kmsg.ConfigType
	Default *string  // nil if there is none
	Least   float64  // of a number
	Most    float64  // of a number
	Choices []string // of a text or a list; empty allows anything
	Broker  string   // of a topic's configuration: the broker's property that gives the default
	Doc     string   // one sentence; of topics' configurations and of the properties that change what a broker does
}

// Table holds definitions in the order of their names.
type Table []Definition

var (
	//go:embed broker.tsv
	brokerText string
	//go:embed topic.tsv
	topicText string
)

// HTTPListener is the one property of server.properties that Apache does not have: host:port of /metrics and /healthz.
const HTTPListener = "kdrill.http.listener"

// Broker returns the properties of server.properties.
func Broker() Table {
	t := parse(brokerText + HTTPListener + "\tstring\t-\n")
	for name, doc := range used() {
		if i, ok := t.index(name); ok {
			t[i].Doc = doc
		}
	}
	for _, d := range Topic() {
		if i, ok := t.index(d.Broker); ok {
			t[i].Doc = d.Doc
		}
	}
	return t
}

// Topic returns the configurations of topics.
func Topic() Table { return parse(topicText) }

func parse(text string) Table {
	var t Table
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		columns := append(strings.Split(strings.TrimSuffix(line, "\n"), "\t"), "", "", "", "")
		d := Definition{Name: columns[0], Type: typeNamed(columns[1]), Least: math.Inf(-1), Most: math.Inf(1), Broker: columns[4], Doc: columns[5]}
		if columns[2] != "-" {
			d.Default = &columns[2]
		}
		if low, high, ok := strings.Cut(columns[3], ".."); ok {
			d.Least = numberOr(low, d.Least)
			d.Most = numberOr(high, d.Most)
		} else if columns[3] != "" {
			d.Choices = strings.Split(columns[3], "|")
		}
		t = append(t, d)
	}
	slices.SortFunc(t, func(a, b Definition) int { return strings.Compare(a.Name, b.Name) })
	return t
}

func numberOr(text string, fallback float64) float64 {
	if n, err := strconv.ParseFloat(text, 64); err == nil {
		return n
	}
	return fallback
}

func typeNamed(name string) kmsg.ConfigType {
	switch name {
	case "boolean":
		return kmsg.ConfigTypeBoolean
	case "short":
		return kmsg.ConfigTypeShort
	case "int":
		return kmsg.ConfigTypeInt
	case "long":
		return kmsg.ConfigTypeLong
	case "double":
		return kmsg.ConfigTypeDouble
	case "list":
		return kmsg.ConfigTypeList
	case "class":
		return kmsg.ConfigTypeClass
	case "password":
		return kmsg.ConfigTypePassword
	}
	return kmsg.ConfigTypeString
}

// Find returns the definition of a name.
func (t Table) Find(name string) (Definition, bool) {
	i, ok := t.index(name)
	if !ok {
		return Definition{}, false
	}
	return t[i], true
}

func (t Table) index(name string) (int, bool) {
	return slices.BinarySearchFunc(t, name, func(d Definition, name string) int { return strings.Compare(d.Name, name) })
}

// Check says what is wrong with a value, nil if nothing is.
func (d Definition) Check(value string) error {
	value = strings.TrimSpace(value)
	switch d.Type {
	case kmsg.ConfigTypeBoolean:
		if !strings.EqualFold(value, "true") && !strings.EqualFold(value, "false") {
			return fmt.Errorf("%q is neither true nor false", value)
		}
	case kmsg.ConfigTypeShort:
		return d.checkWhole(value, 16)
	case kmsg.ConfigTypeInt:
		return d.checkWhole(value, 32)
	case kmsg.ConfigTypeLong:
		return d.checkWhole(value, 64)
	case kmsg.ConfigTypeDouble:
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return fmt.Errorf("%q is not a number", value)
		}
		return d.checkRange(n)
	case kmsg.ConfigTypeList:
		if strings.HasSuffix(d.Name, "replication.throttled.replicas") {
			return checkThrottled(value)
		}
		for _, item := range List(value) {
			if err := d.checkChoice(item); err != nil {
				return err
			}
		}
	case kmsg.ConfigTypeString:
		if strings.HasSuffix(d.Name, "max.connections.per.ip.overrides") {
			return checkOverrides(value)
		}
		return d.checkChoice(value)
	}
	return nil
}

// Validate is Check in the words that Kafka uses for it.
func (d Definition) Validate(value string) error {
	if err := d.Check(value); err != nil {
		return fmt.Errorf("invalid value %s for configuration %s: %w", strings.TrimSpace(value), d.Name, err)
	}
	return nil
}

func (d Definition) checkWhole(value string, bits int) error {
	n, err := strconv.ParseInt(value, 10, bits)
	if err != nil {
		return fmt.Errorf("%q is not a whole number of %d bits", value, bits)
	}
	return d.checkRange(float64(n))
}

func (d Definition) checkRange(n float64) error {
	switch {
	case n < d.Least:
		return fmt.Errorf("%v is less than %v", n, d.Least)
	case n > d.Most:
		return fmt.Errorf("%v is more than %v", n, d.Most)
	}
	return nil
}

func (d Definition) checkChoice(value string) error {
	if len(d.Choices) > 0 && !slices.Contains(d.Choices, value) {
		return fmt.Errorf("%q is none of %s", value, strings.Join(d.Choices, ", "))
	}
	return nil
}

// checkThrottled checks a list of replicas: * for all, or partition:broker,…
func checkThrottled(value string) error {
	if value == "*" {
		return nil
	}
	for _, item := range List(value) {
		partition, broker, ok := strings.Cut(item, ":")
		_, err1 := strconv.ParseUint(partition, 10, 31)
		_, err2 := strconv.ParseUint(broker, 10, 31)
		if !ok || err1 != nil || err2 != nil {
			return fmt.Errorf("%q is neither * nor partition:broker,partition:broker,…", value)
		}
	}
	return nil
}

// Overrides reads host:number,…; what is no such pair is left out.
func Overrides(value string) map[string]int {
	found := map[string]int{}
	for _, pair := range List(value) {
		if i := strings.LastIndexByte(pair, ':'); i > 0 {
			if n, err := strconv.ParseInt(strings.TrimSpace(pair[i+1:]), 10, 32); err == nil {
				found[strings.TrimSpace(pair[:i])] = int(n)
			}
		}
	}
	return found
}

func checkOverrides(value string) error {
	for _, pair := range List(value) {
		if len(Overrides(pair)) == 0 {
			return fmt.Errorf("%q is not host:number,host:number,…", pair)
		}
	}
	return nil
}

// List splits a value of type list.
func List(value string) []string {
	var items []string
	for item := range strings.SplitSeq(value, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}
