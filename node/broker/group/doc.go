// Package group coordinates classic consumer groups: who is a member, who consumes what, and how far they got.
//
// A group belongs to the partition of __consumer_offsets that the hash of its id names, and is coordinated by that
// partition's leader. Requests find their group, change its state machine under its lock and, if they have to wait
// (JoinGroup for the other members, SyncGroup for the leader's assignment), wait for an answer outside. What
// has to outlive this broker, assignments and committed offsets, is appended to the partition in Apache's record format
// before it is confirmed; whoever leads the partition next reads it back ([Coordinator.Lead]) and goes on. Package led
// keeps what belongs to a partition.
//
// Each group has a mutex, held for memory work only, and one timer, set to its next deadline. The state machine itself
// (type group) knows no clock, disk or goroutine: it is told the time. Appends of one group take turns, but for commits
// of offsets, of which the one that is later in the log counts, so that
// memory and log agree about order. Groups never wait for each other.
//
// Sources: Kafka 3.9 (GroupCoordinator, GroupMetadata, GroupMetadataManager), KIP-62, KIP-134, KIP-345, KIP-394.
package group
