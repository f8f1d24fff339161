// Package admin observes and operates a Kafka cluster: any cluster, local or remote.
//
// An Observer polls brokers and watches ZooKeeper, and turns what it learns into a [Snapshot]; the difference of
// two snapshots is a list of [Event]. Operations (topics, groups, records) are methods of a client. Values flow up,
// nothing here knows who shows them.
//
// A refresh costs a few requests a broker, however many topics there are: while ZooKeeper tells of every change, all topics are
// asked for rarely, and snapshots share what did not change.
//
// Every value that leaves the package is immutable. Each broker has a deadline of its own, so that one that hangs
// delays nothing but its own column.
package admin
