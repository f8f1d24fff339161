// Package txn coordinates transactions: which producer may use a transactional id, which partitions its transaction
// touched, and that all of them learn how it ended.
//
// A transactional id belongs to the partition of __transaction_state that its hash names, and is coordinated by that
// partition's leader. Requests become the next state of the id's state machine (type metadata, pure functions), which is
// appended to the partition in Apache's record format before anything is answered. Once PrepareCommit or PrepareAbort
// is there, the outcome is decided: markers go to the leaders of all partitions, through an outbox for each broker, until
// each partition has one, then CompleteCommit or CompleteAbort is appended. Whoever leads the partition of __transaction_state next reads
// it back ([Coordinator.Lead], package led) and goes on from there; its leader epoch is the coordinator epoch in the markers, by
// which partitions refuse those of a former coordinator. Transactions that take too long are aborted, with their
// producer fenced off by a higher epoch.
//
// Each transactional id has two locks: turn is held from a decision until it is in the log, so that decisions follow
// each other as their records do; mu guards the state itself for memory work only. Transactions never wait for each
// other.
//
// Sources: Kafka 3.9 (TransactionCoordinator, TransactionStateManager, TransactionMetadata), KIP-98, KIP-360, KIP-664,
// KIP-890.
package txn
