package replica

import (
	"context"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"kdrill/node/broker/quota"
	"kdrill/node/log"
)

// Config is what the rest of a broker lends to its replicas. The functions are called from many goroutines, some of
// them with a partition's lock held: Alive, Hosted and TopicConfig must answer from memory and call nothing here.
type Config struct {
	BrokerID    int32
	BrokerEpoch func() int64
	Dirs        *log.Dirs
	Settings    Settings

	// TopicConfig is what /config/topics sets for a topic, by Apache's names; what it leaves out is Settings.Topic.
	TopicConfig func(topic string) map[string]string
	// Endpoint is where a broker listens for other brokers, false while it is not alive.
	Endpoint func(id int32) (addr string, ok bool)
	// Alive tells whether a broker is registered. A follower that is not never enters the isr.
	Alive func(id int32) bool
	// Rack is where a live broker is, "" if it does not say; nil has consumers read from leaders only
	// (replica.selector.class). Followers serve those that ask them either way.
	Rack func(id int32) string
	// Hosted tells whether the cluster has a partition that is not here, optional. Clients then learn that they
	// asked the wrong broker, rather than that there is no such partition.
	Hosted func(topic string, partition int32) bool
	// Dial connects to another broker.
	Dial func(ctx context.Context, addr string) (Fetcher, error)
	// AlterPartition asks the controller, wherever it is, and blocks until it answered.
	AlterPartition func(ctx context.Context, req *kmsg.AlterPartitionRequest) (*kmsg.AlterPartitionResponse, error)
	// OnLead and OnResign tell of partitions that this broker leads or leads no more, before the controller is
	// answered. They must not block. Both are optional.
	OnLead   func(topic string, partition, leaderEpoch int32)
	OnResign func(topic string, partition int32)
	// OnMarker tells of a transaction's marker that is committed, before its coordinator is answered; an error makes
	// that try again. Optional.
	OnMarker func(ctx context.Context, topic string, partition int32, producerID int64, committed bool) error
	// Verify asks a transaction's coordinator what is wrong with partitions that its producer writes to, optional. What
	// is not in the answer is part of the transaction.
	Verify func(ctx context.Context, v Verification) map[log.TopicPartition]error
	// OnFailure tells of a log directory that failed, and how many are left, optional. It must not block.
	OnFailure func(dir string, left int, err error)

	Log *slog.Logger
}

// Fetcher is a connection to another broker. Requests are answered in their order; the version is the request's.
type Fetcher interface {
	Request(ctx context.Context, req kmsg.Request) (kmsg.Response, error)
	Close()
}

// Settings are a broker's properties that concern replicas.
type Settings struct {
	ReplicaLagTimeMax       time.Duration // replica.lag.time.max.ms
	FetchWaitMax            time.Duration // replica.fetch.wait.max.ms
	FetchBackoff            time.Duration // replica.fetch.backoff.ms, the longest pause; the first are shorter
	FetchMinBytes           int32         // replica.fetch.min.bytes
	FetchPartitionBytes     int32         // replica.fetch.max.bytes, of one partition
	FetchResponseBytes      int32         // replica.fetch.response.max.bytes
	SocketTimeout           time.Duration // replica.socket.timeout.ms
	Fetchers                int           // num.replica.fetchers, for each leader
	HighWatermarkCheckpoint time.Duration // replica.high.watermark.checkpoint.interval.ms
	RetentionCheck          time.Duration // log.retention.check.interval.ms
	CleanerBackoff          time.Duration // log.cleaner.backoff.ms; 0 is no cleaner (log.cleaner.enable)
	MaxFetchBytes           int32         // fetch.max.bytes, of one answer to a consumer
	FetchSessions           int           // max.incremental.fetch.session.cache.slots
	ThrottleWindows         quota.Windows // replication.quota.window.num and .size.seconds
	MinInSyncReplicas       int           // min.insync.replicas, where a topic sets none, as the broker starts
	Topic                   log.Config    // log.* properties, where a topic sets none, as the broker starts
}

