// Package quorum replicates proposals between the nodes of an ensemble with Raft (go.etcd.io/raft, a state machine
// without clock, network or disk of its own; those are here).
//
//	Submit -> outbox -> raft loop -> transport -> the leader -> … -> committed entry -> Applier.Apply on every node
//
// Raft may lose a proposal on its way to the leader and may commit one twice if it is sent again. The outbox makes that
// exactly once and in order: each node numbers its proposals, sends those that have not come back again whenever the
// leader changes, and an entry that is not the next of its node is ignored by all.
//
// A node serves while it knows a leader and has once caught up with it; without a leader it keeps what it has for a
// grace of two election timeouts, then gives up: [Applier.Down].
//
// Who belongs to the ensemble is for the Applier to say ([Node.Meet], [Node.Try]); the leader makes Raft follow, in joint
// steps. Nodes without a vote are Raft's learners: observers, a node that came to join, one that was removed and still
// runs.
//
// Goroutines: the raft loop owns the RawNode; one writes the log, so that a slow disk does not silence heartbeats; one
// applies entries, and calls the Applier; one writes snapshots; each peer has one that sends and one that receives. They
// talk through mailboxes that never block the sender.
package quorum
