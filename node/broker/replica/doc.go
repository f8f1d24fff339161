// Package replica is the data plane of a broker: it keeps the replicas that the controller placed here, serves what
// producers, consumers and followers ask of them, and follows the leaders of the others.
//
// The controller's LeaderAndIsr makes each partition a leader or a follower of one leader epoch. A leader appends what
// producers send, wakes the followers that wait for it in a fetch, learns from each fetch how far its follower has
// come, moves the high watermark to the least offset that all in-sync replicas have, and with that wakes producers
// that wait for acks=all and consumers that wait for records. It takes followers out of the in-sync replicas (isr)
// when they have not been caught up for replica.lag.time.max.ms, and back in when they have everything committed;
// each such change is agreed with the controller through AlterPartition, and until the answer is in, the larger of
// both sets counts (the maximal isr). A follower is one entry of a fetcher: a goroutine with a connection to one
// leader, which fetches for many partitions at once and truncates where the leader's history of epochs differs from
// its own (KIP-101, KIP-279, KIP-595); it never truncates by high watermark. A partition whose disk fails answers
// KAFKA_STORAGE_ERROR from then on.
//
// Changes of roles are serialised by one lock. Each partition has two more: writer is held while its log changes or
// its role does, mu guards its small state and is never held while anything waits, on the disk or on another broker.
// The order is roles, writer, mu. Requests that wait hold no lock: they leave a note on the partition (an ack or a
// poll), and whoever makes it true takes the note off and signals. What is decided (who is in sync, where the high
// watermark stands, which request is too old) are pure functions over values, in decide.go.
//
// Sources: Kafka 3.9 (Partition, ReplicaManager, AbstractFetcherThread, FetchSession), KIP-101, KIP-207, KIP-227,
// KIP-279, KIP-320, KIP-497, KIP-595, KIP-841, KIP-903.
package replica
