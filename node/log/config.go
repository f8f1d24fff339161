package log

import (
	"strings"
	"time"
)

// Config is what of a topic's configuration concerns its logs. Names and defaults are Apache's.
type Config struct {
	SegmentBytes         int           // segment.bytes
	SegmentMillis        int64         // segment.ms
	SegmentJitter        int64         // segment.jitter.ms: a segment may end that much sooner
	IndexBytes           int           // segment.index.bytes
	IndexInterval        int           // index.interval.bytes
	RetentionMillis      int64         // retention.ms; -1 keeps for ever
	RetentionBytes       int64         // retention.bytes; -1 keeps any size
	MaxMessageBytes      int           // max.message.bytes, of one batch with its header
	CleanupPolicy        string        // cleanup.policy
	MinCleanableRatio    float64       // min.cleanable.dirty.ratio
	MinCompactionLag     time.Duration // min.compaction.lag.ms
	MaxCompactionLag     time.Duration // max.compaction.lag.ms
	DeleteRetention      time.Duration // delete.retention.ms
	TimestampType        TimestampType // message.timestamp.type
	TimestampBefore      int64         // message.timestamp.before.max.ms: how far a producer's may lie in the past
	TimestampAfter       int64         // message.timestamp.after.max.ms: and in the future
	Compression          string        // compression.type; empty is producer
	CompressionLevels    CompressionLevels
	NoDownConversion     bool          // message.downconversion.enable is false
	FlushMessages        int64         // flush.messages
	FlushMillis          int64         // flush.ms; Log.FlushOld sees to it
	FileDeleteDelay      time.Duration // file.delete.delay.ms
	ProducerIDExpiration time.Duration // producer.id.expiration.ms, a broker's setting
}

// TimestampType says whose clock stamps a record.
type TimestampType int8

const (
	CreateTime    TimestampType = iota // the producer's
	LogAppendTime                      // the leader's
)

// DefaultConfig is the configuration of a topic that overrides nothing.
func DefaultConfig() Config {
	return Config{
		SegmentBytes:         1 << 30,
		SegmentMillis:        (7 * 24 * time.Hour).Milliseconds(),
		IndexBytes:           10 << 20,
		IndexInterval:        4096,
		RetentionMillis:      (7 * 24 * time.Hour).Milliseconds(),
		RetentionBytes:       -1,
		MaxMessageBytes:      1<<20 + overhead,
		CleanupPolicy:        "delete",
		MinCleanableRatio:    0.5,
		DeleteRetention:      24 * time.Hour,
		TimestampBefore:      1<<63 - 1,
		TimestampAfter:       1<<63 - 1,
		MaxCompactionLag:     1<<63 - 1,
		FlushMessages:        1<<63 - 1,
		FlushMillis:          1<<63 - 1,
		FileDeleteDelay:      time.Minute,
		ProducerIDExpiration: 24 * time.Hour,
	}
}

func (c Config) deletes() bool  { return strings.Contains(c.CleanupPolicy, "delete") }
func (c Config) compacts() bool { return strings.Contains(c.CleanupPolicy, "compact") }

// segmentMillis is how long a segment takes batches: no longer than a compacted topic may wait for its compaction, and
// shorter by a share of the jitter.
func (c Config) segmentMillis(share float64) int64 {
	most := c.SegmentMillis
	if c.compacts() && c.MaxCompactionLag > 0 {
		most = min(most, max(c.MaxCompactionLag.Milliseconds(), 1))
	}
	return most - int64(share*float64(min(c.SegmentJitter, most)))
}
