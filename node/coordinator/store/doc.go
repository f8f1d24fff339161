// Package store keeps the Raft log and the snapshots of one coordinator on disk.
//
// [Open] reads what is there and says what it found; the entries since the newest snapshot are then held in memory for
// Raft ([Store] is a raft.Storage). [Store.Append] writes a batch and syncs it once: what it returned nil for is
// durable. [Store.SaveSnapshot] writes a snapshot beside the log, as a stream, forgets the entries that it makes needless and
// removes the files that nothing needs any more.
//
//	<folder>/log-<number>              segments of frames, in the order of their numbers
//	<folder>/snapshot-<index>          one frame each
//
//	frame     uint32 length | uint32 crc32c of the payload | payload
//	segment   frame… | zeros     payload: record…, all synced at once
//	record    byte kind | body  see records.go
//
// A frame is written only when the one before it is durable. So a broken frame with nothing whole behind it is the tail
// of a write that was cut short: nobody was told of it, and it is cut off. A broken frame with whole ones behind it
// is damage to what was durable, and Open refuses.
//
// One goroutine appends, another one may save snapshots, and Raft's reads from memory: this is what the locks are for.
package store
