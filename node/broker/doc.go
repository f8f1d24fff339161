// Package broker is one Kafka broker in ZooKeeper mode: a process that serves Kafka's protocol, keeps replicas on
// disk and takes its share in coordinating the cluster.
//
// [Run] reads server.properties, binds the listeners, opens a ZooKeeper session and the log directory, registers
// and serves. A request goes from wire to the handler of its key: the data plane in replica, consumer groups in
// group, elections in controller, and here what a broker answers from its view of the cluster ([metadata.Cache])
// or writes to ZooKeeper (topics, partitions, configurations, producer ids). News comes the other way: the
// controller sends LeaderAndIsr, UpdateMetadata and StopReplica; znodes under /config/changes tell of new
// configurations. When ctx ends the broker hands its leaderships over (ControlledShutdown), closes its logs and its
// session, and Run returns.
//
// Where an authorizer is configured a guard stands before each handler: package authorizer decides, by lists in
// ZooKeeper, what is taken out of a request. Credentials and quotas are configurations of users, clients and addresses;
// package auth proves who is asking, package quota measures what for. Delegation tokens are znodes of their own.
//
// Listeners come and go while the broker runs: what is asked for is checked and bound first, then written to ZooKeeper, opened
// and told to all by the registration; connections of a listener that was removed end once who removed it has an answer.
//
// A connection is a goroutine, and handlers run on it. The parts own their state and are safe to call from any
// handler. What the broker keeps itself is immutable, atomic, or behind one small lock each.
package broker
