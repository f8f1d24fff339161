package need

import (
	"path/filepath"
	"strings"
	"testing"
)

// zooKeeperJars is what Debian's Apache ZooKeeper runs with, as patterns below /usr/share/java.
var zooKeeperJars = []string{
	"zookeeper.jar", "zookeeper-jute.jar", "commons-cli.jar", "commons-io.jar", "slf4j-api.jar", "slf4j-simple.jar", "netty-*.jar",
	"jackson-core.jar", "jackson-databind.jar", "jackson-annotations.jar", "snappy-java.jar", "metrics-core.jar", "servlet-api.jar",
	"jetty9-server.jar", "jetty9-servlet.jar", "jetty9-http.jar", "jetty9-io.jar", "jetty9-util.jar", "jetty9-security.jar", "jetty9-util-ajax.jar",
}

// ZooKeeper returns a command line that runs Apache ZooKeeper with these system properties; the path of a zoo.cfg follows it.
func ZooKeeper(t testing.TB, properties ...string) []string {
	t.Helper()
	File(t, "/usr/share/java/zookeeper.jar", "zookeeper")
	java := Program(t, "java", "default-jre-headless")
	var path []string
	for _, pattern := range zooKeeperJars {
		found, _ := filepath.Glob(filepath.Join("/usr/share/java", pattern))
		path = append(path, found...)
	}
	command := []string{java, "-Xmx256m", "-cp", strings.Join(path, ":"), "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"}
	for _, p := range properties {
		command = append(command, "-D"+p)
	}
	return append(command, "org.apache.zookeeper.server.quorum.QuorumPeerMain")
}
