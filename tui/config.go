package tui

import (
	"context"
	"io"
	"iter"
	"time"

	"kdrill/admin"
	"kdrill/admin/records"
	"kdrill/admin/znodes"
	"kdrill/cluster"
)

// Config is what the console shows and what it may do.
type Config struct {
	Cluster  string // its name, or the bootstrap address of a cluster that is not local
	Contexts []string
	Flags    string // of a command line that means this cluster: "--cluster other"

	Snapshots <-chan *admin.Snapshot // newest wins
	Events    <-chan admin.Event
	Statuses  <-chan cluster.Status // nil where nobody supervises; newest wins

	Observer Observer
	Kafka    Kafka
	Znodes   Znodes // nil where no ZooKeeper is known
	Nodes    Nodes  // nil where nobody supervises

	ReadOnly bool
	// MayStop lets the user stop the cluster when leaving the console.
	MayStop  bool
	Theme    string // dark, light, plain; empty asks the terminal
	Mouse    bool
	Command  string // typed into the command line at the start: "topic orders"
	Interval time.Duration

	Input       io.Reader // nil is the terminal
	Output      io.Writer
	Environment []string
}

// Observer is told what to look at.
type Observer interface {
	SetInterest(admin.Interest)
	SetInterval(time.Duration)
	Refresh()
}

// Kafka does what changes topics and records, and reads them.
type Kafka interface {
	CreateTopic(ctx context.Context, spec admin.TopicSpec) error
	DeleteTopic(ctx context.Context, name string) error
	AddPartitions(ctx context.Context, topic string, total int32) error
	AlterTopicConfig(ctx context.Context, topic string, set map[string]string, unset []string) error
	TopicConfigs(ctx context.Context, topic string) ([]admin.ConfigEntry, error)
	ElectPreferred(ctx context.Context, partitions []admin.TopicPartition) ([]admin.Election, error)
	Produce(ctx context.Context, topic string, key, value []byte) error
	Tail(ctx context.Context, spec records.Spec) (*records.Tail, error)
}

// Znodes reads, watches and changes the znodes of ZooKeeper.
type Znodes interface {
	// Browse makes a browser that shows spec; it does not wait for ZooKeeper.
	Browse(spec znodes.Spec) (Browser, error)
	// Subtree counts a znode and those below it; whole says whether that is all.
	Subtree(ctx context.Context, path string) (n int, whole bool, err error)
	CreateZnode(ctx context.Context, path string, data []byte, sequential bool) (created string, err error)
	SetZnode(ctx context.Context, path string, data []byte, version int32) error
	DeleteZnode(ctx context.Context, path string, version int32, recursive bool) (deleted int, err error)
}

// Browser keeps a part of the tree of znodes up to date while its Run does.
type Browser interface {
	Show(spec znodes.Spec)
	Views() <-chan *znodes.View // newest wins; closed when Run returns
	Run(ctx context.Context) error
}

// Nodes is the supervisor of a local cluster.
type Nodes interface {
	Do(ctx context.Context, node string, verb cluster.Verb, by string) error
	Log(ctx context.Context, node string, lines int, follow bool) iter.Seq2[string, error]
}

// Outcome is how the user left the console.
type Outcome struct {
	Stop    bool   // the local cluster should be stopped
	Context string // another cluster should be shown
}
