package cluster

import "time"

// setting is one timeout with what each profile makes of it.
type setting struct{ key, brisk, apache string }

func (s setting) in(t Timing) string {
	if t == Apache {
		return s.apache
	}
	return s.brisk
}

// brokerTiming holds what decides how long a broker takes to notice and to heal. The right column is Apache's
// default, written out so that the file says what runs.
var brokerTiming = []setting{
	{"zookeeper.session.timeout.ms", "2000", "18000"},
	{"replica.lag.time.max.ms", "3000", "30000"},
	{"replica.fetch.backoff.ms", "200", "1000"},
	{"replica.high.watermark.checkpoint.interval.ms", "1000", "5000"},
	{"controller.socket.timeout.ms", "5000", "30000"},
	{"controlled.shutdown.max.retries", "3", "3"},
	{"controlled.shutdown.retry.backoff.ms", "500", "5000"},
	{"leader.imbalance.check.interval.seconds", "10", "300"},
	{"group.initial.rebalance.delay.ms", "100", "3000"},
	{"group.min.session.timeout.ms", "1000", "6000"},
}

// zookeeperOnly are those that mean nothing to a KRaft broker.
var zookeeperOnly = map[string]bool{"zookeeper.session.timeout.ms": true, "leader.imbalance.check.interval.seconds": true}

// kraftBrokerTiming decides how long a controller takes to notice that a broker is gone.
var kraftBrokerTiming = []setting{
	{"broker.session.timeout.ms", "4000", "9000"},
	{"broker.heartbeat.interval.ms", "500", "2000"},
}

// kraftTiming is for all nodes of a KRaft cluster.
var kraftTiming = []setting{
	{"controller.quorum.election.timeout.ms", "1000", "1000"}, // Kafka's own are brisk
	{"controller.quorum.fetch.timeout.ms", "2000", "2000"},
	{"leader.imbalance.check.interval.seconds", "10", "300"},
}

// jvmSession is the brisk session of a JVM: one that has just started stands still for longer than an embedded broker
// ever does.
const jvmSession = 4 * time.Second

// coordinatorTiming is the same for coordinators. A tick bounds the sessions that clients may ask for: 2 to 20 ticks.
var coordinatorTiming = []setting{
	{"tickTime", "500", "2000"},
	{"initLimit", "10", "10"},
	{"syncLimit", "5", "5"},
}

// grace is how long a node may take to stop before it is killed: a controlled shutdown with all its retries.
func (t Timing) grace() time.Duration {
	if t == Apache {
		return 30 * time.Second
	}
	return 8 * time.Second
}
