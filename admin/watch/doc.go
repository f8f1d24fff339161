// Package watch follows the znodes that hold the state of a Kafka cluster: who is a member, who controls it, which
// topics exist and who leads and replicates each partition.
//
// A [Watcher] keeps a one-shot watch on every znode of interest. An event only names a path; the path is read again,
// with a new watch, and what was read goes up as an [Update]. Nothing is thrown away by the loss of a connection:
// with each new one everything is read again, so a missed event costs a delay and never a change.
//
// ZooKeeper's callback and a few readers share a queue of paths; a path is read by one reader at a time. Updates
// leave through one channel, in the order in which each path was read.
package watch

import (
	"time"

	"kdrill/node/layout"
)

// Update is one thing that was read: one of the types below.
type Update interface{ update() }

// Online says that a coordinator serves us. Everything is read again from now on.
type Online struct {
	Server  string
	Session int64 // ours
}

// Offline says that no coordinator serves us; what was read stays the last that is known.
type Offline struct{}

// Synced says that everything was read once since the last [Online].
type Synced struct{}

// Brokers is the set of registered ids. Their registrations follow one by one.
type Brokers struct{ IDs []int32 }

// Broker is one registration.
type Broker struct {
	ID           int32
	Registration layout.BrokerRegistration
	Epoch        int64 // czxid
	Session      int64 // ephemeralOwner
	At           time.Time
}

// Controller is who controls the cluster, -1 for nobody.
type Controller struct {
	ID int32
	At time.Time // when it was elected; zero for nobody
}

// ControllerEpoch is how many controllers there were.
type ControllerEpoch struct{ Epoch int32 }

// Topics is the set of topics. Their assignments follow one by one.
type Topics struct{ Names []string }

// Assignment is one topic's replicas.
type Assignment struct {
	Topic string
	layout.TopicAssignment
	At time.Time // when the topic was created
}

// State is the state of one partition.
type State struct {
	Topic     string
	Partition int32
	layout.PartitionState
	Version int32     // of the znode: the partition epoch
	Created int64     // czxid: a topic that was deleted and made again starts over
	At      time.Time // mtime
}

// Configs says that some configuration changed.
type Configs struct{}

func (Online) update()          {}
func (Offline) update()         {}
func (Synced) update()          {}
func (Brokers) update()         {}
func (Broker) update()          {}
func (Controller) update()      {}
func (ControllerEpoch) update() {}
func (Topics) update()          {}
func (Assignment) update()      {}
func (State) update()           {}
func (Configs) update()         {}
