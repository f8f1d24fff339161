package group

import "time"

// Settings are a broker's settings for groups. Names and defaults are Apache's.
type Settings struct {
	MinSessionTimeout     time.Duration // group.min.session.timeout.ms
	MaxSessionTimeout     time.Duration // group.max.session.timeout.ms
	InitialRebalanceDelay time.Duration // group.initial.rebalance.delay.ms
	MaxSize               int           // group.max.size
	MetadataMaxBytes      int           // offset.metadata.max.bytes
	CommitTimeout         time.Duration // offsets.commit.timeout.ms
	Retention             time.Duration // offsets.retention.minutes
	RetentionCheck        time.Duration // offsets.retention.check.interval.ms
}

// DefaultSettings are Apache's.
func DefaultSettings() Settings {
	return Settings{
		MinSessionTimeout:     6 * time.Second,
		MaxSessionTimeout:     30 * time.Minute,
		InitialRebalanceDelay: 3 * time.Second,
		MaxSize:               1<<31 - 1,
		MetadataMaxBytes:      4096,
		CommitTimeout:         5 * time.Second,
		Retention:             7 * 24 * time.Hour,
		RetentionCheck:        10 * time.Minute,
	}
}
