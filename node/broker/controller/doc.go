// Package controller is the Kafka controller in ZooKeeper mode: the one broker that elects the leaders of partitions.
//
// Every broker runs a [Controller]; the one that creates the ephemeral znode /controller leads for a term. A term reads
// brokers, topics and partition states into a view, then turns events (watches that fired, requests of brokers, timers)
// into new partition states: decided by pure functions, written to ZooKeeper, then told to the brokers as LeaderAndIsr,
// UpdateMetadata and StopReplica. Each write carries a check of /controller_epoch, so that a controller that was replaced
// without noticing can change nothing.
//
// One goroutine owns the view and handles one event after the other. Watches and requests only post events; writes of one
// event go to ZooKeeper in parallel and the event waits for all of them. Each broker has a queue and a goroutine of its
// own that sends in order and repeats until the broker answers or leaves, so a broker that hangs delays nobody else.
//
// Where Apache's controller writes the states of a topic that it deletes on their way down (offline, an ISR that shrinks),
// this one writes none: brokers hear that nobody leads the topic, delete their replicas, and its znodes go.
//
// Sources: kafka/controller on Kafka's 3.9 branch, KIP-380 (broker epochs), KIP-497 and KIP-841 (AlterPartition).
package controller
