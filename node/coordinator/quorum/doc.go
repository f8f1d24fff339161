// Package quorum replicates proposals between the nodes of an ensemble with Raft (go.etcd.io/raft, a state machine
// without clock, network or disk of its own; those are here).
//
//	Submit -> outbox -> turn of Raft -> transport -> the leader -> … -> committed entry -> Applier.Apply on every node
//
// Raft may lose a proposal on its way to the leader and may commit one twice if it is sent again. The outbox makes that
// exactly once and in order: each node numbers its proposals, sends those that have not come back again whenever the
// leader changes, and an entry that is not the next of its node is ignored by all.
//
// An election begins as soon as the connection of the leader's process ends, not only when its silence is noticed; who has
// given its vote leaves the others the time to finish theirs. Time passes once everything is handled that had come before: a
// process or a machine that stood still does not take its leader for silent.
//
// A node serves while it knows a leader and has once caught up with it; without a leader it keeps what it has for a
// grace of two election timeouts, then gives up: [Applier.Down].
//
// Who belongs to the ensemble is for the Applier to say ([Node.Meet], [Node.Try]); the leader makes Raft follow, in joint
// steps. Nodes without a vote are Raft's learners: observers, a node that came to join, one that was removed and still
// runs.
//
// Goroutines: whoever brings Raft something, a proposal, a message or the news that something is written, takes its turn,
// one at a time, and applies what that committed (turns). So a write passes through a node without waking a goroutine for
// each step, but for the disk: one goroutine writes the log, so that a slow disk does not silence heartbeats. Long
// work, like restoring a snapshot, is left to the applier's own goroutine, and one of its own writes snapshots. For each
// peer one keeps a connection and one receives; messages are sent by whoever took the turn (package socket).
//
// The entries of a batch go to the other nodes before the leader's own disk is asked; what comes while that is busy is
// the next batch.
package quorum
