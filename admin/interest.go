package admin

// Interest says what a screen shows beside what every snapshot has (brokers, topics, leaders, in-sync replicas,
// coordinators). Only what somebody is interested in is asked for.
type Interest struct {
	AllOffsets bool     // offsets and rates of every topic; in a large cluster those that are not in Offsets take turns
	Offsets    []string // offsets and rates of these topics, in every refresh
	LogDirs    bool     // sizes; in a large cluster those of Offsets more often
	Groups     bool     // every group with its members, committed offsets and lag
	Group      string   // the same for one group
	Configs    string   // every config of one topic, into Topic.Configs

	Coordinators bool // details of every ZooKeeper node
	Sessions     bool // ZooKeeper's sessions with their owners
}

// Everything is the interest in all groups and in the offsets and sizes of all topics.
func Everything() Interest { return Interest{AllOffsets: true, LogDirs: true, Groups: true} }
