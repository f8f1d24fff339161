package admin

// Blast is what would happen if one node ended now.
type Blast struct {
	Node        string           `json:"node"`      // broker-2 or the address of a coordinator
	Loses       []LeaderMove     `json:"loses"`     // partitions that lose their leader, by name
	Followers   []TopicPartition `json:"followers"` // partitions that lose an in-sync replica only
	BelowMinISR []ShortISR       `json:"below_min_isr"`
	Offline     []TopicPartition `json:"offline"`    // nobody in sync is left to lead
	Controller  bool             `json:"controller"` // the controller moves
	Groups      []string         `json:"groups"`     // groups whose coordinator moves
	// Quorum is set for coordinators: how many would serve, and how many are needed.
	Quorum *Quorum `json:"quorum,omitempty"`
}

// LeaderMove is a partition and its leader before and after; Next is -1 if there is none.
type LeaderMove struct {
	TopicPartition
	Leader int32 `json:"leader"`
	Next   int32 `json:"next"`
}

// ShortISR is a partition with fewer in-sync replicas than it needs for acks=all.
type ShortISR struct {
	TopicPartition
	ISR    int `json:"isr"`
	MinISR int `json:"min_isr"`
}

// Quorum is the state of a coordinator ensemble.
type Quorum struct {
	Serving int  `json:"serving"`
	Needed  int  `json:"needed"`
	Size    int  `json:"size"`
	Leader  bool `json:"leader"` // the node leads the ensemble: there is an election
}

// Holds says whether the ensemble still serves.
func (q Quorum) Holds() bool { return q.Serving >= q.Needed }

// TopicPartition names a partition.
type TopicPartition struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
}
