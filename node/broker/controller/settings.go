package controller

import "time"

// Settings are the properties of server.properties that a controller follows, under Apache's names.
type Settings struct {
	UncleanLeaderElectionEnable     bool          // unclean.leader.election.enable, unless the topic says otherwise
	AutoLeaderRebalanceEnable       bool          // auto.leader.rebalance.enable
	LeaderImbalancePerBrokerPercent int           // leader.imbalance.per.broker.percentage
	LeaderImbalanceCheckInterval    time.Duration // leader.imbalance.check.interval.seconds, more than 0
	ControllerSocketTimeout         time.Duration // controller.socket.timeout.ms: a request to a broker is repeated after it
	DeleteTopicEnable               bool          // delete.topic.enable
	InterBrokerListenerName         string        // inter.broker.listener.name
}

// DefaultSettings are Apache's defaults.
func DefaultSettings() Settings {
	return Settings{
		AutoLeaderRebalanceEnable:       true,
		LeaderImbalancePerBrokerPercent: 10,
		LeaderImbalanceCheckInterval:    300 * time.Second,
		ControllerSocketTimeout:         30 * time.Second,
		DeleteTopicEnable:               true,
		InterBrokerListenerName:         "PLAINTEXT",
	}
}
