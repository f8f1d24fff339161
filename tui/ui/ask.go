package ui

import (
	"fmt"
	"strconv"
	"strings"

	tea "charm.land/bubbletea/v2"

	"kdrill/admin"
	"kdrill/themes"
)

// NoNode says why a node has no log here, empty if it has.
func NoNode(d Data, node string) string {
	switch _, known := d.Node(node); {
	case node == "":
		return "there is no node yet"
	case !known:
		return "kdrill did not start " + node + ": its log is not here"
	}
	return ""
}

// NewTopic asks for a topic to create.
func NewTopic(d Data) tea.Cmd {
	brokers := 0
	if d.Snapshot != nil {
		for _, b := range d.Snapshot.Brokers {
			if b.Registered {
				brokers++
			}
		}
	}
	spec := func(v []string) (admin.TopicSpec, error) {
		s := admin.TopicSpec{Name: strings.TrimSpace(v[0])}
		partitions, err := whole("partitions", v[1])
		if err != nil {
			return s, err
		}
		factor, err := whole("replication factor", v[2])
		if err != nil {
			return s, err
		}
		s.Partitions, s.ReplicationFactor = int32(partitions), int16(factor)
		s.Configs, err = pairs(v[3])
		return s, err
	}
	factor := max(1, min(3, brokers))
	form := NewForm(Form{
		Title: "Create a topic",
		Verb:  "create",
		Fields: []Field{
			{Name: "name", Help: "letters, digits, dot, underscore, hyphen", Check: func(v string) error {
				return admin.TopicSpec{Name: strings.TrimSpace(v), Partitions: 1, ReplicationFactor: 1}.Validate(0)
			}},
			{Name: "partitions", Value: "3", Proposed: true, Check: func(v string) error { _, err := whole("partitions", v); return err }},
			{Name: "replication factor", Value: strconv.Itoa(factor), Proposed: true, Help: Plural(brokers, "broker") + " to hold replicas", Check: func(v string) error {
				n, err := whole("replication factor", v)
				if err == nil && brokers > 0 && n > brokers {
					err = fmt.Errorf("%d replicas need %d brokers, there are %d", n, n, brokers)
				}
				return err
			}},
			{Name: "configs", Help: "name=value, separated by spaces: min.insync.replicas=2", Check: func(v string) error { _, err := pairs(v); return err }},
		},
		Line: func(v []string) string {
			s, _ := spec(v)
			if s.Name == "" {
				s.Name = "NAME"
			}
			return d.Line(CreateTopic{s})
		},
		Submit: func(v []string) (tea.Cmd, error) {
			s, err := spec(v)
			if err == nil {
				err = s.Validate(brokers)
			}
			if err == nil && d.Snapshot != nil {
				if _, ok := d.Snapshot.Topic(s.Name); ok {
					err = fmt.Errorf("there is a topic %s already", s.Name)
				}
			}
			return Wish(CreateTopic{s}), err
		},
	})
	return Wish(Ask{form})
}

// whole reads a number of at least one.
func whole(what, text string) (int, error) {
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || n < 1 || n > 30000 {
		return 0, fmt.Errorf("%s: %q is no number from 1 to 30000", what, text)
	}
	return n, nil
}

// pairs reads name=value, separated by spaces.
func pairs(text string) (map[string]string, error) {
	var all map[string]string
	for word := range strings.FieldsSeq(text) {
		name, value, ok := strings.Cut(word, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("%q is not name=value", word)
		}
		if all == nil {
			all = map[string]string{}
		}
		all[name] = value
	}
	return all, nil
}

// DropTopics asks before topics are deleted: the name of the one, or how many there are, must be typed.
func DropTopics(d Data, names []string) tea.Cmd {
	if len(names) == 0 {
		return nil
	}
	partitions, records := 0, int64(0)
	for _, name := range names {
		if d.Snapshot == nil {
			break
		}
		t, ok := d.Snapshot.Topic(name)
		if !ok {
			continue
		}
		partitions += len(t.Partitions)
		for i := range t.Partitions {
			if p := &t.Partitions[i]; p.End >= 0 && p.Start >= 0 {
				records += p.End - p.Start
			}
		}
	}
	held := Count(records) + " records"
	if records == 1 {
		held = "1 record"
	}
	lost := Plain(Plural(partitions, "partition") + " with " + held + ": gone for good.")
	deed := DeleteTopics{names}
	ask := &Confirm{
		Title: "Delete the topic " + names[0], Body: []Line{lost}, Same: d.Line(deed), Type: names[0],
		Choices: []Choice{{Name: "Delete", Danger: true, Act: Wish(deed)}},
	}
	if len(names) > 1 {
		ask.Type = Plural(len(names), "topic")
		ask.Title = "Delete " + ask.Type
		ask.Body = append(Sentence(themes.Strong, And(names), 48), lost)
	}
	return Wish(Ask{ask})
}

// AskElect asks before preferred replicas lead partitions again; all of them if none is named.
func AskElect(d Data, partitions []admin.TopicPartition) tea.Cmd {
	deed := Elect{partitions}
	what := "every partition"
	if len(partitions) == 1 {
		what = fmt.Sprintf("%s/%d", partitions[0].Topic, partitions[0].Partition)
	} else if len(partitions) > 1 {
		what = Plural(len(partitions), "partition") + " of " + partitions[0].Topic
	}
	return Wish(Ask{&Confirm{
		Title:   "Elect the preferred leader of " + what,
		Body:    []Line{Plain("The first replica of the list leads again, where it is in sync.")},
		Same:    d.Line(deed),
		Choices: []Choice{{Name: "Elect", Act: Wish(deed)}},
	}})
}

// AskProduce asks for one record to write.
func AskProduce(d Data, topic string) tea.Cmd {
	form := NewForm(Form{
		Title:  "Produce one record into " + topic,
		Verb:   "send",
		Fields: []Field{{Name: "key", Help: "empty: no key"}, {Name: "value"}},
		Line:   func(v []string) string { return d.Line(record(topic, v)) },
		Submit: func(v []string) (tea.Cmd, error) { return Wish(record(topic, v)), nil },
	})
	return Wish(Ask{form})
}

func record(topic string, v []string) Produce {
	return Produce{Topic: topic, Key: v[0], Value: v[1], NoKey: v[0] == ""}
}
