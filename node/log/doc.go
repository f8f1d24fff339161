// Package log keeps one broker's partitions on disk in Kafka's segment format.
//
// A [Dir] is one log directory (log.dirs): a lock, the broker's identity, four checkpoint files and one folder per
// partition. A [Log] is one such folder: segments of record batches named after their first offset
// (00000000000000000042.log), each with a sparse offset index and time index beside it, snapshots of the idempotent
// producers' state (.snapshot), and the history of leader epochs (leader-epoch-checkpoint). Batches come in as the
// bytes a producer or a leader sent; a leader stamps offsets and epoch into the header in place and writes the same
// bytes with one system call, a follower writes them as they are, and readers get them back as they lie in the file.
// A log grows at its end, loses whole segments at its start and is cut at its end when a follower diverged or a crash
// left a torn tail; of a compacted topic, sealed segments are replaced by smaller ones. Markers end transactions; the
// aborted ones are listed in a transaction index (.txnindex). Apache's own DumpLogSegments reads these folders.
// Only message format version 2 is kept: what older clients send is converted when it is appended, and back when they read (Downgrade).
//
// A Log has no goroutine. Changes take turns on one mutex that is held while the disk works; readers only take a
// read lock for as long as it takes to find a position, and read the file without it. A reader that was overtaken by
// a truncation reads again. Background work (Flush, Retain, Compact, ExpireProducers, Dir.Checkpoint, Dir.Sweep) happens when
// the owner calls it.
//
// Sources: Kafka 3.9 (LogSegment, UnifiedLog, ProducerStateManager, LeaderEpochFileCache), KIP-98, KIP-101, KIP-279.
package log
