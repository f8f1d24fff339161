package broker

import (
	"math"
	"strconv"
	"time"

	"kdrill/node/broker/controller"
	"kdrill/node/broker/replica"
	"kdrill/node/broker/settings"
	"kdrill/node/log"
)

// controllerSettings picks what the controller follows.
func controllerSettings(s *settings.Settings) controller.Settings {
	return controller.Settings{
		UncleanLeaderElectionEnable:     s.Bool("unclean.leader.election.enable"),
		AutoLeaderRebalanceEnable:       s.Bool("auto.leader.rebalance.enable"),
		LeaderImbalancePerBrokerPercent: int(s.Int("leader.imbalance.per.broker.percentage")),
		LeaderImbalanceCheckInterval:    time.Duration(s.Int("leader.imbalance.check.interval.seconds")) * time.Second,
		ControllerSocketTimeout:         s.Millis("controller.socket.timeout.ms"),
		DeleteTopicEnable:               s.Bool("delete.topic.enable"),
		InterBrokerListenerName:         s.InterBrokerListener,
	}
}

// replicaSettings picks what replicas follow.
func replicaSettings(v settings.Values) replica.Settings {
	return replica.Settings{
		ReplicaLagTimeMax:       v.Millis("replica.lag.time.max.ms"),
		FetchWaitMax:            v.Millis("replica.fetch.wait.max.ms"),
		FetchBackoff:            v.Millis("replica.fetch.backoff.ms"),
		FetchMinBytes:           int32(v.Int("replica.fetch.min.bytes")),
		FetchPartitionBytes:     int32(v.Int("replica.fetch.max.bytes")),
		FetchResponseBytes:      int32(v.Int("replica.fetch.response.max.bytes")),
		SocketTimeout:           v.Millis("replica.socket.timeout.ms"),
		Fetchers:                int(v.Int("num.replica.fetchers")),
		HighWatermarkCheckpoint: v.Millis("replica.high.watermark.checkpoint.interval.ms"),
		RetentionCheck:          v.Millis("log.retention.check.interval.ms"),
		MaxFetchBytes:           int32(v.Int("fetch.max.bytes")),
		FetchSessions:           int(v.Int("max.incremental.fetch.session.cache.slots")),
		ThrottleWindows:         windows(v, "replication.quota.window"),
		MinInSyncReplicas:       int(v.Int("min.insync.replicas")),
		CleanerBackoff:          cleanerBackoff(v),
		Topic:                   topicDefaults(v),
	}
}

func cleanerBackoff(v settings.Values) time.Duration {
	if !v.Bool("log.cleaner.enable") {
		return 0
	}
	return max(v.Millis("log.cleaner.backoff.ms"), time.Millisecond)
}

// topicDefaults is the configuration of topics that override nothing.
func topicDefaults(v settings.Values) log.Config {
	c := log.Config{
		SegmentBytes:     int(v.TopicInt("segment.bytes")),
		SegmentMillis:    v.TopicInt("segment.ms"),
		IndexBytes:       int(v.TopicInt("segment.index.bytes")),
		IndexInterval:    int(v.TopicInt("index.interval.bytes")),
		RetentionMillis:  v.TopicInt("retention.ms"),
		RetentionBytes:   v.TopicInt("retention.bytes"),
		MaxMessageBytes:  int(v.TopicInt("max.message.bytes")),
		CleanupPolicy:    v.TopicDefault("cleanup.policy"),
		DeleteRetention:  time.Duration(v.TopicInt("delete.retention.ms")) * time.Millisecond,
		MinCompactionLag: time.Duration(v.TopicInt("min.compaction.lag.ms")) * time.Millisecond,
		FlushMessages:    v.TopicInt("flush.messages"),
		SegmentJitter:    v.TopicInt("segment.jitter.ms"),
		MaxCompactionLag: time.Duration(min(v.TopicInt("max.compaction.lag.ms"), math.MaxInt64/int64(time.Millisecond))) * time.Millisecond,
		FlushMillis:      v.TopicInt("flush.ms"),
		TimestampBefore:  timestampBound(v, "message.timestamp.before.max.ms"),
		TimestampAfter:   timestampBound(v, "message.timestamp.after.max.ms"),
		Compression:      v.TopicDefault("compression.type"),
		CompressionLevels: log.CompressionLevels{
			Gzip: int(v.TopicInt("compression.gzip.level")), LZ4: int(v.TopicInt("compression.lz4.level")), Zstd: int(v.TopicInt("compression.zstd.level")),
		},
		NoDownConversion:     v.TopicDefault("message.downconversion.enable") == "false",
		FileDeleteDelay:      time.Duration(v.TopicInt("file.delete.delay.ms")) * time.Millisecond,
		ProducerIDExpiration: v.Millis("producer.id.expiration.ms"),
	}
	c.MinCleanableRatio, _ = strconv.ParseFloat(v.TopicDefault("min.cleanable.dirty.ratio"), 64) // checked when it was read
	if v.TopicDefault("message.timestamp.type") == "LogAppendTime" {
		c.TimestampType = log.LogAppendTime
	}
	return c
}

// timestampBound is one of the bounds for producers' timestamps, or the one for both that came before them.
func timestampBound(v settings.Values, name string) int64 {
	if bound := v.TopicInt(name); bound < math.MaxInt64 {
		return bound
	}
	return v.TopicInt("message.timestamp.difference.max.ms")
}
