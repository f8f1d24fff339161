package admin

import "time"

// Recovery is the stopwatch of one fault: it starts with the fault and folds in what happens after it. All
// durations count from the fault; zero means not yet.
type Recovery struct {
	Fault   Event         `json:"fault"`
	Broker  int32         `json:"broker"`            // -1 for a coordinator
	Session time.Duration `json:"session,omitempty"` // the node's session timeout, 0 unknown

	Detected   time.Duration `json:"detected"`   // the cluster noticed: session ended, or leaders began to move
	Controller time.Duration `json:"controller"` // a new controller, if it had to move
	Elected    time.Duration `json:"elected"`    // the first partition got a new leader
	Led        time.Duration `json:"led"`        // the last one did
	Returned   time.Duration `json:"returned"`   // the node registered again
	Full       time.Duration `json:"full"`       // every replica is in sync again

	ToLead      int  `json:"to_lead"`      // partitions that lost their leader
	LedAgain    int  `json:"led_again"`    // of them
	NeedsFull   int  `json:"needs_full"`   // partitions with a replica on the node
	InSync      int  `json:"in_sync"`      // of them, with every replica in sync
	MoveControl bool `json:"move_control"` // the controller has to move

	lost map[TopicPartition]int32
}
