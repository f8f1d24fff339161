package ui

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"kdrill/admin"
	"kdrill/admin/records"
	"kdrill/cluster"
	"kdrill/themes"
)

// Wish makes a command that carries a message to the root model.
func Wish(msg tea.Msg) tea.Cmd { return func() tea.Msg { return msg } }

// Open shows a screen: its name and what it is about.
type Open struct{ Screen, Arg string }

// Back goes where the user came from.
type Back struct{}

// Ask puts an overlay on top.
type Ask struct{ Overlay Overlay }

// Toast is one sentence at the bottom for a few seconds.
type Toast struct {
	Text string
	Role themes.Role
}

// Copy puts text into the clipboard.
type Copy struct{ Text string }

// Save writes text to a file of the user's working directory.
type Save struct{ Name, Text string }

// Tail starts reading a topic; batches arrive as [Batch] of the same name. It ends with [Untail], or when another one of
// that name starts.
type Tail struct {
	Name string
	Spec records.Spec
}

// Untail ends a tail.
type Untail struct{ Name string }

// Batch is what a tail read.
type Batch struct {
	Name string // of the tail
	records.Batch
	Err error // why it ended, nil while it goes on
}

// ReadLog starts following the log of a node; lines arrive as [LogLines]. It ends with [Unread].
type ReadLog struct{ Node string }

// Unread ends following the log of a node.
type Unread struct{ Node string }

// LogLines are lines of a node's log, oldest first.
type LogLines struct {
	Node  string
	Lines []string
	Err   error // why it ended, nil while it goes on
}

// ReadConfigs asks for all configs of a topic; they arrive as [Configs].
type ReadConfigs struct{ Topic string }

// Configs are all configs of a topic.
type Configs struct {
	Topic   string
	Entries []admin.ConfigEntry
	Err     error
}

// Deed is a wish that changes something. Line is the command line that does the same, without secrets.
type Deed interface{ Line() string }

// Fault does something to a node, or to several at once. The root model asks before it does it.
type Fault struct {
	Verb cluster.Verb
	Node string   // broker-2
	Role string   // leader:orders/3 if it was picked by what it does, else empty
	Also []string // further nodes; there is no role then
}

// Nodes are all nodes that it hits.
func (f Fault) Nodes() []string { return append([]string{f.Node}, f.Also...) }

// Target is the node as the command line names it.
func (f Fault) Target() string {
	if f.Role != "" {
		return Quote(f.Role)
	}
	return strings.Join(f.Nodes(), " ")
}

// Line implements Deed.
func (f Fault) Line() string {
	return "kdrill " + string(f.Verb) + " " + f.Target()
}

// CreateTopic creates a topic.
type CreateTopic struct{ Spec admin.TopicSpec }

// Line implements Deed.
func (c CreateTopic) Line() string {
	var b strings.Builder
	fmt.Fprintf(&b, "kdrill topic create %s", Quote(c.Spec.Name))
	if c.Spec.Partitions > 0 {
		fmt.Fprintf(&b, " --partitions %d", c.Spec.Partitions)
	}
	if c.Spec.ReplicationFactor > 0 {
		fmt.Fprintf(&b, " --replication-factor %d", c.Spec.ReplicationFactor)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Spec.Configs)) {
		fmt.Fprintf(&b, " --config %s", Quote(name+"="+c.Spec.Configs[name]))
	}
	return b.String()
}

// DeleteTopics deletes topics.
type DeleteTopics struct{ Topics []string }

// Line implements Deed.
func (d DeleteTopics) Line() string {
	line := "kdrill topic delete"
	for _, topic := range d.Topics {
		line += " " + Quote(topic)
	}
	return line + " --yes"
}

// AddPartitions raises the number of partitions.
type AddPartitions struct {
	Topic string
	Total int32
}

// Line implements Deed.
func (a AddPartitions) Line() string {
	return fmt.Sprintf("kdrill topic alter %s --partitions %d", Quote(a.Topic), a.Total)
}

// AlterConfig sets one config of a topic, or removes it.
type AlterConfig struct {
	Topic, Name, Value string
	Unset              bool
}

// Line implements Deed.
func (a AlterConfig) Line() string {
	if a.Unset {
		return fmt.Sprintf("kdrill topic alter %s --delete-config %s", Quote(a.Topic), Quote(a.Name))
	}
	return fmt.Sprintf("kdrill topic alter %s --config %s", Quote(a.Topic), Quote(a.Name+"="+a.Value))
}

// Produce writes one record.
type Produce struct {
	Topic      string
	Key, Value string
	NoKey      bool
}

// Line implements Deed.
func (p Produce) Line() string {
	if p.NoKey {
		return fmt.Sprintf("printf '%%s\\n' %s | kdrill produce %s", Quote(p.Value), Quote(p.Topic))
	}
	separator := ":"
	for other := range strings.SplitSeq("=|;#~^!", "") {
		if !strings.Contains(p.Key, separator) {
			break // the first one ends the key
		}
		separator = other
	}
	return fmt.Sprintf("printf '%%s\\n' %s | kdrill produce %s --key %s", Quote(p.Key+separator+p.Value), Quote(p.Topic), Quote(separator))
}

// Elect makes preferred replicas lead their partitions again; all partitions if none is named.
type Elect struct{ Partitions []admin.TopicPartition }

// Line implements Deed.
func (e Elect) Line() string {
	line := "kdrill elect"
	for _, p := range e.Partitions {
		line += fmt.Sprintf(" %s/%d", Quote(p.Topic), p.Partition)
	}
	return line
}

// Done tells the screens how a deed ended.
type Done struct {
	Deed   Deed
	Err    error
	Result string // what to say about it when it went well
	At     time.Time
	Took   time.Duration
}

// Quote makes text one word of a POSIX shell.
func Quote(text string) string {
	if text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,@+%", r)
	}) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
