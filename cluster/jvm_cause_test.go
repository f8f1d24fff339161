package cluster

import (
	"strings"
	"testing"
)

func TestACauseIsReadFromTheLogOfAJVM(t *testing.T) {
	for want, log := range map[string]string{
		"Cluster ID x doesn't match stored clusterId Some(y) in meta.properties.": `[2026-11-20 19:27:56,123] INFO starting (kafka.server.KafkaServer)
[2026-11-20 19:27:56,124] ERROR Fatal error during KafkaServer startup. Prepare to shutdown (kafka.server.KafkaServer)
kafka.common.InconsistentClusterIdException: Cluster ID x doesn't match stored clusterId Some(y) in meta.properties.
	at kafka.server.KafkaServer.startup(KafkaServer.scala:250)
[2026-11-20 19:27:56,130] INFO shutting down (kafka.server.KafkaServer)`,
		"Address already in use": `[2026-11-20 19:27:56,124] ERROR Unexpected exception, exiting abnormally (org.apache.zookeeper.server.ZooKeeperServerMain)
java.io.IOException: cannot bind
	at java.base/sun.nio.ch.Net.bind0(Native Method)
Caused by: java.net.BindException: Address already in use
	... 3 more`,
		"Invalid config, exiting abnormally":                                  `[2026-11-20 19:27:56,124] ERROR Invalid config, exiting abnormally (org.apache.zookeeper.server.quorum.QuorumPeerMain)`,
		"Java does not start: Could not reserve enough space for object heap": "Error occurred during initialization of VM\nCould not reserve enough space for object heap",
		"Java does not start: Could not find or load main class kafka.Kafka":  "Error: Could not find or load main class kafka.Kafka\nCaused by: java.lang.ClassNotFoundException: kafka.Kafka",
		"out of memory (Java heap space): give it a larger --heap":            "[2026-11-20 19:27:56,124] INFO all well (x)\nTerminating due to java.lang.OutOfMemoryError: Java heap space",
		"You need to pass all the required security configs":                  `Exception in thread "main" java.lang.IllegalArgumentException: requirement failed: You need to pass all the required security configs`,
	} {
		if got := telling(strings.Split(log, "\n")); got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
}
