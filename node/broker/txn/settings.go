package txn

import "time"

// Settings are a broker's settings for transactions. Names and defaults are Apache's.
type Settings struct {
	MaxTimeout     time.Duration // transaction.max.timeout.ms
	AbortInterval  time.Duration // transaction.abort.timed.out.transaction.cleanup.interval.ms
	ExpireInterval time.Duration // transaction.remove.expired.transaction.cleanup.interval.ms
	IDExpiration   time.Duration // transactional.id.expiration.ms
	CommitTimeout  time.Duration // of an append to __transaction_state
	MarkerTimeout  time.Duration // of one attempt to write markers
}

// DefaultSettings are Apache's.
func DefaultSettings() Settings {
	return Settings{
		MaxTimeout:     15 * time.Minute,
		AbortInterval:  10 * time.Second,
		ExpireInterval: time.Hour,
		IDExpiration:   7 * 24 * time.Hour,
		CommitTimeout:  5 * time.Second,
		MarkerTimeout:  10 * time.Second,
	}
}