// DefaultSettings are Apache's defaults.
func DefaultSettings() Settings {
	return Settings{
		ReplicaLagTimeMax:       30 * time.Second,
		FetchWaitMax:            500 * time.Millisecond,
		FetchBackoff:            time.Second,
		FetchMinBytes:           1,
		FetchPartitionBytes:     1 << 20,
		FetchResponseBytes:      10 << 20,
		SocketTimeout:           30 * time.Second,
		Fetchers:                1,
		HighWatermarkCheckpoint: 5 * time.Second,
		RetentionCheck:          5 * time.Minute,
		CleanerBackoff:          15 * time.Second,
		MaxFetchBytes:           55 << 20,
		FetchSessions:           1000,
		ThrottleWindows:         quota.Windows{Count: 11, Size: time.Second},
		MinInSyncReplicas:       1,
		Topic:                   log.DefaultConfig(),
	}
}

// Defaults are the settings of topics that set none. They may change while the broker runs.
type Defaults struct {
	Topic             log.Config
	MinInSyncReplicas int
}

// with is the configuration of one topic's logs, and its min.insync.replicas. Values that were refused when they were
// set do not get here; one that does not parse leaves the default.
func (d *Defaults) with(overrides map[string]string) (c log.Config, minISR int) {
	c, minISR = d.Topic, d.MinInSyncReplicas
	number := func(key string, set func(int64)) {
		if v, err := strconv.ParseInt(overrides[key], 10, 64); err == nil {
			set(v)
		}
	}
	number("segment.bytes", func(v int64) { c.SegmentBytes = int(v) })
	number("segment.ms", func(v int64) { c.SegmentMillis = v })
	number("segment.index.bytes", func(v int64) { c.IndexBytes = int(v) })
	number("index.interval.bytes", func(v int64) { c.IndexInterval = int(v) })
	number("retention.ms", func(v int64) { c.RetentionMillis = v })
	number("retention.bytes", func(v int64) { c.RetentionBytes = v })
	number("max.message.bytes", func(v int64) { c.MaxMessageBytes = int(v) })
	number("message.timestamp.difference.max.ms", func(v int64) { c.TimestampBefore, c.TimestampAfter = v, v })
	number("message.timestamp.before.max.ms", func(v int64) { c.TimestampBefore = v })
	number("message.timestamp.after.max.ms", func(v int64) { c.TimestampAfter = v })
	number("compression.gzip.level", func(v int64) { c.CompressionLevels.Gzip = int(v) })
	number("compression.lz4.level", func(v int64) { c.CompressionLevels.LZ4 = int(v) })
	number("compression.zstd.level", func(v int64) { c.CompressionLevels.Zstd = int(v) })
	number("segment.jitter.ms", func(v int64) { c.SegmentJitter = v })
	number("flush.ms", func(v int64) { c.FlushMillis = v })
	number("max.compaction.lag.ms", func(v int64) { c.MaxCompactionLag = millis(v) })
	number("flush.messages", func(v int64) { c.FlushMessages = v })
	number("file.delete.delay.ms", func(v int64) { c.FileDeleteDelay = time.Duration(v) * time.Millisecond })
	number("delete.retention.ms", func(v int64) { c.DeleteRetention = millis(v) })
	number("min.compaction.lag.ms", func(v int64) { c.MinCompactionLag = millis(v) })
	if v, err := strconv.ParseFloat(overrides["min.cleanable.dirty.ratio"], 64); err == nil {
		c.MinCleanableRatio = v
	}
	number("min.insync.replicas", func(v int64) { minISR = int(v) })
	if v := overrides["compression.type"]; v != "" {
		c.Compression = v
	}
	if v := overrides["message.downconversion.enable"]; v != "" {
		c.NoDownConversion = strings.EqualFold(v, "false")
	}
	if v := overrides["cleanup.policy"]; v != "" {
		c.CleanupPolicy = v
	}
	switch overrides["message.timestamp.type"] {
	case "CreateTime":
		c.TimestampType = log.CreateTime
	case "LogAppendTime":
		c.TimestampType = log.LogAppendTime
	}
	return c, minISR
}

// millis is a time in milliseconds, at most the longest there is.
func millis(v int64) time.Duration {
	return time.Duration(min(v, math.MaxInt64/int64(time.Millisecond))) * time.Millisecond
}
