package admin

// Level says how well a cluster is.
type Level string

// The levels of health.
const (
	Healthy  Level = "healthy"
	Degraded Level = "degraded" // works, with less redundancy than it should have, or cannot be seen fully
	Broken   Level = "broken"   // something cannot be read or written now
)

// Health is one line about a cluster.
type Health struct {
	Level           Level  `json:"level"`
	Why             string `json:"why"` // empty when healthy, else one line such as "2 partitions offline"
	Offline         int    `json:"offline"`
	BelowMinISR     int    `json:"below_min_isr"`
	UnderReplicated int    `json:"under_replicated"`
}
